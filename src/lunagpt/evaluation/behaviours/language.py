"""Which language an answer is in: enough to notice a slip into English or Spanish."""

from __future__ import annotations

import re

from lunagpt.evaluation.behaviours.text_measures import fold, words


def _words_of(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


# Frequent words, folded; those that two of the languages share tell nothing and are taken out below.
_PORTUGUESE = _words_of(
    "nao voce e eu meu minha seu sua um uma ele ela isso isto com por para pra pelo pela pelos pelas do da",
    "dos das no na nos nas ao aos os as em que mais mas muito tambem ja so sem sao foi ser tem ter ha esta",
    "estou posso pode quando onde quem qual voces ou se depois antes hoje ontem amanha ate entao assim bem",
    "boa bom dia obrigado obrigada ola oi sim te tu teu tua lhe mim comigo contigo",
)
_ENGLISH = _words_of(
    "the and of to is are was were you your i my it this that with for from not can have has will would what",
    "which be been he she they we his her their there here how when hello sorry please thank thanks an on at",
    "by if or as do does did but so about just like",
)
_SPANISH = _words_of(
    "el la los las y es yo usted su una un en con por para pero muy tambien no si que del al lo le mi tu",
    "ella esto eso aqui cuando donde quien cual como mas hola gracias puedo puede soy estoy tengo tiene hay",
    "fue ser hasta entonces bien buenos dias ustedes nosotros otro ya solo sin",
)
_ONLY_PORTUGUESE = _PORTUGUESE - _ENGLISH - _SPANISH
_ONLY_ENGLISH = _ENGLISH - _PORTUGUESE - _SPANISH
_ONLY_SPANISH = _SPANISH - _PORTUGUESE - _ENGLISH
# Fewer telling words than this say nothing about the language ("12.", "Brasília.").
_LEAST_TELLING_WORDS = 2


def guess_language(text: str) -> str | None:
    """The language of `text` by its function words: "pt", "en", "es", or None when too few of them tell.

    The letters ã, õ, ç count as one Portuguese word each, ñ, ¿, ¡ as one Spanish word each.
    """
    tokens = [fold(word) for word in words(text)]
    lowered = text.casefold()
    scores = {
        "pt": sum(token in _ONLY_PORTUGUESE for token in tokens) + len(re.findall("[ãõç]", lowered)),
        "en": sum(token in _ONLY_ENGLISH for token in tokens),
        "es": sum(token in _ONLY_SPANISH for token in tokens) + len(re.findall("[ñ¿¡]", lowered)),
    }
    best = max(scores, key=lambda language: scores[language])
    if scores[best] < _LEAST_TELLING_WORDS or list(scores.values()).count(scores[best]) > 1:
        return None
    return best
