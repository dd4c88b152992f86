"""Markdown from values: tables and text that no value can break out of."""

from __future__ import annotations

import re
from collections.abc import Sequence

# An underscore inside a word and a "<" before a space mean nothing in Markdown and stay as they are.
_SPECIAL = re.compile(r"([\\`*\[\]|]|^#|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|<(?=[A-Za-z/!?])|^>)")
_BLOCKS = " ▏▎▍▌▋▊▉█"


def escaped(text: str) -> str:
    """Text on one line in which no character acts as Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; cells are Markdown already (`escaped` where they come from outside).

    Args:
        right: numbers of the columns that are aligned to the right.
    """
    rule = ["---:" if i in right else "---" for i in range(len(headers))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headers, rule, *rows))


def bar(share: float, width: int = 12) -> str:
    """A bar of block characters for a share between 0 and 1, at most `width` wide, readable in plain text."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")) or "▏"
