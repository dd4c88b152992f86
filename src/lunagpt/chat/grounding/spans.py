"""The few words inside a sentence that answer a question.

Who, how much and at what time are answered by the fact of that kind nearest to the question's words. For the
rest, every stretch of words between two borders is a candidate; a softmax over features of all of them,
fitted by `benchmarks/grounding_fit.py`, chooses. The idea is the logistic regression of Rajpurkar et al.,
"SQuAD: 100,000+ Questions for Machine Comprehension of Text" (2016), without a parser.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lunagpt.chat.grounding.facts import Fact
from lunagpt.chat.grounding.questions import ANSWER_FACTS, Asks, Question
from lunagpt.chat.grounding.ranking import dot, life_date, model
from lunagpt.chat.grounding.units import Unit
from lunagpt.chat.grounding.words import STOP_WORDS, Word, content_stems, fold

_MOST_WORDS = 14
_MONEY_MARKS = ("R$", "US$", "€", "£", "$")
# Kinds for which the nearest fact is right more often than the fitted choice (on the validation rows of
# `sft`).
_BY_RULE = frozenset({Asks.PERSON, Asks.MONEY, Asks.QUANTITY, Asks.TIME})
_LEADS = frozenset(
    ["por", "pelo", "pela", "de", "do", "da", "em", "no", "na", "como", "para", "e", "foi", "sao"]
)


@dataclass(frozen=True, slots=True)
class Span:
    """A candidate: offsets in the sentence's text, and the places of its first and last word."""

    start: int
    end: int
    first: int
    last: int


def short_span(question: Question, unit: Unit) -> str | None:
    """The words of a sentence that answer, or None if no stretch of it stands out."""
    if question.asks is Asks.YES_NO:
        return None
    if (date := life_date(question, unit)) is not None:
        return date.text
    if question.asks in _BY_RULE and (found := _nearest_fact(question, unit)) is not None:
        return found
    spans = candidate_spans(unit)
    if not spans:
        return None
    weights = model()["span"]
    scores = [dot(weights, features) for features in span_features(question, unit, spans)]
    best = max(scores)
    total = sum(math.exp(score - best) for score in scores)
    if 1 / total < model()["span_threshold"]:
        return None
    span = spans[scores.index(best)]
    return unit.text[span.start : span.end]


def _nearest_fact(question: Question, unit: Unit) -> str | None:
    asked = frozenset(question.stems)
    wanted = ANSWER_FACTS[question.asks]
    facts = [
        fact
        for fact in unit.facts
        if fact.kind in wanted
        and not (content_stems(fact.text) and asked.issuperset(content_stems(fact.text)))
    ]
    if not facts:
        return None
    places = [word.start for word in unit.words if word.stem in asked and not word.is_stop]

    def distance(fact: Fact) -> float:
        return sum(min(abs(p - fact.start), abs(p - fact.end)) for p in places) if places else fact.start

    fact = min(facts, key=distance)
    start, end = with_marks(unit.text, fact.start, fact.end)
    if question.asks is Asks.QUANTITY and end == fact.end:
        unit_word = unit.text[end:].removeprefix(" ").split(" ", 1)[0].rstrip('.,;:!?)"”')
        if unit.text[end : end + 1] == " " and unit_word.isalpha() and fold(unit_word) not in STOP_WORDS:
            end += 1 + len(unit_word)
    return unit.text[start:end]


def candidate_spans(unit: Unit) -> list[Span]:
    """Stretches of at most 14 words that neither begin nor end with a word of grammar; clauses between commas
    are taken whole too."""
    found, text = unit.words, unit.text
    spans = []
    for first, word in enumerate(found):
        for last in range(first, len(found)):
            if last > first and _breaks(text[found[last - 1].end : found[last].start]):
                break
            clause = _opens(text, found, first) and _closes(text, found, last)
            if last - first >= _MOST_WORDS and not clause:
                continue
            if not clause and (_is_grammar(word) or _is_grammar(found[last])):
                continue
            start, end = with_marks(text, word.start, found[last].end)
            spans.append(Span(start, end, first, last))
    return spans


