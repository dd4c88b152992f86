"""Numbers as Portuguese readers write them: a comma before the decimals, points between thousands.

What `percent`, `points`, `p_value`, `count` and `duration` write stays on one line, for reports that are laid
out elsewhere; in a terminal, where text is searched and copied, ordinary spaces stand in the sentence itself.
"""

from __future__ import annotations

import math

NO_VALUE = "–"
_NO_BREAK = "\u00a0"  # a number and its unit stay on one line
_MINUS = "\u2212"
_LARGE = (
    (10**12, "trilhão", "trilhões"),
    (10**9, "bilhão", "bilhões"),
    (10**6, "milhão", "milhões"),
    (10**3, "mil", "mil"),
)


def number(value: float, digits: int = 2, *, signed: bool = False, minus: str = _MINUS) -> str:
    """So many decimals, points between thousands and a true minus sign: 1234.5 → "1.234,50".

    Args:
        value: NaN becomes a dash.
        signed: also write the plus sign.
        minus: the minus sign; "-" where the true one may be lost (an old terminal's letters).
    """
    if math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else f"{minus}∞"
    text = f"{abs(value):,.{digits}f}".translate(str.maketrans(",.", ".,"))
    if not any(c in "123456789" for c in text):
        return text  # what rounds to zero has no sign
    return (minus if value < 0 else "+" if signed else "") + text


def decimal(value: float, digits: int = 2) -> str:
    """At most so many decimals, without needless zeros: 0.7 → "0,7", 4.0 → "4"."""
    text = number(value, digits)
    return text.rstrip("0").rstrip(",") if "," in text else text


def significant(value: float, digits: int = 3) -> str:
    """So many significant digits, without needless zeros: 0.00123 → "0,00123", 4.0 → "4"."""
    if math.isnan(value) or math.isinf(value) or value == 0:
        return number(value, 0)
    return decimal(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


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


def counted(n: int, one: str, many: str) -> str:
    """A number with its noun, for a sentence in the terminal: (1200, "item", "itens") → "1.200 itens"."""
    return f"{number(n, 0)} {one if n == 1 else many}"


def count(n: int, one: str, many: str) -> str:
    """A number with its noun, on one line of a report: (1, "item", "itens") → "1 item"."""
    return counted(n, one, many).replace(" ", _NO_BREAK, 1)


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


def in_words(n: float, noun: str = "") -> str:
    """A large number to three digits, with its noun: "14,5 milhões de tokens", "950 mil tokens"."""
    rounded = float(f"{n:.3g}")
    for size, one, many in _LARGE:
        if rounded >= size:
            unit = one if rounded < 2 * size else many
            between = " de " if size > 10**3 else " "
            return f"{significant(rounded / size)} {unit}" + (between + noun if noun else "")
    return number(n, 0) + (f" {noun}" if noun else "")


def in_bytes(n: float) -> str:
    """A size to three digits: "29,1 MB" (1 MB = 10⁶ bytes)."""
    rounded = float(f"{n:.3g}")
    for size, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if rounded >= size:
            return f"{significant(rounded / size)} {name}"
    return f"{number(n, 0)} bytes"
