"""Word documents (.docx) → documents: paragraphs, headings, lists, tables and notes, read from the XML.

The sizes of the parts are checked before and while they are unpacked, which general libraries do only after.
Format: ECMA-376, part 1, sections 17 (WordprocessingML) and 15.2.12 (core properties).
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

from lunagpt.data.documents import Document
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.builder import TextBuilder
from lunagpt.data.loaders.cleaning import clean_line
from lunagpt.data.loaders.limits import Limits
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.reading import Reading
from lunagpt.data.loaders.xml_tree import local_name, parse_xml

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT_WORD = "http://purl.oclc.org/ooxml/wordprocessingml/main"
_COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_SMALL_PART = 1 << 20
# What broken zip files make the library raise.
_ZIP_STUMBLES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
_READ_BYTES = 1 << 16
_HEADING_NAME = re.compile(r"(?:heading|t[ií]tulo|cabe[cç]alho)\s*([1-9])\Z", re.IGNORECASE)
_INVISIBLE_SIZE = 3  # half points
_MAX_INHERITANCE = 20
_MAX_INDENT = 5
_NOTES = "Notas"
_REMOVED = frozenset({f"{_WORD}{name}" for name in ("del", "moveFrom", "instrText", "delText")})
# Gathered on their own.
_APART = frozenset(f"{_WORD}{name}" for name in ("txbxContent", "pPr", "rPr"))
_TOLD = {"creator": "author", "modified": "date"}


def read_docx(reading: Reading) -> list[Document]:
    """One document. Deleted, hidden and white text, comments, headers and footers are left out; pages are
    those of the last time that Word laid the document out, if it noted them."""
    parts = _Parts(reading.data, reading.limits)
    body = parts.xml("word/document.xml")
    if body is None:
        raise FileProblem(problems.NOT_DOCX)
    title = ""
    properties = parts.xml("docProps/core.xml")
    for element in properties if properties is not None else ():
        name = local_name(element)
        if name == "title":
            title = clean_line(element.text or "")
        elif name in _TOLD:
            reading.tell(_TOLD[name], element.text)
    builder = reading.builder()
    writer = _Writer(builder, _Styles(parts.xml("word/styles.xml")))
    writer.write(body, has_pages=next(body.iter(f"{_WORD}lastRenderedPageBreak"), None) is not None)
    for name in ("word/footnotes.xml", "word/endnotes.xml"):
        notes = parts.xml(name)
        if notes is not None and next(notes.iter(f"{_WORD}t"), None) is not None:
            builder.heading(_NOTES, 1)
            writer.write(notes)
    title = title or (builder.headings[0].text if builder.headings else reading.name_title)
    return [builder.document(reading.id, title, reading.about)]


class _Parts:
    """The members of a docx, unpacked within limits.

    Raises (all methods):
        FileProblem: it is no zip file, broken, or larger than it may be.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._limits = limits
        self._bytes_left = limits.zip_bytes
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _ZIP_STUMBLES as error:
            raise FileProblem(problems.NOT_DOCX) from error
        members = self._zip.infolist()
        if len(members) > limits.zip_entries:
            raise FileProblem(problems.ZIP_TOO_MANY.format(limit=limits.zip_entries))
        if sum(member.file_size for member in members) > limits.zip_bytes:
            raise self._too_big()
        for member in members:
            if member.file_size > max(_SMALL_PART, limits.zip_ratio * member.compress_size):
                raise self._too_big()

    def xml(self, name: str) -> Element | None:
        """The tree of a part; None if there is no such part."""
        try:
            member = self._zip.getinfo(name)
        except KeyError:
            return None
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
            raise FileProblem(problems.NOT_DOCX)  # locked, or not made by a word processor
        try:
            text = self._unpack(member).decode("utf-8-sig")
            # The strict variant of the format differs in the names of its namespaces.
            return parse_xml(text.replace(_STRICT_WORD, _WORD[1:-1]))
        except FileProblem:  # a ValueError, as are others below
            raise
        except (*_ZIP_STUMBLES, ParseError) as error:
            raise FileProblem(problems.BROKEN.format(reason=f"a parte {name} não pôde ser lida")) from error

    def _unpack(self, member: zipfile.ZipInfo) -> bytes:
        """The bytes of a member; what its header promises is not believed."""
        blocks = []
        with self._zip.open(member) as stream:
            while block := stream.read(_READ_BYTES):
                self._bytes_left -= len(block)
                if self._bytes_left < 0:
                    raise self._too_big()
                blocks.append(block)
        return b"".join(blocks)

    def _too_big(self) -> FileProblem:
        return FileProblem(problems.ZIP_TOO_BIG.format(limit=self._limits.zip_bytes >> 20))


