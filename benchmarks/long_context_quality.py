"""What a trained model makes of texts longer than those it was trained on: perplexity, passwords.

**Perplexity by position.** Long documents from held-out text are read in one go, up to --times the trained
length, and the cross-entropy of every token is kept by its position. Texts are not equally hard everywhere,
so the same tokens are also read with the reading begun anew: behind half of the trained length to all of it
and no more. The difference, token by token, is what the far context is worth; above zero it does harm.

**Passwords** (a pass-key test with several keys, as RULER's multi-key retrieval, arXiv 2404.06654): into
held-out text of a given length nine lines "A senha de Maria é verde." are put at even depths, each with its
own name and word, all of them single tokens; behind the text stands "A senha de Maria é". Right is the word
whose probability is the highest of 18: the nine of the text and nine others. Chance is 1/18; beside it, the
same questions without any text. "Gulosa" counts those where the word is the likeliest of the vocabulary.

Both are measured with the model as it is and with a sliding window put into all of its attention layers
without training, the state space carrying the rest.

    python benchmarks/long_context_quality.py --data-root CORPUS [--model FOLDER]
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lunagpt.data.readers import ReadReport, read_rows
from lunagpt.generation.decoding import PREFILL_PIECE
from lunagpt.model_folders import default_model
from lunagpt.models import LunaModel
from lunagpt.models.decoding_state import DecodingState
from lunagpt.reporting.numbers import number, percent
from machine import describe_machine, with_interval, write_table

RESULTS = Path(__file__).parent / "results" / "contexto.md"
HELD_OUT = "pretrain/valid-000.parquet"
NEEDLES = 9
NAMES = (
    "Maria, João, Pedro, Paulo, Antônio, Carlos, José, Rosa, Clara, Lúcia, Luiz, Marcos, Manuel, Francisco"
)
WORDS = (
    "azul, pedra, rio, chave, vento, fogo, porta, ouro, café, verde, branco, casa, livro, carro, mesa, "
    "campo, noite, sol, mar, terra, água, papel, música, escola, praia, jardim, cavalo, leite, rua"
)


def documents(root: Path) -> list[str]:
    """Held-out texts in modern spelling, the longest first."""
    rows = (row for _, row in read_rows(root / HELD_OUT, ReadReport()))
    return sorted((row["text"] for row in rows if row["era"] == "modern"), key=len, reverse=True)


def windows(model: LunaModel, texts: list[str], length: int, count: int) -> torch.Tensor:
    """(count, length + 1) ids: the first stretch of every text that is long enough, then the second, ..."""
    room = length + 1
    encoded = [model.tokenizer.encode_content(text[: 40 * room]) for text in texts[: 4 * count]]
    found = [(start, ids[start : start + room]) for ids in encoded for start in range(0, len(ids), room)]
    found = sorted((pair for pair in found if len(pair[1]) == room), key=lambda pair: pair[0])[:count]
    if len(found) < count:
        raise SystemExit(f"{HELD_OUT} tem só {len(found)} trechos de {room} tokens; diminua --windows.")
    return torch.tensor([ids for _, ids in found])


@torch.inference_mode()
def read(model: LunaModel, ids: torch.Tensor) -> DecodingState:
    """The state after ids (T,)."""
    state = model.new_state()
    for piece in ids[None].split(PREFILL_PIECE, dim=1):
        model(piece, state=state, logits_to_keep=1)
    return state


@torch.inference_mode()
def nats(model: LunaModel, ids: torch.Tensor) -> np.ndarray:
    """(T - 1,) cross-entropy of each token of ids (T,) but the first, read in one go."""
    state = model.new_state()
    losses = []
    for start in range(0, len(ids) - 1, PREFILL_PIECE):
        end = min(start + PREFILL_PIECE, len(ids) - 1)
        logits = model(ids[None, start:end], state=state).logits[0]
        losses.append(F.cross_entropy(logits, ids[start + 1 : end + 1], reduction="none").numpy())
    return np.concatenate(losses)


def nats_anew(model: LunaModel, ids: torch.Tensor, trained: int) -> np.ndarray:
    """As `nats`, but no token has more than the trained length before it, nor less than half where it can."""
    half = trained // 2
    parts = [nats(model, ids[: trained + 1])]
    for start in range(half, len(ids) - 1 - half, half):
        parts.append(nats(model, ids[start : start + trained + 1])[half:])
    return np.concatenate(parts)


def interval(values: np.ndarray, seed: int = 0) -> str:
    """A mean over texts and its 95 % bootstrap interval."""
    means = values[np.random.default_rng(seed).integers(len(values), size=(2000, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return with_interval(values.mean(), low, high, 3)


def position_lines(models: dict[str, LunaModel], ids: torch.Tensor, trained: int) -> list[str]:
    """The table of perplexity by position."""
    whole, *_ = models.values()
    anew = np.stack([nats_anew(whole, row, trained) for row in ids])
    losses = {name: np.stack([nats(model, row) for row in ids]) for name, model in models.items()}
    width = trained // 2
    lines = [
        "| posição | perplexidade, leitura recomeçada | "
        + " | ".join(f"{name} | diferença, nats/token (95 %)" for name in losses)
        + " |",
        "|---|---:|" + "---:|---|" * len(losses),
    ]
    for start in range(0, ids.shape[1] - 1, width):
        part = slice(start, start + width)
        cells = [number(np.exp(anew[:, part].mean()), 1)]
        for values in losses.values():
            difference = (values[:, part] - anew[:, part]).mean(1)
            cells += [number(np.exp(values[:, part].mean()), 1), interval(difference)]
        lines.append(f"| {start}–{start + width} | {' | '.join(cells)} |")
    return lines


def single(model: LunaModel, words: str) -> dict[str, int]:
    """Those words that are one token behind a space."""
    encoded = {word: model.tokenizer.encode_content(f" {word}") for word in words.split(", ")}
    return {word: ids[0] for word, ids in encoded.items() if len(ids) == 1}


@torch.inference_mode()
def password_scores(
    model: LunaModel, filler: torch.Tensor, seed: int
) -> tuple[list[tuple[bool, bool, bool]], list[bool]]:
    """One text with its needles.

    Args:
        filler: (T,) ids of the text; the needles take the place of its last tokens.

    Returns:
        For each depth, the shallowest first: right, one of the words in the text, greedy; and, without any
        text, right.
    """
    chance = np.random.default_rng(seed)
    names = single(model, NAMES)
    words = single(model, WORDS)
    if len(names) < NEEDLES or len(words) < 2 * NEEDLES:
        raise SystemExit("O tokenizador deste modelo não tem palavras inteiras que bastem para o teste.")
    people = chance.permutation(list(names))[:NEEDLES]
    candidates = chance.permutation(list(words))[: 2 * NEEDLES]
    encode = model.tokenizer.encode_content
    needles = [encode(f"\nA senha de {p} é {w}.\n") for p, w in zip(people, candidates, strict=False)]
    text = filler.tolist()[: len(filler) - sum(map(len, needles))]
    cuts = [round((i + 0.5) / NEEDLES * len(text)) for i in range(NEEDLES)]
    ids: list[int] = []
    for start, end, needle in zip([0, *cuts], [*cuts, len(text)], [*needles, []], strict=True):
        ids += text[start:end] + needle
    state = read(model, torch.tensor(ids))
    options = [words[word] for word in candidates]
    with_text, without = [], []
    for place, person in enumerate(people):
        question = torch.tensor([encode(f"\nA senha de {person} é")])
        scores = model(question, state=state.clone(), logits_to_keep=1).logits[0, -1]
        best = int(scores[options].argmax())
        with_text.append((best == place, best < NEEDLES, int(scores.argmax()) == options[place]))
        without.append(int(model(question, logits_to_keep=1).logits[0, -1, options].argmax()) == place)
    return with_text, without


def password_lines(
    models: dict[str, LunaModel], texts: torch.Tensor, lengths: list[int], window: int
) -> list[str]:
    """The table of the passwords."""
    lines = [
        f"| | tokens | certa entre {2 * NEEDLES} | começo | meio | fim | alguma das do texto | gulosa |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    blind: list[bool] = []
    for name, model in models.items():
        for length in lengths:
            if model.config.model.sliding_window is not None and length <= window:
                continue  # nothing lies outside of the window
            found = []
            for seed, text in enumerate(texts):
                with_text, without = password_scores(model, text[:length], seed)
                found.append(with_text)
                blind += without
            hits = np.array(found)  # (texts, depths, 3)
            thirds = [hits[:, part, 0].mean() for part in np.array_split(np.arange(NEEDLES), 3)]
            cells = [hits[..., 0].mean(), *thirds, hits[..., 1].mean(), hits[..., 2].mean()]
            lines.append(
                f"| {name} | {length} | {' | '.join(f'{number(100 * cell, 0)} %' for cell in cells)} |"
            )
    lines.append(f"| a mesma pergunta, sem texto | 0 | {percent(float(np.mean(blind)), 0)} | | | | | |")
    lines.append(f"| acaso | | {percent(1 / (2 * NEEDLES), 0)} | | | | 50 % | 0 % |")
    return lines


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", type=Path, required=True, help=f"folder with {HELD_OUT}")
    options.add_argument("--model", type=Path, help="model folder; default the shipped one")
    options.add_argument("--trained", type=int, help="longest training row; default as the model says")
    options.add_argument("--times", type=int, default=4, help="how many trained lengths are read")
    options.add_argument("--window", type=int, default=512)
    options.add_argument("--windows", type=int, default=6, help="texts for the perplexity")
    options.add_argument("--haystacks", type=int, default=4, help="texts for each length of the passwords")
    args = options.parse_args()
    torch.set_num_threads(1)
    started, cpu = time.perf_counter(), time.process_time()
    model = LunaModel.from_pretrained(args.model or default_model())
    trained = args.trained or model.config.model.max_position_embeddings
    windowed = LunaModel(
        model.config.replaced(model={"sliding_window": args.window, "window_layers": "all"}), model.tokenizer
    ).eval()
    windowed.load_state_dict(model.state_dict())
    models = {"como treinado": model, f"janela de {args.window}": windowed}
    length = args.times * trained
    ids = windows(model, documents(args.data_root), length, max(args.windows, args.haystacks))
    lengths = [trained // 4 * 2**power for power in range(20) if trained // 4 * 2**power <= length]
    lines = [
        f"{model.config.model.name}, treinado com até {trained} tokens. {HELD_OUT}: {args.windows} trechos "
        f"de {length} tokens. Diferença: contra os mesmos tokens com a leitura recomeçada, no máximo "
        f"{trained} tokens antes; acima de zero o contexto a mais atrapalha. Intervalos sobre os trechos.",
        "",
        *position_lines(models, ids[: args.windows], trained),
        "",
        f"Senhas: {args.haystacks} textos por tamanho, {NEEDLES} senhas em cada um. Começo, meio e fim: onde "
        "no texto a senha está.",
        "",
        *password_lines(models, ids[: args.haystacks], lengths, args.window),
        "",
        f"{describe_machine()}; {number(time.process_time() - cpu, 0)} s de CPU, "
        f"{number(time.perf_counter() - started, 0)} s de relógio, carga {number(os.getloadavg()[0], 1)}.",
    ]
    write_table(RESULTS, "Além do tamanho treinado", lines)


if __name__ == "__main__":
    main()
