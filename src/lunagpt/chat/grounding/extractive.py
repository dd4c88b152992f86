"""The answer as it stands in the documents: the sentence that answers best, quoted and cited."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lunagpt.chat.grounding.answers import Citation, GroundedAnswer
from lunagpt.chat.grounding.contradictions import contradicts, only_compares
from lunagpt.chat.grounding.hostile import clean_text
from lunagpt.chat.grounding.life_spans import tells_date_of
from lunagpt.chat.grounding.plain_answers import answers_plainly
from lunagpt.chat.grounding.questions import Asks, Question, analyse_question
from lunagpt.chat.grounding.ranking import (
    answer_features,
    dot,
    lacks_event,
    life_date,
    model,
    passage_facts,
    sentence_features,
    sigmoid,
)
from lunagpt.chat.grounding.readings import Readings, read_passages
from lunagpt.chat.grounding.relations import Relation, relation_asked, states, tells
from lunagpt.chat.grounding.spans import short_span, with_marks
from lunagpt.chat.grounding.units import Unit, cut_passages
from lunagpt.data.grounding_format import cite
from lunagpt.reading import SpanReader

_LEAST_RELEVANCE = 0.02  # what a search calls less is not told apart
# Of a sentence that states the very fact asked for: dates in brackets behind the name (see `life_spans`), or
# the relation of a text's subject with a value of the kind asked for (see `relations`).
_STATED_CERTAINTY = 0.95
_LIST_ITEMS = 8
_LIST_CHARACTERS = 700


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence and how much speaks for it (only differences between scores mean something)."""

    unit: Unit
    score: float
    features: dict[str, float]


def extractive_answer(
    question: str,
    passages: Sequence[Mapping[str, Any]],
    *,
    threshold: float | None = None,
    reader: SpanReader | None = None,
) -> GroundedAnswer | None:
    """The sentence of the passages that answers a question, or None if none does.

    Sentences that give orders to an assistant are never chosen.

    Args:
        question: a question that can be understood by itself (see `rewrite_follow_up`).
        passages: mappings with ``content`` and, if known, ``title`` and ``heading_path``; the first is [1].
        threshold: least probability of being right; None takes the fitted one, 0 answers whenever there is a
            sentence.
        reader: reads the passages that look best; None goes by the words in common alone.
    """
    asked = analyse_question(question)
    relation = relation_asked(asked, passages)
    groups = cut_passages(passages)
    around = [passage_facts(asked, units) for units in groups]
    priors = _priors(passages)
    ranked = rank_sentences(asked, groups, around, priors, relation)
    if not ranked:
        return None
    readings = None
    while reader is not None and (readings is None or ranked[0].unit.passage not in readings.by_passage):
        order = (entry.unit.passage for entry in ranked)
        readings = read_passages(reader, question, passages, order, readings)
        ranked = rank_sentences(asked, groups, around, priors, relation, readings)
    fitting = [e for e in ranked if not e.unit.is_question and not contradicts(asked, e.unit)]
    if not fitting:
        return None
    best = fitting[0]
    rivals = [entry.score for entry in ranked if entry.unit not in (best.unit, best.unit.question_before)]
    scores = [best.score, *rivals[:1]]
    features = answer_features(asked, best.unit, best.features, scores, around)
    if readings is not None:
        features |= readings.answer_features(best.unit)
    fitted = model(with_reader=readings is not None)
    weights = fitted["answering"]
    confidence = sigmoid(dot(weights, features) + weights["constant"])
    least = fitted["threshold"] if threshold is None else threshold
    if (dated := next((entry for entry in fitting if life_date(asked, entry.unit)), None)) is not None:
        best = best if _agree(asked, best.unit, dated.unit) else dated
        confidence = max(confidence, _STATED_CERTAINTY)
    elif (plain := _best_plain(asked, fitting)) is not None:
        best, confidence = plain, max(confidence, _STATED_CERTAINTY)
    elif (stated := _best_stated(fitting, relation)) is not None and (stated is best or confidence < least):
        best, confidence = stated, max(confidence, _STATED_CERTAINTY)
    if confidence < least:
        return None
    start, end = _extent(best.unit, groups[best.unit.passage])
    passage = passages[best.unit.passage]
    quote = str(passage["content"])[start:end]
    number = best.unit.passage + 1
    lead = _lead(asked, best.unit)
    return GroundedAnswer(
        text=_shown(quote, number, passage, lead),
        citations=(Citation(number, passage, quote, start, end),),
        span=_span(asked, best.unit, passage, readings),
        confidence=confidence,
        lead=lead,
    )


def renumbered(answer: GroundedAnswer) -> GroundedAnswer:
    """The same quotation when its passage has become the first."""
    (citation,) = answer.citations
    text = _shown(citation.quote, 1, citation.passage, answer.lead)
    return replace(answer, text=text, citations=(replace(citation, number=1),))


