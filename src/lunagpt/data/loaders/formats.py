"""The formats that are read: their names, the endings of their files and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import PurePath

from lunagpt.data.documents import Document
from lunagpt.data.loaders.reading import Reading
from lunagpt.errors import DataError

# Kind → endings of file names.
SUPPORTED: dict[str, tuple[str, ...]] = {
    "txt": (".txt", ".text"),
    "md": (".md", ".markdown"),
    "pdf": (".pdf",),
    "docx": (".docx",),
    "html": (".html", ".htm", ".xhtml"),
    "csv": (".csv", ".tsv"),
    "json": (".json",),
    "jsonl": (".jsonl", ".ndjson"),
    "yaml": (".yaml", ".yml"),
    "xml": (".xml",),
}
_KIND_OF = {suffix: kind for kind, suffixes in SUPPORTED.items() for suffix in suffixes}
_READERS = {
    "txt": ("plain_text", "read_text"),
    "md": ("plain_text", "read_markdown"),
    "pdf": ("pdf", "read_pdf"),
    "docx": ("word", "read_docx"),
    "html": ("web_page", "read_html"),
    "csv": ("structured", "read_csv"),
    "json": ("structured", "read_json"),
    "jsonl": ("structured", "read_jsonl"),
    "yaml": ("structured", "read_yaml"),
    "xml": ("xml_tree", "read_xml"),
}


def kind_of(path: PurePath) -> str | None:
    """The kind of a file by its name; None if it is not read."""
    return _KIND_OF.get(path.suffix.lower())


def wanted_kinds(file_types: Iterable[str] | None) -> frozenset[str]:
    """Kinds asked for, as names or endings ("pdf", ".htm", "*.md"); all if None.

    Raises:
        DataError: one of them is not read.
    """
    if file_types is None:
        return frozenset(SUPPORTED)
    kinds = set()
    for name in [file_types] if isinstance(file_types, str) else file_types:
        ending = name.strip().lower().lstrip("*.")
        kind = _KIND_OF.get(f".{ending}", ending)
        if kind not in SUPPORTED:
            raise DataError(f'O formato "{name}" não é lido. Formatos: {", ".join(SUPPORTED)}.')
        kinds.add(kind)
    return frozenset(kinds)


def reader_of(kind: str) -> Callable[[Reading], list[Document]]:
    """The function that reads a kind; what it needs is imported now."""
    module, name = _READERS[kind]
    reader: Callable[[Reading], list[Document]] = getattr(
        import_module(f"lunagpt.data.loaders.{module}"), name
    )
    return reader
