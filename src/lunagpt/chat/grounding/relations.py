"""Questions for one fact about whom or what a text is about ("quando nasceu Santos Dumont", "a população do
Ceará"), and the sentences that state it.

Where a passage is titled by the very thing asked about, this is decisive both ways: a sentence that states
the relation with a value of the kind asked for answers the question, and a sentence that does not tell of the
relation does not, however many words it shares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lunagpt.chat.grounding.facts import Fact
from lunagpt.chat.grounding.life_spans import (
    LifeEvent,
    date_in,
    event_named,
    event_places,
    event_stems,
    is_of_another,
)
from lunagpt.chat.grounding.measures import Measure, measure_asked, tells_measure
from lunagpt.chat.grounding.questions import Asks, Question, analyse_question
from lunagpt.chat.grounding.synonyms import alike
from lunagpt.chat.grounding.units import Unit
from lunagpt.chat.grounding.words import fold, stem, words

_TYPED = frozenset({Asks.PERSON, Asks.DATE, Asks.PLACE, Asks.QUANTITY})
_SIMPLE = 2  # words of a relation; a question that says more may be answered in other words
# Verbs that only link ("quando ficou independente" is told by "independente em 1966").
_LINKING = frozenset(
    map(stem, ["fica", "ficou", "ficava", "tornou", "virou", "chama", "acontece", "aconteceu", "ocorreu"])
)
_NEAR, _NEAR_BEFORE = 70, 50  # characters between the relation and its value
_TITLE_SHARE = 0.5  # of a title's words that a name must have to be short for it ("Guimarães Rosa")
_FINITE = re.compile(r"(?:[aei]ram|[oei]u)$")
_CLAUSE = re.compile(r"\b(?:que|cuj[oa]s?|onde|quando)\b(?! (?:el[ea] )?$)")
_PARTICIPLE = re.compile(r"(?:[ai]d|it|rt|st)[oa]s?$")
_BY = r"\b(?:por|pel[oa]s?)\b"
_WITH = r"\bcom\b"
_OF_A_NAME = re.compile(r" d[eo] [^\W\d_a-z]")  # "filho de Erico Verissimo", which may open the sentence
_AGENT = re.compile(r"^(?: em \d+)? pel[oa]s? \w+")  # people without a name: "construída pelos antepassados"
_IN = re.compile(r"\b(?:em|n[oa]s?|perto de|perto d[oa]|junto [ad][oa]?)\s+(?:\w+\s+){0,3}?$")
_ATTRIBUTE = re.compile(
    r"^\W*(?:e )?(?:qual|quais)(?: (?:e|eh|era|foi|sao|eram))? [oa]s? \w+(?: \w+)?? (?:oficial )?"
    r"d[eoa]s? "
)
# "O que a lagartixa come?"
_OBJECT_ASKED = re.compile(r"^\W*(?:e )?o? ?(?:que|q) (?!(?:e|eh|sao|foi|foram|era|eram|significa|quer)\b)")
_OBJECT_FOLLOWS = re.compile(r"^ (?:de |d[eoa]s? |em |com |um |uma |[oa]s? )?[a-z]")
_BEFORE_A_NOUN = re.compile(r"\b(?:[oa]s?|d[eoa]s?|uma?|n[oa]s?|sua?s?|para|como) $")
# What stands between an attribute and its value: "a moeda é o euro", "capital, Fortaleza", "símbolo Xe".
_VALUE_FOLLOWS = re.compile(
    r"^(?: oficial| nacional)?(?:,| e| era| foi| sao| eram| chama-se| em|:)? (?:[oa]s? )?"
    r"(?!d[eoa]s?\b|e\b|que\b)\w"
)


@dataclass(frozen=True, slots=True)
class Relation:
    """What a question asks about the thing that a text is titled by.

    Attributes:
        question: as asked.
        subject: stems of the title that the question names.
        stems: stems of the words that tell what is asked of it.
        event: the birth or the death asked about, in whatever way; its words are not among `stems`.
        measure: the measure asked for.
        is_attribute: whether a noun of it is asked for ("qual é a moeda de…").
    """

    question: Question
    subject: frozenset[str]
    stems: tuple[str, ...]
    event: LifeEvent | None
    measure: Measure | None
    is_attribute: bool

    @property
    def is_decisive(self) -> bool:
        """Whether no sentence answers that does not tell of the relation. Where something is found or done is
        told in too many ways."""
        named = self.question.asks is not Asks.PLACE or self.event is not None
        return self.question.asks in _TYPED and named and len(self.stems) <= _SIMPLE


def relation_asked(question: Question, passages: Sequence[Mapping[str, Any]]) -> Relation | None:
    """What a question asks about the title of one of the passages; None if it asks no single fact of any."""
    folded = " ".join(fold(question.text).split())
    is_attribute = _ATTRIBUTE.match(folded) is not None
    if question.asks not in _TYPED and not is_attribute and _OBJECT_ASKED.match(folded) is None:
        return None
    subject = max((_subject(question, passage) for passage in passages), key=len, default=frozenset())
    if not subject:
        return None
    event = event_named(question.text)
    spoken = event_stems(question.text) if event is not None else frozenset()
    apart = subject | question.typing | spoken | _LINKING
    stems = tuple(name for name in question.stems if name not in apart)
    if not stems and event is None:
        return None
    measure = measure_asked(question.text) if question.asks is Asks.QUANTITY else None
    return Relation(question, subject, stems, event, measure, is_attribute)


def _subject(question: Question, passage: Mapping[str, Any]) -> frozenset[str]:
    """The stems of a passage's title, if it names what the question is about; else none."""
    title = re.sub(r"\([^)]*\)", "", str(passage.get("title") or ""))
    stems = frozenset(word.stem for word in words(title) if not word.is_stop)
    asked = frozenset(question.stems)
    if not stems:
        return stems
    built_in = bool((passage.get("metadata") or {}).get("built_in"))
    whole = stems <= asked and (built_in or stems <= question.names)
    named = stems & question.names
    part = bool(named) and question.names - stems <= asked - stems and len(named) >= _TITLE_SHARE * len(stems)
    return stems & asked if whole or (part and question.names <= stems) else frozenset()


