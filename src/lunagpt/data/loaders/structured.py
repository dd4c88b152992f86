"""CSV, JSON, JSON Lines and YAML → documents."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal

import yaml

from lunagpt.data.documents import Document
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.cleaning import clean_line, clean_text
from lunagpt.data.loaders.outline import NodeReader, write_node
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.reading import Reading
from lunagpt.data.loaders.rows import Row, documents_of_rows, is_text_row

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_CELL_CHARACTERS = 1 << 20
_YAML_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_YAML_NOTHING = ("", "~", "null", "Null", "NULL")
_LONG_INTEGER = 19  # digits; more do not fit into 64 bits and are kept as text


def read_csv(reading: Reading) -> list[Document]:
    """Rows of CSV or TSV; the delimiter is found out, and whether the first row names the columns."""
    text = reading.text().replace("\0", "")
    head, _, rest = text.partition("\n")
    given = ""
    if head.strip().lower().startswith("sep=") and len(head.strip()) == 5:  # spreadsheets write this line
        given, text = head.strip()[4], rest
    delimiter = given or _delimiter(text)
    try:
        table = list(_csv_rows(text, delimiter, 0))
    except csv.Error:
        reading.notes.append(problems.UNBALANCED_QUOTES)
        try:
            table = list(_csv_rows(text, delimiter, 3))
        except csv.Error as error:
            raise FileProblem(problems.BROKEN.format(reason=str(error))) from error
    if not table:
        raise FileProblem(problems.NO_TEXT)
    names = [clean_line(cell) for cell in table[0][1]]
    has_header = len(table) > 1 and _is_header(names)
    width = max(len(cells) for _, cells in table)
    columns = [
        (names[place] if has_header and place < len(names) else "") or f"coluna {place + 1}"
        for place in range(width)
    ]
    rows: list[Row] = [
        (number, {column: cell for column, cell in zip(columns, cells, strict=False) if cell.strip()})
        for number, cells in table[has_header:]
    ]
    return documents_of_rows(rows, reading)


def read_json(reading: Reading) -> list[Document]:
    """A list of objects is rows; an object with a text is a document; anything else is an outline."""
    try:
        value = _json(_without_mark(reading.text()))
    except json.JSONDecodeError as error:
        place = f"linha {error.lineno}, coluna {error.colno}"
        raise FileProblem(problems.BROKEN.format(reason=f"não é um JSON válido ({place})")) from error
    return _documents_of_value(value, reading)


def read_jsonl(reading: Reading) -> list[Document]:
    """A row on every line; lines that are no JSON are left out, with a notice."""
    rows: list[Row] = []
    broken, first_reason = 0, ""
    for number, line in enumerate(_without_mark(reading.text()).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append((number, _json(line)))
        except (json.JSONDecodeError, FileProblem) as error:
            broken += 1
            column = f", coluna {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            first_reason = first_reason or f"linha {number}{column}: não é um JSON válido"
    if broken and not rows:
        raise FileProblem(problems.BROKEN_ROWS.format(reason=first_reason))
    if broken:
        total = broken + len(rows)
        reading.notes.append(problems.ROWS_BROKEN.format(count=broken, total=total, reason=first_reason))
    if not rows:
        raise FileProblem(problems.NO_TEXT)
    return documents_of_rows(rows, reading)


def read_yaml(reading: Reading) -> list[Document]:
    """Like JSON; several documents in one file are rows. Values stay as they are written ("1.10", "no")."""
    text = clean_text(reading.text())
    try:
        _check_yaml_depth(text, reading)
        values = [_yaml_plain(value) for value in yaml.load_all(text, Loader=_YAML_LOADER)]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (linha {mark.line + 1}, coluna {mark.column + 1})" if mark else ""
        raise FileProblem(problems.BROKEN.format(reason=f"não é um YAML válido{place}")) from error
    values = [value for value in values if value not in (None, "")]
    if not values:
        raise FileProblem(problems.NO_TEXT)
    return _documents_of_value(values[0] if len(values) == 1 else values, reading)


def _documents_of_value(value: Any, reading: Reading) -> list[Document]:
    if isinstance(value, Mapping):
        if is_text_row(value):
            return documents_of_rows([(1, value)], reading)
        lists = [item for item in value.values() if isinstance(item, list)]
        # {"artigos": [{"titulo": …, "texto": …}, …]}
        if (
            len(lists) == 1
            and lists[0]
            and all(isinstance(row, Mapping) and is_text_row(row) for row in lists[0])
        ):
            value = lists[0]
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        return documents_of_rows(list(enumerate(value, start=1)), reading)
    builder = reading.builder()
    write_node(NodeReader(reading.limits).node(value), builder)
    return [builder.document(reading.id, reading.name_title, reading.about)]


def _csv_rows(text: str, delimiter: str, quoting: Literal[0, 3]) -> Iterator[tuple[int, list[str]]]:
    """Number of the line on which the row ends, and its cells; empty rows are left out."""
    csv.field_size_limit(_CELL_CHARACTERS)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=quoting,
        skipinitialspace=delimiter != "\t",
    )
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _delimiter(text: str) -> str:
    """The delimiter that parts the first rows into equally many cells, most of them if several do."""
    scores = {}
    for delimiter in _DELIMITERS:
        try:
            rows = [len(cells) for _, cells in islice(_csv_rows(text[:100_000], delimiter, 0), _SAMPLE_ROWS)]
        except csv.Error:
            continue
        if rows and max(rows) > 1:
            usual = max(set(rows), key=rows.count)
            if usual > 1:
                scores[delimiter] = (rows.count(usual) / len(rows), usual)
    return max(scores, key=lambda delimiter: scores[delimiter]) if scores else ","


def _is_header(names: list[str]) -> bool:
    """Whether a first row names columns: all filled, different, short, and none a number."""
    filled = [name for name in names if name]
    return (
        len(filled) >= max(1, len(names) - 1)
        and len({name.lower() for name in filled}) == len(filled)
        and all(len(name) <= 80 and not name[0].isdigit() for name in filled)
    )


def _without_mark(text: str) -> str:
    """JSON knows no byte order mark, nor NUL; other characters are cleaned in the values."""
    return text.lstrip("\ufeff").replace("\0", "")


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=str)
    except RecursionError as error:
        raise FileProblem(problems.TOO_DEEP.format(limit="1.000")) from error


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < _LONG_INTEGER else digits


class _Number(float):
    """A number that is written as it stands in the file: 1.10, not 1.1."""

    def __new__(cls, digits: str) -> _Number:
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    digits: str

    def __str__(self) -> str:
        return self.digits


def _number(digits: str) -> float | str:
    value = _Number(digits)
    return value if math.isfinite(value) else digits


def _check_yaml_depth(text: str, reading: Reading) -> None:
    """Refuse what is nested too deeply before anything recursive sees it."""
    loader = getattr(yaml, "CLoader", yaml.Loader)
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > reading.limits.depth:
                raise FileProblem(problems.TOO_DEEP.format(limit=reading.limits.depth))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _yaml_plain(value: Any) -> Any:
    """Top-level nothing as None; what is nested is looked at when it is written."""
    return None if isinstance(value, str) and value in _YAML_NOTHING else value
