"""Can a model look back? Exercises of recall over held-out text, the same for every model of the run.

    python benchmarks/recall.py MODELO... --data-root PASTA [--items 40]

MODELO is what `luna evaluate` takes: a folder, a name, a .gguf file. The exercises are those of
`lunagpt.data.exercises`, over the literature and the encyclopaedia of `pretrain/valid-*`, which no Luna was
trained on. A Luna has seen their wording, other models have not; so that no wording decides, an answer is
right when it has what the expected one tells (its words and numbers, but for those of the question and of
the frame: "você mora em"), and is at most three times as long. A repetition must be word for word. Where
there is no answer, saying so is right.

Beside them: by how much words in any order surprise a model (bits per byte) the first and the second time.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lunagpt.chat.grounding.check import is_refusal
from lunagpt.commands.evaluation_models import distinct_names, meant
from lunagpt.commands.opening import set_threads
from lunagpt.data.exercises import KINDS, ExerciseMaker
from lunagpt.data.grounding_format import NO_ANSWER
from lunagpt.data.readers import ReadReport, read_rows
from lunagpt.evaluation import open_language_model
from lunagpt.evaluation.language_models import LanguageModel
from lunagpt.evaluation.statistics import wilson_interval
from lunagpt.reporting.markdown import escaped, table
from lunagpt.reporting.numbers import number
from machine import write_table

RESULTS = Path(__file__).parent / "results" / "memoria.md"
TITLES = {
    "repeat": "repetir",
    "find": "achar a frase",
    "facts": "dado de uma lista",
    "thread": "fio da conversa",
}
PIECE = 3_000  # characters: else a single book would be all of the literature
SHUFFLED_TEXTS, SHUFFLED_WORDS = 12, 60
LONGEST_ANSWER = 3  # times the expected one
FRAME = frozenset(
    """
    a abre anos aniversário ao aos às como cuida custa da das de disso do e em é favorita fecha fica funciona
    gosta mora na nasceu no nome o que quem r se seu sua tem trabalha um uma você
    """.split()  # noqa: SIM905
)
_WORD = re.compile(r"\w+(?:[,.-]\w+)*")
_CITATION = re.compile(r"\[\d+\]")


def held_out(data: Path) -> list[str]:
    """Pieces of held-out text, shuffled."""
    texts = []
    for path in sorted((data / "pretrain").glob("valid-*.parquet")):
        for _, row in read_rows(path, ReadReport()):
            if row["domain"] in ("literature", "encyclopedia"):
                text = str(row["text"])
                texts += [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    random.Random(0).shuffle(texts)
    return texts


def exercises(kind: str, texts: Sequence[str], items: int) -> list[list[dict[str, str]]]:
    """One exercise of each text, until there are enough."""
    make = ExerciseMaker([kind])
    of_each = (list(make(text)) for text in texts)
    return [made[0] for made in of_each if made][:items]


def words(text: str) -> list[str]:
    return _WORD.findall(_CITATION.sub(" ", text).lower())


def is_right(kind: str, asked: str, expected: str, answer: str) -> bool:
    """See the head of this file."""
    if expected == NO_ANSWER:
        return is_refusal(answer)
    if kind == "repeat":
        return words(answer) == words(expected)
    if "ainda não" in expected:
        return "não" in words(answer)
    question = set(words(asked.rsplit("Pergunta: ", 1)[-1]))
    wanted = set(words(expected)) - question - FRAME
    return wanted <= set(words(answer)) and len(words(answer)) <= LONGEST_ANSWER * len(words(expected))


def surprise(model: LanguageModel, texts: Sequence[str]) -> tuple[float, float]:
    """Bits per byte of words in any order: after other words, and after themselves."""
    choose = random.Random(1)
    pool = [word for text in texts for word in text.split()]
    mixed = [" ".join(choose.choices(pool, k=SHUFFLED_WORDS)) for _ in range(SHUFFLED_TEXTS + 1)]
    told = []
    for befores in (mixed[1:], mixed[:-1]):
        found = model.loglikelihood(
            [(f"{before}\n", text) for before, text in zip(befores, mixed, strict=False)]
        )
        told.append(-sum(one.nats for one in found) / math.log(2) / sum(one.num_bytes for one in found))
    return told[0], told[1]


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("models", nargs="+", metavar="MODELO")
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--items", type=int, default=40, help="exercícios de cada tipo")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--show", type=int, default=0, help="respostas mostradas de cada tipo")
    args = options.parse_args(arguments)
    set_threads(args.threads)
    texts = held_out(args.data_root)
    sets = {kind: exercises(kind, texts, args.items) for kind in KINDS}
    rows = []
    for given, name in zip(args.models, distinct_names(args.models), strict=True):
        started = time.process_time()
        model = open_language_model(meant(given), name)
        cells = [escaped(name)]
        for kind, items in sets.items():
            expected = [messages[-1]["content"] for messages in items]
            answers = model.generate([messages[:-1] for messages in items], max_new_tokens=160)
            right = [
                is_right(kind, messages[-2]["content"], wanted, answer)
                for messages, wanted, answer in zip(items, expected, answers, strict=True)
            ]
            for messages, answer, good in list(zip(items, answers, right, strict=True))[: args.show]:
                asked = messages[-2]["content"].rsplit("Pergunta: ", 1)[-1]
                print("+" if good else "-", asked, "|", messages[-1]["content"], "|", answer, file=sys.stderr)
            low, high = wilson_interval(sum(right), len(right))
            cells.append(f"{sum(right)} de {len(right)} ({100 * low:.0f}–{100 * high:.0f} %)")
        first, second = surprise(model, texts)
        cells += [f"{number(first)} → {number(second)}", f"{time.process_time() - started:.0f} s"]
        rows.append(cells)
        print(" · ".join(cells), file=sys.stderr, flush=True)
    headers = ["modelo", *TITLES.values(), "bits/byte, 1ª → 2ª vez", "CPU"]
    write_table(RESULTS, "Olhar para trás", table(headers, rows, right=range(1, len(headers))).splitlines())


if __name__ == "__main__":
    main()
