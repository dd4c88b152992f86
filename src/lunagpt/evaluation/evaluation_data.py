"""The files that models are measured on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from lunagpt.data.readers import ReadReport, read_rows
from lunagpt.errors import EvaluationError
from lunagpt.evaluation.task import Row, kind_of
from lunagpt.files import sha256_file

# What a folder is searched for; Markdown in a folder of data is its description.
_SUFFIXES = (".jsonl.gz", ".jsonl", ".json", ".csv", ".parquet", ".txt")


@dataclass(frozen=True)
class DataFile:
    """One file, read when first asked for.

    Attributes:
        stem: its name without the ending, by which tasks know it.
    """

    stem: str
    path: Path

    @cached_property
    def rows(self) -> list[Row]:
        """Its rows; one without an id gets its number.

        Raises:
            EvaluationError: there is no readable row.
            DataError: the file cannot be read.
        """
        report = ReadReport()
        rows = [row for _, row in read_rows(self.path, report)]
        if not rows:
            raise EvaluationError(f'Não há nenhuma linha legível em "{self.path}".')
        return [
            {**row, "id": str(number) if row.get("id") is None else row["id"]}
            for number, row in enumerate(rows, start=1)
        ]

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of its rows, see `kind_of`."""
        return frozenset(map(kind_of, self.rows))

    @cached_property
    def sha256(self) -> str:
        return sha256_file(self.path)


def shipped_data() -> Path:
    """The folder of the sets that come with the package."""
    return Path(str(resources.files("lunagpt") / "assets" / "avaliacao"))


def default_data() -> list[Path]:
    """Where evaluation data is looked for when nobody says: the shipped sets, and those in the folder that
    `LUNA_EVAL_DATA` names, or else in corpus/eval if there is such a folder."""
    named = os.environ.get("LUNA_EVAL_DATA", "").strip()
    if named:
        return [shipped_data(), Path(named).expanduser()]
    usual = Path("corpus") / "eval"
    return [shipped_data(), *([usual] if usual.is_dir() else [])]


def data_files(paths: str | Path | Sequence[str | Path]) -> dict[str, DataFile]:
    """The files named, and those in the folders named, by stem.

    Raises:
        EvaluationError: a path does not exist, nothing is found, or two files have one name.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise EvaluationError(
            "Falta dizer em que dados medir. "
            "Indique com --data arquivos ou a pasta dos conjuntos de avaliação, "
            "ou ponha essa pasta na variável LUNA_EVAL_DATA."
        )
    found: dict[str, DataFile] = {}
    for entry in map(Path, given):
        path = entry.expanduser()
        if path.is_dir():
            inside = sorted(child for child in path.iterdir() if child.is_file() and _stem(child))
            if not inside:
                raise EvaluationError(
                    f'Não há dados de avaliação na pasta "{path}" ({", ".join(_SUFFIXES)}).'
                )
        elif path.is_file():
            inside = [path]
        else:
            raise EvaluationError(f'Não encontrei "{path}". Confira o caminho dos dados de avaliação.')
        for child in inside:
            stem = _stem(child) or child.stem
            if stem in found and found[stem].path != child:
                raise EvaluationError(
                    f'Dois arquivos de avaliação têm o mesmo nome: "{found[stem].path}" e "{child}". '
                    "Deixe um deles de fora."
                )
            found[stem] = DataFile(stem, child)
    return found


def _stem(path: Path) -> str:
    name = path.name.lower()
    return next((path.name[: -len(suffix)] for suffix in _SUFFIXES if name.endswith(suffix)), "")
