"""`RawPdf`: what a PDF library reads, before it is made into a document."""

from __future__ import annotations

from dataclasses import dataclass, field

from lunagpt.data.loaders import problems
from lunagpt.data.loaders.limits import Limits
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.reporting.numbers import decimal

MAX_BOOKMARKS = 5_000
MAX_BOOKMARK_DEPTH = 6
# A page with fewer letters than this has no text to speak of: a page number, a stamp.
_PAGE_LETTERS = 16


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the table of contents: level from 1, and the page from 0."""

    title: str
    level: int
    page: int


@dataclass
class RawPdf:
    """What a library reads from a PDF. `pages` holds the text of the first pages, of `total` there are;
    `images` are the pages (from 0) without text that hold an image."""

    pages: list[str] = field(default_factory=list)
    total: int = 0
    images: set[int] = field(default_factory=set)
    bookmarks: list[Bookmark] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    _characters: int = 0

    def add_page(self, text: str, has_image: bool, limits: Limits) -> None:
        """Add the next page.

        Raises:
            FileProblem: there is too much text.
        """
        if has_image:
            self.images.add(len(self.pages))
        self.pages.append(text)
        self._characters += len(text)
        if self._characters > limits.characters:
            raise FileProblem(problems.TOO_MUCH_TEXT.format(limit=decimal(limits.characters / 1e6, 6)))


def is_blank(text: str) -> bool:
    """Whether a page has next to no text."""
    return sum(map(str.isalnum, text[:1000])) < _PAGE_LETTERS
