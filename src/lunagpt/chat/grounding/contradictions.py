"""Sentences that speak of something else than what is asked: another year, another of its kind, the opposite,
a part of it. However many words they share with the question, they do not answer it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lunagpt.chat.grounding.contrasts import exclude
from lunagpt.chat.grounding.questions import Asks, Question
from lunagpt.chat.grounding.synonyms import alike
from lunagpt.chat.grounding.units import Unit
from lunagpt.chat.grounding.words import Word, fold, words

_YEAR = re.compile(r"(?<![\d.,/])(?:1[5-9]|20)\d\d(?![\d/]|[.,]\d)")
# A time that is not one point ("depois de 1990", "das 8h às 18h"): its other end is told with it.
_RANGE = re.compile(r"\b(?:ate|desde|entre|antes|depois|a partir)\b|\bd[eoa]s? \S+(?: \S+){0,3} as? \S*\d")
_DEGREE = r"(maior|menor|melhor|pior)(?:es)?"
_GREATEST_ASKED = re.compile(rf"\b[oa]s? {_DEGREE}\b(?! (?:do )?que\b)")
# "maior que a Lua" compares; "maior que todos os outros" says that it is the greatest.
_DEGREE_TOLD = re.compile(rf"\b{_DEGREE}\b(?P<compared>(?: (?:\w+ ){{0,2}}?do)? que\b(?! tod[oa]s\b))?")
_VALUES = frozenset({Asks.DATE, Asks.TIME, Asks.MONEY, Asks.QUANTITY})
_OF = frozenset(["de", "do", "da", "dos", "das"])
_ARTICLES = frozenset(["o", "a", "os", "as", "um", "uma"])
# The word behind these still belongs to the asking: "quantos litros gasta…".
_ASKING_FOR = frozenset(["quantos", "quantas", "que", "qual", "quais"])
_WHOLE = re.compile(r"\b(?:pes(?:a|am|ava)|med(?:e|em|ia)|cust(?:a|am|ou|ava)|val(?:e|em|ia))\b")
_PART_OF = re.compile(
    r"(?P<part>[^\W\d_]+) (?:com|d[eo]s?|das?|para) (?:(?:[oa]s?|uma?) )?(?P<whole>[^\W\d_]+) $"
)

_LONGEST_PHRASE = 60  # characters


def contradicts(question: Question, unit: Unit) -> bool:
    """Whether a sentence tells something else than what a question asks."""
    return (
        _tells_another_year(question, unit)
        or _tells_the_opposite(question, unit)
        or _tells_of_another(question, unit)
        or _tells_of_a_part(question, unit)
    )


def only_compares(question: str, sentence: str) -> bool:
    """Whether a question asks for the greatest of a kind ("o maior planeta") and a sentence has that word in
    comparisons alone ("pouco maior que a nossa Lua")."""
    asked = _GREATEST_ASKED.search(fold(question))
    if asked is None:
        return False
    found = [match for match in _DEGREE_TOLD.finditer(fold(sentence)) if match[1] == asked[1]]
    return bool(found) and all(match["compared"] for match in found)


def _tells_another_year(question: Question, unit: Unit) -> bool:
    """Whether a year is asked about and the sentence, or else its title, has only others. Years between two
    that it has count as told."""
    folded = fold(question.text)
    asked = [int(year) for year in _YEAR.findall(folded)]
    if not asked or _RANGE.search(folded):
        return False
    told = [int(year) for year in _YEAR.findall(unit.text)]
    told = told or [int(name) for name in unit.context if _YEAR.fullmatch(name)]
    return bool(told) and not any(min(told) <= year <= max(told) for year in asked)


def _tells_the_opposite(question: Question, unit: Unit) -> bool:
    """Whether the sentence has the opposite of a word of the question instead of it ("termina" for
    "começam"); that may well answer whether something is so."""
    if question.asks is Asks.YES_NO:
        return False
    in_range = _RANGE.search(fold(unit.text)) is not None
    told = [*unit.words, *(unit.question_before.words if unit.question_before is not None else [])]
    return any(_replaced(word, told, in_range) for word in words(question.text) if not word.is_stop)


def _replaced(word: Word, told: Sequence[Word], in_range: bool) -> bool:
    """Whether words have the opposite of a word and not the word, nor another for the same."""
    opposites = [other for other in told if exclude(word.folded, other.folded, in_range=in_range)]
    same = [other for other in told if other not in opposites and alike(word.stem, other.stem)]
    return bool(opposites) and not same


def _tells_of_another(question: Question, unit: Unit) -> bool:
    """Whether a value is asked and the sentence only has a thing of the question with another name behind it:
    "aula de natação" for "aula de ioga", "ciclo normal" for "ciclo rápido"."""
    if question.asks not in _VALUES:
        return False
    around = unit.stems | unit.context | (unit.before.stems if unit.before is not None else frozenset())
    asked = frozenset(word.stem for word in words(question.text))
    for thing, mark, linked in _qualified(question.text):
        if any(alike(mark.stem, other) or mark.stem[:3] == other[:3] for other in around):
            continue
        found = [
            _qualifier(unit.words, place, unit.text, linked=linked)
            for place, word in enumerate(unit.words)
            if word.stem == thing.stem
        ]
        if found and all(other is not None and other.stem not in asked for other in found):
            return True
    return False


def _qualified(question: str) -> Iterator[tuple[Word, Word, bool]]:
    """The things of a question with what tells them from others of their kind, and whether "de" links the
    two."""
    found = words(question)
    begun = False  # whether the verb is passed: then the word behind a noun is no verb
    for place, word in enumerate(found):
        before = found[place - 1] if place else None
        if word.is_stop or word.is_number:
            begun = begun or word.folded in ("e", "foi", "era", "sao", "foram", "tem")
            continue
        for linked in (True, False):
            mark = _qualifier(found, place, question, linked=linked)
            if mark is None:
                continue
            if not mark.is_number if linked else mark.is_number or (begun and _has_article(found, place)):
                yield word, mark, linked
        begun = begun or before is None or before.folded not in _ASKING_FOR | _ARTICLES | _OF


def _has_article(found: list[Word], place: int) -> bool:
    return place > 0 and found[place - 1].folded in _ARTICLES | {"do", "da", "dos", "das", "no", "na"}


def _qualifier(found: list[Word], place: int, text: str, *, linked: bool) -> Word | None:
    """The word that follows a noun: behind "de" (`linked`), or at once."""
    place += 1
    if linked:
        if place >= len(found) or found[place].folded not in _OF:
            return None
        place += 1
    if place >= len(found) or found[place].is_stop or text[found[place - 1].end : found[place].start] != " ":
        return None
    return found[place]


def _tells_of_a_part(question: Question, unit: Unit) -> bool:
    """Whether a measure or price is asked of a thing and told of what it belongs to or comes with: "a
    embalagem com a lavadora pesa…"."""
    if question.asks not in (Asks.MONEY, Asks.QUANTITY) or _WHOLE.search(fold(question.text)) is None:
        return False
    folded = fold(unit.text)
    before = [
        folded[max(0, verb.start() - _LONGEST_PHRASE) : verb.start()] for verb in _WHOLE.finditer(folded)
    ]
    told = [match for phrase in before if (match := _PART_OF.search(phrase))]
    asked = words(question.text)
    return any(
        any(word.folded == match["whole"] for word in asked)
        and not any(alike(word.stem, words(match["part"])[0].stem) for word in asked)
        for match in told
    )