def span_features(question: Question, unit: Unit, spans: list[Span]) -> list[Mapping[str, float]]:
    """What speaks for each candidate as the answer."""
    found, text = unit.words, unit.text
    asked = frozenset(question.stems)
    hits = [place for place, word in enumerate(found) if word.stem in asked and not word.is_stop]
    wanted = ANSWER_FACTS.get(question.asks, frozenset({"name"}))
    facts = [
        fact for fact in unit.facts if fact.kind in wanted and not asked.issuperset(content_stems(fact.text))
    ]
    dates = [fact for fact in facts if fact.kind == "date"]
    if question.asks is Asks.DATE and dates:
        facts = dates
    kind = question.asks.name.lower()
    result: list[Mapping[str, float]] = []
    for span in spans:
        inside = found[span.first : span.last + 1]
        content = [word for word in inside if not word.is_stop]
        length = len(inside)
        repeated = sum(word.stem in asked for word in content) / max(1, len(content))
        named = sum(word.is_capitalised for word in content) / max(1, len(content))
        outside = [place for place in hits if not span.first <= place <= span.last]
        near = min((min(abs(p - span.first), abs(p - span.last)) for p in outside), default=len(found))
        covered = [fact for fact in facts if span.start <= fact.start and fact.end <= span.end]
        equal = any(abs(fact.start - span.start) <= 3 and abs(fact.end - span.end) <= 1 for fact in facts)
        before = fold(found[span.first - 1].text) if span.first else ""
        opens, closes = _opens(text, found, span.first), _closes(text, found, span.last)
        grammar_after = span.last + 1 < len(found) and _is_grammar(found[span.last + 1])
        features = {
            f"{kind}_fact": 1.0 if covered else 0.0,
            f"{kind}_equal": 1.0 if equal else 0.0,
            f"{kind}_named": named,
            f"{kind}_length": math.log(length),
            "number": 1.0 if any(word.is_number for word in inside) else 0.0,
            "single": 1.0 if length == 1 else 0.0,
            "long": max(0, length - 5) / 10,
            "repeated": repeated,
            "all_repeated": 1.0 if repeated == 1.0 else 0.0,
            "near": 1 / (1 + near),
            "after_all": 1.0 if outside and span.first > outside[-1] else 0.0,
            "before_all": 1.0 if outside and span.last < outside[0] else 0.0,
            "opens": 1.0 if opens else 0.0,
            "closes": 1.0 if closes else 0.0,
            "clause": 1.0 if opens and closes else 0.0,
            "grammar_before": 1.0 if span.first and _is_grammar(found[span.first - 1]) else 0.0,
            "grammar_after": 1.0 if grammar_after else 0.0,
            "cuts_name": 1.0 if _cuts_name(text, found, span) else 0.0,
        }
        if before in _LEADS:
            features[f"after_{before}"] = 1.0
        result.append(features)
    return result


def _is_grammar(word: Word) -> bool:
    return word.is_stop and not word.is_number and not (word.is_capitalised and len(word.text) > 3)


def _breaks(gap: str) -> bool:
    return any(mark in gap for mark in ',;:()[]\n“”"—–')


def _opens(text: str, found: list[Word], first: int) -> bool:
    return first == 0 or _breaks(text[found[first - 1].end : found[first].start])


def _closes(text: str, found: list[Word], last: int) -> bool:
    return last + 1 == len(found) or _breaks(text[found[last].end : found[last + 1].start])


def _cuts_name(text: str, found: list[Word], span: Span) -> bool:
    """Whether a capitalised word stands right before or behind the span, which begins or ends with one."""
    before = found[span.first - 1] if span.first else None
    after = found[span.last + 1] if span.last + 1 < len(found) else None
    left = (
        before is not None
        and before.is_capitalised
        and found[span.first].is_capitalised
        and text[before.end : found[span.first].start] == " "
        and span.first > 1
    )
    right = (
        after is not None
        and after.is_capitalised
        and found[span.last].is_capitalised
        and text[found[span.last].end : after.start] == " "
    )
    return left or right


def with_marks(text: str, start: int, end: int) -> tuple[int, int]:
    """The offsets with the currency before and the per cent sign behind."""
    before = text[:start].rstrip()
    for mark in _MONEY_MARKS:
        if before.endswith(mark):
            start = len(before) - len(mark)
            break
    rest = text[end:]
    if rest.startswith(("%", " %", "°C", " °C")):
        end += rest.index("%") + 1 if "%" in rest[:2] else rest.index("C") + 1
    return start, end
