"""The few words inside a sentence that answer a question."""

from __future__ import annotations

from lunagpt.chat.grounding.facts import Fact
from lunagpt.chat.grounding.questions import ANSWER_FACTS, Asks, Question
from lunagpt.chat.grounding.units import Unit
from lunagpt.chat.grounding.words import STOP_WORDS, content_stems, fold


def short_span(question: Question, unit: Unit) -> str | None:
    """The figure, date, time or name of a sentence that the question asks for.

    Of several, the one nearest to the question's words; None if the question asks for something else or the
    sentence has none that is not in the question already.
    """
    wanted = ANSWER_FACTS.get(question.asks)
    if wanted is None:
        return None
    asked = frozenset(question.stems)
    candidates = [fact for fact in unit.facts if fact.kind in wanted and not _in_question(fact, asked)]
    if question.asks is Asks.DATE and any(fact.kind == "date" for fact in candidates):
        candidates = [fact for fact in candidates if fact.kind == "date"]
    if not candidates:
        return None
    places = [word.start for word in unit.words if word.stem in asked and not word.is_stop]
    best = min(candidates, key=lambda fact: _distance(fact, places))
    return _with_unit(unit.text, best, question.asks)


def _in_question(fact: Fact, asked: frozenset[str]) -> bool:
    stems = content_stems(fact.text)
    return bool(stems) and all(stem in asked for stem in stems)


def _distance(fact: Fact, places: list[int]) -> float:
    if not places:
        return fact.start
    return sum(min(abs(place - fact.start), abs(place - fact.end)) for place in places) / len(places)


def _with_unit(text: str, fact: Fact, asks: Asks) -> str:
    """A figure with its currency and its unit ("R$ 15,00", "12 metros")."""
    start, end = fact.start, fact.end
    if fact.kind != "figure":
        return text[start:end]
    before = text[:start]
    for mark in ("R$", "US$", "€", "£"):
        if before.rstrip().endswith(mark):
            start = len(before.rstrip()) - len(mark)
    rest = text[end:]
    if rest.startswith(("%", " %")):
        return text[start : end + rest.index("%") + 1]
    if asks is Asks.QUANTITY and rest.startswith(" "):
        unit = rest[1:].split(" ", 1)[0].rstrip('.,;:!?)"”')
        if (unit.isalpha() and fold(unit) not in STOP_WORDS) or unit.startswith("°"):
            end += 1 + len(unit)
    return text[start:end]
