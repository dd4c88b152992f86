"""How well a sentence answers a question: features, and the weights learned for them.

The weights are fitted on training rows by `benchmarks/grounding_fit.py` and stored in
``assets/grounding/weights.json``; those for when the reader helps, in ``weights_reader.json``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

from lunagpt.chat.grounding.life_spans import LifeDate, date_in, event_stems, tells_of
from lunagpt.chat.grounding.questions import ANSWER_FACTS, Asks, Question, analyse_question
from lunagpt.chat.grounding.synonyms import related
from lunagpt.chat.grounding.units import Unit
from lunagpt.chat.grounding.word_weights import UNKNOWN_WEIGHT, weight
from lunagpt.chat.grounding.words import content_stems, fold

_REASONS = re.compile(
    r"\b(porque|pois|devido|por causa|ja que|uma vez que|para que|a fim de|visto que|por isso|causad[oa]|"
    r"gracas)\b"
)
_PLACES = re.compile(r"\b(?:em|n[oa]s?|de|d[oa]s?|para|até|at[eé])\s+(?:[A-ZÁÉÍÓÚÂÊÔÃÕ])")
_MONEY = re.compile(
    r"R\$|US\$|€|£|\breais\b|\breal\b|\bcentavos\b|\bd[óo]lares\b|\beuros\b|\bgr[áa]tis\b|\bgratuit",
    re.I,
)
# "São pagos pelo locatário", "fica a cargo da locadora".
_AGENT = re.compile(
    r"(?:[ai]d|it|rt|st|g)[oa]s? pel[oa]s? \w+|\b(?:por|da) conta d[aeo]s? \w+|\ba cargo d[aeo]s? \w+|"
    r"\bresponsabilidade d[aeo]s? \w+|\b(?:cabe|compete|incumbe)m? a[os]?s? \w+"
)
_ASKS_SHARE = re.compile(
    r"\b(?:multas?|juros|taxas?|comissao|descontos?|reajustes?)\b"
)  # also told in per cent
_SHARE = re.compile(r"\d\s?%|\bpor cento\b")
_DEFINES = re.compile(
    r"\b(e|sao|significa|significam|chama-se|consiste|designa|refere-se|trata-se|define|era|foi)\b"
)
_HOW = re.compile(
    r"\b(por meio|atraves|usando|com|mediante|primeiro|depois|em seguida|basta|deve|faca|use)\b"
)
_OTHER_KIND = (
    0.4  # of a stored question that asks for another kind of answer ("quando morreu" for "quem foi")
)
_NEAR = 0.6  # credit for a related word, against 1 for the word itself


@lru_cache(maxsize=2)
def model(with_reader: bool = False) -> Mapping[str, Any]:
    """The fitted weights and thresholds."""
    name = "weights_reader.json" if with_reader else "weights.json"
    text = (resources.files("lunagpt") / "assets" / "grounding" / name).read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def coverage(stems: Sequence[str], found: frozenset[str]) -> float:
    """Share (0..1) of the weight of `stems` that occurs among `found`, related words counting in part."""
    total = hit = 0.0
    for name in stems:
        worth = weight(name)
        total += worth
        if name in found:
            hit += worth
        elif any(related(name, other) for other in found):
            hit += _NEAR * worth
    return hit / total if total else 0.0


def sentence_features(question: Question, unit: Unit, around: Mapping[str, Any]) -> dict[str, float]:
    """What speaks for and against a sentence as the answer.

    Args:
        question: what is asked.
        unit: the sentence.
        around: facts about its passage, from `passage_facts`.
    """
    subject = tuple(name for name in question.stems if name not in question.typing) or question.stems
    names = tuple(name for name in subject if name in question.names)
    here = _told_stems(question, unit)
    own = coverage(subject, here)
    with_title = coverage(subject, here | unit.context)
    # The question before an answer in a list of questions speaks for it only if it is the one asked.
    asked_before = unit.before is not None and unit.before.is_question
    before = unit.before.stems if unit.before is not None and not asked_before else frozenset()
    likeness = _answers_question_before(question, unit)
    with_before = coverage(subject, here | unit.context | before)
    features = {
        "own": own,
        "own_squared": own * own,
        "title_adds": with_title - own,
        "before_adds": with_before - with_title,
        "passage": around["coverage"],
        "best_gap": around["best_own"] - own,
        "names_here": coverage(names, unit.stems) if names else 0.0,
        "names_missing": 1.0 - coverage(names, unit.stems | unit.context | before) if names else 0.0,
        "typing": coverage(tuple(question.typing), unit.stems) if question.typing else 0.0,
        "long": math.log1p(len(unit.words)) / 4,
        "short": 1.0 if len(unit.words) < 4 else 0.0,
        "first": 1.0 if unit.index == 0 else 0.0,
        "asks": 1.0 if unit.is_question else 0.0,
        "faq": likeness,
        "faq_other": 1.0 - likeness if asked_before else 0.0,
        "rank": 1.0 / (1 + unit.passage),
        "introduces": 1.0 if _introduces(question, unit, subject) else 0.0,
    }
    for kind, value in _fit_of_kind(question, unit).items():
        features[kind] = value
    return features


def passage_facts(question: Question, units: Sequence[Unit]) -> dict[str, Any]:
    """What a passage as a whole says about the question's subject."""
    subject = tuple(name for name in question.stems if name not in question.typing) or question.stems
    told = [_told_stems(question, unit) for unit in units]
    everything = frozenset().union(*told) | (units[0].context if units else frozenset())
    return {
        "coverage": coverage(subject, everything),
        "stems": everything,
        "best_own": max((coverage(subject, stems) for stems in told), default=0.0),
    }


