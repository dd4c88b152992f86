"""What people hand to a store: texts, rows, documents, JSONL files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lunagpt.data.documents import Document
from lunagpt.errors import DataError, reason_of
from lunagpt.rag.passages import text_hash


@dataclass(frozen=True, slots=True)
class AddSummary:
    """What came of adding documents.

    Attributes:
        ids: ids of the documents, in the order given.
        changed: how many were new or different from before.
        problems: one Portuguese sentence per row that could not be used.
    """

    ids: list[str] = field(default_factory=list)
    changed: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"{len(self.ids)} documento{'s' * (len(self.ids) != 1)}"]
        parts.append(f"{self.changed} novo{'s' * (self.changed != 1)} ou alterado{'s' * (self.changed != 1)}")
        if self.problems:
            count = len(self.problems)
            parts.append(f"{count} linha{'s' * (count != 1)} com problema")
        return ", ".join(parts)


def as_documents(values: Iterable[str | Mapping[str, Any] | Document]) -> Iterator[Document]:
    """Documents from texts, rows and documents; what has no id gets one from its words.

    Raises:
        DataError: a value is none of these, or a row has no text.
    """
    for value in values:
        yield Document.from_any(value, "" if isinstance(value, Document) else _id_from_words(value))


def jsonl_documents(path: Path, problems: list[str]) -> Iterator[Document]:
    """The documents of a JSONL file; of each line that cannot be used a sentence goes to `problems`.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    yield Document.from_any(_row(line), f"{path.name}#{number}")
                except (ValueError, RecursionError) as error:
                    problems.append(f"{path.name}, linha {number}: {error}")
    except OSError as error:
        raise DataError(f'Não consegui ler "{path}": {reason_of(error)}. Confira o caminho.') from error


def _row(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise DataError(f"{reason_of(error)}.") from error


def _id_from_words(value: Any) -> str:
    return f"texto-{text_hash(json.dumps(value, ensure_ascii=True, default=str, sort_keys=True)).hex()[:12]}"
