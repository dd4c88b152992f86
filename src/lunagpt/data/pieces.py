"""A text as pieces that a chunk is put together from: sentences, headings, list items, table rows.

Each piece knows its length in tokens and what it costs the reader if a chunk starts with it. Only a sentence
that is too long for a chunk by itself is cut: in halves, at the strongest mark near the middle, until it
fits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from lunagpt.data.documents import Document
from lunagpt.data.layout import Block, find_blocks
from lunagpt.data.sentences import split_flowing
from lunagpt.data.token_counting import CountTokens

# What it costs to start a chunk there. Only the order and the rough distances matter: a cut between
# paragraphs is natural, one between the sentences of a paragraph is fine, one inside a list or a table takes
# rows from their head, and nothing may be torn from its heading or from the line that announces it.
_AT_HEADING = 0.0
_AT_PARAGRAPH = 1.0
_AT_LINE = 1.5
_AT_LIST = 2.0
_AT_SENTENCE = 2.5
_AT_ITEM = 3.0
_AT_ROW = 4.0
_IN_SENTENCE = 8.0
_AFTER_ANNOUNCEMENT = 8.0
_AFTER_HEADING = 16.0

# No token stands for more characters than this in running text: what is longer need not be counted.
_CHARACTERS_PER_TOKEN = 40

_TITLE_CHARACTERS = 80

_HALVING_MARKS = (re.compile(r"[.!?;:…]\s+"), re.compile(r"[,)–—]\s+"), re.compile(r"\s+"))
_WORD = re.compile(r"\S+")
_TABLE_RULE = re.compile(r"[\s|:+=-]+\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch ``text[start:end]`` that stays whole.

    Attributes:
        tokens: its length; with the white space before it, if that is more than a space.
        cost: what it costs to start a chunk here.
        heading: whether it is a heading.
        section: number of headings (or runs of them) up to here, so that pieces of one section agree.
    """

    start: int
    end: int
    tokens: int
    cost: float
    heading: bool = False
    section: int = 0


def find_pieces(document: Document, count_tokens: CountTokens, max_tokens: int) -> list[Piece]:
    """The pieces of `document`, in order; none has more than `max_tokens` tokens."""
    text = document.content
    spans: list[tuple[int, int, float, bool, int]] = []
    section = 0
    previous: Block | None = None
    table_rows = 0
    for block in find_blocks(text, [heading.offset for heading in document.headings]):
        heading = block.kind == "heading"
        if heading and (previous is None or previous.kind != "heading"):
            section += 1
        table_rows = table_rows + 1 if block.kind == "table" else 0
        cost = _cost_of_starting(text, previous, block, table_rows)
        flows = block.kind in ("text", "item")
        for start, end in (
            split_flowing(text, block.start, block.end) if flows else [(block.start, block.end)]
        ):
            spans.append((start, end, cost, heading, section))
            cost = _AT_SENTENCE
        previous = block
    return _counted(text, spans, count_tokens, max_tokens)


def find_words(text: str, count_tokens: CountTokens, max_tokens: int) -> list[Piece]:
    """The words of `text` as pieces; those with more than `max_tokens` tokens in parts."""
    spans = [match.span() for match in _WORD.finditer(text)]
    distinct = list({text[start:end] for start, end in spans if end - start <= max_tokens})
    tokens_of = dict(zip(distinct, count_tokens([" " + word for word in distinct]), strict=True))
    words: list[Piece] = []
    for start, end in spans:
        tokens = tokens_of.get(text[start:end], max_tokens + 1)
        parts = [(start, end, tokens)]
        if tokens > max_tokens:
            parts = halved(text, start, end, count_tokens, max_tokens)
        for part_start, part_end, part_tokens in parts:
            part_tokens += _tokens_between(text, words[-1].end, part_start) if words else 0
            words.append(Piece(part_start, part_end, part_tokens, 0.0))
    return words


