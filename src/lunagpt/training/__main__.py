"""`python -m lunagpt.training RECEITA...`: the same as `luna train`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from lunagpt.commands import help_texts
from lunagpt.commands.groups import training
from lunagpt.commands.usage import LunaCommand

app = typer.Typer(add_completion=False, rich_markup_mode=None)
app.command(cls=LunaCommand, help=help_texts.TRAIN_HELP)(training.train)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit code (see `program.run`)."""
    from lunagpt.commands.program import run

    return run(app, "python -m lunagpt.training", arguments)


if __name__ == "__main__":
    sys.exit(main())
