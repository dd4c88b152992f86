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

from lunagpt.evaluation.behaviours.report import (
    JudgedTurn,
    SkillRate,
    Transcript,
    dialogues_markdown,
    rates_markdown,
)
from lunagpt.files import atomic_write_text
from lunagpt.reporting.numbers import number

PAGE = Path(__file__).parent / "results" / "comportamentos.md"
SHOWN = 12
HOW = (
    "Feito em {seconds} s, a temperatura 0, semente 0: `luna evaluate {model} --suite comportamentos --json "
    "ARQUIVO` e `python benchmarks/behaviours_page.py ARQUIVO`."
)


def transcript(stored: dict[str, Any]) -> Transcript:
    """A dialogue as the JSON form has it; only what its page shows."""
    turns = [
        JudgedTurn(
            turn["user"],
            turn["answer"],
            generated=True,
            problems=None if turn["problems"] is None else tuple(turn["problems"]),
        )
        for turn in stored["turns"]
    ]
    return Transcript(stored["id"], stored["skill"], stored["system"], tuple(turns))


def page(found: dict[str, Any]) -> str:
    """The Markdown page of a stored run."""
    rates, form = ([SkillRate(**row) for row in found[name]] for name in ("skills", "form"))
    drawn = random.Random(0).sample(found["transcripts"], SHOWN)
    return "\n".join(
        [
            rates_markdown(found["model"], rates, SkillRate(**found["overall"]), form).removeprefix("#"),
            HOW.format(seconds=number(found["seconds"], 0), model=found["model"]),
            "",
            "## Uma amostra das conversas",
            "",
            "Doze diálogos sorteados (`random.Random(0).sample`), sem edição.",
            "",
            dialogues_markdown(map(transcript, drawn)),
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
