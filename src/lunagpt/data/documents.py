"""`Document`: a text with its title, where it came from, its headings and its pages."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lunagpt.errors import DataError

# Names under which people keep these fields, the first that is present and not empty wins.
TITLE_FIELDS = ("title", "titulo", "título", "name", "nome", "assunto", "subject", "headline")
CONTENT_FIELDS = (
    "content",
    "conteudo",
    "conteúdo",
    "text",
    "texto",
    "body",
    "corpo",
    "page_content",
)
_TITLE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: where its line starts in the content, its level (1 is the highest) and its text."""

    offset: int
    level: int
    text: str


@dataclass(frozen=True)
class Document:
    """A text that can be searched and cited. Every offset of the system counts characters of `content`.

    Attributes:
        id: stable name: the path relative to the indexed folder, with "/", or the id of the row it came from.
        title: what a reader calls it.
        content: the text.
        metadata: values that fit in JSON; ``"source"`` (path) and ``"file_type"`` when it came from a file.
        headings: in the order of their offsets.
        pages: offset at which page 1, 2, … starts; empty if the document has no pages.
    """

    id: str
    title: str
    content: str
    metadata: dict[str, Any] = field(default_factory=dict)
    headings: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Number of the page, from 1, that the character at `offset` is on; None without pages."""
        return max(bisect_right(self.pages, offset), 1) if self.pages else None

    def heading_path_at(self, offset: int) -> tuple[str, ...]:
        """Headings over the character at `offset`, from the highest down; a heading's own line counts."""
        index = bisect_right(self._heading_offsets, offset) - 1
        path = []
        while index >= 0:
            path.append(self.headings[index].text)
            index = self._parents[index]
        return tuple(reversed(path))

    @cached_property
    def _heading_offsets(self) -> list[int]:
        return [heading.offset for heading in self.headings]

    @cached_property
    def _parents(self) -> list[int]:
        """For every heading the index of the heading it stands under, or -1."""
        parents: list[int] = []
        open_headings: list[int] = []
        for index, heading in enumerate(self.headings):
            while open_headings and self.headings[open_headings[-1]].level >= heading.level:
                open_headings.pop()
            parents.append(open_headings[-1] if open_headings else -1)
            open_headings.append(index)
        return parents

    def to_dict(self) -> dict[str, Any]:
        """The document as values that fit in JSON; `from_any` reads them back."""
        row: dict[str, Any] = {
            "id": self.id,
            "title": self.title,
            "content": self.content,
            "metadata": self.metadata,
        }
        if self.headings:
            row["headings"] = [[heading.offset, heading.level, heading.text] for heading in self.headings]
        if self.pages:
            row["pages"] = list(self.pages)
        return row

    @classmethod
    def from_any(cls, value: str | Mapping[str, Any] | Document, default_id: str) -> Document:
        """A document from a plain text, a row with ``content`` (or another name of it) or a document.

        Of a row, ``id``, ``title``, ``metadata``, ``headings`` and ``pages`` are kept under their names; what
        else it has goes to the metadata. Without a title, the first line of the text serves.

        Raises:
            DataError: the value is of another type, or the row has no text.
        """
        if isinstance(value, Document):
            return value
        if isinstance(value, str):
            return cls(default_id, first_line(value) or default_id, value)
        if not isinstance(value, Mapping):
            raise DataError(
                f"Um documento é um texto, um dicionário ou um Document, e não {type(value).__name__}."
            )
        content_field = find_field(value, CONTENT_FIELDS)
        if content_field is None:
            fields = ", ".join(sorted(map(str, value))) or "nenhum"
            raise DataError(
                f'O documento "{value.get("id", default_id)}" não tem texto: falta o campo content '
                f"(campos que ele tem: {fields})."
            )
        content = str(value[content_field])
        title_field = find_field(value, TITLE_FIELDS)
        used = {content_field, title_field, "id", "metadata", "headings", "pages"}
        metadata = {str(key): item for key, item in value.items() if key not in used}
        given = value.get("metadata")
        if isinstance(given, Mapping):
            metadata.update({str(key): item for key, item in given.items()})
        elif given is not None:
            metadata["metadata"] = given
        identity = value.get("id")
        name = default_id if identity is None or identity == "" else str(identity)
        try:
            headings = tuple(_heading(item) for item in value.get("headings") or ())
            pages = tuple(int(offset) for offset in value.get("pages") or ())
        except (TypeError, ValueError, KeyError) as error:
            raise DataError(f'Os campos headings ou pages do documento "{name}" não são válidos.') from error
        for offsets in ([heading.offset for heading in headings], pages):
            if sorted(offsets) != list(offsets) or (
                offsets and not 0 <= offsets[0] <= offsets[-1] <= len(content)
            ):
                raise DataError(f'As posições em headings ou pages do documento "{name}" não cabem no texto.')
        title = str(value[title_field]) if title_field else first_line(content)
        return cls(name, title or default_id, content, metadata, headings, pages)


def find_field(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of `names` that `row` has with a scalar, non-empty value, whatever its capitals."""
    present = {str(key).strip().lower(): key for key in row}
    for name in names:
        key = present.get(name)
        if key is not None and isinstance(row[key], str | int | float) and str(row[key]).strip():
            return key
    return None


def first_line(text: str) -> str:
    """The first line with anything on it, without heading marks, cut at a word."""
    line = next((line for line in text.splitlines() if line.strip()), "").strip().lstrip("#").strip()
    if len(line) <= _TITLE_CHARACTERS:
        return line
    return line[:_TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"


def _heading(value: Any) -> Heading:
    if isinstance(value, Heading):
        return value
    if isinstance(value, Mapping):
        return Heading(int(value["offset"]), int(value["level"]), str(value["text"]))
    offset, level, text = value
    return Heading(int(offset), int(level), str(text))
