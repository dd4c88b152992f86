"""Rows → files: CSV, JSON, JSON Lines, YAML and XML, complete or not at all."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree

import yaml

from lunagpt.errors import DataError
from lunagpt.files import atomic_text_writer

_NOT_IN_TAG = re.compile(r"[^\w.-]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LINE_WIDTH = 110


def write_rows(path: str | os.PathLike[str], file_format: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows into a file, which appears complete or not at all; returns how many.

    JSON Lines and JSON are streamed. The columns of CSV and TSV are all fields that occur, in the order in
    which they first occur; a value that is no single value becomes JSON there.

    Raises:
        DataError: a value cannot be written in this format.
        OSError: the folder cannot be written.
    """
    writers = {
        "csv": _write_csv,
        "tsv": _write_tsv,
        "json": _write_json,
        "jsonl": _write_jsonl,
        "yaml": _write_yaml,
        "xml": _write_xml,
    }
    with atomic_text_writer(Path(path).expanduser()) as stream:
        return writers[file_format](stream, rows)


def _write_jsonl(stream: TextIO, rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    for row in rows:
        stream.write(_as_json(row) + "\n")
        count += 1
    return count


def _write_json(stream: TextIO, rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    for row in rows:
        stream.write((",\n" if count else "[\n") + _as_json(row))
        count += 1
    stream.write("\n]\n" if count else "[]\n")
    return count


def _write_csv(stream: TextIO, rows: Iterable[Mapping[str, Any]], delimiter: str = ",") -> int:
    table = list(rows)
    columns = list(dict.fromkeys(str(name) for row in table for name in row))
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([as_cell(row.get(name)) for name in columns] for row in table)
    return len(table)


def _write_tsv(stream: TextIO, rows: Iterable[Mapping[str, Any]]) -> int:
    return _write_csv(stream, rows, "\t")


def _write_yaml(stream: TextIO, rows: Iterable[Mapping[str, Any]]) -> int:
    table = [json.loads(_as_json(row)) for row in rows]
    yaml.safe_dump(table, stream, allow_unicode=True, sort_keys=False, width=_LINE_WIDTH)
    return len(table)


def _write_xml(stream: TextIO, rows: Iterable[Mapping[str, Any]]) -> int:
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<rows>\n')
    count = 0
    for row in rows:
        element = ElementTree.Element("row")
        _add_parts(element, json.loads(_as_json(row)))
        stream.write(ElementTree.tostring(element, encoding="unicode") + "\n")
        count += 1
    stream.write("</rows>\n")
    return count


def _add_parts(element: ElementTree.Element, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        tag = _NOT_IN_TAG.sub("_", name)
        for item in value if isinstance(value, list) else [value]:
            part = ElementTree.SubElement(element, tag if tag[:1].isalpha() else f"_{tag}")
            if isinstance(item, Mapping):
                _add_parts(part, item)
            elif item is not None:
                part.text = _NOT_IN_XML.sub("\ufffd", as_cell(item))


def as_cell(value: Any) -> str:
    """A value as the text of one cell: nothing for none, JSON for what is no text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _as_json(value)


def _as_json(value: Any) -> str:
    """JSON on one line; dates in ISO form.

    Raises:
        DataError: a value that JSON does not know.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, default=_iso_date, allow_nan=False)
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, default=_iso_date)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"Não sei gravar este valor: {error}. Use textos, números, listas e objetos."
        ) from error
    return text


def _iso_date(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__}: {value!r}"[:200])
