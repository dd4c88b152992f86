"""PDF → `RawPdf` through PDFium (pypdfium2): fast, and used to the broken files of the web."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pypdfium2
from pypdfium2 import raw as pdfium_c

from lunagpt.data.loaders import problems
from lunagpt.data.loaders.cleaning import clean_line
from lunagpt.data.loaders.pdf_raw import MAX_BOOKMARK_DEPTH, MAX_BOOKMARKS, Bookmark, RawPdf, is_blank
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.reading import Reading

_PASSWORD_ERROR = pdfium_c.FPDF_ERR_PASSWORD


def read_with_pdfium(reading: Reading) -> RawPdf:
    """Read the text, bookmarks and properties of a PDF.

    Raises:
        FileProblem: it is locked, broken or too long.
    """
    logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)
    try:
        pdf = pypdfium2.PdfDocument(reading.data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD_ERROR:
            raise FileProblem(problems.PDF_LOCKED) from error
        raise FileProblem(problems.BROKEN.format(reason="não é um PDF válido")) from error
    raw = RawPdf(total=len(pdf))
    for number in range(min(raw.total, reading.limits.pages)):
        raw.add_page(*_page(pdf, number), reading.limits)
    raw.bookmarks = list(_bookmarks(pdf))
    for key, name in (("Title", "title"), ("Author", "author"), ("CreationDate", "created")):
        with suppress(UnicodeDecodeError):
            raw.properties[name] = pdf.get_metadata_value(key)
    pdf.close()
    return raw


def _page(pdf: Any, number: int) -> tuple[str, bool]:
    """Text of a page, and whether it has an image when there is (almost) no text. A broken page is empty."""
    try:
        page = pdf[number]
    except pypdfium2.PdfiumError:
        return "", False
    try:
        text_page = page.get_textpage()
        text = text_page.get_text_bounded()
        text_page.close()
        has_image = is_blank(text) and any(
            page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=4)
        )
    except pypdfium2.PdfiumError:
        return "", False
    finally:
        page.close()
    return text, has_image


def _bookmarks(pdf: Any) -> Iterator[Bookmark]:
    for count, bookmark in enumerate(pdf.get_toc(max_depth=MAX_BOOKMARK_DEPTH)):
        if count >= MAX_BOOKMARKS:
            return
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        try:
            title = clean_line(bookmark.get_title())
        except UnicodeDecodeError:
            continue
        if title and page is not None and page >= 0:
            yield Bookmark(title, bookmark.level + 1, page)
