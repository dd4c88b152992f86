"""The blocks of a web page (paragraphs, headings, items, table rows) and which of them are its subject."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from lunagpt.data.loaders.builder import TextBuilder
from lunagpt.data.loaders.cleaning import clean_line

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACES = re.compile(r"[ \t\r\f\v\n]+")
_BREAKS = re.compile(r" *\x00[ \x00]*")
# Text that lies inside of <main> or <article> is the page's subject if it is at least this share of the page.
_MAIN_SHARE = 0.25
_BODY_SHARE = 0.2
_MAIN_CHARACTERS = 150
# Runs of this many short blocks that are links almost throughout are menus, whatever their element is.
_MENU_RUN = 3
_MAX_INDENT = 5
_MENU_CHARACTERS = 80
_LINK_SHARE = 0.7


@dataclass(slots=True)
class Block:
    """A block of text; `level` is that of a heading; `marker` stands before an item of a list; items and rows
    of one `group` belong together."""

    furniture: bool = False
    main: bool = False
    kind: Literal["text", "heading", "item", "row", "verbatim"] = "text"
    text: str = ""
    level: int = 0
    marker: str = ""
    group: int = 0
    link_characters: int = 0

    @property
    def is_menu_like(self) -> bool:
        return (
            self.kind in ("text", "item")
            and len(self.text) <= _MENU_CHARACTERS
            and self.link_characters > _LINK_SHARE * len(self.text)
        )


@dataclass(slots=True)
class _List:
    depth: int
    number: int | None  # of the next item; None in a list without numbers


@dataclass(slots=True)
class _Row:
    """A row of a table. Once a cell holds more than one text it is a layout, and its cells become blocks."""

    cells: list[list[Block]] = field(default_factory=list)
    layout: bool = False


class PageBlocks:
    """Collects blocks as elements open and close."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._now = Block()
        self._outer: list[Block] = []
        self._text: list[str] = []
        self._links = 0
        self._lists: list[_List] = []
        self._rows: list[_Row] = []
        self._groups = 0

    def open(self, tag: str, block: Block, start: str = "") -> None:
        """A block element opens; `start` is the first number of an ordered list."""
        self.flush()
        self._outer.append(self._now)
        if tag in _HEADINGS:
            block.kind, block.level = "heading", _HEADINGS[tag]
        elif tag == "pre":
            block.kind = "verbatim"
        elif tag in ("li", "dd"):
            block.kind, block.marker = "item", self._marker() if tag == "li" else "- "
        elif self._now.kind == "item":  # <li><p>…</p></li>: the paragraph is the item
            block.kind, block.marker = "item", self._now.marker
            self._now.marker = ""
        if tag in ("ul", "ol", "menu"):
            block.kind, block.marker = "text", ""
            number = int(start) if start.isdecimal() and len(start) < 6 else 1
            if not self._lists:
                self._groups += 1
            self._lists.append(_List(len(self._lists), number if tag == "ol" else None))
        elif tag == "table":
            self._groups += 1
            if self._rows:
                self._to_layout(self._rows[-1])
        elif tag == "tr":
            self._rows.append(_Row())
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].cells.append([])
        self._now = block

    def close(self, tag: str) -> None:
        """A block element closes."""
        self.flush()
        if tag in ("ul", "ol", "menu") and self._lists:
            self._lists.pop()
        elif tag == "tr" and self._rows:
            row = self._rows.pop()
            if not row.layout:
                self._add_row(row)
        marker, was_item = self._now.marker, self._now.kind == "item"
        self._now = self._outer.pop() if self._outer else Block()
        if was_item and self._now.kind == "item" and not self._now.marker:
            self._now.marker = marker  # an empty paragraph did not use it up

    def text(self, text: str, link: bool, verbatim: bool = False) -> None:
        """Text inside of the open elements; "\\n" alone is a line break."""
        if text == "\n" and not verbatim:
            text = "\0"
        self._text.append(text)
        if link:
            self._links += len(text.strip())

    def flush(self) -> None:
        """End the block that is being written."""
        if not self._text:
            return
        text = "".join(self._text)
        if self._now.kind == "verbatim":
            text = text.replace("\0", "\n").strip("\n")
        else:
            text = _BREAKS.sub("\n", _SPACES.sub(" ", text)).strip()
        block = replace(self._now, text=text, link_characters=self._links, group=self._groups)
        self._text, self._links = [], 0
        if not text.strip():
            return
        if block.kind == "item":
            self._now.marker = "  " if self._now.marker else ""
        row = self._rows[-1] if self._rows else None
        if row is None or row.layout or not row.cells:
            self._blocks.append(block)
            return
        row.cells[-1].append(block)
        if block.kind != "text" or len(row.cells[-1]) > 1:
            self._to_layout(row)

    def write_all(self, builder: TextBuilder) -> None:
        """Write every block."""
        _write(self._blocks, builder)

    def write_main(self, builder: TextBuilder) -> None:
        """Write the subject of the page: <main> and <article> if they hold a good part of it, else all but
        menus, banners and the like; the whole page, if next to nothing would be left."""
        body = [block for block in self._blocks if not block.furniture]
        main = [block for block in body if block.main]
        if _characters(main) >= max(_MAIN_CHARACTERS, _MAIN_SHARE * _characters(body)):
            _write(main, builder)
            return
        chosen = _without_menus(body)
        if _characters(chosen) < _BODY_SHARE * _characters(self._blocks):
            chosen = self._blocks
        _write(chosen, builder)

    def _marker(self) -> str:
        innermost = self._lists[-1] if self._lists else _List(0, None)
        indent = "  " * min(innermost.depth, _MAX_INDENT)
        if innermost.number is None:
            return f"{indent}- "
        innermost.number += 1
        return f"{indent}{innermost.number - 1}. "

    def _to_layout(self, row: _Row) -> None:
        row.layout = True
        for cell in row.cells:
            self._blocks.extend(cell)
        row.cells = [[]]

    def _add_row(self, row: _Row) -> None:
        texts = [" ".join(block.text for block in cell) for cell in row.cells]
        blocks = [block for cell in row.cells for block in cell]
        if blocks:
            links = sum(block.link_characters for block in blocks)
            text = " | ".join(clean_line(text) for text in texts)
            self._blocks.append(replace(blocks[0], kind="row", text=text, link_characters=links))


def _write(blocks: list[Block], builder: TextBuilder) -> None:
    before: Block | None = None
    for block in blocks:
        if block.kind == "heading":
            builder.heading(block.text, block.level)
        elif block.kind in ("item", "row"):
            text = block.marker + block.text.replace("\n", " ")
            if before is not None and before.kind == block.kind and before.group == block.group:
                builder.line(text, indent=len(text) - len(text.lstrip()))
            else:
                builder.block(text)
        else:
            builder.block(block.text)
        before = block


def _without_menus(blocks: list[Block]) -> list[Block]:
    kept: list[Block] = []
    run: list[Block] = []
    for block in [*blocks, None]:
        if block is not None and block.is_menu_like:
            run.append(block)
            continue
        if len(run) < _MENU_RUN:
            kept.extend(run)
        run = []
        if block is not None:
            kept.append(block)
    return kept


def _characters(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)
