"""The page of the scripted dialogues: rates, and a dozen of the conversations, drawn and unedited.

luna evaluate MODELO --suite comportamentos --json comportamentos.json
python benchmarks/behaviours_page.py comportamentos.json
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

from lunagpt.files import atomic_write_text
from lunagpt.reporting.numbers import number, percent

PAGE = Path(__file__).parent / "results" / "comportamentos.md"
SHOWN = 12
COMMAND = (
    "Comando ({seconds} s; temperatura 0, semente 0): `luna evaluate {model} --suite comportamentos --json "
    "ARQUIVO`; esta página: `python benchmarks/behaviours_page.py ARQUIVO`."
)
LEGEND = (
    "Um diálogo só passa se todas as suas respostas verificadas estiverem certas; resp.: respostas certas "
    "uma a uma. IC: intervalo de confiança de 95 % (Wilson). Trivial: o melhor de oito respondedores que não "
    "entendem nada, como repetir a pergunta ou sempre recusar."
)


def rate(row: dict[str, Any]) -> list[str]:
    """Passed, share and interval of a row."""
    interval = f"{percent(row['low'], 0)} a {percent(row['high'], 0)}"
    return [f"{row['passed']} de {row['n']}", percent(row["value"], 0), interval]


def skill(row: dict[str, Any]) -> list[str]:
    share = percent(row["answers_passed"] / row["answers"], 0)
    answers = f"{row['answers_passed']} de {row['answers']} ({share})"
    return [
        row["title"],
        *rate(row),
        percent(row["trivial"], 0),
        answers,
        percent(row["answers_trivial"], 0),
    ]


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def conversation(transcript: dict[str, Any]) -> str:
    """A dialogue as it was played, with what is wrong with each answer."""
    parts = [f"### {transcript['id']} · {'passou' if transcript['passed'] else 'falhou'}"]
    for turn in transcript["turns"]:
        asked, answer = (turn[who].replace("\n", "\n> ") for who in ("user", "answer"))
        parts.append(f"> **Você:** {asked}\n>\n> **Luna:** {answer}")
        if turn.get("problems"):
            parts.append("\n".join(f"- ✗ {problem}" for problem in turn["problems"]))
    return "\n\n".join(parts)


def page(found: dict[str, Any]) -> str:
    """The Markdown page of a stored run."""
    drawn = random.Random(0).sample(found["transcripts"], SHOWN)
    return "\n".join(
        [
            f"# Comportamentos: {found['model']}",
            "",
            COMMAND.format(seconds=number(found["seconds"], 0), model=found["model"]),
            "",
            LEGEND,
            "",
            "| habilidade | diálogos | taxa | IC | trivial | respostas | trivial |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(line(skill(row)) for row in [*found["skills"], found["overall"]]),
            "",
            "| em toda resposta do modelo | sim | taxa | IC |",
            "|---|---:|---:|---:|",
            *(line([row["title"], *rate(row)]) for row in found["form"]),
            "",
            "## Uma amostra das conversas",
            "",
            "Doze diálogos sorteados (`random.Random(0).sample`), sem edição.",
            "",
            "\n\n".join(conversation(transcript) for transcript in drawn),
            "",
        ]
    )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("results", type=Path, metavar="ARQUIVO")
    atomic_write_text(PAGE, page(json.loads(options.parse_args().results.read_text(encoding="utf-8"))))
    print(PAGE)


if __name__ == "__main__":
    main()
