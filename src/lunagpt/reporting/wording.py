"""Numbers and lists as Portuguese readers write them."""

from __future__ import annotations

import math
from collections.abc import Sequence

NO_VALUE = "–"
_NO_BREAK = "\u00a0"  # a number and its unit stay on one line
_MINUS = "\u2212"


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """A decimal with comma, points between thousands and a true minus sign: 1234.5 → "1.234,50".

    Args:
        value: NaN becomes a dash. signed: also write the plus sign.
    """
    if math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    text = f"{abs(value):,.{digits}f}".translate(str.maketrans(",.", ".,"))
    if not any(c in "123456789" for c in text):
        return text  # what rounds to zero has no sign
    return (_MINUS if value < 0 else "+" if signed else "") + text


def significant(value: float, digits: int = 3) -> str:
    """A decimal with so many significant digits and no needless zeros: 0.00123 → "0,00123", 4.0 → "4"."""
    if math.isnan(value) or math.isinf(value) or value == 0:
        return number(value, 0)
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = number(value, places)
    return text.rstrip("0").rstrip(",") if "," in text else text


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage: 0.4321 → "43,2 %"."""
    return NO_VALUE if math.isnan(share) else f"{number(100 * share, digits)}{_NO_BREAK}%"


def points(difference: float, digits: int = 1) -> str:
    """A difference of two shares in percentage points: 0.021 → "+2,1 p.p."."""
    return f"{number(100 * difference, digits, signed=True)}{_NO_BREAK}p.p."


def p_value(p: float) -> str:
    """A probability as reports give it: "p = 0,012", "p < 0,001"."""
    if math.isnan(p):
        return "p sem cálculo"
    text = "p < 0,001" if p < 0.001 else f"p = {number(p, 3)}"
    return text.replace(" ", _NO_BREAK)


def count(n: int, one: str, many: str) -> str:
    """A number with its noun: (1, "item", "itens") → "1 item"."""
    return f"{number(n, 0)}{_NO_BREAK}{one if n == 1 else many}"


def listing(words: Sequence[str], last: str = "e") -> str:
    """ "a, b e c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def duration(seconds: float) -> str:
    """A time in the unit that suits it: "0,8 ms", "12,4 s", "3 min 5 s"."""
    if seconds < 1:
        return f"{significant(1000 * seconds)}{_NO_BREAK}ms"
    if seconds < 60:
        return f"{number(seconds, 1)}{_NO_BREAK}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{value}{_NO_BREAK}{unit}" for value, unit in parts if value)


def shortened(text: str, length: int) -> str:
    """The text on one line, cut between words to about so many characters."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    cut = line[: length - 1].rsplit(" ", 1)[0] or line[: length - 1]
    return cut.rstrip(" ,;:.") + "…"
