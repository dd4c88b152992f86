"""Files → rows: streaming readers for parquet, JSON Lines, JSON, CSV and plain text.

A row is a dictionary of columns with the place it came from. A row that cannot be read does not stop the
reading: it is reported with file and line, and the rest goes on.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lunagpt.data.loaders.encoding import decode
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.errors import DataError, missing_extra, reason_of

logger = logging.getLogger(__name__)

TEXT_SUFFIXES = (".txt", ".md")
SUPPORTED = (".parquet", ".jsonl", ".jsonl.gz", ".json", ".csv", *TEXT_SUFFIXES)

_PARQUET_BATCH_ROWS = 256
_MESSAGES_KEPT = 20


@dataclass
class ReadReport:
    """What a reading met: rows seen, examples kept, and broken rows with the reason in Portuguese."""

    rows: int = 0
    examples: int = 0
    filtered: int = 0
    broken: int = 0
    messages: list[str] = field(default_factory=list)

    def add_broken(self, place: str, reason: str) -> None:
        """Count a broken row; only the first reasons are kept and logged, lest a bad file flood the log."""
        self.broken += 1
        if len(self.messages) < _MESSAGES_KEPT:
            message = f"{place}: {reason}"
            self.messages.append(message)
            logger.warning("Linha ignorada em %s", message)

    def close(self, name: str) -> None:
        """Log the total of broken rows.

        Raises:
            DataError: there was something to read and nothing of it was usable.
        """
        if self.broken > len(self.messages):
            logger.warning('"%s": %d linhas ignoradas ao todo.', name, self.broken)
        if self.examples:
            return
        if self.broken:
            details = "\n  ".join(self.messages[:3])
            raise DataError(
                f'Nenhuma das {self.rows} linhas de "{name}" pôde ser aproveitada. '
                f"Primeiros problemas:\n  {details}\n"
                "Corrija o arquivo ou retire a fonte da configuração."
            )
        if self.rows:
            raise DataError(
                f'Os filtros de "{name}" recusaram todas as {self.rows} linhas lidas. '
                "Confira where, exclude, reject e fraction na configuração."
            )
        raise DataError(f'Não há nenhuma linha em "{name}". Confira se os arquivos não estão vazios.')


def resolve_paths(patterns: list[str], root: str | os.PathLike[str] | None = None) -> list[Path]:
    """Files named by `patterns` (names, folders or globs, relative to `root`), each once, sorted within a
    pattern.

    Raises:
        DataError: a pattern names nothing, or a file of a kind that is not supported.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        full = Path(pattern).expanduser()
        if root is not None and not full.is_absolute():
            full = Path(root).expanduser() / full
        if full.is_dir():
            matches = sorted(path for path in full.rglob("*") if path.is_file() and _kind(path))
        elif full.is_file():
            matches = [full]
        else:
            matches = sorted(
                Path(name) for name in glob.glob(str(full), recursive=True) if Path(name).is_file()
            )
        if not matches:
            raise DataError(
                f'Não encontrei nenhum arquivo de dados em "{full}". '
                "Confira o caminho e a pasta dos dados (root na receita, ou --data-root)."
            )
        for path in matches:
            if not _kind(path):
                raise DataError(
                    f'O formato de "{path}" não é conhecido. Formatos aceitos: {", ".join(SUPPORTED)}.'
                )
            found[path] = None
    return list(found)


def read_rows(path: str | os.PathLike[str], report: ReadReport) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``(place, row)`` for every readable row of `path`; `place` is ``"file.jsonl, linha 12"``.

    Rows of parquet and JSON Lines are streamed, a few hundred in memory at once; other files are read whole.
    CSV and plain text may have any encoding that is usual in Brazil, JSON is UTF-8.
    Unreadable rows are counted in `report`; all rows seen are added to ``report.rows``.

    Raises:
        DataError: the file cannot be opened or is not of the kind that its name says.
        MissingDependencyError: pyarrow is needed and not installed.
    """
    path = Path(path)
    readers = {"parquet": _parquet, "jsonl": _jsonl, "json": _json, "csv": _csv, "text": _text}
    kind = _kind(path)
    if not kind:
        raise DataError(f'O formato de "{path}" não é conhecido. Formatos aceitos: {", ".join(SUPPORTED)}.')
    try:
        for line, row in readers[kind](path):
            report.rows += 1
            place = f"{path.name}, linha {line}"
            if isinstance(row, dict):
                yield place, row
            else:
                report.add_broken(place, row)
    except FileProblem as problem:
        raise DataError(f'"{path}" {problem}.') from problem
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise DataError(
            f'Não consegui ler "{path}": {reason_of(error)}. Confira se o arquivo está inteiro e em UTF-8.'
        ) from error


def _kind(path: Path) -> str:
    name = path.name.lower()
    for suffix, kind in (
        (".parquet", "parquet"),
        (".jsonl", "jsonl"),
        (".jsonl.gz", "jsonl"),
        (".json", "json"),
        (".csv", "csv"),
    ):
        if name.endswith(suffix):
            return kind
    return "text" if name.endswith(TEXT_SUFFIXES) else ""


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise missing_extra("pyarrow", "train", "ler arquivos parquet") from error
    line = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_BATCH_ROWS, use_threads=False):
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except pyarrow.ArrowException as error:
        raise DataError(
            f'"{path}" não é um arquivo parquet válido: {error}. Baixe ou gere o arquivo de novo.'
        ) from error


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as stream:
        for line, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            try:
                row = json.loads(raw.decode("utf-8-sig"))
            except json.JSONDecodeError as error:
                yield line, f"JSON inválido na coluna {error.colno}"
            except UnicodeDecodeError:
                yield line, "o texto não está em UTF-8"
            else:
                yield line, row if isinstance(row, dict) else "a linha não é um objeto JSON"


def _json(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    with open(path, encoding="utf-8-sig") as stream:
        try:
            content = json.load(stream)
        except json.JSONDecodeError as error:
            raise DataError(
                f'"{path}" não é um JSON válido (linha {error.lineno}, coluna {error.colno}). '
                "Corrija o arquivo."
            ) from error
    for number, row in enumerate(content if isinstance(content, list) else [content], start=1):
        yield number, row if isinstance(row, dict) else "o item não é um objeto JSON"


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    text = _decoded(path)
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    for row in reader:
        if None in row or None in row.values():
            yield reader.line_num, "número de colunas diferente do cabeçalho"
        else:
            yield reader.line_num, {str(name).strip().lower(): value for name, value in row.items()}


def _text(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    text = _decoded(path).replace("\r\n", "\n").replace("\r", "\n").strip()
    yield 1, {"text": text} if text else "o arquivo está vazio"


def _decoded(path: Path) -> str:
    found = decode(path.read_bytes())
    if found.doubtful:
        raise FileProblem(
            "tem bytes que não são letras em nenhuma codificação conhecida; confira se está inteiro"
        )
    return found.text
