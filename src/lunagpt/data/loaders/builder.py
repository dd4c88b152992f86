"""`TextBuilder`: the text of a document with the places of its headings and pages, written block by block."""

from __future__ import annotations

from typing import Any

from lunagpt.data.documents import Document, Heading, first_line
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.cleaning import clean_line, clean_text, tidy_lines
from lunagpt.data.loaders.limits import Limits
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.reporting.numbers import decimal


class TextBuilder:
    """Collects blocks (paragraphs, headings, tables), parted by an empty line; every text is cleaned on its
    way in, so that the recorded offsets hold.

    Args:
        limits: `Limits.characters` bounds the text.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: list[str] = []
        self._length = 0
        self._pages_to_start = 0
        self.headings: list[Heading] = []
        self.pages: list[int] = []

    @property
    def length(self) -> int:
        """Characters so far."""
        return self._length

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._parts)

    def block(self, text: str) -> None:
        """Add a block; its line breaks are kept."""
        self._append(tidy_lines(clean_text(text)), "\n\n")

    def clean_block(self, text: str) -> None:
        """Like `block`, for text that `clean_text` has seen and that has no blanks at line ends."""
        self._append(text, "\n\n")

    def line(self, text: str, indent: int = 0) -> None:
        """Add a line right under what came before (an item of a list, a row of a table)."""
        text = clean_line(text)
        self._append(text and " " * indent + text, "\n")

    def heading(self, text: str, level: int) -> None:
        """Add a heading, which stands on a line of its own."""
        text = clean_line(text)
        if text:
            start = self._append(text, "\n\n")
            self.headings.append(Heading(start, level, text))

    def page(self) -> None:
        """Start a page with the next text; what separates it from the text before is on the page before."""
        self._pages_to_start += 1

    def document(self, identity: str, title: str, metadata: dict[str, Any]) -> Document:
        """The document. Without `title`, the first heading or the first line serves.

        Raises:
            FileProblem: there is no text.
        """
        content = self.text
        if not content:
            raise FileProblem(problems.NO_TEXT)
        pages = (*self.pages, *[self._length] * self._pages_to_start)
        title = clean_line(title) or (self.headings[0].text if self.headings else first_line(content))
        return Document(identity, title, content, metadata, tuple(self.headings), pages)

    def _append(self, text: str, separator: str) -> int:
        if not text:
            return self._length
        if self._parts:
            self._parts.append(separator)
            self._length += len(separator)
        start = self._length
        self.pages.extend([start] * self._pages_to_start)
        self._pages_to_start = 0
        self._parts.append(text)
        self._length += len(text)
        if self._length > self._limits.characters:
            raise FileProblem(problems.TOO_MUCH_TEXT.format(limit=decimal(self._limits.characters / 1e6, 6)))
        return start