def _cost_of_starting(text: str, previous: Block | None, block: Block, table_rows: int) -> float:
    """Cost of a chunk that starts with `block`, behind `previous`; its row, if it is in a table, from 1."""
    if previous is None:
        return 0.0
    if previous.kind == "heading":
        return _AFTER_HEADING
    if block.kind == "heading":
        return _AT_HEADING
    if text[previous.end - 1] == ":" and previous.kind in ("text", "item"):
        return _AFTER_ANNOUNCEMENT
    if block.apart and _looks_like_title(text, previous):
        return _AFTER_ANNOUNCEMENT
    if table_rows > 1:
        under_head = table_rows == 2 or _TABLE_RULE.match(text, previous.start, previous.end)
        return _AFTER_HEADING if under_head else _AT_ROW
    if block.kind == "code" and previous.kind == "code":
        return _AT_ROW
    if block.kind == "item":
        return _AT_ITEM if previous.kind == "item" else _AT_LIST
    return _AT_PARAGRAPH if block.apart else _AT_LINE


def _looks_like_title(text: str, block: Block) -> bool:
    """Whether a block without marks is a title all the same: a short line by itself, without a final stop."""
    return (
        block.kind == "text"
        and block.apart
        and block.end - block.start <= _TITLE_CHARACTERS
        and text[block.start].isupper()
        and text[block.end - 1] not in ".!?…,;"
        and "\n" not in text[block.start : block.end]
    )


def _counted(
    text: str,
    spans: Sequence[tuple[int, int, float, bool, int]],
    count_tokens: CountTokens,
    max_tokens: int,
) -> list[Piece]:
    """The pieces for `spans`, those that are too long in halves."""
    pieces: list[Piece] = []
    too_long = max_tokens * _CHARACTERS_PER_TOKEN
    countable = [text[start:end] for start, end, *_ in spans if end - start <= too_long]
    counts = iter(count_tokens(countable))
    for start, end, cost, heading, section in spans:
        tokens = next(counts) if end - start <= too_long else max_tokens + 1
        parts = [(start, end, tokens)]
        if tokens > max_tokens:
            parts = halved(text, start, end, count_tokens, max_tokens)
        for part_start, part_end, part_tokens in parts:
            part_tokens += _tokens_between(text, pieces[-1].end, part_start) if pieces else 0
            pieces.append(Piece(part_start, part_end, part_tokens, cost, heading, section))
            cost = _IN_SENTENCE
    return pieces


def _tokens_between(text: str, end: int, start: int) -> int:
    """Tokens of the white space between two pieces, about: a single space belongs to the word behind it."""
    if start - end > 3:
        return (start - end) // 2
    return 0 if text[end:start] in ("", " ") else 1


def halved(
    text: str, start: int, end: int, count_tokens: CountTokens, max_tokens: int
) -> list[tuple[int, int, int]]:
    """Cuts ``text[start:end]`` until every part fits: ``(start, end, tokens)`` of each, in order."""
    parts: list[tuple[int, int, int]] = []
    pending = [(start, end)]
    while pending:
        start, end = pending.pop()
        tokens = max_tokens + 1
        if end - start <= max_tokens * _CHARACTERS_PER_TOKEN:
            (tokens,) = count_tokens([text[start:end]])
        if tokens <= max_tokens or end - start < 2:
            parts.append((start, end, tokens))
            continue
        left_end, right_start = _middle_cut(text, start, end)
        pending += [(right_start, end), (start, left_end)]
    return parts


def _middle_cut(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the left half ends and the right one starts: around white space if there is any to cut at."""
    quarter, middle = (end - start) // 4, (start + end) // 2
    for mark in _HALVING_MARKS:
        cuts = [match for match in mark.finditer(text, start + quarter, end - quarter) if match.end() < end]
        if cuts:
            best = min(cuts, key=lambda match: abs(match.end() - middle))
            left_end = best.start() + len(best.group().rstrip())
            if start < left_end and best.end() < end:
                return left_end, best.end()
    while middle > start + 1 and (unicodedata.combining(text[middle]) or text[middle] in "\u200d\ufe0f"):
        middle -= 1
    return middle, middle
