"""Whom or what the last turn of a conversation was about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lunagpt.chat.grounding.ellipsis import ASKING
from lunagpt.chat.grounding.facts import Fact, find_names
from lunagpt.chat.grounding.pronouns import ARTICLES
from lunagpt.chat.grounding.questions import Asks, analyse_question
from lunagpt.chat.grounding.word_weights import is_common_word
from lunagpt.chat.grounding.words import Word, fold, words

CITATION = re.compile(r"\s*\[\d+\]")
_COUNTED = re.compile(r"^\W*(?:e )?quant(?P<gender>[oa])s (?P<kind>[^\W\d_]+s)\b", re.IGNORECASE)
_SUPERLATIVE = re.compile(
    r"^\W*qual (?:e |foi |era )?[oa] (?:maior|menor|melhor|pior|primeir[oa]|ultim[oa])\b"
)
_MADE = re.compile(
    r"^\W*(?:e )?quem (?:escreveu|pintou|comp[ôo]s|dirigiu|criou|fez|publicou|gravou|esculpiu|filmou) "
    r"(?P<work>.+?)[\s?!.]*$",
    re.IGNORECASE,
)
# What is said of a work, not of who made it.
_OF_A_WORK = re.compile(
    r"\b(?:publicad|lancad|escrit|pintad|compost|gravad|encenad|filmad|exibid|traduzid)[oa]s?\b|"
    r"\b(?:paginas|capitulos|versos|personagens?|enredo|trata|fala)\b|"
    r"^\W*(?:e )?onde (?:el[ea] )?(?:fica|esta)\b"
)


def topic_of(previous: str, answer: str, taken_over: str, question: str) -> str:
    """Whom or what the last turn was about, as it can stand in a sentence.

    Args:
        previous: its question, in full. answer: its answer, without citations.
        taken_over: what that question had taken over itself; it is the topic still, if nothing new was named.
        question: what is asked now; of "quem escreveu Iracema?" it may be about the book or the author.
    """
    asked = analyse_question(previous)
    names = [_named_in_full(previous, fact) for fact in find_names(previous)]
    plain = {fact.text for fact in find_names(previous)}
    told = [fact.text for fact in find_names(answer[:300]) if fact.text not in plain]
    folded = fold(previous)
    made = _MADE.match(previous)
    if made is not None and _OF_A_WORK.search(fold(question)):
        return made["work"]
    if told and (
        (asked.asks is Asks.PERSON and not re.search(r"\bquem (e|foi|era|sao|foram)\b", folded))
        or (asked.asks in (Asks.PLACE, Asks.THING) and re.search(r"\bqual\b", folded))
    ):
        return told[0]
    if taken_over:
        return taken_over
    if _SUPERLATIVE.match(folded):
        return _noun_phrase(previous)
    if names:
        return max(names, key=len)
    phrase = _noun_phrase(previous)
    return phrase or (told[0] if told else "")


def _named_in_full(text: str, name: Fact) -> str:
    """A name with the common noun and the article that stand before it ("da França" → "a França", "do rio
    Congo" → "o rio Congo")."""
    before = [word for word in words(text) if word.end <= name.start]
    start = name.start
    if len(before) > 1 and _is_noun_of(text, before[-1], name) and _article(before[-2].text) is not None:
        start = before.pop().start
    if not before or text[before[-1].end : start] != " ":
        return text[start : name.end]
    article = _article(before[-1].text)
    return text[start : name.end] if article is None else f"{article} {text[start : name.end]}"


def _is_noun_of(text: str, word: Word, name: Fact) -> bool:
    return (
        not word.is_stop
        and not word.is_capitalised
        and is_common_word(word.stem)
        and text[word.end : name.start] == " "
    )


def _article(word: str) -> str | None:
    """The article in a word ("da" → "a", "às" → "as"), or None."""
    match = re.fullmatch(r"(?:d|n|pel)?([oa]s?)|à(s?)", word.lower())
    return None if match is None else match[1] or "a" + match[2]


def counted(question: str) -> str:
    """The things whose number a question asks for ("quantos planetas tem…" → "os planetas"), or ""."""
    match = _COUNTED.match(question)
    return f"{match['gender'].lower()}s {match['kind'].lower()}" if match else ""


def _noun_phrase(question: str) -> str:
    """What a question is about: from its first article or noun behind the verb to its end."""
    found = words(question)
    place = 0
    while place < len(found) and (
        (found[place].folded in ASKING and not _is_article(found, place))
        or found[place].folded in ("e", "que", "q", "sao", "foi", "eh", "em", "de", "sobre")
    ):
        place += 1
    for i in range(place, len(found)):
        if found[i].folded in ARTICLES and i + 1 < len(found) and not _is_grammar(found[i + 1]):
            return question[found[i].start :].rstrip(" ?!.")
    content = [w for w in found[place:] if not w.is_stop]
    if not content:
        return ""
    # Without an article the verb comes first, if there is more than one word ("como instalar impressora") and
    # none was passed already ("quem foi frida kahlo").
    verb_first = place and found[place - 1].folded in ASKING
    start = content[1] if len(content) > 1 and verb_first else content[0]
    return question[start.start :].rstrip(" ?!.")


def _is_grammar(word: Word) -> bool:
    return word.is_stop and word.folded not in ("maior", "menor", "melhor", "pior")


def _is_article(found: Sequence[Word], place: int) -> bool:
    """Whether an "o" leads a noun, and not "que" or "qual"."""
    following = found[place + 1].folded if place + 1 < len(found) else ""
    return found[place].folded == "o" and following not in ("que", "q", "qual")