@dataclass(frozen=True, slots=True)
class _Style:
    """What a paragraph style says: level of a heading or 0, an item of a list, invisible text."""

    level: int = 0
    is_item: bool = False
    hidden: bool = False


class _Styles:
    """The styles of a document by their ids; they inherit from what they are based on."""

    def __init__(self, root: Element | None) -> None:
        self._elements = {
            element.get(f"{_WORD}styleId", ""): element
            for element in (root.iterfind(f"{_WORD}style") if root is not None else ())
        }
        self._known: dict[str, _Style] = {}

    def style(self, identity: str) -> _Style:
        """What a style says; nothing, if there is no such style."""
        if identity not in self._known:
            chain: list[Element] = []
            ancestor = identity
            while ancestor in self._elements and len(chain) < _MAX_INHERITANCE:
                chain.append(self._elements[ancestor])
                ancestor = _value(self._elements[ancestor], "basedOn")
            levels = (_style_level(element) for element in chain)
            self._known[identity] = _Style(
                next((level for level in levels if level), 0),
                any(element.find(f"{_WORD}pPr/{_WORD}numPr") is not None for element in chain),
                any(_is_invisible(element.find(f"{_WORD}rPr")) for element in chain),
            )
        return self._known[identity]


@dataclass(slots=True)
class _Paragraph:
    """A paragraph being read: its text, and the pages that start before its text or within it."""

    texts: list[str] = field(default_factory=list)
    breaks_before: int = 0
    breaks_within: int = 0

    def gather(self, element: Element) -> None:
        """Add the visible text under an element, but that of text boxes."""
        for child in _visible(element):
            tag = child.tag
            if tag == f"{_WORD}t" or local_name(child) == "t":
                self.texts.append(child.text or "")
            elif tag == f"{_WORD}tab":
                self.texts.append(" ")
            elif tag in (f"{_WORD}br", f"{_WORD}cr"):
                self.texts.append(" " if child.get(f"{_WORD}type") in ("page", "column") else "\n")
            elif tag == f"{_WORD}noBreakHyphen":
                self.texts.append("-")
            elif tag == f"{_WORD}lastRenderedPageBreak":
                if any(text.strip() for text in self.texts):
                    self.breaks_within += 1
                else:
                    self.breaks_before += 1
            elif tag not in _APART and not (tag == f"{_WORD}r" and _is_invisible(child.find(f"{_WORD}rPr"))):
                self.gather(child)


