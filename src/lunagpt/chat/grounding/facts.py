"""What an answer may not invent: figures, dates, times and names; each in one form, however it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from lunagpt.chat.grounding.figures import find_numbers, parse_digits
from lunagpt.chat.grounding.words import Word, fold, words

Kind = Literal["figure", "date", "time", "name"]

_MONTHS = {
    "janeiro": 1, "fevereiro": 2, "marco": 3, "abril": 4, "maio": 5, "junho": 6, "julho": 7, "agosto": 8,
    "setembro": 9, "outubro": 10, "novembro": 11, "dezembro": 12,
    "jan": 1, "fev": 2, "mar": 3, "abr": 4, "mai": 5, "jun": 6, "jul": 7, "ago": 8, "set": 9, "out": 10,
    "nov": 11, "dez": 12,
}  # fmt: skip
_MONTH_NAMES = "|".join(sorted((name for name in _MONTHS if len(name) > 3), key=len, reverse=True)).replace(
    "marco", "mar[çc]o"
)
_DAY_MONTH_YEAR = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:º|o|°)?\s+de\s+)?(?P<month>{_MONTH_NAMES})\b"
    r"(?:\s+(?:de|do\s+ano\s+de)\s+(?P<year>\d{4}|\d\.\d{3})\b)?",
    re.IGNORECASE,
)
_NUMERIC_DATE = re.compile(
    r"(?<![\d/.-])(?P<day>\d{1,2})(?P<mark>[/.-])(?P<month>\d{1,2})(?:(?P=mark)(?P<year>\d{4}|"
    r"\d{2}))?(?![\d/-]|[.,]\d)"
)
_ISO_DATE = re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)")
_TIME = re.compile(
    r"(?<![\d.,:])(?P<hour>[01]?\d|2[0-4])(?:\s?(?:h(?:oras?\b)?|"
    r":)(?:\s?(?P<minute>[0-5]\d)(?:\s?min)?)?)(?![\d])",
    re.IGNORECASE,
)
_WEEKDAYS = ("segund", "terc", "quart", "quint", "sext", "sabado", "domingo")
_WEEKDAY = re.compile(
    r"\b(?:(?P<full>segunda|ter[çc]a|quarta|quinta|sexta)s?-feiras?|(?P<end>s[áa]bado|domingo)s?"
    r"|(?<=\b[àa]s )(?P<bare>segunda|ter[çc]a|quarta|quinta|sexta)s\b"
    r"|(?<=\bde )(?P<from>segunda|ter[çc]a|quarta|quinta|sexta)(?= a )"
    r"|(?<= a )(?P<to>ter[çc]a|quarta|quinta|sexta)(?!-feira| \w*ª| vez))\b",
    re.IGNORECASE,
)
_SMALL = frozenset(["de", "da", "do", "das", "dos", "e", "del", "la", "von", "van", "di", "du"])


@dataclass(frozen=True, slots=True)
class Date:
    """A date as far as it is told; None stands for what is not. `weekday` counts from Monday, 0."""

    day: int | None = None
    month: int | None = None
    year: int | None = None
    weekday: int | None = None

    def is_part_of(self, other: Date) -> bool:
        """Whether all that this date tells is told by the other one."""
        pairs = (
            (self.day, other.day),
            (self.month, other.month),
            (self.year, other.year),
            (self.weekday, other.weekday),
        )
        return all(mine is None or mine == theirs for mine, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure, date, time or name, and where it stands in the text."""

    kind: Kind
    text: str
    start: int
    end: int
    values: frozenset[Decimal] = frozenset()
    date: Date | None = None
    time: tuple[int, int] | None = None


@dataclass(slots=True)
class FactBase:
    """The facts of some passages, to look up those of an answer in.

    Attributes:
        numbers: every number, also those inside dates and times.
        dates, times: as told.
        stems: stems of all words.
        folded: all words, folded.
    """

    numbers: set[Decimal] = field(default_factory=set)
    dates: list[Date] = field(default_factory=list)
    times: set[tuple[int, int]] = field(default_factory=set)
    stems: set[str] = field(default_factory=set)
    folded: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, texts: Sequence[str]) -> FactBase:
        """The facts of several texts together."""
        base = cls()
        for text in texts:
            base.dates += [date for _, _, date in find_dates(text)]
            base.times |= {time for _, _, time in find_times(text)}
            for number in find_numbers(text):
                base.numbers |= number.values
            # Digits glued to letters or signs ("A4", "11/2024", "3x"): every group of digits on its own too.
            for group in re.findall(r"\d+(?:[.,]\d+)*", text):
                base.numbers |= parse_digits(group)
            found = words(text)
            base.stems |= {word.stem for word in found}
            base.folded |= {word.folded for word in found}
        return base

    def has(self, fact: Fact) -> bool:
        """Whether a fact occurs, in whatever form."""
        if fact.kind == "date":
            assert fact.date is not None
            return any(fact.date.is_part_of(other) for other in self._dates_and_years())
        if fact.kind == "time":
            assert fact.time is not None
            hour, minute = fact.time
            afternoon = ((hour + 12) % 24, minute)
            morning = ((hour - 12) % 24, minute)
            if fact.time in self.times or afternoon in self.times or morning in self.times:
                return True
            return minute == 0 and Decimal(hour).normalize() in self.numbers
        if fact.kind == "figure":
            return bool(fact.values & self.numbers)
        return all(
            word.folded in self.folded or word.stem in self.stems or word.folded in _SMALL
            for word in words(fact.text)
        )

    def _dates_and_years(self) -> list[Date]:
        years = [Date(None, None, int(n)) for n in self.numbers if n == n.to_integral() and 1000 <= n < 2200]
        return self.dates + years


