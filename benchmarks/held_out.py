"""Bits per byte of Lunas on what a recipe holds back (`validation`), group by group, the same for all.

    python benchmarks/held_out.py MODELO... --data-root PASTA [--recipe RECEITA] [--tokens 14336]

MODELO is a folder or a name. In dialogues only the answers count, as in training.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lunagpt import LunaModel
from lunagpt.commands.evaluation_models import distinct_names
from lunagpt.commands.opening import set_threads
from lunagpt.model_folders import find_model
from lunagpt.reporting.markdown import escaped, table
from lunagpt.reporting.numbers import number
from lunagpt.training import Trainer
from lunagpt.training.recipe import read_recipe
from machine import write_table

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "reservado.md"
RECIPE = HERE.parent / "configs" / "treino" / "nano-ajuste.yaml"


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("models", nargs="+", metavar="MODELO")
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--recipe", type=Path, default=RECIPE)
    options.add_argument("--tokens", type=int, default=14 * 1024, help="tokens de cada grupo")
    options.add_argument("--threads", type=int, default=2)
    args = options.parse_args(arguments)
    set_threads(args.threads)
    recipe = read_recipe(args.recipe, data_root=args.data_root)
    rows: list[list[str]] = []
    groups: list[str] = []
    for given, name in zip(args.models, distinct_names(args.models), strict=True):
        model = LunaModel.from_pretrained(find_model(given))
        held_out = recipe.validation_set(model.tokenizer, args.tokens)
        if held_out is None:
            options.error(f"a receita {args.recipe} não reserva nada (validation)")
        found = Trainer(model, recipe.config).evaluate(held_out)["groups"]
        groups = list(found)
        rows.append([escaped(name), *(number(found[group]["bits_per_byte"], 3) for group in groups)])
    headers = ["modelo", *(group.removeprefix("valid-") for group in groups)]
    lines = table(headers, rows, right=range(1, len(headers))).splitlines()
    write_table(RESULTS, "Bits por byte no texto reservado", lines)


if __name__ == "__main__":
    main()
