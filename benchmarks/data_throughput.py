"""How fast training batches come: `PackedDataset` against tokenising on the fly with a torch DataLoader.

Both read the same dialogues and texts and give rows of 1,024 tokens. The peer is what training scripts
usually have: an IterableDataset that reads JSONL, shuffles through a buffer, tokenises row by row and pads
each dialogue or cuts a running stream of text. Counted are tokens that are not padding. `PackedDataset` also
pays once to tokenise; the report says after how many passes that has paid off.

    python benchmarks/data_throughput.py [--tokens 2000000] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lunagpt.reporting.numbers import number, percent

LENGTH, ROWS = 1024, 8
RESULTS = Path(__file__).resolve().parent / "results"

ROOTS = [
    "cas",
    "livr",
    "menin",
    "cant",
    "fal",
    "port",
    "temp",
    "mund",
    "vid",
    "trabalh",
    "cidad",
    "camp",
    "terr",
]
ENDINGS = ["a", "o", "as", "os", "ar", "ou", "ava", "ando", "inho", "mente", "ção", "idade", "eiro", "ada"]
FUNCTION_WORDS = ["de", "a", "o", "que", "e", "do", "da", "em", "um", "para", "com", "não"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=2_000_000, help="tokens to draw from each")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    import torch
    from torch.utils.data import DataLoader

    from lunagpt.data import PackedDataset
    from lunagpt.tokenizer import LunaTokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    tokenizer = LunaTokenizer.default()
    with tempfile.TemporaryDirectory() as folder:
        files = write_corpus(Path(folder), arguments.seed)
        started = time.perf_counter()
        packed = PackedDataset(
            [{"path": str(files["dialogues"]), "weight": 1}, {"path": str(files["texts"]), "weight": 1}],
            tokenizer,
            sequence_length=LENGTH,
            batch_size=ROWS,
            seed=arguments.seed,
            cache_dir=Path(folder, "cache"),
        )
        opening = time.perf_counter() - started
        rows = on_the_fly(files, tokenizer, arguments.seed)
        peer = DataLoader(rows, batch_size=ROWS, collate_fn=collate, num_workers=0)
        rates = {}
        for name, batches in (("PackedDataset", packed), ("torch DataLoader, tokenizando na hora", peer)):
            rates[name] = measure(iter(batches), arguments.tokens, torch)
        total = sum(size["tokens"] for size in packed.sizes().values())

    ours, theirs = (rate for rate, _ in rates.values())
    passes = opening / (total / theirs - total / ours)
    lines = [
        f"# Leitura de dados ({platform.processor() or platform.machine()}, {os.cpu_count()} núcleos)",
        "",
        f"Comando: `python benchmarks/data_throughput.py --tokens {arguments.tokens} "
        f"--seed {arguments.seed}`; linhas de {LENGTH} tokens, lotes de {ROWS}, um processo.",
        "",
        "| leitor | tokens/s | preenchimento |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {number(rate, 0)} | {percent(fill)} |" for name, (rate, fill) in rates.items()),
        "",
        f"Razão: {number(ours / theirs, 0)}×. A tokenização única ({number(opening, 1)} s para "
        f"{number(total, 0)} tokens) se paga em {number(passes, 2)} passagens pelos dados.",
    ]
    report = "\n".join(lines) + "\n"
    print(report)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "data_throughput.md").write_text(report, encoding="utf-8")


def measure(batches: Iterator[Any], tokens: int, torch: Any) -> tuple[float, float]:
    """Tokens per second and share of the slots that they fill, over at least `tokens` tokens."""
    next(batches)
    count, slots = 0, 0
    started = time.perf_counter()
    while count < tokens:
        ids = torch.as_tensor(next(batches)["input_ids"])
        count += int((ids != 0).sum())
        slots += ids.numel()
    return count / (time.perf_counter() - started), count / slots


def write_corpus(folder: Path, seed: int) -> dict[str, Path]:
    """About 2 million tokens of made-up Portuguese: words drawn by Zipf's law, dialogues and long texts."""
    draw = random.Random(seed)
    words = [root + ending for root in ROOTS for ending in ENDINGS] + FUNCTION_WORDS
    draw.shuffle(words)
    weights = [1 / rank for rank in range(1, len(words) + 1)]

    def text(low: int, high: int) -> str:
        return " ".join(draw.choices(words, weights, k=draw.randint(low, high))).capitalize() + "."

    files = {"dialogues": folder / "dialogos.jsonl", "texts": folder / "textos.jsonl"}
    with open(files["dialogues"], "w", encoding="utf-8") as stream:
        for _ in range(12_000):
            roles = ("user", "assistant") * draw.randint(1, 3)
            messages = [{"role": role, "content": text(4, 35)} for role in roles]
            stream.write(json.dumps({"messages": messages}) + "\n")
    with open(files["texts"], "w", encoding="utf-8") as stream:
        for _ in range(800):
            stream.write(json.dumps({"text": text(100, 1500)}) + "\n")
    return files


def on_the_fly(files: dict[str, Path], tokenizer: Any, seed: int) -> Any:
    """The peer: rows of token ids, dialogues one a row, texts as a stream cut into rows."""
    from torch.utils.data import IterableDataset

    class OnTheFly(IterableDataset):
        def __iter__(self) -> Iterator[list[int]]:
            draw = random.Random(seed)
            buffers = {name: self._shuffled(path, draw) for name, path in files.items()}
            stream: list[int] = []
            while True:
                if draw.random() < 0.5:
                    yield tokenizer.encode_dialog(next(buffers["dialogues"])["messages"])[:LENGTH]
                else:
                    while len(stream) < LENGTH:
                        stream += [*tokenizer.encode_content(next(buffers["texts"])["text"]), 1]
                    yield stream[:LENGTH]
                    stream = stream[LENGTH:]

        def _shuffled(self, path: Path, draw: random.Random) -> Iterator[dict[str, Any]]:
            buffer: list[dict[str, Any]] = []
            while True:
                with open(path, encoding="utf-8") as lines:
                    for line in lines:
                        buffer.append(json.loads(line))
                        if len(buffer) == 1000:
                            yield buffer.pop(draw.randrange(1000))

    return OnTheFly()


def collate(rows: list[list[int]]) -> dict[str, Any]:
    """Pad on the right to the longest row; padding is no target."""
    import torch

    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return {"input_ids": ids, "labels": ids.masked_fill(ids == 0, -100)}


if __name__ == "__main__":
    main()
