"""Measures of things, as they are asked for and as texts tell them: a population in inhabitants, an area in
square kilometres."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lunagpt.chat.grounding.words import fold

# A figure in a folded text, with its scale: "8,8 milhoes".
_FIGURE = r"\d+(?:[.,]\d+)*(?: mil(?:h(?:ao|oes))?| bilh(?:ao|oes))?"
_LENGTH_UNIT = r"(?:de )?(?:quilometros|km|metros|centimetros)\b(?! quadrados)"


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure that things have.

    Attributes:
        asked: fits a folded question for it.
        told: fits a folded sentence that tells it.
    """

    asked: re.Pattern[str]
    told: re.Pattern[str]


def _measure(asked: str, *told: str) -> Measure:
    return Measure(re.compile(rf"\b(?:{asked})\b"), re.compile("|".join(told)))


def _dimension(nouns: str, *told: str) -> Measure:
    """A measure of length with a noun of its own: "196 metros de altura", "profundidade de 30 metros"."""
    return _measure(
        nouns,
        rf"{_FIGURE} {_LENGTH_UNIT} (?:de|em) (?:{nouns})\b",
        rf"\b(?:{nouns}) (?:\w+ ){{0,4}}{_FIGURE}",
        *told,
    )


_MEASURES = (
    _measure(
        r"populacao|quantos (?:habitantes|moradores)|quantas pessoas (?:moram|vivem)",
        rf"\b{_FIGURE} (?:de )?(?:habitantes|moradores|pessoas (?:vivem|moram))\b",
        rf"\bpopulacao (?:\w+ ){{0,4}}{_FIGURE}",
    ),
    _measure(r"area|superficie", rf"\b{_FIGURE} (?:de )?(?:quilometros quadrados|km2|hectares)\b"),
    _dimension(
        r"comprimento|extensao",
        rf"\b(?:rio de|corre|percorre|arco de)(?: \w+){{0,3}} {_FIGURE} {_LENGTH_UNIT}",
    ),
    _dimension(r"altura|altitude", rf"\b(?:mede|media|medem) (?:\w+ ){{0,3}}{_FIGURE} metros"),
    _dimension(r"profundidade"),
    _dimension(r"largura"),
    _dimension(r"diametro", rf"\bdiametro, (?:\w+ ){{0,3}}{_FIGURE}"),
    _measure(
        r"peso|massa|quanto (?:\w+ ){0,4}pesa(?:m|va)?",
        rf"\b(?:pes\w+|massa) (?:\w+ ){{0,4}}{_FIGURE} (?:quilos|kg|toneladas|gramas)\b",
        rf"\b{_FIGURE} (?:quilos|kg|toneladas|gramas) de (?:peso|massa)\b",
    ),
    _measure(
        r"quant[oa]s? (?:anos|tempo|dias|meses) (?:\w+ ){0,4}vive[mu]?",
        rf"\b(?:viv\w+|passar de|chega\w* a)(?: \w+){{0,4}} {_FIGURE} (?:anos|meses|dias)\b",
    ),
)


def measure_asked(question: str) -> Measure | None:
    """The measure that a question asks for, if it is a known one."""
    folded = fold(question)
    return next((measure for measure in _MEASURES if measure.asked.search(folded)), None)


def tells_measure(measure: Measure, sentence: str) -> bool:
    """Whether a sentence tells a measure, with a figure and its unit."""
    return measure.told.search(" ".join(fold(sentence).replace("²", "2").split())) is not None
