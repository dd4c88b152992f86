"""Documents → chunks for retrieval: :class:`DocumentChunker`.

A chunk is a stretch of the document, so that a citation can be checked: ``document.content[start:end]`` is
its text. Where the cuts fall is decided for the whole document at once, by dynamic programming over its
pieces (:mod:`lunagpt.data.pieces`): natural cuts and full, even chunks are cheap, cuts inside a paragraph, a
list or a table and chunks that run over a heading are dear.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from typing import Any

from lunagpt.data.documents import Document, Heading
from lunagpt.data.layout import find_blocks
from lunagpt.data.pieces import Piece, find_pieces, find_words
from lunagpt.data.token_counting import token_counter
from lunagpt.errors import DataError

# Costs, on the scale of those of `lunagpt.data.pieces`: of an empty chunk, of running over a heading (more
# than an empty chunk, so that sections join only when they are tiny), and of being tiny.
_EMPTY = 3.0
_OVER_HEADING = 3.2
_TINY = 2.0
_TINY_TOKENS = 48

_MIN_CHUNK_SIZE = 16
_JOINT_TOKENS = 2  # chunks that are filled to the brim need this much room, or all are made anew


#: ``(pieces, max_tokens, overlap) → ranges of pieces``.
Divide = Callable[[Sequence[Piece], int, int], list[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part of a document: ``text == document.content[start:end]``.

    Attributes:
        document_id: the document's.
        index: position among the document's chunks, from 0.
        heading_path: headings that all of it stands under, from the highest down.
        page: number of the page it starts on, from 1; None if the document has no pages.
    """

    document_id: str
    index: int
    start: int
    end: int
    text: str
    heading_path: tuple[str, ...] = ()
    page: int | None = None


class DocumentChunker:
    """Divides documents into chunks of at most `chunk_size` tokens.

    With ``split_by_semantic`` a chunk consists of whole sentences, list items, table rows and headings; only
    a sentence that is longer than `chunk_size` is cut. A heading is never the last line of a chunk while text
    follows it. Without it, chunks are filled word by word, each as full as it can be.

    Args:
        chunk_size: tokens per chunk at most; the default is about 1,000 characters.
        chunk_overlap: tokens of the previous chunk that the next one repeats at most: as many whole sentences
            of the same section as fit, maybe none.
        split_by_semantic: whether cuts respect sentences and layout.
        tokenizer: what counts, see :func:`~lunagpt.data.token_counting.token_counter`.

    Raises:
        DataError: sizes or a tokenizer that make no sense.
    """

    def __init__(
        self,
        chunk_size: int = 256,
        chunk_overlap: int = 32,
        split_by_semantic: bool = True,
        tokenizer: Any = None,
    ) -> None:
        if chunk_size < _MIN_CHUNK_SIZE:
            raise DataError(
                f"chunk_size={chunk_size} é pequeno demais: use pelo menos {_MIN_CHUNK_SIZE} tokens."
            )
        if not 0 <= chunk_overlap < chunk_size:
            raise DataError(
                f"chunk_overlap={chunk_overlap} não serve: a sobreposição vai de 0 a menos que "
                f"chunk_size ({chunk_size})."
            )
        self.chunk_size = chunk_size
        self.chunk_overlap = chunk_overlap
        self.split_by_semantic = split_by_semantic
        self._count_tokens = token_counter(tokenizer)

    def split_document(self, document: str | Mapping[str, Any] | Document) -> list[str]:
        """The texts of the chunks of a document or of a plain text."""
        return [chunk.text for chunk in self.chunk_document(document)]

    def chunk_document(self, document: str | Mapping[str, Any] | Document) -> list[Chunk]:
        """The chunks of a document, in order; none if it has no visible character.

        Every visible character is in a chunk. The headings of Markdown count if the document names none.
        """
        document = _with_headings(Document.from_any(document, "documento"))
        text = document.content
        if self.split_by_semantic:
            pieces, divide = find_pieces(document, self._count_tokens, self.chunk_size), pack
        else:
            pieces, divide = find_words(text, self._count_tokens, self.chunk_size), fill
        chunks: list[Chunk] = []
        for first, last in self._fitting_ranges(text, pieces, divide):
            start, end = pieces[first].start, pieces[last - 1].end
            body = next((piece.start for piece in pieces[first:last] if not piece.heading), end - 1)
            path, page = _common_path(document, body, end), document.page_at(start)
            chunks.append(Chunk(document.id, len(chunks), start, end, text[start:end], path, page))
        return chunks

    def _fitting_ranges(self, text: str, pieces: Sequence[Piece], divide: Divide) -> list[tuple[int, int]]:
        """Ranges of pieces whose texts have at most `chunk_size` tokens each."""
        # Lengths of pieces do not quite add up: a token may reach over the space between two of them.
        limit = self.chunk_size - (_JOINT_TOKENS if divide is fill else 0)
        while True:
            ranges = divide(pieces, limit, self.chunk_overlap)
            texts = [text[pieces[first].start : pieces[last - 1].end] for first, last in ranges]
            longest = max(self._count_tokens(texts), default=0)
            if longest <= self.chunk_size or limit < 2:
                return ranges
            limit -= longest - self.chunk_size


