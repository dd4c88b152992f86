"""Sentences that give a thing and its value, as a form, a table or plain words do: "LOCADORA: Helena Prado",
"capacidade | 11 kg", "a diretora é Sônia Barreto"."""

from __future__ import annotations

import re

from lunagpt.chat.grounding.questions import ANSWER_FACTS, Asks, Question
from lunagpt.chat.grounding.units import Unit
from lunagpt.chat.grounding.words import words

_LINK = re.compile(r"\s*(?::|\|| (?:é|era|foi|será|são|eram|serão|está|estão)(?= ))\s*(?:d[eoa]s? |[oa]s? )?")
_BREAK = re.compile(r"[,;.|]|\be\b(?= [oa]s? )")
# Kinds of which the value can be told from other words.
_KINDS = frozenset({Asks.PERSON, Asks.DATE, Asks.TIME, Asks.MONEY, Asks.QUANTITY})
_NEAR = 12  # characters between the link and the value


def gives_value(question: Question, unit: Unit) -> bool:
    """Whether a sentence has the very thing asked about (its title apart) before a link, and right behind it
    a value of the kind asked for."""
    if question.asks not in _KINDS:
        return False
    known = question.typing | unit.context
    asked = [name for name in question.stems if name not in known]
    if not asked:
        return False
    for link in _LINK.finditer(unit.text):
        left = unit.text[: link.start()]
        begins = max((match.end() for match in _BREAK.finditer(left)), default=0)
        named = [word.stem for word in words(left[begins:]) if not word.is_stop and word.stem not in known]
        if set(asked) == set(named) and _has_value(question, unit, link.end()):
            return True
    return False


def _has_value(question: Question, unit: Unit, start: int) -> bool:
    wanted = ANSWER_FACTS[question.asks]
    return any(fact.kind in wanted and 0 <= fact.start - start <= _NEAR for fact in unit.facts)