def life_date(question: Question, unit: Unit) -> LifeDate | None:
    """The birth or death asked for, where the sentence tells it in brackets behind the name."""
    if question.life_event is None:
        return None
    return date_in(unit.life_spans, question.life_event, question.text, unit.context)


def _told_stems(question: Question, unit: Unit) -> frozenset[str]:
    """What a sentence says: its words, and "nasceu" if that is asked and brackets tell when."""
    return unit.stems if life_date(question, unit) is None else unit.stems | event_stems(question.text)


def lacks_event(question: Question, unit: Unit) -> bool:
    """Whether somebody's birth or death is asked for and a sentence only tells something else."""
    if question.life_event is None or life_date(question, unit) is not None:
        return False
    asked_before = unit.before is not None and unit.before.is_question
    texts = [unit.text, unit.before.text] if asked_before and unit.before is not None else [unit.text]
    return not any(tells_of(question.life_event, text, question.text) for text in texts)


def names_agent(text: str) -> bool:
    """Whether a text says by whom something is done or borne, if only by a common noun."""
    return _AGENT.search(fold(text)) is not None


def dot(weights: Mapping[str, float], features: Mapping[str, float]) -> float:
    """Weighted sum; features without a weight count nothing."""
    return sum(weights.get(name, 0.0) * value for name, value in features.items())