class _Writer:
    """Writes the paragraphs and tables of a tree to a builder."""

    def __init__(self, builder: TextBuilder, styles: _Styles) -> None:
        self._builder = builder
        self._styles = styles
        self._has_pages = False
        self._after_item = False

    def write(self, root: Element, has_pages: bool = False) -> None:
        """Write a tree; `has_pages` if its page breaks are to be kept."""
        self._has_pages = has_pages
        if has_pages:
            self._builder.page()
        for element in _flow(root):
            if element.tag == f"{_WORD}p":
                self._paragraph(element)
            else:
                self._table(element)

    def _paragraph(self, element: Element) -> None:
        paragraph = _Paragraph()
        properties = element.find(f"{_WORD}pPr")
        style = self._styles.style(_value(properties, "pStyle"))
        if not style.hidden:
            paragraph.gather(element)
        self._start_pages(paragraph.breaks_before)
        text = "".join(paragraph.texts)
        if text.strip():
            self._text(text, _level(properties, style), style, properties)
        self._start_pages(paragraph.breaks_within)
        for box in _text_boxes(element):
            for inner in _flow(box):
                if inner.tag == f"{_WORD}p":
                    self._paragraph(inner)
                else:
                    self._table(inner)

    def _text(self, text: str, level: int, style: _Style, properties: Element | None) -> None:
        numbering = properties.find(f"{_WORD}numPr") if properties is not None else None
        is_item = style.is_item if numbering is None else _value(numbering, "numId") != "0"
        if level:
            self._builder.heading(text, level)
        elif not is_item:
            self._builder.block(text)
        else:
            depth = _value(numbering, "ilvl")
            indent = 2 * min(int(depth[:2]), _MAX_INDENT) if depth.isdecimal() else 0
            line = f"- {clean_line(text)}"
            if self._after_item:
                self._builder.line(line, indent)
            else:
                self._builder.block(" " * indent + line)
        self._after_item = is_item and not level

    def _table(self, element: Element) -> None:
        rows = []
        for row in element.iterfind(f"{_WORD}tr"):
            paragraphs = [_cell(cell) for cell in row.iterfind(f".//{_WORD}tc")]
            cells = [clean_line("".join(paragraph.texts)) for paragraph in paragraphs]
            self._start_pages(sum(p.breaks_before + p.breaks_within for p in paragraphs))
            if any(cells):
                rows.append(" | ".join(cells))
        self._builder.block("\n".join(rows))
        self._after_item = False

    def _start_pages(self, count: int) -> None:
        for _ in range(count if self._has_pages else 0):
            self._builder.page()


def _cell(cell: Element) -> _Paragraph:
    paragraph = _Paragraph()
    for inner in _flow(cell):
        if inner.tag == f"{_WORD}p":  # the cells of a table in a cell come after it, as cells of its row
            paragraph.gather(inner)
            paragraph.texts.append(" ")
    return paragraph


def _flow(root: Element) -> Iterator[Element]:
    """Paragraphs and tables under an element, in order, not those inside of them."""
    for child in _visible(root):
        if child.tag in (f"{_WORD}p", f"{_WORD}tbl"):
            yield child
        else:
            yield from _flow(child)


def _visible(element: Element) -> Iterator[Element]:
    """Children, without what was deleted or moved away, and of alternatives only the first."""
    chosen = (
        element.find(f"{_COMPATIBILITY}Choice")
        if element.tag == f"{_COMPATIBILITY}AlternateContent"
        else None
    )
    for child in element:
        if child.tag not in _REMOVED and (chosen is None or child is chosen):
            yield child


def _text_boxes(element: Element) -> Iterator[Element]:
    for child in _visible(element):
        if child.tag == f"{_WORD}txbxContent":
            yield child
        else:
            yield from _text_boxes(child)


def _style_level(style: Element) -> int:
    name = _value(style, "name")
    if name.lower() == "title":
        return 1
    found = _HEADING_NAME.match(name)
    return int(found[1]) if found else _level(style.find(f"{_WORD}pPr"), _Style())


def _level(properties: Element | None, style: _Style) -> int:
    outline = _value(properties, "outlineLvl")
    return int(outline) + 1 if outline.isdecimal() and len(outline) == 1 and outline != "9" else style.level


def _is_invisible(properties: Element | None) -> bool:
    """Whether runs with these properties cannot be seen: hidden, tiny, or white on no colour."""
    if properties is None:
        return False
    for name in ("vanish", "webHidden", "specVanish"):
        switch = properties.find(f"{_WORD}{name}")
        if switch is not None and switch.get(f"{_WORD}val", "1").lower() not in ("0", "false", "off"):
            return True
    size = _value(properties, "sz")
    if size.isdecimal() and int(size[:6]) <= _INVISIBLE_SIZE:
        return True
    background = any(properties.find(f"{_WORD}{name}") is not None for name in ("shd", "highlight"))
    return _value(properties, "color").upper() == "FFFFFF" and not background


def _value(parent: Element | None, name: str) -> str:
    """The ``w:val`` of a child; "" if there is none."""
    child = parent.find(f"{_WORD}{name}") if parent is not None else None
    return child.get(f"{_WORD}val", "") if child is not None else ""