class Covered:
    """Which characters of a text belong to a fact already; asking costs the span, however many facts there
    are."""

    def __init__(self, text: str) -> None:
        self._taken = bytearray(len(text))

    def take(self, start: int, end: int) -> None:
        self._taken[start:end] = b"\1" * (end - start)

    def is_free(self, start: int, end: int) -> bool:
        return 1 not in self._taken[start:end]


def find_dates(text: str) -> list[tuple[int, int, Date]]:
    """Dates with their offsets: "22 de abril de 1500", "22/04/1500", "1500-04-22", "abril de 1500", "às
    sextas"."""
    found = []
    covered = Covered(text)
    for match in _DAY_MONTH_YEAR.finditer(text):
        month = _MONTHS[fold(match["month"])]
        day = int(match["day"]) if match["day"] else None
        year = int(match["year"].replace(".", "")) if match["year"] else None
        if day is None and year is None and not match["month"][:1].islower():
            continue  # a name: Rua Maio, Julho de Castilhos
        found.append((match.start(), match.end(), Date(day, month, year)))
        covered.take(*match.span())
    for match in _ISO_DATE.finditer(text):
        found.append((*match.span(), Date(int(match["day"]), int(match["month"]), int(match["year"]))))
        covered.take(*match.span())
    for match in _NUMERIC_DATE.finditer(text):
        day, month = int(match["day"]), int(match["month"])
        if not (1 <= day <= 31 and 1 <= month <= 12) or (match["mark"] != "/" and not match["year"]):
            continue
        year = int(match["year"]) if match["year"] else None
        if year is not None and len(match["year"]) == 2:
            year += 2000 if year < 50 else 1900
        if covered.is_free(match.start(), match.start() + 1):
            found.append((*match.span(), Date(day, month, year)))
    for match in _WEEKDAY.finditer(text):
        name = fold(next(group for group in match.groups() if group))
        weekday = next(place for place, begin in enumerate(_WEEKDAYS) if name.startswith(begin))
        found.append((*match.span(), Date(weekday=weekday)))
    return sorted(found, key=lambda item: item[0])


def find_times(text: str) -> list[tuple[int, int, tuple[int, int]]]:
    """Times of day with their offsets: "20h", "8h30", "08:30", "8 horas"."""
    return [
        (*match.span(), (int(match["hour"]) % 24, int(match["minute"] or 0)))
        for match in _TIME.finditer(text)
    ]


def find_facts(text: str) -> list[Fact]:
    """The facts that a text states, in order. Numbers inside dates and times are part of these."""
    facts = []
    covered = Covered(text)
    for start, end, date in find_dates(text):
        facts.append(Fact("date", text[start:end], start, end, date=date))
        covered.take(start, end)
    for start, end, time in find_times(text):
        if covered.is_free(start, end):
            facts.append(Fact("time", text[start:end], start, end, time=time))
            covered.take(start, end)
    for number in find_numbers(text):
        if covered.is_free(number.start, number.end):
            piece = text[number.start : number.end]
            facts.append(Fact("figure", piece, number.start, number.end, values=number.values))
            covered.take(number.start, number.end)
    facts += [fact for fact in find_names(text) if covered.is_free(fact.start, fact.end)]
    return sorted(facts, key=lambda fact: fact.start)


def find_names(text: str) -> list[Fact]:
    """Names: runs of capitalised words, with the small words between them ("Maria da Penha").

    A capital at the start of a sentence counts only if the word goes on as a name or is an acronym.
    """
    found = words(text)
    facts = []
    place = 0
    while place < len(found):
        if not _may_be_name(found[place]):
            place += 1
            continue
        last = place
        while last + 1 < len(found) and _continues(text, found, last):
            last += 1
        while last > place and found[last].text in _SMALL:
            last -= 1
        first = place
        if _starts_sentence(text, found[place].start) and not found[place].text[1:].isupper():
            opener = found[place]
            if last == place or opener.is_stop:
                first = place + 1
                while first <= last and found[first].text in _SMALL:
                    first += 1
        if first <= last:
            start, end = found[first].start, found[last].end
            facts.append(Fact("name", text[start:end], start, end))
        place = last + 1
    return facts


def _may_be_name(word: Word) -> bool:
    return word.is_capitalised and len(word.text) > 1


def _continues(text: str, found: list[Word], place: int) -> bool:
    here, after = found[place], found[place + 1]
    gap = text[here.end : after.start]
    if gap not in (" ", "-", "\u00a0", "'", "’"):
        return False
    if _may_be_name(after):
        return True
    if after.text not in _SMALL or place + 2 >= len(found):
        return False
    beyond = found[place + 2]
    return text[after.end : beyond.start] == " " and _may_be_name(beyond)


def _starts_sentence(text: str, start: int) -> bool:
    while start and text[start - 1] in " \t\"'“”‘’«»()[]–—-*•":
        start -= 1
    return not start or text[start - 1] in ".!?:;\n…"
