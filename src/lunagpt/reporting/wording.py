"""Lists and quotations as Portuguese readers write them."""

from __future__ import annotations

from collections.abc import Sequence


def listing(words: Sequence[str], last: str = "e") -> str:
    """ "a, b e c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def shortened(text: str, length: int) -> str:
    """The text on one line, cut between words to about so many characters."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    cut = line[: length - 1].rsplit(" ", 1)[0] or line[: length - 1]
    return cut.rstrip(" ,;:.") + "…"