def tells(relation: Relation, unit: Unit) -> bool:
    """Whether a sentence may answer: it states the relation, or the same question stands before it."""
    return states(relation, unit) or _is_asked_before(relation, unit)


def states(relation: Relation, unit: Unit) -> bool:
    """Whether a sentence states the relation of its subject with a value of the kind asked for."""
    question = relation.question
    if not relation.subject <= unit.context or _answers_for_another(relation, unit):
        return False
    if (
        relation.event is not None
        and question.asks is Asks.DATE
        and date_in(unit.life_spans, relation.event, question.text, unit.context) is not None
    ):
        return True
    if relation.measure is not None:
        return tells_measure(relation.measure, unit.text)
    places = _told_at(relation, unit)
    return any(_has_value(relation, unit, start, end) for start, end in places)


def _answers_for_another(relation: Relation, unit: Unit) -> bool:
    """Whether the question before a sentence names somebody else ("Quem foi Gusmão?" in the article on
    balloons)."""
    if unit.before is None or not unit.before.is_question:
        return False
    named = analyse_question(unit.before.text).names
    return bool(named) and named.isdisjoint(relation.subject)


def _is_asked_before(relation: Relation, unit: Unit) -> bool:
    """Whether the sentence answers a stored question for the same."""
    before = unit.before
    if before is None or not before.is_question or not relation.subject <= unit.context | before.stems:
        return False
    if analyse_question(before.text).asks is not relation.question.asks:
        return False
    if relation.event is not None and event_named(before.text) is not relation.event:
        return False
    return all(any(alike(name, other) for other in before.stems) for name in relation.stems)


def _told_at(relation: Relation, unit: Unit) -> list[tuple[int, int]]:
    """Where a sentence tells of the relation (offsets of its last word there); nowhere if a word of it is
    missing."""
    found: list[tuple[int, int]] = []
    if relation.event is not None:
        found = [
            place
            for place in event_places(relation.event, unit.text)
            if not is_of_another(unit.text, *place, relation.question.text, relation.subject)
        ]
        if not found:
            return []
    for name in relation.stems:
        here = [(word.start, word.end) for word in unit.words if not word.is_stop and alike(name, word.stem)]
        if not here:
            return []
        if relation.event is None:
            found = here
    return found


