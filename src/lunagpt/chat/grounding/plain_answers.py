"""Sentences that plainly give what is asked: the yes or no ("animais são permitidos" for "posso ter
cachorro?"), who does it ("a luz fica por conta do locatário"), an entry's value ("LOCADORA: Helena Prado").

Such a sentence speaks of the whole matter of the question. It is certain even where the fitted certainty,
which compares the best sentence with the second, is low.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from lunagpt.chat.grounding.contrasts import exclude
from lunagpt.chat.grounding.questions import ANSWER_FACTS, Asks, Question, asks_who_or_what
from lunagpt.chat.grounding.ranking import names_agent
from lunagpt.chat.grounding.synonyms import alike
from lunagpt.chat.grounding.units import Unit
from lunagpt.chat.grounding.word_weights import weight
from lunagpt.chat.grounding.words import Word, fold, stem, words

# Words that permit, oblige or forbid, in folded text.
_RULES = re.compile(
    r"\b(?:pod(?:e|em|er|era|erao|emos)|permit\w+|proibi\w+|vedad[oa]s?|autoriz\w+|dev(?:e|em|era|erao|er)|"
    r"obrigat\w+|obrigad\w+|necessari\w+|precis\w+|exig\w+|dispens\w+|opciona\w+|facultativ\w+|"
    r"aceit[aeo]\w*|admit\w+|contraindicad[oa]s?|tem direito|(?:e|fica) possivel|tem (?:de|que)|"
    r"nao|nunca|so|somente|apenas|sem|evitad[oa]s?|livres?)\b"
)
_RULE_ASKED = re.compile(
    r"\b(?:posso|pod(?:e|em|emos)|dev(?:o|e|em|emos)|precis(?:o|a|am|amos)|(?:tenho|tem|temos) (?:de|que)|"
    r"da para|e (?:permitid|proibid|obrigatori|possivel|preciso|necessari)\w*|aceita\w*)\b"
)
# Verbs that only carry the question ("posso *ter* cachorro?", "posso *levar* o celular?").
_CARRYING_TEXT = """
posso pode podem podemos devo deve devem preciso precisa precisam precisamos dá é permitido permitida proibido
proibida obrigatório obrigatória possível necessário aceita aceitam ter tem há existe existem usar uso levar
trazer fazer pôr colocar ficar
"""
_CARRYING = frozenset(stem(word) for word in _CARRYING_TEXT.split())
_FEW = 3  # words of a matter, of which none may be missing
_LEAST_SHARE = 0.75  # by weight, of more words

# Between an entry's name and its value; what parts the name from other words before it; the kinds of value
# that can be told from other words. Lengths are in characters: of the name, and from the link to the value.
_LINK = re.compile(r"\s*(?::|\|| (?:é|era|foi|será|são|eram|serão|está|estão)(?= ))\s*(?:d[eoa]s? |[oa]s? )?")
_BREAK = re.compile(r"[,;.|]|\be\b(?= [oa]s? )")
_VALUES = frozenset({Asks.PERSON, Asks.DATE, Asks.TIME, Asks.MONEY, Asks.QUANTITY})
_LONGEST_NAME, _NEAR, _MOST_LINKS = 80, 12, 8


def answers_plainly(question: Question, unit: Unit) -> bool:
    """Whether a sentence gives what is asked in one of the ways above."""
    if question.asks is Asks.YES_NO:
        return _tells_matter(question, unit) and _gives_rule(question, unit)
    if question.asks is Asks.PERSON and not asks_who_or_what(question.text) and names_agent(unit.text):
        return _tells_matter(question, unit)
    return question.asks in _VALUES and _gives_entry(question, unit)


def _tells_matter(question: Question, unit: Unit) -> bool:
    """Whether a sentence speaks of all that a question is about: names and figures in the same words (the
    text's title may have them), the rest in these, in related or in opposite words."""
    if not question.names.issubset(unit.stems | unit.context):
        return False
    known = question.names | unit.context | _CARRYING
    matter = [word for word in words(question.text) if word.stem in question.stems and word.stem not in known]
    told = [word for word in matter if any(_is_told(word, other) for other in unit.words)]
    if not told or len(told) < len(matter) <= _FEW:
        return False
    return _weight(told) >= _LEAST_SHARE * _weight(matter)


def _gives_rule(question: Question, unit: Unit) -> bool:
    """Whether a sentence permits, obliges or forbids, if that is asked."""
    return _RULE_ASKED.search(fold(question.text)) is None or _RULES.search(fold(unit.text)) is not None


def _gives_entry(question: Question, unit: Unit) -> bool:
    """Whether a sentence has the very thing asked about (its title apart) before a link, and right behind it
    a value of the kind asked for."""
    known = question.typing | unit.context
    asked = {name for name in question.stems if name not in known}
    if not asked:
        return False
    for link in islice(_LINK.finditer(unit.text), _MOST_LINKS):
        left = unit.text[max(0, link.start() - _LONGEST_NAME) : link.start()]
        begins = max((match.end() for match in _BREAK.finditer(left)), default=0)
        named = {word.stem for word in words(left[begins:]) if not word.is_stop and word.stem not in known}
        if asked == named and _has_value(question, unit, link.end()):
            return True
    return False


def _has_value(question: Question, unit: Unit, start: int) -> bool:
    wanted = ANSWER_FACTS[question.asks]
    return any(fact.kind in wanted and 0 <= fact.start - start <= _NEAR for fact in unit.facts)


def _is_told(word: Word, other: Word) -> bool:
    return alike(word.stem, other.stem) or exclude(word.folded, other.folded)


def _weight(matter: Sequence[Word]) -> float:
    return sum(weight(word.stem) for word in matter)
