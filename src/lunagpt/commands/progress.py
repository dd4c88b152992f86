"""How far long work is: one line on the terminal that is written over."""

from __future__ import annotations

import shutil
import sys


class ProgressLine:
    """Progress on the standard error output.

    On a terminal a line that changes, cut to the width of the screen; elsewhere the stage, once.

    Args:
        stages: where there is no terminal, print what stands before the ":" of a line each time it changes;
            otherwise nothing appears there.
    """

    def __init__(self, *, stages: bool = True) -> None:
        self._live = sys.stderr.isatty()
        self._stages = stages
        self._stage = ""
        self._cells = 0  # columns that are written on

    def show(self, line: str) -> None:
        """Shows a line such as "Lendo: 40%" in the place of the one before."""
        if self._live:
            self._write(line)
            return
        stage = line.partition(":")[0]
        if self._stages and stage != self._stage:
            print(stage, file=sys.stderr, flush=True)
        self._stage = stage

    def clear(self) -> None:
        """Takes the line away."""
        if self._live and self._cells:
            self._write("")
            print("\r", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Leaves the line where it is; what is printed next begins a line of its own."""
        if self._live and self._cells:
            print(file=sys.stderr)
            self._cells = 0

    def _write(self, line: str) -> None:
        from rich.cells import cell_len, set_cell_size

        room = max(1, shutil.get_terminal_size().columns - 1)  # the last column would wrap
        if cell_len(line) > room:
            line = set_cell_size(line, room - 1) + "…"
        cells = cell_len(line)
        print("\r" + line + " " * (self._cells - cells), end="", file=sys.stderr, flush=True)
        self._cells = cells