def rank_sentences(
    question: Question,
    groups: Sequence[Sequence[Unit]],
    around: Sequence[Mapping[str, Any]],
    priors: Sequence[float],
    relation: Relation | None = None,
    readings: Readings | None = None,
) -> list[Ranked]:
    """The sentences that may be quoted, the best first.

    Args:
        question: what is asked.
        groups: the sentences of each passage. around: `passage_facts` of each passage.
        priors: logarithm of each passage's relevance against the best one's.
        relation: what is asked about the title of a passage; sentences that do not tell of it are left out.
        readings: what the reader found in them, if it was asked.
    """
    weights = model(with_reader=readings is not None)["ranking"]
    ranked: list[Ranked] = []
    for units, facts, prior in zip(groups, around, priors, strict=True):
        for unit in units:
            if (
                unit.words
                and not unit.is_heading
                and not unit.commands_the_reader
                and not lacks_event(question, unit)
                and not only_compares(question.text, unit.text)
                and (relation is None or not relation.is_decisive or tells(relation, unit))
            ):
                features = sentence_features(question, unit, facts)
                if readings is not None:
                    features |= readings.sentence_features(unit)
                ranked.append(Ranked(unit, dot(weights, features) + prior, features))
    ranked.sort(key=lambda entry: -entry.score)
    # Passages overlap: a sentence that stands in two of them is no rival of itself.
    seen: dict[str, Ranked] = {}
    for entry in ranked:
        seen.setdefault(" ".join(entry.unit.text.split()), entry)
    return list(seen.values())


def _best_stated(ranked: Sequence[Ranked], relation: Relation | None) -> Ranked | None:
    return next((entry for entry in ranked if relation is not None and states(relation, entry.unit)), None)


def _best_plain(question: Question, ranked: Sequence[Ranked]) -> Ranked | None:
    return next((entry for entry in ranked if answers_plainly(question, entry.unit)), None)


def _span(
    question: Question, unit: Unit, passage: Mapping[str, Any], readings: Readings | None
) -> str | None:
    """The words inside a sentence that answer: the reader's, if it read the passage."""
    if readings is None or question.asks is Asks.YES_NO or life_date(question, unit) is not None:
        return short_span(question, unit)
    span = readings.best_in(unit)
    if span is None:
        return short_span(question, unit)
    content = str(passage["content"])
    return content[slice(*with_marks(content, span.start, span.end))]


def _priors(passages: Sequence[Mapping[str, Any]]) -> list[float]:
    """How much less likely each passage is to have the answer than the most relevant one, as a logarithm.

    Passages without a relevance are taken to be alike.
    """
    relevances = [passage.get("score") for passage in passages]
    if not all(isinstance(value, (int, float)) for value in relevances):
        return [0.0] * len(passages)
    bounded = [min(max(float(value or 0.0), _LEAST_RELEVANCE), 1.0) for value in relevances]
    best = max(bounded, default=1.0)
    return [math.log(value / best) for value in bounded]


def _extent(unit: Unit, units: Sequence[Unit]) -> tuple[int, int]:
    """The offsets to quote: the sentence, and the list that it announces."""
    end = unit.end
    if unit.text.rstrip().endswith(":"):
        for item in units[unit.index + 1 : unit.index + 1 + _LIST_ITEMS]:
            if item.commands_the_reader or item.end - unit.start > _LIST_CHARACTERS:
                break
            end = item.end
            if item.text.rstrip().endswith(".") and item.text.lstrip()[:1] not in "-*•":
                break
    return unit.start, end


def _agree(question: Question, unit: Unit, dated: Unit) -> bool:
    """Whether a sentence has the year that the brackets of another one tell."""
    date = life_date(question, dated)
    return date is not None and re.findall(r"\d+", date.text)[-1] in unit.text


def _lead(question: Question, unit: Unit) -> str:
    """What a quote needs in front to be understood as the answer: "Nasceu em 1839" before "Machado de Assis
    (1839–1908) foi…"; "" for most."""
    date = life_date(question, unit)
    if date is None or question.life_event is None or tells_date_of(question.life_event, unit.text):
        return ""
    return date.told(question.life_event)


def _shown(quote: str, number: int, passage: Mapping[str, Any], lead: str) -> str:
    """A quote with its citation. The built-in encyclopaedia speaks for Luna and is not put in quotation
    marks."""
    text = clean_text(quote).strip()
    metadata = passage.get("metadata") or {}
    if metadata.get("built_in"):
        return f"{lead} [{number}]." if lead else cite(text, number)
    return f"{lead}: “{text}” [{number}]" if lead else f"“{text}” [{number}]"
