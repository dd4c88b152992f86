"""Portuguese contractions of preposition and article or pronoun, and what they stand for: *do* → *de o*.

Left alone, because the word alone does not say what it is: ``nos`` (*em os* or the pronoun in *nos viu*),
``comigo``, ``contigo``, ``consigo``, ``conosco``, ``convosco`` (*com mim* is no Portuguese), ``pra`` (*para*
or *para a*), ``pro`` (also a prefix), ``dentre``, ``doravante``, ``donde`` and others that are one word now.
"""

from __future__ import annotations

import re

from lunagpt.data.abbreviations import words_of

_ARTICLES = "o a os as"
_INDEFINITE = "um uma uns umas"
_PRONOUNS = (
    "ele ela eles elas este esta estes estas isto esse essa esses essas isso "
    "aquele aquela aqueles aquelas aquilo outro outra outros outras"
)
_PLACES = "aqui ali aí"


def _contractions() -> dict[str, str]:
    table = {"ao": "a o", "aos": "a os", "à": "a a", "às": "a as", "no": "em o", "na": "em a", "nas": "em as"}
    for word in _ARTICLES.split():
        table[f"d{word}"] = f"de {word}"
        table[f"pel{word}"] = f"por {word}"
    for word in f"{_INDEFINITE} {_PRONOUNS} {_PLACES}".split():
        table[f"d{word}"] = f"de {word}"
    for word in f"{_INDEFINITE} {_PRONOUNS}".split():
        table[f"n{word}"] = f"em {word}"
    for word in ["aquele", "aquela", "aqueles", "aquelas", "aquilo"]:
        table[f"à{word[1:]}"] = f"a {word}"
    return table


CONTRACTIONS = _contractions()

#: After these, *desse(s)* and *deste(s)* are forms of *dar* ("se ele desse", "tu me deste").
_BEFORE_VERB = words_of(
    "se que me te lhe lhes nos não tu ele ela você vocês eu quem alguém ninguém caso embora já também"
)
_MAYBE_VERB = words_of("desse desses deste destes")

#: After these, *pelo(s)* is hair ("o pelo do gato").
_BEFORE_NOUN = words_of(
    "o os um uns seu seus meu meus teu teus nosso nossos de do dos em com sem no nos ao aos este esse",
    "aquele muito muitos todo todos cujo cujos cada",
)
_MAYBE_NOUN = words_of("pelo pelos")

# Not inside a compound ("do-in"), an address ("na.com", "@do"), or behind a verb ("fizeram-no").
_WORD = re.compile(
    r"(?<![\w@./\\’'-])(?P<word>"
    + "|".join(sorted(CONTRACTIONS, key=len, reverse=True))
    + r")(?![\w@/\\’'-]|\.\w)"
    r"|(?<![\w@./\\’'-])(?P<elided>d[’'])(?=(?-i:[aeiouáâãéêíóôõúh]))",
    re.IGNORECASE,
)
_WORD_BEFORE = re.compile(r"(\w+)\s+\Z")
_WORD_AFTER = re.compile(r"\s+(\w\w+)")
_REACH = 24


def expand_contractions(text: str) -> str:
    """`text` with its contractions written out, in their case: *Pelos* → *Por os*, *DA* → *DE A*."""
    return _WORD.sub(_expanded, text)


def _expanded(match: re.Match[str]) -> str:
    if match["elided"]:
        return "De " if match["elided"][0] == "D" else "de "
    word = match["word"]
    key = word.lower()
    if key in _MAYBE_VERB or key in _MAYBE_NOUN:
        before = _WORD_BEFORE.search(match.string[max(0, match.start() - _REACH) : match.start()])
        refused = _BEFORE_VERB if key in _MAYBE_VERB else _BEFORE_NOUN
        if before and before[1].lower() in refused:
            return word
    expansion = CONTRACTIONS[key]
    if word.islower():
        return expansion
    after = _WORD_AFTER.match(match.string, match.end())
    loud = word.isupper() and (len(word) > 1 or bool(after and after[1].isupper()))
    return expansion.upper() if loud else expansion[0].upper() + expansion[1:]
