"""Plain text and Markdown → documents."""

from __future__ import annotations

import re
from functools import cache

import yaml
from markdown_it import MarkdownIt

from lunagpt.data.documents import Document
from lunagpt.data.loaders.cleaning import clean_line, clean_text
from lunagpt.data.loaders.reading import Reading
from lunagpt.data.loaders.web_page import write_fragment

_TITLE_CHARACTERS = 80
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.{1,10000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TOLD = {
    "title": "title",
    "titulo": "title",
    "título": "title",
    "author": "author",
    "autor": "author",
    "date": "date",
    "data": "date",
    "tags": "tags",
}


def read_text(reading: Reading) -> list[Document]:
    """One document; form feeds part its pages."""
    builder = reading.builder()
    pages = reading.text().split("\f")
    if len(pages) > 1 and not pages[-1].strip():
        pages.pop()  # printers end the last page as well
    for page in pages:
        if len(pages) > 1:
            builder.page()
        builder.block(page)
    title = _title_line(next((page for page in pages if page.strip()), ""))
    return [builder.document(reading.id, title or reading.name_title, reading.about)]


def read_markdown(reading: Reading) -> list[Document]:
    """One document: text without marks, headings in `Document.headings`, front matter in the metadata."""
    text = clean_text(reading.text())
    title = ""
    front = _FRONT_MATTER.match(text)
    if front:
        told = _front_matter(front[1])
        title = told.pop("title", "")
        for name, value in told.items():
            reading.tell(name, value)
        if told or title:
            text = text[front.end() :]
    builder = reading.builder()
    write_fragment(_markdown().render(text), builder)
    title = title or (builder.headings[0].text if builder.headings else reading.name_title)
    return [builder.document(reading.id, title, reading.about)]


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _title_line(text: str) -> str:
    """The first line, if it stands alone, is short and does not end like a sentence."""
    lines = text.lstrip().split("\n", 2)
    first = clean_line(lines[0])
    alone = len(lines) > 1 and not lines[1].strip()
    return first if alone and len(first) <= _TITLE_CHARACTERS and first[-1:] not in ".;:,!" else ""


def _front_matter(text: str) -> dict[str, str]:
    """Title, author, date and tags of a YAML header; nothing if it is not one."""
    try:
        header = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    if not isinstance(header, dict):
        return {}
    told = {}
    for key, value in header.items():
        name = _TOLD.get(str(key).strip().lower())
        if name and isinstance(value, list):
            value = ", ".join(item for item in value if isinstance(item, str))
        if name and isinstance(value, str) and value.strip():
            told[name] = clean_line(value)
    return told
