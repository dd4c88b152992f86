"""Breaking lines between words while a text is still coming."""

from __future__ import annotations

import re
from collections.abc import Callable


class WordWrapper:
    """Puts line breaks into a stream of text so that no word crosses the edge of the screen.

    The last word is held back until it is complete. Line breaks and indents of the text itself are kept.
    """

    def __init__(self, width: int, column: int = 0, cell_width: Callable[[str], int] = len) -> None:
        """
        Args:
            width: columns of the screen.
            column: where the text begins on its first line.
            cell_width: columns that a piece of text takes.
        """
        self._width = width
        self._column = column
        self._cell_width = cell_width
        self._held = ""

    def feed(self, piece: str) -> str:
        """Takes more text; returns what can be shown now."""
        *ready, self._held = re.findall(r"\s+|\S+", self._held + piece) or [""]
        return "".join(map(self._place, ready))

    def finish(self) -> str:
        """The word that was held back."""
        held, self._held = self._held, ""
        return self._place(held)

    def _place(self, part: str) -> str:
        """A run of spaces or a word, with the line break that it needs."""
        if "\n" in part:
            self._column = self._cell_width(part[part.rindex("\n") + 1 :])
            return part
        width = self._cell_width(part)
        if part.isspace():
            if self._column + width >= self._width:  # the break that comes anyway stands for the space
                self._column = 0
                return "\n"
        elif self._column and self._column + width > self._width:
            self._column = width
            return "\n" + part
        self._column += width
        return part
