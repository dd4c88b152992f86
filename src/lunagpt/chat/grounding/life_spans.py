"""When somebody was born and died, where a text only says it in brackets: "Machado de Assis (1839–1908)".

Only what can mean nothing else is taken: the brackets hold two dates (or one behind a mark such as "n." or
"†"), perhaps with places, and no other word, so that "(presidente, 2003–2010)" is none; they stand right
behind a name that no "reinado de" or "governo de" leads; and the years between the dates are those of a life.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from lunagpt.chat.grounding.facts import find_dates, find_names
from lunagpt.chat.grounding.word_weights import is_common_word
from lunagpt.chat.grounding.words import fold, words


class LifeEvent(StrEnum):
    """The two ends of a life, as the verb that tells them."""

    BIRTH = "nasceu"
    DEATH = "morreu"


@dataclass(frozen=True, slots=True)
class LifeDate:
    """One end of a life: its date as written ("21 de junho de 1839", "384 a.C."), and whether it is about."""

    text: str
    about: bool = False

    def told(self, event: LifeEvent) -> str:
        """The date as a sentence without subject: "Nasceu em 1839", "Morreu por volta de 1536"."""
        verb = event.value.capitalize()
        return f"{verb} por volta de {self.text}" if self.about else f"{verb} em {self.text}"


@dataclass(frozen=True, slots=True)
class LifeSpan:
    """The dates of one person.

    Attributes:
        names: the names by which the text calls the person there; empty for whom the text is about.
        birth, death: None if it is not told.
    """

    names: tuple[str, ...]
    birth: LifeDate | None
    death: LifeDate | None

    def date(self, event: LifeEvent) -> LifeDate | None:
        return self.birth if event is LifeEvent.BIRTH else self.death


_BIRTH_ASKED = re.compile(r"\b(?:nasc(?:eu|er|era|id[oa]|imento)|natalicio)\b")
_BIRTH_TOLD = re.compile(_BIRTH_ASKED.pattern + r"|\b(?:veio ao mundo|natural de)\b")
_DEATH_ASKED = re.compile(r"\b(?:morr(?:eu|er|era)|mort[eo]|morta|falec(?:eu|er|era|id[oa]|imento)|obito)\b")
_DEATH_TOLD = re.compile(
    _DEATH_ASKED.pattern
    + r"|\b(?:assassin\w+|fuzilad[oa]|executad[oa]|enforcad[oa]|decapitad[oa]|guilhotinad[oa]|"
    r"suicid\w+|matou-se|se matou|perdeu a vida|pereceu)\b"
)

_BRACKETS = re.compile(r"[(\[](?P<inside>[^()\[\]]{3,160})[)\]]")
_DASH = re.compile(r"\s*[–—]\s*|\s+-\s+|(?<=\d)\s*-\s*(?=\D{0,4}\d|$)")
_YEAR = re.compile(r"(?<![\d.,/])(?:\d{4}|\d{2,3}(?=\s*(?:a\.\s?C|d\.\s?C|$)))(?![\d/])")
_ABOUT = re.compile(r"\b(?:c|ca|cerca de|por volta de|circa)\b\.?", re.IGNORECASE)
_BIRTH_MARK = re.compile(r"\*|★|\b(?:n|nasc|nascid[oa](?: em)?|nasceu(?: em)?)\b\.?", re.IGNORECASE)
_DEATH_MARK = re.compile(
    r"†|✝|\b(?:m|f|fal|mort[oa](?: em)?|falecid[oa](?: em)?|morreu(?: em)?|faleceu(?: em)?)\b\.?",
    re.IGNORECASE,
)
_BEFORE_CHRIST = re.compile(r"\ba\.\s?C\.?")
_ERA = re.compile(r"\b[ad]\.\s?C\.?")
# What may be left of one side without its date and marks: a place ("Rio de Janeiro, ").
_PLACE = re.compile(
    r"^\W*(?:[A-ZÀ-Ý][\w'’.-]*(?:[\s,/]+(?:(?:d[aeo]s?|e)\s+)?[A-ZÀ-Ý][\w'’.-]*)*)?\W*(?:em|de)?\W*$"
)
_REIGN = re.compile(
    r"\b(?:reinado|governo|mandato|gestao|presidencia|imperio|regime|ditadura|pontificado|administracao|era|"
    r"epoca|tempo|dinastia|periodo)s? (?:de|do|da|dos|das)(?: \w+){0,2}$"
)
# A sentence that tells of whom the text is about without a name, up to brackets: "Foi um escritor carioca (".
_ABOUT_THE_SUBJECT = re.compile(r"^\W*(?:(?:ele|ela) )?(?:foi|e|era)\b")
_RELATIVES = re.compile(
    r"\b(filh|pai|mae|irma|espos|marid|mulher|viuv|net[oa]|avo|ti[oa]|prim|sobrinh|casad|amig|sogr|genr|"
    r"alun|discipul)"
)
_BESIDE = 25  # characters around a word in which a relative makes it that one's birth or death
_ALSO_CALLED = re.compile(r"^\s*,\s*(?:[oa]|dit[oa]|(?:mais )?conhecid[oa] (?:como|por))\s+(?:[oa]\s+)?")
_NUMERALS = frozenset(["I", "V", "X"])  # of kings and popes; longer ones are words of the name
# From Anne Frank's years on; fewer are more likely an office than a life.
_SHORTEST_LIFE, _LONGEST_LIFE = 15, 122


def event_named(question: str) -> LifeEvent | None:
    """Whether a question names a birth or a death; None for neither or both."""
    folded = fold(question)
    birth, death = _BIRTH_ASKED.search(folded), _DEATH_ASKED.search(folded)
    if (birth is None) == (death is None):
        return None
    return LifeEvent.BIRTH if birth is not None else LifeEvent.DEATH


def event_places(event: LifeEvent, text: str) -> list[tuple[int, int]]:
    """Offsets of the words of a text that tell of the event."""
    folded = fold(text)
    if len(folded) != len(text):
        return []
    return [match.span() for match in _told(event).finditer(folded)]


def is_of_another(text: str, start: int, end: int, question: str, subject: frozenset[str]) -> bool:
    """Whether a birth or death told at an offset is that of somebody else: of a relative who is not asked
    about, or of another name that stands right beside the word ("o padre Lima, nascido em Santos").

    Args:
        text: a sentence.
        start, end: offsets of the word for the event.
        question: what is asked.
        subject: stems of the name of whom the text is about.
    """
    before, after = fold(text[max(0, start - _BESIDE) : start]), fold(text[end : end + _BESIDE])
    asked = {match[0] for match in _RELATIVES.finditer(fold(question))}
    possessor = re.match(rf" d[eoa]s? (?:\w+ )?{_RELATIVES.pattern}", after)
    for match in [*_RELATIVES.finditer(before), *([possessor] if possessor else [])]:
        relative = match[1]
        # "filho de um ferreiro" is said of the person.
        is_origin = re.match(r"\w* d[eoa]s? ", (before + " ")[match.end() :]) and match is not possessor
        if relative not in asked and not is_origin:
            return True
    for name in find_names("x " + text):
        first, last = name.start - 2, name.end - 2
        gap = text[last:start]
        touches = gap == " " or (gap == ", " and text[start:end].endswith(("o", "a"))) or first == end + 1
        if touches and not subject.intersection(word.stem for word in words(name.text)):
            return True
    return False


def tells_of(event: LifeEvent, text: str, question: str) -> bool:
    """Whether a text has a word for the event; of a relative, if that is who is asked about ("quando nasceu
    a filha de Marx"), in the same stretch between commas."""
    told = _told(event)
    relatives = {match[0] for match in _RELATIVES.finditer(fold(question))}
    return any(
        told.search(part) is not None and all(re.search(rf"\b{name}", part) for name in relatives)
        for part in (re.split(r"[,;:]", fold(text)) if relatives else [fold(text)])
    )


def tells_date_of(event: LifeEvent, text: str) -> bool:
    """Whether a text has a word for the event and, outside of brackets, a date behind it."""
    folded = fold(_BRACKETS.sub(" ", text))
    told = _told(event).search(folded)
    return told is not None and re.search(r"\d", folded[told.end() :]) is not None


def find_life_spans(sentence: str) -> Iterator[LifeSpan]:
    """The lives that a sentence dates in brackets."""
    for match in _BRACKETS.finditer(sentence):
        dates = _read(match["inside"])
        if dates is None:
            continue
        names = _owner(sentence, match.start(), match.end())
        if names is not None:
            yield LifeSpan(names, *dates)


def date_in(
    spans: Sequence[LifeSpan], event: LifeEvent, question: str, title: frozenset[str]
) -> LifeDate | None:
    """The date of the event asked for, if the spans have it for the very person asked about.

    Args:
        spans: the lives in a sentence.
        event: the birth or the death.
        question: what is asked, with a word for the event.
        title: stems of the title of the text, which names the person where a span does not.
    """
    return next(
        (date for span in spans if _is_about(span, question, title) and (date := span.date(event))), None
    )


def event_stems(question: str) -> frozenset[str]:
    """Stems of the words of a question that ask when somebody was born or died."""
    return frozenset(word.stem for word in words(question) if _tells_when(word.folded))


def _told(event: LifeEvent) -> re.Pattern[str]:
    return _BIRTH_TOLD if event is LifeEvent.BIRTH else _DEATH_TOLD


def _is_about(span: LifeSpan, question: str, title: frozenset[str]) -> bool:
    """Whether a question is about the person of a span, and not about a relative ("a filha de Machado")."""
    named = [word for name in span.names for word in words(name)]
    known = frozenset(word.stem for word in named) or title
    asked = [word for word in words(question) if not word.is_stop and not _tells_when(word.folded)]
    if not asked or asked[-1].stem not in known:
        return False
    numerals = {word.text for word in words(question) if word.text in _NUMERALS}
    if named and not numerals <= {word.text for word in named}:
        return False
    # What is no part of the name must be a common word right before it: "o escritor Machado de Assis".
    return all(
        word.stem in known or (is_common_word(word.stem) and question[word.end : after.start] == " ")
        for word, after in pairwise(asked)
    )


def _tells_when(folded: str) -> bool:
    return (
        folded in ("dia", "ano", "data", "mes", "seculo", "epoca", "quando", "aconteceu", "ocorreu")
        or _BIRTH_ASKED.fullmatch(folded) is not None
        or _DEATH_ASKED.fullmatch(folded) is not None
    )


def _read(inside: str) -> tuple[LifeDate | None, LifeDate | None] | None:
    """The dates in brackets, or None if they hold anything but a life."""
    sides = _DASH.split(inside)
    if len(sides) == 1:
        if _BIRTH_MARK.search(inside) and (date := _date(inside, _BIRTH_MARK)) is not None:
            return _shown(date), None
        if _DEATH_MARK.search(inside) and (date := _date(inside, _DEATH_MARK)) is not None:
            return None, _shown(date)
        return None
    if len(sides) != 2:
        return None
    before_christ = _BEFORE_CHRIST.search(sides[1]) is not None
    birth = _date(sides[0], _BIRTH_MARK, before_christ=before_christ)
    if birth is None:
        return None
    if not sides[1].strip():  # still alive: "(1940–)"
        return _shown(birth), None
    death = _date(sides[1], _DEATH_MARK)
    if death is None or not _SHORTEST_LIFE <= death[0] - birth[0] <= _LONGEST_LIFE:
        return None
    return _shown(birth), _shown(death)


_Dated = tuple[int, str, bool]  # the year (negative before Christ), the date as shown, whether it is about


def _date(side: str, mark: re.Pattern[str], *, before_christ: bool = False) -> _Dated | None:
    """The date of one side, if it holds nothing else but a place and marks."""
    early = before_christ or _BEFORE_CHRIST.search(side) is not None
    full = [(start, end, date.year) for start, end, date in find_dates(side) if date.year]
    if full:
        start, end, year = full[0]
    elif (match := _YEAR.search(side)) is not None:
        start, end, year = match.start(), match.end(), int(match[0])
    else:
        return None
    assert year is not None
    rest = _ERA.sub("", side[:start] + side[end:])
    about = _ABOUT.search(rest) is not None
    if _PLACE.match(mark.sub("", _ABOUT.sub("", rest))) is None:
        return None
    return (-year if early else year, side[start:end] + (" a.C." if early else ""), about)


def _shown(date: _Dated) -> LifeDate:
    return LifeDate(date[1], date[2])


def _owner(sentence: str, start: int, end: int) -> tuple[str, ...] | None:
    """The names of whom brackets belong to: () for whom the text is about, None if that is not clear."""
    before = sentence[:start].rstrip()
    opened = find_names("x " + before)  # a word in front, so that a name that opens the sentence counts
    if opened and opened[-1].end == len(before) + 2:
        name = opened[-1].text
        if _REIGN.search(fold(before.removesuffix(name)).rstrip()):
            return None
        return (name, *_nickname(sentence[end:]))
    folded = fold(before)
    about_the_subject = _ABOUT_THE_SUBJECT.match(folded) and not _RELATIVES.search(folded)
    return () if about_the_subject and not find_names(before) else None


def _nickname(after: str) -> list[str]:
    """The name that follows brackets: "(1897–1973), o Pixinguinha"."""
    lead = _ALSO_CALLED.match(after)
    if lead is None:
        return []
    return [fact.text for fact in find_names("x " + after[lead.end() :])[:1] if fact.start == 2]
