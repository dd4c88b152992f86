"""PDF → documents: the text of every page, through PDFium where it is installed, else through pypdf."""

from __future__ import annotations

import re
from importlib.util import find_spec

from lunagpt.data.documents import Document, Heading
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.cleaning import clean_line
from lunagpt.data.loaders.pdf_raw import Bookmark, RawPdf, is_blank
from lunagpt.data.loaders.pdf_text import mend_pages
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.reading import Reading

_DATE = re.compile(r"D:(\d{4})(\d{2})(\d{2})")


def read_pdf(reading: Reading) -> list[Document]:
    """One document with pages; the PDF's own table of contents gives the headings."""
    raw = _read(reading)
    if raw.total > len(raw.pages):
        reading.notes.append(problems.PAGES_CUT.format(limit=len(raw.pages), total=raw.total))
    empty = [number for number, text in enumerate(raw.pages) if is_blank(text)]
    scanned = [number for number in empty if number in raw.images]
    if len(empty) == len(raw.pages):
        raise FileProblem(problems.SCANNED if scanned else problems.NO_TEXT)
    if scanned:
        reading.notes.append(problems.SOME_PAGES_SCANNED.format(pages=_spans([page + 1 for page in scanned])))
    reading.tell("author", raw.properties.get("author"))
    created = _DATE.match(raw.properties.get("created", ""))
    if created:
        reading.tell("date", "-".join(created.groups()))
    pages = mend_pages(raw.pages, (bookmark.title for bookmark in raw.bookmarks))
    builder = reading.builder()
    for page in pages:
        builder.page()
        builder.block(page)
    document = builder.document(reading.id, _title(raw, reading), reading.about)
    headings = _headings(raw.bookmarks, document)
    return [
        Document(document.id, document.title, document.content, document.metadata, headings, document.pages)
    ]


def _read(reading: Reading) -> RawPdf:
    if find_spec("pypdfium2") is None:
        from lunagpt.data.loaders.pypdf_reader import read_with_pypdf

        return read_with_pypdf(reading)
    from lunagpt.data.loaders.pdfium_reader import read_with_pdfium

    return read_with_pdfium(reading)


def _title(raw: RawPdf, reading: Reading) -> str:
    title = clean_line(raw.properties.get("title", ""))
    # Word processors leave the name of their file here.
    if len(title) < 4 or title.lower().endswith((".doc", ".docx", ".odt", ".indd", ".qxd", ".tex", ".dvi")):
        return reading.name_title
    if title.lower().startswith(("microsoft word", "untitled", "sem título", "documento1", "document1")):
        return reading.name_title
    return title


def _headings(bookmarks: list[Bookmark], document: Document) -> tuple[Heading, ...]:
    """Bookmarks as headings: where their title stands on their page, else at the start of the page."""
    found: list[Heading] = []
    ends = [*document.pages[1:], len(document.content)]
    folded = document.content.lower()
    if len(folded) != len(document.content):  # some capitals change their length ("İ")
        folded = document.content
    last = 0
    for bookmark in bookmarks:
        if bookmark.page >= len(document.pages):
            continue
        start, end = document.pages[bookmark.page], ends[bookmark.page]
        place = folded.find(bookmark.title.lower(), max(start, last), end)
        offset = place if place >= 0 else max(start, last)
        if offset >= end and offset > start:
            continue
        last = offset
        found.append(Heading(offset, bookmark.level, bookmark.title))
    return tuple(sorted(found, key=lambda heading: heading.offset))


def _spans(pages: list[int]) -> str:
    """``"1–3, 7"``: page numbers as people write them."""
    spans: list[list[int]] = []
    for page in pages:
        if spans and page == spans[-1][-1] + 1:
            spans[-1][-1] = page
        else:
            spans.append([page, page])
    texts = [str(first) if first == last else f"{first}–{last}" for first, last in spans[:20]]
    return ", ".join(texts) + ("…" if len(spans) > 20 else "")
