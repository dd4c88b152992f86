"""Passages cut into the units that an answer can be: sentences, each with what surrounds it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from lunagpt.chat.grounding.facts import Fact, find_facts
from lunagpt.chat.grounding.hostile import (
    blank_hidden,
    commands_the_reader,
    forges_turn,
    goes_on_commanding,
)
from lunagpt.chat.grounding.life_spans import LifeSpan, find_life_spans
from lunagpt.chat.grounding.words import Word, words
from lunagpt.data.sentences import split_sentences

# A "sentence" longer than this is a list or a table in one line; it is cut at its semicolons and line breaks.
_LONGEST = 400
_NUMBERED_HEADING = re.compile(
    r"^\W*(?:cl[áa]usula|artigo|art\.|cap[íi]tulo|se[çc][ãa]o|t[íi]tulo|anexo)\s+[\w.ºª°]+\s*[-–—:.]?\s*(?P<name>.*)$",
    re.IGNORECASE,
)
_LONGEST_HEADING = 6  # words behind its number
_BARE_ANSWER = re.compile(r"(?:sim|n[ãa]o)[.!]", re.IGNORECASE)
_INNER_BREAK = re.compile(r";\s+|\n+")


@dataclass(frozen=True)
class Unit:
    """A sentence of a passage.

    Attributes:
        passage: its place in the list of passages.
        index: its place in the passage.
        text: as written.
        start, end: offsets in the passage's content.
        before: the unit before it in the same passage, if any.
        same_line: whether no line break parts it from that one.
        context: stems of the passage's title and headings.
        is_heading: whether it is but a title or heading of what follows.
    """

    passage: int
    index: int
    text: str
    start: int
    end: int
    before: Unit | None
    same_line: bool
    context: frozenset[str]
    is_heading: bool = False

    @cached_property
    def words(self) -> list[Word]:
        return words(self.text)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of the words that carry a subject."""
        return frozenset(word.stem for word in self.words if not word.is_stop)

    @cached_property
    def facts(self) -> list[Fact]:
        return find_facts(self.text)

    @cached_property
    def life_spans(self) -> list[LifeSpan]:
        return list(find_life_spans(self.text))

    @property
    def is_question(self) -> bool:
        return self.text.rstrip("\"'”»)* ").endswith("?")

    @property
    def question_before(self) -> Unit | None:
        """The question that the sentence answers in a list of questions and answers, if it stands in one."""
        return self.before if self.before is not None and self.before.is_question else None

    @cached_property
    def is_forged_turn(self) -> bool:
        """Whether the line that the sentence stands in pretends to be a turn of the dialogue."""
        if forges_turn(self.text):
            return True
        return self.same_line and self.before is not None and self.before.is_forged_turn

    @cached_property
    def commands_the_reader(self) -> bool:
        """Whether the sentence speaks to an assistant instead of telling something."""
        if self.is_forged_turn or commands_the_reader(self.text):
            return True
        after_command = self.before is not None and self.before.commands_the_reader
        return after_command and goes_on_commanding(self.text)


def cut_passages(passages: Sequence[Mapping[str, Any]]) -> list[list[Unit]]:
    """The units of each passage."""
    return [_cut(number, passage) for number, passage in enumerate(passages)]


def _cut(number: int, passage: Mapping[str, Any]) -> list[Unit]:
    content = blank_hidden(str(passage.get("content") or ""))
    headings = passage.get("heading_path") or ()
    title = " ".join([str(passage.get("title") or ""), *map(str, headings)])
    context = frozenset(word.stem for word in words(title) if not word.is_stop)
    titles = {_wording(str(name)) for name in (passage.get("title") or "", *headings)} - {()}
    units: list[Unit] = []
    for first, last in _answers_whole(content):
        before = units[-1] if units else None
        same_line = before is not None and "\n" not in content[before.end : first]
        text = content[first:last]
        is_heading = _wording(text) in titles or _is_numbered_heading(text)
        units.append(Unit(number, len(units), text, first, last, before, same_line, context, is_heading))
        _ = units[-1].commands_the_reader  # in order: each leans on the one before, however many there are
    return units


def _answers_whole(content: str) -> Iterator[tuple[int, int]]:
    """The pieces of all sentences; a bare "Não." or "Sim." goes with what follows in its line."""
    held: int | None = None
    for start, end in split_sentences(content):
        for first, last in _pieces(content, start, end):
            begin = first if held is None or "\n" in content[held:first] else held
            held = first if _BARE_ANSWER.fullmatch(content, first, last) else None
            if held is None or content[last:].lstrip(" ")[:1] in ("", "\n"):
                yield begin, last
                held = None


def _wording(text: str) -> tuple[str, ...]:
    """The words of a heading without its number."""
    return tuple(word.folded for word in words(text) if not word.is_number)


def _is_numbered_heading(text: str) -> bool:
    """Whether a text is but "CLÁUSULA TERCEIRA - DO ALUGUEL" or "Art. 7º Síndico"."""
    match = _NUMBERED_HEADING.match(text)
    if match is None or not (text.isupper() or text.rstrip()[-1:].isalpha()):
        return False
    named = words(match["name"])
    return len(named) <= _LONGEST_HEADING and not any(word.is_number for word in named)


def _pieces(content: str, start: int, end: int) -> list[tuple[int, int]]:
    if end - start <= _LONGEST:
        return [(start, end)]
    cuts = [start, *(match.end() for match in _INNER_BREAK.finditer(content, start, end)), end]
    pieces = []
    for first, last in pairwise(cuts):
        text = content[first:last]
        last -= len(text) - len(text.rstrip())
        first += len(text) - len(text.lstrip())
        if first < last:
            pieces.append((first, last))
    return pieces
