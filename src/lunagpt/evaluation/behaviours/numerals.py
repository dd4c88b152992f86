"""Numbers in a Portuguese text, written in digits or spelled out."""

from __future__ import annotations

import re

from lunagpt.evaluation.behaviours.text_measures import CITATION_MARK, fold

_UNITS = {
    "zero": 0, "um": 1, "uma": 1, "dois": 2, "duas": 2, "tres": 3, "quatro": 4, "cinco": 5, "seis": 6,
    "sete": 7, "oito": 8, "nove": 9, "dez": 10, "onze": 11, "doze": 12, "treze": 13, "quatorze": 14,
    "catorze": 14, "quinze": 15, "dezesseis": 16, "dezasseis": 16, "dezessete": 17, "dezassete": 17,
    "dezoito": 18, "dezenove": 19, "dezanove": 19,
}  # fmt: skip
_TENS = {
    "vinte": 20, "trinta": 30, "quarenta": 40, "cinquenta": 50, "sessenta": 60, "setenta": 70, "oitenta": 80,
    "noventa": 90,
}  # fmt: skip
_HUNDREDS = {
    "cem": 100, "cento": 100, "duzentos": 200, "duzentas": 200, "trezentos": 300, "trezentas": 300,
    "quatrocentos": 400, "quatrocentas": 400, "quinhentos": 500, "quinhentas": 500, "seiscentos": 600,
    "seiscentas": 600, "setecentos": 700, "setecentas": 700, "oitocentos": 800, "oitocentas": 800,
    "novecentos": 900, "novecentas": 900,
}  # fmt: skip
# "um" and "uma" alone are articles far more often than numbers.
_ARTICLES = frozenset({"um", "uma"})
_DIGITS = re.compile(
    r"(?<![\w,.])[-−]?\d{1,3}(?:\.\d{3})+(?:,\d+)?(?![\w])|(?<![\w,.])[-−]?\d+(?:[.,]\d+)?(?=\D|$)"
)
_MAGNITUDE = {
    **dict.fromkeys(_UNITS, 1),
    **dict.fromkeys(_TENS, 10),
    **dict.fromkeys(_HUNDREDS, 100),
    "mil": 1000,
}
_VALUE = {**_UNITS, **_TENS, **_HUNDREDS}
_WORD = re.compile(r"[a-z]+")


def numbers(text: str) -> list[float]:
    """Numbers in `text` in the order in which they stand, Portuguese style.

    ``1.250,50`` is 1250.5; ``3.5`` is 3.5; ``12h`` is 12; ``vinte e três`` is 23; ``dois e três`` are two
    numbers. Citations such as ``[2]`` and the articles "um" and "uma" do not count.
    """
    plain = fold(CITATION_MARK.sub(" ", text))
    found = [(match.start(), _from_digits(match.group())) for match in _DIGITS.finditer(plain)]
    return [value for _, value in sorted([*found, *_spelled(plain)])]


def _from_digits(written: str) -> float:
    written = written.replace("−", "-")
    if "," in written:
        return float(written.replace(".", "").replace(",", "."))
    if re.fullmatch(r"-?\d{1,3}(?:\.\d{3})+", written):
        return float(written.replace(".", ""))
    return float(written)


def _spelled(plain: str) -> list[tuple[int, float]]:
    """(place, value) of the numbers spelled out in folded text."""
    found: list[tuple[int, float]] = []
    matches = list(_WORD.finditer(plain))
    i = 0
    while i < len(matches):
        if matches[i].group() not in _MAGNITUDE:
            i += 1
            continue
        start, group = i, [matches[i].group()]
        i += 1
        while i < len(matches):
            step = 2 if matches[i].group() == "e" and i + 1 < len(matches) else 1
            following = matches[i + step - 1].group()
            between = plain[matches[i - 1].end() : matches[i + step - 1].start()]
            if not _continues(group, following) or between.strip(" e"):
                break
            group.append(following)
            i += step
        if len(group) > 1 or group[0] not in _ARTICLES:
            found.append((matches[start].start(), float(_value(group))))
    return found


def _continues(group: list[str], following: str) -> bool:
    """Whether `following` belongs to the same number: hundreds before tens before units, thousands
    between."""
    if following not in _MAGNITUDE:
        return False
    if following == "mil":
        return "mil" not in group
    last = group[-1]
    if last == "mil":
        return True
    return _MAGNITUDE[following] < _MAGNITUDE[last] and not (_MAGNITUDE[last] == 10 and _VALUE[following] > 9)


def _value(group: list[str]) -> int:
    total = part = 0
    for word in group:
        if word == "mil":
            total, part = max(part, 1) * 1000, 0
        else:
            part += _VALUE[word]
    return total + part