def sigmoid(value: float) -> float:
    """1 / (1 + e^-value), safe for large values."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _introduces(question: Question, unit: Unit, subject: Sequence[str]) -> bool:
    """Whether a sentence opens a text whose very title is asked for ("quem foi Zumbi?", "o que é o Pix?")."""
    asks = question.asks in (Asks.DEFINITION, Asks.PERSON)
    return asks and unit.index == 0 and bool(subject) and unit.context.issuperset(subject)


def _answers_question_before(question: Question, unit: Unit) -> float:
    """How much the question in the sentence before (a list of questions and answers) equals the one asked."""
    if unit.before is None or not unit.before.is_question:
        return 0.0
    asked = unit.before.stems
    there = coverage(question.stems, asked)
    back = coverage(tuple(asked), frozenset(question.stems)) if asked else 0.0
    alike = analyse_question(unit.before.text).asks is question.asks
    return there * back * (1.0 if alike else _OTHER_KIND)


def _fit_of_kind(question: Question, unit: Unit) -> dict[str, float]:
    """Whether the sentence has what the kind of question asks for, outside of the question's own words."""
    wanted = ANSWER_FACTS.get(question.asks)
    folded = fold(unit.text)
    if life_date(question, unit) is not None:
        return {"fact": 1.0, "fact_strong": 1.0}
    if wanted is not None:
        asked = frozenset(question.stems)
        news = [fact for fact in unit.facts if fact.kind in wanted and not _known(fact.text, asked)]
        fits = bool(news)
        if question.asks is Asks.PERSON and not fits:
            fits = names_agent(unit.text)
        elif question.asks is Asks.MONEY:
            fits = _MONEY.search(unit.text) is not None or (
                _ASKS_SHARE.search(fold(question.text)) is not None and _SHARE.search(unit.text) is not None
            )
        elif question.asks is Asks.PLACE and not fits:
            fits = _PLACES.search(unit.text) is not None
        elif question.asks is Asks.DATE and fits:
            strong = any(fact.kind == "date" or _is_year(fact.text) for fact in news)
            return {"fact": 1.0, "fact_strong": 1.0 if strong else 0.0}
        return {"fact": 1.0} if fits else {"fact_missing": 1.0, f"missing_{question.asks.name.lower()}": 1.0}
    if question.asks is Asks.REASON:
        return {"reason": 1.0 if _REASONS.search(folded) else 0.0}
    if question.asks is Asks.DEFINITION:
        subject = question.stems[0] if question.stems else ""
        opens = any(word.stem == subject for word in unit.words[:4])
        return {"defines": 1.0 if opens and _DEFINES.search(folded) else 0.0}
    if question.asks is Asks.MANNER:
        return {"manner": 1.0 if _HOW.search(folded) else 0.0}
    return {}


def _is_year(text: str) -> bool:
    return re.fullmatch(r"1\d{3}|20\d{2}", text) is not None


def _known(text: str, asked: frozenset[str]) -> bool:
    stems = content_stems(text)
    return bool(stems) and all(name in asked for name in stems)


def answer_features(
    question: Question,
    best: Unit,
    features: Mapping[str, float],
    scores: Sequence[float],
    around: Sequence[Mapping[str, Any]],
) -> dict[str, float]:
    """What tells whether the best sentence answers the question at all.

    Args:
        question: what is asked.
        best: the sentence with the highest score.
        features: its `sentence_features`.
        scores: the highest scores, best first (one or more).
        around: `passage_facts` of every passage.
    """
    here = around[best.passage]
    subject = tuple(name for name in question.stems if name not in question.typing) or question.stems
    names = tuple(name for name in subject if name in question.names)
    missing = sorted((weight(name) for name in subject if not coverage((name,), here["stems"])), reverse=True)
    wanted = {
        name: features.get(name, 0.0)
        for name in (
            "own",
            "introduces",
            "title_adds",
            "names_here",
            "faq",
            "fact",
            "fact_strong",
            "reason",
            "defines",
        )
    }
    return {
        **wanted,
        "fact_missing": features.get("fact_missing", 0.0),
        "here": here["coverage"],
        "here_squared": here["coverage"] ** 2,
        "names_nowhere": 1.0 - coverage(names, here["stems"]) if names else 0.0,
        "rarest_missing": (missing[0] if missing else 0.0) / UNKNOWN_WEIGHT,
        "second_missing": (missing[1] if len(missing) > 1 else 0.0) / UNKNOWN_WEIGHT,
        "margin": min(scores[0] - scores[1], 4.0) / 4 if len(scores) > 1 else 0.5,
        "score": max(min(scores[0], 10.0), -10.0) / 10,
        "words": min(len(subject), 8) / 8,
        "yes_no": 1.0 if question.asks is Asks.YES_NO else 0.0,
        "asks_thing": 1.0 if question.asks is Asks.THING else 0.0,
        "other_passage_better": max(
            0.0, max((facts["coverage"] for facts in around), default=0.0) - here["coverage"]
        ),
    }
