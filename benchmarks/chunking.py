"""Dividing documents into chunks: LunaGPT's chunker and others, same documents, same tokenizer.

    pip install semchunk==4.1.1
    python benchmarks/chunking.py --data-root CORPUS [--megabytes 2]

Peers: semchunk with a token counter as its README shows it, and the plain splitter of fixed size that
pipelines start with: words up to the size.
Measured: speed, how full the chunks are, how many keep to the size, and how many end where a sentence, a
heading, a list item or a table row ends — by LunaGPT's splitter, so that column is true of the others only as
far as that splitter is (see sentencas.md); the share that ends with a final mark is free of it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet
import semchunk

from lunagpt.data.chunk import DocumentChunker
from lunagpt.data.sentences import split_sentences
from lunagpt.data.token_counting import token_counter
from lunagpt.files import atomic_write_text
from lunagpt.reporting.numbers import number, percent
from lunagpt.tokenizer import LunaTokenizer

ROOT = Path(__file__).resolve().parents[1]
GUIDES = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"]
SIZES = (200, 500)
DOMAINS = ("docs", "law", "encyclopedia", "speech", "web")
MAX_DOCUMENT_CHARACTERS = 60_000
FINAL = re.compile(r"[.!?…:;][\"'”’»)\]*_`]*\Z")

Spans = list[tuple[int, int]]
Chunk = Callable[[str], Spans]


@dataclass(frozen=True)
class Measured:
    """What a chunker did with all documents."""

    seconds: float
    chunks: int
    tokens: float
    too_long: float
    at_sentence_end: float
    at_mark: float
    orphan_headings: float


def luna(size: int, semantic: bool) -> Chunk:
    """LunaGPT's chunker, without overlap like the others."""
    chunker = DocumentChunker(size, 0, semantic, LunaTokenizer.default())
    return lambda text: [(one.start, one.end) for one in chunker.chunk_document(text)]


def semchunk_chunker(size: int) -> Chunk:
    """semchunk with the count of the same tokenizer."""
    tokenizer = LunaTokenizer.default()
    chunker = semchunk.chunkerify(lambda text: len(tokenizer.encode_content(text)), size)
    return lambda text: chunker(text, offsets=True)[1]


def fixed(size: int) -> Chunk:
    """Words up to the size, each counted by itself."""
    count_tokens = token_counter(LunaTokenizer.default())

    def chunk(text: str) -> list[tuple[int, int]]:
        words = [match.span() for match in re.finditer(r"\S+", text)]
        counts = count_tokens([" " + text[start:end] for start, end in words])
        spans, first, total = [], 0, 0
        for index, count in enumerate(counts):
            if total + count > size and index > first:
                spans.append((words[first][0], words[index - 1][1]))
                first, total = index, 0
            total += count
        return [*spans, (words[first][0], words[-1][1])] if words else []

    return chunk


def divide(systems: dict[str, Chunk], texts: list[str]) -> dict[str, tuple[float, list[Spans]]]:
    """Seconds and chunks of every system: each text goes through all of them, in turns, before the next one.

    So the load of the machine weighs on all alike. Each text is divided once: semchunk remembers texts, and a
    second pass would measure its memory.
    """
    seconds = dict.fromkeys(systems, 0.0)
    divided: dict[str, list[Spans]] = {name: [] for name in systems}
    names = list(systems)
    for place, text in enumerate(texts):
        turn = place % len(names)
        for name in names[turn:] + names[:turn]:
            started = time.process_time()
            divided[name].append(systems[name](text))
            seconds[name] += time.process_time() - started
    return {name: (seconds[name], divided[name]) for name in names}


def measure(seconds: float, divided: list[Spans], texts: list[str], size: int) -> Measured:
    """Looks at the chunks that a system made of `texts`."""
    count_tokens = token_counter()
    tokens: list[int] = []
    ends = marks = orphans = total = 0
    for text, spans in zip(texts, divided, strict=True):
        sentence_ends = {end for _, end in split_sentences(text)}
        pieces = [text[start:end].strip() for start, end in spans]
        tokens += count_tokens(pieces)
        for (start, end), piece in zip(spans, pieces, strict=True):
            total += 1
            ends += start + len(text[start:end].rstrip()) in sentence_ends
            marks += bool(FINAL.search(piece))
            orphans += piece.rpartition("\n")[2].startswith("#")
    too_long = sum(count > size for count in tokens)
    mean = statistics.fmean(tokens)
    return Measured(seconds, total, mean, too_long / total, ends / total, marks / total, orphans / total)


def read_texts(root: Path, megabytes: float) -> list[str]:
    """Documents of several domains, as much of each as there is up to an equal share, and our own guides."""
    texts = [path.read_text(encoding="utf-8") for path in GUIDES]
    for domain in DOMAINS:
        wanted = megabytes * 1e6 / len(DOMAINS)
        shard = pyarrow.parquet.ParquetFile(root / "pretrain" / f"{domain}-000.parquet")
        for batch in shard.iter_batches(batch_size=16, columns=["text"]):
            for row in batch.to_pylist():
                if wanted > 0:
                    texts.append(row["text"][:MAX_DOCUMENT_CHARACTERS])
                    wanted -= len(texts[-1].encode())
            if wanted <= 0:
                break
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True, help="folder with pretrain/")
    parser.add_argument("--megabytes", type=float, default=2.0, help="text to divide")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "trechos.md")
    arguments = parser.parse_args()

    texts = read_texts(arguments.data_root, arguments.megabytes)
    warm_up, texts = texts[::4], [text for place, text in enumerate(texts) if place % 4]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    lines = [
        "# Divisão em trechos",
        "",
        f"{platform.machine()}, {os.cpu_count()} núcleos (carga {number(os.getloadavg()[0], 0)}), Python "
        f"{platform.python_version()}. Comando: `python benchmarks/chunking.py --data-root …`",
        "",
        f"- {len(texts)} documentos ({', '.join(DOMAINS)} e os guias em Markdown deste projeto), "
        f"{number(megabytes)} MB, sem sobreposição; tamanhos em tokens da Luna; velocidade em MB por segundo "
        "de processador; cada texto passa uma vez por todos, em rodízio.",
        "- “Termina em frase” usa o divisor de frases do LunaGPT (ver sentencas.md); “termina em sinal” só "
        "olha se o último sinal é . ! ? … : ou ; e não depende dele.",
    ]
    for size in SIZES:
        systems = {
            "**LunaGPT**": luna(size, True),
            "LunaGPT, `split_by_semantic=False`": luna(size, False),
            f"semchunk {importlib.metadata.version('semchunk')}": semchunk_chunker(size),
            "tamanho fixo": fixed(size),
        }
        lines += [
            "",
            f"## Até {size} tokens",
            "",
            "| sistema | MB/s | trechos | tokens, média | acima do limite | termina em frase | "
            "termina em sinal | título sozinho no fim |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        divide(systems, warm_up)  # every tokenizer then knows the common words
        for name, (seconds, divided) in divide(systems, texts).items():
            one = measure(seconds, divided, texts, size)
            lines.append(
                f"| {name} | {number(megabytes / one.seconds)} | {one.chunks} | {number(one.tokens, 0)} | "
                f"{percent(one.too_long)} | {percent(one.at_sentence_end)} | {percent(one.at_mark)} | "
                f"{percent(one.orphan_headings)} |"
            )
            print(lines[-1], flush=True)
    atomic_write_text(arguments.output, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
