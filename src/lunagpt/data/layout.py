"""The shape of a text: which lines are headings, list items, table rows or code, and which flow together.

A newline may end a paragraph or only a line of fixed width (PDF, e-mail, old e-books). The difference shows
in the room that was left: where the first word of the next line would still have fitted, the break was meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from lunagpt.data.abbreviations import words_of

Kind = Literal["heading", "item", "table", "code", "text"]

# A column narrower or wider than this is not the fixed width of flowing text.
_NARROW, _WIDE = 40, 130

_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r"(`{3,}|~{3,})")
_HEADING = re.compile(r"(#{1,6})[ \t]+\S")
_RULE = re.compile(r"([-=*_~#])\1{2,}\Z")
_TABLE = re.compile(r"\|.*\||[^|]*\|[^|]*\||[^|]*\S \| \S")
_ITEM = re.compile(
    r"(?:[-*+•·▪◦‣●○■□►✓✔→]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxlIVXL]{1,6})\)|\d{1,3}\.|[IVXL]{1,6}\s*[-–—])\s+\S"
)
# Speech, articles and paragraphs of laws begin a line of their own.
_OWN_LINE = re.compile(r"[–—]\s|Art\.\s*\d|§|Parágrafo único\b")
_FIRST_WORD = re.compile(r"\S+")
_LAST_WORD = re.compile(r"[^\W\d_]+\Z")

# After these a line cannot have been meant to end.
_DANGLING = words_of(
    "o a os as um uma de do da dos das em no na nos nas por pelo pela pelos pelas para com sem sob sobre",
    "ao aos à às e ou que se como entre até seu sua seus suas este esta esse essa num numa dum duma",
)


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text that reads on end, ``text[start:end]``, without white space around it.

    Attributes:
        level: of a heading marked with ``#``, its depth; of other headings 1; else 0.
        apart: whether a blank line, or the start of the text, stands before it.
    """

    kind: Kind
    start: int
    end: int
    level: int = 0
    apart: bool = False


def find_blocks(text: str, heading_offsets: Collection[int] = ()) -> list[Block]:
    """The blocks of `text`, in order; every visible character is in one.

    Args:
        text: plain text or Markdown.
        heading_offsets: where lines start that are known to be headings without looking like it.
    """
    blocks: list[Block] = []
    run: list[Block] = []
    for line in _classified_lines(text, frozenset(heading_offsets)):
        continues = line.kind == "text" and not line.apart and run and not _stands_alone(text, line)
        if not continues:
            blocks += _joined(text, run)
            run = []
        if line.kind in ("text", "item"):
            run.append(line)
        else:
            blocks.append(line)
    return blocks + _joined(text, run)


def _classified_lines(text: str, heading_offsets: frozenset[int]) -> list[Block]:
    """Each line that is not blank as a block of its own."""
    lines: list[Block] = []
    fence = ""
    previous_end = -2
    for match in _LINE.finditer(text):
        content = match.group()
        stripped = content.strip()
        if not stripped:
            continue
        start = match.start() + len(content) - len(content.lstrip())
        apart = text.count("\n", previous_end, match.start()) > 1 if previous_end >= 0 else True
        opening = _FENCE.match(stripped)
        kind: Kind
        level = 0
        if fence:
            kind = "code"
            if stripped.startswith(fence):
                fence = ""
        elif opening and text.find("\n" + opening[1], match.end()) >= 0:
            kind, fence = "code", opening[1]
        elif heading := _HEADING.match(stripped):
            kind, level = "heading", len(heading[1])
        elif start in heading_offsets or match.start() in heading_offsets:
            kind, level = "heading", 1
        elif _TABLE.match(stripped):
            kind = "table"
        elif _ITEM.match(stripped):
            kind = "item"
        else:
            kind = "text"
        lines.append(Block(kind, start, start + len(stripped), level, apart))
        previous_end = match.end()
    return lines


def _stands_alone(text: str, line: Block) -> bool:
    content = text[line.start : line.end]
    return bool(_OWN_LINE.match(content) or _RULE.match(content))


def _joined(text: str, run: list[Block]) -> list[Block]:
    """The lines of one paragraph or list item, put together where they flow on."""
    if len(run) < 2:
        return run
    width = max(line.end - line.start for line in run)
    casual = text[run[0].start : run[-1].end].islower()
    blocks = [run[0]]
    for line in run[1:]:
        last = blocks[-1]
        tail = text[max(last.start, last.end - 400) : last.end].rpartition("\n")[2].strip()
        if _flows(tail, text[line.start : line.end], width, casual):
            blocks[-1] = Block(last.kind, last.start, line.end, last.level, last.apart)
        else:
            blocks.append(line)
    return blocks


def _flows(line: str, following: str, width: int, casual: bool) -> bool:
    """Whether the break between two lines belongs to the page and not to the text."""
    if _RULE.match(line) or (line[-1] in ":;" and following[0].isupper()):
        return False
    word = _FIRST_WORD.match(following)
    full = _NARROW <= width <= _WIDE and len(line) + 1 + (word.end() if word else 0) > width
    if full:
        return True
    if line[-1] in ".!?…:;":
        return False
    last_word = _LAST_WORD.search(line)
    if last_word and last_word.group().lower() in _DANGLING:
        return True
    return (following[0].islower() or following[0] in ",;.)") and not casual
