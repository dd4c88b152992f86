"""Rows (of CSV, JSON, JSON Lines, YAML) → documents.

Rows that are texts (of a knowledge base, articles, questions with answers) become a document each. Other rows
are a table: one document with a line "coluna: valor; coluna: valor" for every row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lunagpt.data.documents import CONTENT_FIELDS, Document, find_field
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.cleaning import clean_line, clean_text, tidy_lines
from lunagpt.data.loaders.outline import NodeReader, plain_value, scalar_text, write_node
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.reading import Reading
from lunagpt.errors import DataError
from lunagpt.reporting.numbers import decimal

_QUESTION_FIELDS = ("pergunta", "question", "instruction", "instrucao", "instrução", "q")
_ANSWER_FIELDS = ("resposta", "answer", "output", "saida", "saída", "r", "a")

_SAMPLE_ROWS = 200

Row = tuple[int, Any]  # number of the row or line in the file, from 1, and its value


def documents_of_rows(rows: Sequence[Row], reading: Reading) -> list[Document]:
    """Documents of a file's rows.

    Raises:
        FileProblem: no text, or a limit is passed.
    """
    if len(rows) > reading.limits.rows:
        raise FileProblem(problems.TOO_MANY_ROWS.format(limit=decimal(reading.limits.rows)))
    sample = rows[:: max(1, len(rows) // _SAMPLE_ROWS)]
    if sum(is_text_row(row) for _, row in sample) * 2 <= len(sample):
        return [_table(rows, reading)]
    documents: list[Document] = []
    seen: set[str] = set()
    broken = 0
    first_reason = ""
    for number, row in rows:
        try:
            document = _row_document(number, row, reading)
        except DataError as error:
            broken += 1
            first_reason = first_reason or str(error)
            continue
        if document.id in seen:
            document = _renamed(document, f"{document.id}#{number}")
        seen.add(document.id)
        documents.append(document)
    if broken:
        if not documents:
            raise FileProblem(problems.BROKEN_ROWS.format(reason=first_reason))
        reading.notes.append(
            problems.ROWS_BROKEN.format(count=broken, total=len(rows), reason=first_reason.rstrip("."))
        )
    return documents


def is_text_row(row: Any) -> bool:
    """Whether a row is a text by itself: a string, or an object with a text or a question and its answer."""
    if isinstance(row, str):
        return bool(row.strip())
    if not isinstance(row, Mapping):
        return False
    return find_field(row, CONTENT_FIELDS) is not None or _question_and_answer(row) is not None


def _question_and_answer(row: Mapping[str, Any]) -> tuple[str, str] | None:
    question, answer = find_field(row, _QUESTION_FIELDS), find_field(row, _ANSWER_FIELDS)
    return (question, answer) if question is not None and answer is not None else None


def _row_document(number: int, row: Any, reading: Reading) -> Document:
    default_id = f"{reading.id}#{number}"
    if isinstance(row, Mapping) and find_field(row, CONTENT_FIELDS) is None:
        row = _with_content(row, reading)
    document = Document.from_any(row, default_id)
    content = tidy_lines(clean_text(document.content)).strip()
    if not content:
        raise DataError("o texto está vazio")
    if len(content) > reading.limits.characters:
        raise DataError(problems.TOO_MUCH_TEXT.format(limit=decimal(reading.limits.characters / 1e6, 6)))
    same = content == document.content
    metadata = {**reading.about, "file": reading.id, "line": number, **plain_value(document.metadata)}
    return Document(
        clean_line(document.id) or default_id,
        clean_line(document.title) or default_id,
        content,
        metadata,
        document.headings if same else (),  # their offsets counted the characters as they were
        document.pages if same else (),
    )


def _with_content(row: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """The row with a ``content`` made of its columns; a question serves as title.

    A question and its answer stand without the names of their columns, so that the answer can be quoted.
    """
    pair = _question_and_answer(row)
    if pair is None:
        builder = reading.builder()
        write_node(NodeReader(reading.limits).node(row), builder)
        document = builder.document("", "", {})
        return {"id": row.get("id"), "title": document.title, "content": document.content}
    used = [pair[0], *(key for key in ("input", "contexto", "context") if scalar_text(row.get(key))), pair[1]]
    lines = [scalar_text(row[key]) for key in dict.fromkeys(used)]
    rest = {key: value for key, value in row.items() if key not in used}
    return {"title": scalar_text(row[pair[0]]), **rest, "content": "\n".join(lines)}


def _renamed(document: Document, identity: str) -> Document:
    return Document(
        identity, document.title, document.content, document.metadata, document.headings, document.pages
    )


def _table(rows: Sequence[Row], reading: Reading) -> Document:
    reader = NodeReader(reading.limits)
    builder = reading.builder()
    write_node([("", node) for _, row in rows if (node := reader.node(row))], builder)
    reading.about["rows"] = len(rows)
    return builder.document(reading.id, reading.name_title, reading.about)
