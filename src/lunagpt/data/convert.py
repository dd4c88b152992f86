"""`FormatConverter`: rows from one format and set of names into another."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lunagpt.data.documents import CONTENT_FIELDS, TITLE_FIELDS, find_field, first_line
from lunagpt.data.row_files import format_of, read_rows
from lunagpt.data.row_writing import as_cell, write_rows
from lunagpt.errors import DataError
from lunagpt.reporting.numbers import counted

_REASONS_KEPT = 20
_REASONS_SHOWN = 5
_FIELDS_SHOWN = 12


@dataclass
class ConversionReport:
    """What a conversion did; `str()` tells it in Portuguese.

    Attributes:
        output: the file that was written.
        rows: rows read.
        written: rows written.
        problems: line or number, and the reason, of the first rows that were left out.
    """

    output: Path
    rows: int = 0
    written: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        """Rows that were read and not written."""
        return self.rows - self.written

    def refuse(self, number: int, reason: str) -> None:
        """Note that a row is left out."""
        if len(self.problems) < _REASONS_KEPT:
            self.problems.append((number, reason))

    def __str__(self) -> str:
        lines = [f'{counted(self.written, "registro gravado", "registros gravados")} em "{self.output}".']
        if self.left_out:
            lines.append(f"{counted(self.left_out, 'registro ficou', 'registros ficaram')} de fora:")
            lines += [f"  linha {number}: {reason}" for number, reason in self.problems[:_REASONS_SHOWN]]
            if self.left_out > _REASONS_SHOWN:
                lines.append(f"  e mais {self.left_out - _REASONS_SHOWN}")
        return "\n".join(lines)


class FormatConverter:
    """Converts between CSV, TSV, JSON, JSON Lines, YAML and XML; see :mod:`lunagpt.data.row_files`.

    Fields are found whatever their capitals, and ``"autor.nome"`` is the field ``nome`` inside ``autor``. A
    row that cannot be used is left out and reported. The output appears complete or not at all, so input and
    output may be the same file.
    """

    def convert_format(
        self,
        input_file: str | os.PathLike[str],
        output_file: str | os.PathLike[str],
        input_format: str | None = None,
        output_format: str | None = None,
        mapping: Mapping[str, str] | None = None,
        keep_unmapped: bool = True,
    ) -> ConversionReport:
        """Writes the rows of a file in another format, with other field names.

        Args:
            input_file, output_file: paths; the folder of the output is created.
            input_format, output_format: ``csv``, ``tsv``, ``json``, ``jsonl``, ``yaml`` or ``xml``; by
                default what the file names say.
            mapping: new name by field.
            keep_unmapped: whether fields that `mapping` does not name are kept as they are.

        Raises:
            DataError: a file or format is unknown, or no row has the fields of `mapping`.
        """
        renames = dict(mapping or {})

        def convert(row: dict[str, Any], _: int) -> dict[str, Any]:
            values = {new: _value(row, old) for old, new in renames.items()}
            if keep_unmapped or not renames:
                used: set[str | None] = {_key(row, old) for old in renames}
                values |= {
                    name: item for name, item in row.items() if name not in used and name not in values
                }
            return values

        report = ConversionReport(Path(output_file))
        rows = _converted(input_file, format_of(input_file, input_format), convert, report)
        report.written = write_rows(output_file, format_of(output_file, output_format), rows)
        return report

    def convert_to_rag_format(
        self,
        input_file: str | os.PathLike[str],
        output_file: str | os.PathLike[str],
        content_field: str | None = None,
        title_field: str | None = None,
        metadata_fields: Sequence[str] | None = None,
        id_field: str | None = None,
        input_format: str | None = None,
    ) -> ConversionReport:
        """Writes the rows of a file as documents of a knowledge base: id, title, content and metadata.

        Args:
            input_file, output_file: paths; the output is JSON Lines, or JSON if its name ends in ``.json``.
            content_field: field with the text; by default one of the usual names (content, text, texto, …).
            title_field: field with the title; by default a usual name. Without a title, the text's first
                line serves.
            metadata_fields: fields for the metadata, of those that a row has; by default all the others.
            id_field: field with the id; by default ``id``, else the file's name and the number of the row.
            input_format: see :meth:`convert_format`.

        Raises:
            DataError: a file or format is unknown, or no row has the fields named.
        """
        path = Path(input_file)
        seen: set[str] = set()

        def convert(row: dict[str, Any], number: int) -> dict[str, Any]:
            content_name = content_field or find_field(row, CONTENT_FIELDS)
            if content_name is None:
                raise DataError("não tem texto; diga qual é o campo dele com content_field")
            content = as_cell(_value(row, content_name)).strip()
            if not content:
                raise DataError(f'o campo "{content_name}" está vazio')
            title_name = title_field or find_field(row, TITLE_FIELDS)
            title = as_cell(_value(row, title_name)).strip() if title_name else ""
            identity = as_cell(_value(row, id_field) if id_field else row.get("id")).strip()
            if metadata_fields is None:
                used = {_key(row, name) for name in (content_name, title_name, id_field or "id") if name}
                metadata = {name: value for name, value in row.items() if name not in used}
            else:
                metadata = {name: _value(row, name) for name in metadata_fields if _has(row, name)}
            return {
                "id": _unused(identity or f"{path.stem}_{number}", seen),
                "title": title or first_line(content),
                "content": content,
                "metadata": {"source": path.name, **metadata},
            }

        report = ConversionReport(Path(output_file))
        rows = _converted(path, format_of(path, input_format), convert, report, metadata_fields or ())
        target = "json" if Path(output_file).suffix.lower() == ".json" else "jsonl"
        report.written = write_rows(output_file, target, rows)
        return report


def _converted(
    path: str | os.PathLike[str],
    file_format: str,
    convert: Callable[[dict[str, Any], int], dict[str, Any]],
    report: ConversionReport,
    optional: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """The rows of a file after `convert`, which raises DataError for those to be left out.

    Raises:
        DataError: no row is left, or a field of `optional` is in none.
    """
    absent = set(optional)
    fields: dict[str, None] = {}
    kept = 0
    for number, row in read_rows(path, file_format):
        report.rows += 1
        if isinstance(row, str):
            report.refuse(number, row)
            continue
        if len(fields) < _FIELDS_SHOWN:
            fields.update(dict.fromkeys(row))
        absent -= {name for name in absent if _has(row, name)}
        try:
            converted = convert(row, report.rows)
        except DataError as error:
            report.refuse(number, str(error))
            continue
        kept += 1
        yield converted
    name = Path(path).name
    if not report.rows:
        raise DataError(f'Não há nenhum registro em "{name}". Confira se o arquivo não está vazio.')
    if not kept:
        number, reason = report.problems[0]
        raise DataError(f'Nenhum registro de "{name}" pôde ser convertido. Na linha {number}: {reason}.')
    if absent:
        raise DataError(f'Nenhum registro de "{name}" tem {_missing(sorted(absent)[0], list(fields))}.')


def _key(row: Mapping[str, Any], name: str) -> str | None:
    """The key of `row` that is `name`, whatever its capitals."""
    if name in row:
        return name
    wanted = name.strip().lower()
    return next((key for key in row if str(key).strip().lower() == wanted), None)


def _has(row: Mapping[str, Any], name: str) -> bool:
    try:
        _value(row, name)
    except DataError:
        return False
    return True


def _value(row: Mapping[str, Any], name: str) -> Any:
    """The value of a field, maybe inside another.

    Raises:
        DataError: there is no such field.
    """
    key = _key(row, name)
    if key is not None:
        return row[key]
    outer, _, inner = name.partition(".")
    key = _key(row, outer)
    if inner and key is not None and isinstance(row[key], Mapping):
        return _value(row[key], inner)
    raise DataError(f"não tem {_missing(name, list(row))}")


def _missing(name: str, fields: Sequence[str]) -> str:
    similar = difflib.get_close_matches(name, fields, n=1)
    hint = f'; você quis dizer "{similar[0]}"?' if similar else f" (campos: {', '.join(fields) or 'nenhum'})"
    return f'o campo "{name}"{hint}'


def _unused(identity: str, seen: set[str]) -> str:
    """`identity`, with a number behind it if an earlier row has it already."""
    unused, number = identity, 1
    while unused in seen:
        number += 1
        unused = f"{identity}#{number}"
    seen.add(unused)
    return unused
