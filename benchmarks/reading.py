"""A hundred answers to be read by a person for agreement, spelling and sense: the sheet, and the count.

    python benchmarks/reading.py MODELO --data-root PASTA [--answers 100] [--output leitura.md]
    python benchmarks/reading.py --count leitura.md

The questions are first messages of held-out dialogues (split valid), drawn evenly from each file with one
seed: every model is read on the same ones. The model answers as in `luna chat`, greedily, with nothing looked
up; a question about documents comes with its passages. After reading, the line below each answer says what is
wrong with it: "veredito: limpa", or one or several of concordância, grafia, sentido.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from lunagpt import LunaModel
from lunagpt.chat import LunaChat
from lunagpt.data.grounding_format import format_evidence
from lunagpt.errors import DataError
from lunagpt.evaluation.statistics import wilson_interval
from lunagpt.files import atomic_write_text
from lunagpt.generation import SamplingParams
from lunagpt.model_folders import find_model

FILES = (
    "conversa",
    "explicacoes",
    "tarefas",
    "historias",
    "longas",
    "proatividade",
    "raciocinio",
    "documentos",
)
RESULTS = Path(__file__).parent / "results" / "leitura"
CLEAN = "limpa"
FAULTS = ("concordância", "grafia", "sentido")
_VERDICT = re.compile(r"^veredito:(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """A first message of a held-out dialogue, with the system message that stood before it."""

    source: str
    system: str | None
    text: str


def questions(data_root: Path, count: int, seed: int = 0) -> list[Question]:
    """`count` questions, in turn from every file.

    Raises:
        DataError: there are not so many.
    """
    generator = random.Random(seed)
    drawn = []
    for name in FILES:
        lines = (data_root / "luna" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [row for row in map(json.loads, lines) if row["split"] == "valid"]
        drawn.append([_question(name, row) for row in generator.sample(rows, len(rows))])
    mixed = [entry for entry in chain.from_iterable(zip_longest(*drawn)) if entry is not None]
    unique = list({entry.text: entry for entry in mixed}.values())
    if len(unique) < count:
        raise DataError(f"Só há {len(unique)} perguntas reservadas; peça no máximo isso com --answers.")
    return unique[:count]


def _question(source: str, row: dict[str, Any]) -> Question:
    messages = row["messages"]
    system = messages[0]["content"] if messages[0]["role"] == "system" else None
    text = next(message["content"] for message in messages if message["role"] == "user")
    if row.get("documents"):
        text = format_evidence(row["documents"], text)
    return Question(source, system, text)


def sheet(model: LunaModel, asked: list[Question]) -> str:
    """The answers in Markdown, each with an empty verdict."""
    name = model.config.model.name
    parts = [
        f"# {name}: {len(asked)} respostas para ler",
        f"Escreva depois de cada “veredito:” a palavra {CLEAN}, ou o que está errado: {', '.join(FAULTS)} "
        "(um ou mais, com vírgulas). *sentido*: não responde ao que se pediu, ou não faz sentido. Para "
        "contar: `python benchmarks/reading.py --count ARQUIVO`.",
    ]
    for number, question in enumerate(asked, start=1):
        chat = LunaChat(model, system_prompt=question.system, params=SamplingParams(temperature=0.0))
        chat.disable_rag()
        answer = chat.send_message(question.text)
        parts.append(
            f"## {number} ({question.source})\n\n{_quoted('Você', question.text)}\n>\n"
            f"{_quoted('Luna', answer)}\n\nveredito:"
        )
    return "\n\n".join(parts) + "\n"


def _quoted(who: str, text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in f"**{who}:** {text}".split("\n"))


def counted(text: str) -> str:
    """What the verdicts of a sheet say.

    Raises:
        DataError: some are missing or are no verdicts; says which.
    """
    verdicts = [
        [word.strip() for word in found.lower().split(",") if word.strip()]
        for found in _VERDICT.findall(text)
    ]
    wrong = [
        number
        for number, words in enumerate(verdicts, start=1)
        if not words or set(words) - {CLEAN, *FAULTS} or (CLEAN in words and len(words) > 1)
    ]
    if wrong or not verdicts:
        listed = ", ".join(map(str, wrong[:10])) or "todas"
        raise DataError(f"Faltam vereditos, ou não são {CLEAN}, {', '.join(FAULTS)}: nas respostas {listed}.")
    clean = sum(words == [CLEAN] for words in verdicts)
    low, high = wilson_interval(clean, len(verdicts))
    faults = Counter(word for words in verdicts for word in set(words) - {CLEAN})
    lines = [
        f"{clean} de {len(verdicts)} limpas: {100 * clean / len(verdicts):.0f} % "
        f"(95 %: {100 * low:.0f} a {100 * high:.0f} %)."
    ]
    lines += [f"{fault}: {faults[fault]}" for fault in FAULTS]
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("model", nargs="?", help="pasta ou nome do modelo")
    options.add_argument("--data-root", type=Path)
    options.add_argument("--answers", type=int, default=100)
    options.add_argument("--output", type=Path)
    options.add_argument("--count", type=Path, metavar="ARQUIVO")
    args = options.parse_args()
    if args.count is not None:
        print(counted(args.count.read_text(encoding="utf-8")))
        return
    if args.model is None or args.data_root is None:
        options.error("diga o modelo e --data-root, ou --count ARQUIVO")
    folder = find_model(args.model)
    model = LunaModel.from_pretrained(folder)
    output = args.output or RESULTS / f"{model.config.model.name}.md"
    atomic_write_text(output, sheet(model, questions(args.data_root, args.answers)))
    print(output)


if __name__ == "__main__":
    main()
