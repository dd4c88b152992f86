"""Numbers in Portuguese text, whatever way they are written: 1.500,50, 2,5 milhões, vinte e três, XV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from lunagpt.chat.grounding.words import fold


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    Attributes:
        values: what it may mean: "10,000" is ten, in an English text ten thousand.
        start, end: its offsets.
        spelled: written in words or Roman numerals.
    """

    values: frozenset[Decimal]
    start: int
    end: int
    spelled: bool = False


_UNITS = {
    "zero": 0, "um": 1, "uma": 1, "dois": 2, "duas": 2, "tres": 3, "quatro": 4, "cinco": 5, "seis": 6,
    "meia": 6, "sete": 7, "oito": 8, "nove": 9, "dez": 10, "onze": 11, "doze": 12, "treze": 13, "catorze": 14,
    "quatorze": 14, "quinze": 15, "dezesseis": 16, "dezasseis": 16, "dezessete": 17, "dezassete": 17,
    "dezoito": 18, "dezenove": 19, "dezanove": 19, "vinte": 20, "trinta": 30, "quarenta": 40, "cinquenta": 50,
    "sessenta": 60, "setenta": 70, "oitenta": 80, "noventa": 90, "cem": 100, "cento": 100, "duzentos": 200,
    "duzentas": 200, "trezentos": 300, "trezentas": 300, "quatrocentos": 400, "quatrocentas": 400,
    "quinhentos": 500, "quinhentas": 500, "seiscentos": 600, "seiscentas": 600, "setecentos": 700,
    "setecentas": 700, "oitocentos": 800, "oitocentas": 800, "novecentos": 900, "novecentas": 900,
}  # fmt: skip
_SCALES = {
    "mil": 10**3, "milhao": 10**6, "milhoes": 10**6, "bilhao": 10**9, "bilhoes": 10**9, "trilhao": 10**12,
    "trilhoes": 10**12,
}  # fmt: skip

# Words that are numbers only in company: "um" is mostly an article, "meia" a half, "cento" needs its "e".
_WEAK = frozenset({"um", "uma", "meia"})

_DIGITS = re.compile(r"(?<![\w.,])(?:[1-9]\d{0,2}(?:[ \u00a0\u202f]\d{3})+(?![ \u00a0]?\d)|\d+(?:[.,]\d+)*)")
_SCALE_AFTER = re.compile(r"\s+(mil|milh(?:ão|ões)|milhao|milhoes|bilh(?:ão|ões)|trilh(?:ão|ões))\b", re.I)
_LETTERS = re.compile(r"[^\W\d_]+")
_ROMAN = re.compile(
    r"\b(?=[MDCLXVI]{2,}\b|[VX]\b)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?![^\W_])"
)
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def find_numbers(text: str) -> list[Number]:
    """The numbers of a text in order: digits, words ("um" alone is left out: it is mostly an article), and
    Roman numerals in capitals."""
    found = [*_in_digits(text), *_in_words(text), *_roman(text)]
    return sorted(found, key=lambda number: number.start)


def parse_digits(text: str) -> frozenset[Decimal]:
    """What a number in digits may mean.

    A point before a group of three parts thousands, a comma is the decimal mark; "10,000" may be either,
    since translated texts keep the English way.
    """
    text = re.sub(r"[ \u00a0\u202f]", "", text)
    points, commas = text.count("."), text.count(",")
    if points and commas:
        decimal_mark = "," if text.rindex(",") > text.rindex(".") else "."
        other = "." if decimal_mark == "," else ","
        return _decimals(text.replace(other, "").replace(decimal_mark, "."))
    mark = "." if points else "," if commas else ""
    if not mark:
        return _decimals(text)
    groups = text.split(mark)
    if len(groups) > 2:
        return _decimals("".join(groups))
    if len(groups[1]) != 3 or len(groups[0]) > 3 or groups[0] == "0":
        return _decimals(".".join(groups))
    whole = _decimals("".join(groups))
    return whole if mark == "." else whole | _decimals(".".join(groups))


def _decimals(text: str) -> frozenset[Decimal]:
    return frozenset({Decimal(text).normalize()})


def _in_digits(text: str) -> Iterator[Number]:
    for match in _DIGITS.finditer(text):
        values = parse_digits(match[0])
        end = match.end()
        if scale := _SCALE_AFTER.match(text, end):
            factor = _SCALES[fold(scale[1])]
            values = frozenset((value * factor).normalize() for value in values)
            end = scale.end()
        yield Number(values, match.start(), end)


def _in_words(text: str) -> Iterator[Number]:
    pieces = [(match.start(), match.end(), fold(match[0])) for match in _LETTERS.finditer(text)]
    place = 0
    while place < len(pieces):
        total, group, last = 0, 0, place
        taken: list[str] = []
        cursor = place
        while cursor < len(pieces):
            start, _, word = pieces[cursor]
            gap = text[pieces[cursor - 1][1] : start] if taken else ""
            if taken and gap.strip():
                break
            if word in _UNITS and not (taken and taken[-1] in _UNITS and _UNITS[word] >= _UNITS[taken[-1]]):
                group += _UNITS[word]
            elif word in _SCALES and (taken or word == "mil"):
                total, group = total + max(group, 1) * _SCALES[word], 0
            elif word == "e" and taken and taken[-1] != "e":
                taken.append(word)
                cursor += 1
                continue
            else:
                break
            taken.append(word)
            last = cursor
            cursor += 1
        if taken and taken[-1] == "e":
            taken.pop()
        if taken and not (len(taken) == 1 and taken[0] in _WEAK):
            value = Decimal(total + group).normalize()
            yield Number(frozenset({value}), pieces[place][0], pieces[last][1], spelled=True)
            place = last + 1
        else:
            place += 1


def _roman(text: str) -> Iterator[Number]:
    for match in _ROMAN.finditer(text):
        values = [_ROMAN_VALUES[letter] for letter in match[0]]
        if values:
            total = sum(
                -value if value < after else value
                for value, after in zip(values, [*values[1:], 0], strict=True)
            )
            yield Number(frozenset({Decimal(total)}), match.start(), match.end(), spelled=True)
