"""Questions for yes or no, and the sentences that decide them: "posso ter cachorro?" is answered by "animais
são permitidos", and as well by what forbids them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lunagpt.chat.grounding.contrasts import exclude
from lunagpt.chat.grounding.questions import Asks, Question
from lunagpt.chat.grounding.synonyms import related
from lunagpt.chat.grounding.units import Unit
from lunagpt.chat.grounding.word_weights import weight
from lunagpt.chat.grounding.words import Word, fold, stem, words

# Words that permit, oblige or forbid, in folded text.
_RULES = re.compile(
    r"\b(?:pod(?:e|em|er|era|erao|emos)|permit\w+|proibi\w+|vedad[oa]s?|autoriz\w+|dev(?:e|em|era|erao|er)|"
    r"obrigat\w+|obrigad\w+|necessari\w+|precis\w+|exig\w+|dispens\w+|opciona\w+|facultativ\w+|"
    r"aceit[aeo]\w*|admit\w+|contraindicad[oa]s?|t[eê]m direito|(?:e|fica) possivel|t[eê]m (?:de|que)|"
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


def decides(question: Question, unit: Unit) -> bool:
    """Whether a sentence says yes or no to a question.

    It speaks of the whole matter (the text's title may name a part of it), names and figures in the same
    words, and it permits, obliges or forbids if that is asked.
    """
    if question.asks is not Asks.YES_NO:
        return False
    if not question.names.issubset(unit.stems | unit.context):
        return False
    known = question.names | unit.context | _CARRYING
    matter = [word for word in words(question.text) if word.stem in question.stems and word.stem not in known]
    told = [word for word in matter if any(_is_told(word, other) for other in unit.words)]
    if not told or (len(told) < len(matter) <= _FEW) or _weight(told) < _LEAST_SHARE * _weight(matter):
        return False
    return _RULE_ASKED.search(fold(question.text)) is None or _RULES.search(fold(unit.text)) is not None


def _is_told(word: Word, other: Word) -> bool:
    """Whether another word speaks of the same; the opposite does too ("fecha aos domingos")."""
    return word.stem == other.stem or related(word.stem, other.stem) or exclude(word.folded, other.folded)


def _weight(matter: Sequence[Word]) -> float:
    return sum(weight(word.stem) for word in matter)
