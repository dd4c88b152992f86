"""PDF → `RawPdf` through pypdf: slower than PDFium, but it runs wherever Python does."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pypdf
from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

from lunagpt.data.loaders import problems
from lunagpt.data.loaders.cleaning import clean_line
from lunagpt.data.loaders.pdf_raw import MAX_BOOKMARK_DEPTH, MAX_BOOKMARKS, Bookmark, RawPdf, is_blank
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.reading import Reading

# What pypdf raises on broken files besides its own errors.
_STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
)


def read_with_pypdf(reading: Reading) -> RawPdf:
    """Read the text, bookmarks and properties of a PDF.

    Raises:
        FileProblem: it is locked, broken or too long.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        pdf = pypdf.PdfReader(io.BytesIO(reading.data), strict=False)
        if pdf.is_encrypted and not pdf.decrypt(""):
            raise FileProblem(problems.PDF_LOCKED)
        raw = RawPdf(total=len(pdf.pages))
        for number in range(min(raw.total, reading.limits.pages)):
            raw.add_page(*_page(pdf, number), reading.limits)
        raw.bookmarks = list(_bookmarks(pdf))
        properties: Mapping[str, Any] = pdf.metadata or {}
        for key, name in (("/Title", "title"), ("/Author", "author"), ("/CreationDate", "created")):
            raw.properties[name] = str(properties.get(key) or "")
    except FileProblem:  # a ValueError, as are stumbles
        raise
    except DependencyError as error:
        raise FileProblem(problems.PDF_CIPHER) from error
    except FileNotDecryptedError as error:
        raise FileProblem(problems.PDF_LOCKED) from error
    except (PyPdfError, *_STUMBLES) as error:
        raise FileProblem(problems.BROKEN.format(reason="não é um PDF válido")) from error
    return raw


def _page(pdf: Any, number: int) -> tuple[str, bool]:
    try:
        page = pdf.pages[number]
        text = page.extract_text()
        return text, is_blank(text) and _has_image(page)
    except DependencyError:
        raise
    except (PyPdfError, *_STUMBLES):
        return "", False


def _has_image(page: Any) -> bool:
    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    if objects is None:
        return False
    return any(
        item.get_object().get("/Subtype") in ("/Image", "/Form") for item in objects.get_object().values()
    )


def _bookmarks(pdf: Any) -> Iterator[Bookmark]:
    try:
        outline = pdf.outline
    except (PyPdfError, *_STUMBLES):
        return
    stack = [(1, iter(outline))]
    count = 0
    while stack and count < MAX_BOOKMARKS:
        level, entries = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
        elif isinstance(entry, list):
            if level < MAX_BOOKMARK_DEPTH:
                stack.append((level + 1, iter(entry)))
        else:
            count += 1
            try:
                page = pdf.get_destination_page_number(entry)
            except (PyPdfError, *_STUMBLES):
                continue
            title = clean_line(str(entry.title or ""))
            if title and page is not None and page >= 0:
                yield Bookmark(title, level, page)
