"""`Passage`: a piece of a document that a search found, with its place and its relevance."""

from __future__ import annotations

import hashlib
from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True)
class Passage(Mapping[str, Any]):
    """A passage of a document.

    It is read as an object (``passage.content``), as a dictionary (``passage["content"]``, as custom search
    engines return them) or as a pair (``for document, score in passages``; ``passage[0].content``).

    Attributes:
        content: the text: ``document.content[start:end]``.
        title: the document's title.
        document_id: the document's id.
        chunk_id: number of the chunk in its store.
        start, end: offsets in the document's content.
        page: page on which it starts, from 1; None without pages.
        heading_path: headings over it, from the highest down.
        metadata: the document's metadata.
        score: relevance from 0 to 1, with the same meaning whatever search found it: about the probability
            that the passage answers the query. 0 if nothing was asked.
        lexical_score: what the words alone say, 0 to 1; None if they were not compared.
        dense_score: what the vectors alone say, 0 to 1; None if there are none.
    """

    content: str
    title: str
    document_id: str
    chunk_id: int
    start: int
    end: int
    page: int | None = None
    heading_path: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    score: float = 0.0
    lexical_score: float | None = None
    dense_score: float | None = None

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, int):
            return (self, self.score)[key]
        if key in _FIELDS:
            return getattr(self, key)
        raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        """As a pair: the passage, then its score."""
        return iter((self, self.score))

    def __len__(self) -> int:
        return 2

    def __contains__(self, key: object) -> bool:
        return key in _FIELDS

    def __hash__(self) -> int:
        return hash((self.document_id, self.chunk_id, self.start, self.end))

    def keys(self) -> KeysView[str]:
        """Names of the attributes."""
        return self.to_dict().keys()

    def values(self) -> ValuesView[Any]:
        """Values of the attributes, in the order of `keys`."""
        return self.to_dict().values()

    def items(self) -> ItemsView[str, Any]:
        """Names and values of the attributes."""
        return self.to_dict().items()

    def to_dict(self) -> dict[str, Any]:
        """The attributes as a dictionary."""
        return {name: getattr(self, name) for name in _FIELDS}

    def scored(self, score: float, lexical: float | None, dense: float | None) -> Passage:
        """The same passage with its relevance."""
        return replace(self, score=score, lexical_score=lexical, dense_score=dense)


_FIELDS = tuple(entry.name for entry in fields(Passage))


def context_line(title: str, heading_path: Sequence[str]) -> str:
    """What stands over a passage: title and headings, none twice, e.g. ``"Manual > Instalação > Linux"``."""
    return " > ".join(dict.fromkeys(part.strip() for part in (title, *heading_path) if part.strip()))


def search_text(title: str, heading_path: Sequence[str], text: str) -> str:
    """The text that is embedded for a passage: what stands over it, then the passage.

    A title that was taken from the beginning of the text is not said twice.
    """
    begins_with_title = text.lstrip("# ").startswith(title.rstrip("…"))
    context = context_line("" if begins_with_title else title, heading_path)
    return f"{context}\n{text}" if context else text


def text_hash(text: str) -> bytes:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).digest()