def fill(pieces: Sequence[Piece], max_tokens: int, overlap: int) -> list[tuple[int, int]]:
    """Chunks as ranges ``(first, last + 1)`` of pieces, each as full as `max_tokens` allows."""
    ends = list(accumulate((piece.tokens for piece in pieces), initial=0))
    ranges = []
    first = last = 0
    while last < len(pieces):
        last = max(bisect_right(ends, ends[first] + max_tokens) - 1, last + 1)
        ranges.append((first, last))
        first = bisect_left(ends, ends[last] - overlap)
        while first < last < len(pieces) and ends[last + 1] - ends[first] > max_tokens:
            first += 1
    return ranges


def pack(pieces: Sequence[Piece], max_tokens: int, overlap: int) -> list[tuple[int, int]]:
    """The chunks that cost least in all, as ranges ``(first, last + 1)`` of pieces.

    A range begins with the pieces that repeat the end of the one before and has at most `max_tokens` tokens,
    unless it is one piece that is longer. ``best[j]`` is the least cost of the first `j` pieces; a chunk of
    the new pieces ``i … j - 1`` costs its start, its emptiness and the headings it runs over.
    """
    ends = list(accumulate((piece.tokens for piece in pieces), initial=0))
    headings = list(accumulate((_opens_section(pieces, index) for index in range(len(pieces))), initial=0))
    repeated_from = _overlap_starts(pieces, ends, max_tokens, overlap)
    lengths_before = [ends[first] for first in repeated_from]
    tiny = min(_TINY_TOKENS, max_tokens // 4)
    best, cut_before = [0.0], [0]
    start_costs: list[
        float
    ] = []  # of a chunk that starts with piece i: all before it, its start, less headings
    for j in range(1, len(pieces) + 1):
        start_costs.append(best[-1] + pieces[j - 1].cost - _OVER_HEADING * headings[j])
        end = ends[j]
        least, cut = float("inf"), j - 1
        for i in range(j - 1, -1, -1):
            tokens = end - ends[i]
            if end - lengths_before[i] > max_tokens and i < j - 1:
                if tokens > max_tokens:
                    break
                continue
            room = 1 - tokens / max_tokens
            cost = start_costs[i] + _EMPTY * room * room
            if tokens < tiny:
                cost += _TINY
            if cost < least:
                least, cut = cost, i
        best.append(least + _OVER_HEADING * headings[j])
        cut_before.append(cut)
    ranges = []
    j = len(pieces)
    while j:
        i = cut_before[j]
        ranges.append((repeated_from[i], j))
        j = i
    return ranges[::-1]


def _opens_section(pieces: Sequence[Piece], index: int) -> bool:
    return pieces[index].heading and (index == 0 or not pieces[index - 1].heading)


def _overlap_starts(pieces: Sequence[Piece], ends: Sequence[int], max_tokens: int, overlap: int) -> list[int]:
    """For every piece, the first one that a chunk starting with it repeats: same section, room left."""
    starts = []
    for index, piece in enumerate(pieces):
        first = index
        while (
            first
            and pieces[first - 1].section == piece.section
            and not pieces[first - 1].heading
            and ends[index] - ends[first - 1] <= overlap
            and ends[index + 1] - ends[first - 1] <= max_tokens
        ):
            first -= 1
        starts.append(first)
    return starts


def _common_path(document: Document, start: int, end: int) -> tuple[str, ...]:
    """Headings over both the first and the last character of a stretch."""
    paths = zip(document.heading_path_at(start), document.heading_path_at(end - 1), strict=False)
    return tuple(first for first, last in takewhile(lambda pair: pair[0] == pair[1], paths))


def _with_headings(document: Document) -> Document:
    """`document` with the headings that its Markdown marks, if it names none itself."""
    if document.headings or "#" not in document.content:
        return document
    text = document.content
    headings = tuple(
        Heading(block.start, block.level, text[block.start : block.end].strip("# \t"))
        for block in find_blocks(text)
        if block.kind == "heading"
    )
    return replace(document, headings=headings) if headings else document
