"""`luna tokenizer train`: hands the command line to `lunagpt.tokenizer` and shows how far it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def run_tokenizer_training(
    paths: Sequence[Path],
    *,
    vocab_size: int,
    output: Path,
    recipe: Path | None,
    held_out: Sequence[Path],
) -> int:
    """Trains a vocabulary and writes its folder.

    Returns:
        0.

    Raises:
        LunaError: the data or the recipe cannot be used.
    """
    from lunagpt.tokenizer.command import run_training

    progress = ProgressLine()
    summary = run_training(
        paths, vocab_size, output, recipe=recipe, held_out=held_out, progress=progress.show
    )
    progress.finish()
    print(summary.message)
    return 0


class ProgressLine:
    """Progress on the standard error output: a line that changes on a terminal, else a line per stage."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = ""

    def show(self, line: str) -> None:
        """Shows a line such as "Lendo: 40%"."""
        if self._live:
            print(f"\r{line:{len(self._shown)}}", end="", file=sys.stderr, flush=True)
        elif line.partition(":")[0] != self._shown.partition(":")[0]:
            print(line.partition(":")[0], file=sys.stderr, flush=True)
        self._shown = line

    def finish(self) -> None:
        """Leaves the line."""
        if self._live and self._shown:
            print(file=sys.stderr)
