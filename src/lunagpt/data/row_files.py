"""Files of rows, read one row at a time: CSV, JSON, JSON Lines, YAML and XML.

A row is a mapping of field names to values. These readers keep names and values as they are written, which is
what conversion needs; the loaders (:mod:`lunagpt.data.loaders`) make documents to read out of the same files.
"""

from __future__ import annotations

import codecs
import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from lunagpt.data.loaders.encoding import decode
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.errors import DataError, reason_of

#: Format by file suffix.
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".xml": "xml",
}

#: What a reader yields: line or number of the row, from 1, and the row or why it cannot be read.
ReadRow = tuple[int, dict[str, Any] | str]

_BLOCK_BYTES = 1 << 20
_CELL_CHARACTERS = 1 << 24
_NO_OBJECT = "a linha não é um objeto com campos"


def format_of(path: str | os.PathLike[str], given: str | None = None) -> str:
    """The format of a file: `given`, or what its name says.

    Raises:
        DataError: it is none of those that can be read and written.
    """
    known = sorted(set(FORMATS.values()))
    suffix = Path(path).suffix.lower()
    name = given.lower().lstrip(".") if given else FORMATS.get(suffix, "")
    name = FORMATS.get(f".{name}", name)
    if name not in known:
        what = f'O formato "{given}"' if given else f'O formato de "{Path(path).name}"'
        raise DataError(f"{what} não é conhecido. Formatos aceitos: {', '.join(known)}.")
    return name


def read_rows(path: str | os.PathLike[str], file_format: str) -> Iterator[ReadRow]:
    """Yield the rows of a file; one that cannot be read comes as the reason, in Portuguese.

    CSV, TSV, JSON Lines and XML are streamed; JSON and YAML are read whole. The encoding is found out; so is
    the delimiter of CSV. Of a JSON or YAML object with a single list of objects in it, that list is the rows.

    Raises:
        DataError: the file cannot be opened or is not of this format.
    """
    path = Path(path).expanduser()
    readers = {"csv": _csv, "tsv": _tsv, "json": _json, "jsonl": _jsonl, "yaml": _yaml, "xml": _xml}
    try:
        yield from readers[file_format](path)
    except FileNotFoundError as error:
        raise DataError(f'Não encontrei o arquivo "{path}". Confira o caminho.') from error
    except FileProblem as problem:
        raise DataError(f'O arquivo "{path.name}" {problem}.') from problem
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(
            f'Não consegui ler "{path}": {reason_of(error)}. Confira se o arquivo está inteiro.'
        ) from error


def encoding_of(path: Path) -> str:
    """Name of the encoding of a text file, whatever its size: UTF-8 if all of it is.

    Raises:
        FileProblem: it is no text.
        OSError: it cannot be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open(path, "rb") as stream:
        head = block = stream.read(_BLOCK_BYTES)
        while block:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return decode(block[:_BLOCK_BYTES] if block is not head else head).encoding
            block = stream.read(_BLOCK_BYTES)
    found = decode(head[: -4 or None] if len(head) == _BLOCK_BYTES else head).encoding
    return "utf-8-sig" if found == "utf-8" else found


def _csv(path: Path, delimiter: str | None = None) -> Iterator[ReadRow]:
    csv.field_size_limit(_CELL_CHARACTERS)
    with open(path, encoding=encoding_of(path), newline="") as stream:
        header = stream.readline()
        if header.strip().lower().startswith("sep=") and len(header.strip()) == 5:  # written by spreadsheets
            delimiter = header.strip()[4]
        else:
            stream.seek(0)
        delimiter = delimiter or max(",;\t|", key=header.count)
        reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True)
        names: list[str] = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [cell.strip() or f"coluna {place}" for place, cell in enumerate(cells, start=1)]
            elif len(cells) != len(names):
                yield reader.line_num, f"tem {len(cells)} colunas, e o cabeçalho tem {len(names)}"
            else:
                yield reader.line_num, dict(zip(names, cells, strict=True))


def _tsv(path: Path) -> Iterator[ReadRow]:
    return _csv(path, "\t")


def _jsonl(path: Path) -> Iterator[ReadRow]:
    with open(path, encoding=encoding_of(path)) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                yield number, reason_of(error)
            else:
                yield number, row if isinstance(row, dict) else _NO_OBJECT


def _json(path: Path) -> Iterator[ReadRow]:
    try:
        value = json.loads(path.read_text(encoding_of(path)))
    except json.JSONDecodeError as error:
        place = f"linha {error.lineno}, coluna {error.colno}"
        raise DataError(f'"{path.name}" não é um JSON válido ({place}). Corrija o arquivo.') from error
    except RecursionError as error:
        raise DataError(f'"{path.name}" tem listas aninhadas demais para ser uma tabela.') from error
    yield from _rows_of(value)


def _yaml(path: Path) -> Iterator[ReadRow]:
    text = path.read_text(encoding_of(path))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # A few aliases can stand for gigabytes once they are written out.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader)):
            raise DataError(
                f'"{path.name}" usa apelidos do YAML (*nome), que a conversão não aceita. '
                "Escreva os valores por extenso."
            )
        value = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        raise DataError(f'"{path.name}" não serve: {reason_of(error)}. Corrija o arquivo.') from error
    yield from _rows_of(value)


def _xml(path: Path) -> Iterator[ReadRow]:
    number, depth = 0, 0
    root: ElementTree.Element | None = None
    try:
        for event, element in ElementTree.iterparse(path, events=("start", "end")):
            if event == "start":
                root = element if root is None else root
                depth += 1
                continue
            depth -= 1
            if depth == 1 and root is not None:
                number += 1
                value = _xml_value(element)
                yield number, value if isinstance(value, dict) else _NO_OBJECT
                root.clear()
    except (ElementTree.ParseError, RecursionError) as error:
        raise DataError(f'"{path.name}" não serve: {reason_of(error)}. Corrija o arquivo.') from error


def _xml_value(element: ElementTree.Element) -> Any:
    """Text of an element without parts, else its attributes and parts as fields; repeated ones as a list."""
    fields: dict[str, Any] = dict(element.attrib)
    for part in element:
        name, value = part.tag.rpartition("}")[2], _xml_value(part)
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    text = (element.text or "").strip()
    if not fields:
        return text
    return {**fields, "text": text} if text and "text" not in fields else fields


def _rows_of(value: Any) -> Iterator[ReadRow]:
    """The rows in a JSON or YAML value."""
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list) and item]
        tables = [item for item in lists if all(isinstance(row, dict) for row in item)]
        value = tables[0] if len(tables) == 1 and len(value) == len(lists) == 1 else [value]
    for number, row in enumerate(value if isinstance(value, list) else [value], start=1):
        yield number, row if isinstance(row, dict) else _NO_OBJECT