def _has_value(relation: Relation, unit: Unit, start: int, end: int) -> bool:
    """Whether a value of the kind asked for belongs to the word of the relation at an offset."""
    asks = relation.question.asks
    if asks is Asks.DATE:
        return any(
            _is_date(fact, unit) and _is_near(unit, start, end, fact) for fact in _news(relation, unit)
        )
    if asks is Asks.QUANTITY:
        return _is_counted(relation, unit, start, end)
    if asks is Asks.PERSON:
        return _has_person(relation, unit, start, end)
    if asks is Asks.PLACE and not relation.is_attribute:
        return _has_place(relation, unit, start, end)
    after = fold(unit.text[end:])
    if relation.is_attribute:
        return _VALUE_FOLLOWS.match(after) is not None
    is_verb = _BEFORE_A_NOUN.search(fold(unit.text[:start])) is None
    return len(relation.stems) == 1 and is_verb and _OBJECT_FOLLOWS.match(after) is not None


def _news(relation: Relation, unit: Unit) -> Iterator[Fact]:
    """The facts of a sentence that the question does not hold itself."""
    asked = {word.folded for word in words(relation.question.text)}
    for fact in unit.facts:
        if not asked.issuperset(word.folded for word in words(fact.text)):
            yield fact


def _is_date(fact: Fact, unit: Unit) -> bool:
    is_century = re.search(r"\bseculos? $", fold(unit.text[: fact.start])) is not None
    return fact.kind == "date" or is_century or re.fullmatch(r"1\d{3}|20\d{2}", fact.text) is not None


def _is_near(unit: Unit, start: int, end: int, fact: Fact) -> bool:
    """Whether a fact stands close to a word, with no verb of something else between."""
    between = unit.text[end : fact.start] if fact.start >= end else unit.text[fact.end : start]
    limit = _NEAR if fact.start >= end else _NEAR_BEFORE
    return len(between) <= limit and ";" not in between and not _has_finite_verb(between)


def _has_finite_verb(text: str) -> bool:
    """Whether a stretch of text says something of its own: a verb in the past, or a relative clause."""
    if _CLAUSE.search(fold(text)):
        return True
    return any(
        len(word.folded) > 3 and not word.is_capitalised and _FINITE.search(word.folded)
        for word in words(text)
    )


def _is_counted(relation: Relation, unit: Unit, start: int, end: int) -> bool:
    """Whether a figure stands right before the things counted, or right behind the attribute."""
    for fact in _news(relation, unit):
        if fact.kind != "figure":
            continue
        if relation.event is not None:
            age = re.match(r" anos\b", unit.text[fact.end :]) is not None
            if (
                age
                and re.search(r"\b(?:aos|com) $", unit.text[: fact.start])
                and _is_near(unit, start, end, fact)
            ):
                return True
        elif relation.is_attribute:
            if 0 <= fact.start - end <= 8 and ";" not in unit.text[end : fact.start]:
                return True
        elif 0 <= start - fact.end <= 4 and unit.text[fact.end : start].strip() in ("", "de"):
            return True
    return False


def _has_person(relation: Relation, unit: Unit, start: int, end: int) -> bool:
    """Whether a name is the one who did it ("fundada pelo português Paulo Dias", "Hermann Blumenau fundou")
    or the one in the relation ("casado com Zélia Gattai")."""
    verb = fold(unit.text[start:end])
    if _PARTICIPLE.search(verb) and _AGENT.match(fold(unit.text[end:])):
        return True
    if _OF_A_NAME.match(unit.text, end) and not _PARTICIPLE.search(verb):
        return True
    together = re.search(r"\bcom quem\b", fold(relation.question.text)) is not None
    for fact in _news(relation, unit):
        if fact.kind != "name" or not _is_near(unit, start, end, fact):
            continue
        if fact.start >= end:
            between = fold(unit.text[end : fact.start])
            if together or _PARTICIPLE.search(verb):
                if re.search(rf"{_WITH if together else _BY}(?: \w+){{0,4}} ?$", between):
                    return True
            elif re.fullmatch(r",? (?:(?:e|era|foi|d[eo]) )?(?:[oa] )?", between):
                return True
        elif _FINITE.search(verb) and not together:
            return True
    return False


def _has_place(relation: Relation, unit: Unit, start: int, end: int) -> bool:
    """Whether a named place belongs to the word: "nasceu em 1822 em Dole", "Coyoacán, onde nasceu"."""
    for fact in _news(relation, unit):
        if fact.kind != "name" or not _is_near(unit, start, end, fact):
            continue
        if fact.start >= end:
            if _IN.search(fold(unit.text[end : fact.start])) or fold(unit.text[start:end]) == "natural":
                return True
        elif re.search(r"\bonde (?:\w+ ){0,2}$", unit.text[fact.end : start]):
            return True
    return False
