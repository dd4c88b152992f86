"""What evaluation sets and training files have in common, as `lunagpt.evaluation.contamination` found it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lunagpt.data.readers import SUPPORTED
from lunagpt.errors import DataError, reason_of
from lunagpt.reporting.numbers import counted, number

#: Version of the JSON form.
FORMAT = "lunagpt-contamination-1"
#: Items shorter than this many words are not checked.
MIN_WORDS = 8


@dataclass(frozen=True, slots=True)
class TaskOverlap:
    """What a task shares with the training data.

    Attributes:
        task: name: the evaluation file's, without its ending.
        items: rows of the file.
        checked: rows long enough to be compared.
        dirty: rows that share at least one run.
        half_dirty: rows of which at least half of the runs are shared.
        only_context: dirty rows that share nothing but runs of their context: the question itself is new.
        by_source: for each training file, how many rows share a run with it.
        dirty_ids: ids of the dirty rows (row number where there is no id), in file order.
    """

    task: str
    items: int
    checked: int
    dirty: int
    half_dirty: int
    only_context: int
    by_source: Mapping[str, int]
    dirty_ids: tuple[str, ...]

    @property
    def share(self) -> float:
        """Dirty rows among the checked ones."""
        return self.dirty / self.checked if self.checked else 0.0


@dataclass(frozen=True)
class ContaminationReport:
    """Overlap of every task with every training file.

    Attributes:
        ngram: words in a run.
        training: documents and words read of each training file, by its label.
        tasks: by name.
        seconds: wall time.
    """

    ngram: int
    training: Mapping[str, tuple[int, int]]
    tasks: Mapping[str, TaskOverlap]
    seconds: float = 0.0

    def task(self, name: str) -> TaskOverlap | None:
        """The task called `name` (an ending such as .jsonl.gz is ignored), or None if it was not examined."""
        return self.tasks.get(stem(name))

    def overlapping(self, task: str, sources: Sequence[str]) -> list[tuple[str, int]]:
        """Training files that share rows with `task` and are among the sources that a model names.

        Args:
            task: name of the task.
            sources: what the model was trained on: labels of this report ("sft/train-math"), files
                ("sft/train-math.parquet", "train-math"), folders ("sft/") or globs
                ("pretrain/docs-*.parquet").

        Returns:
            (training file, dirty rows), most first; empty if there is none or the task was not examined.
        """
        overlap = self.task(task)
        if overlap is None:
            return []
        found = [
            (label, count)
            for label, count in overlap.by_source.items()
            if any(_names(source, label) for source in sources)
        ]
        return sorted(found, key=lambda entry: -entry[1])

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, read again by `load_report`."""
        return {
            "format": FORMAT,
            "ngram": self.ngram,
            "min_words": MIN_WORDS,
            "seconds": round(self.seconds, 1),
            "training": {
                label: {"documents": documents, "words": words}
                for label, (documents, words) in self.training.items()
            },
            "tasks": {
                name: {
                    "items": overlap.items,
                    "checked": overlap.checked,
                    "dirty": overlap.dirty,
                    "half_dirty": overlap.half_dirty,
                    "only_context": overlap.only_context,
                    "by_source": dict(overlap.by_source),
                    "dirty_ids": list(overlap.dirty_ids),
                }
                for name, overlap in self.tasks.items()
            },
        }

    def to_markdown(self) -> str:
        """The overlap as a table in Portuguese."""
        words = sum(count for _, count in self.training.values())
        lines = [
            "# Contaminação: o que o treino tem em comum com a avaliação",
            "",
            f"Sequências de {self.ngram} palavras iguais (sem contar maiúsculas, acentos e pontuação) entre "
            f"{_files(len(self.training))} de treino ({number(words, 0)} palavras) e "
            f"{_files(len(self.tasks))} de avaliação. Uma linha com pelo menos uma sequência em comum conta "
            f"como suja. Linhas de {MIN_WORDS} a {self.ngram - 1} palavras são comparadas inteiras; mais "
            "curtas não são verificadas.",
            "",
            "| tarefa | linhas | verificadas | sujas | metade ou mais em comum | só no contexto "
            "| arquivos de treino (linhas sujas) |",
            "|---|---:|---:|---:|---:|---:|---|",
        ]
        for name, overlap in self.tasks.items():
            sources = sorted(overlap.by_source.items(), key=lambda entry: -entry[1])
            shown = ", ".join(f"{label} ({count})" for label, count in sources[:4])
            rest = f" e mais {len(sources) - 4}" if len(sources) > 4 else ""
            share = f" ({number(100 * overlap.share, 1)} %)" if overlap.dirty else ""
            cells = [
                name,
                number(overlap.items, 0),
                number(overlap.checked, 0),
                number(overlap.dirty, 0) + share,
                str(overlap.half_dirty),
                str(overlap.only_context),
                shown + rest,
            ]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def load_report(path: str | Path) -> ContaminationReport:
    """Reads a report that `python -m lunagpt.evaluation.contamination -o` wrote.

    Raises:
        DataError: the file is missing or is no such report.
    """
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise ValueError(f"o formato é {raw['format']!r}")
        training = {
            label: (int(entry["documents"]), int(entry["words"])) for label, entry in raw["training"].items()
        }
        tasks = {
            name: TaskOverlap(
                name,
                int(entry["items"]),
                int(entry["checked"]),
                int(entry["dirty"]),
                int(entry["half_dirty"]),
                int(entry["only_context"]),
                entry["by_source"],
                tuple(entry["dirty_ids"]),
            )
            for name, entry in raw["tasks"].items()
        }
        return ContaminationReport(int(raw["ngram"]), training, tasks, float(raw["seconds"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f'"{path}" não é um relatório de contaminação que eu saiba ler ({reason_of(error)}). '
            "Gere-o de novo com: python -m lunagpt.evaluation.contamination TREINO --eval PASTA -o ARQUIVO"
        ) from error


@cache
def shipped_report() -> ContaminationReport | None:
    """The report on the data of this project, which comes with the package; None where it was left out."""
    path = Path(str(resources.files("lunagpt") / "assets" / "contaminacao.json"))
    return load_report(path) if path.is_file() else None


def stem(name: str) -> str:
    """File name without the ending of a supported format."""
    lowered = name.lower()
    for suffix in sorted(SUPPORTED, key=len, reverse=True):
        if lowered.endswith(suffix):
            return name[: -len(suffix)]
    return name


def _names(source: str, label: str) -> bool:
    """Whether what a model names as its source covers the training file called `label`."""
    source = stem(source.strip().removeprefix("./").rstrip("/"))
    if any(mark in source for mark in "*?["):
        return fnmatchcase(label, source) or fnmatchcase(label, f"*/{source}")
    return (
        f"/{label}".endswith(f"/{source}")
        or f"/{label}/".startswith(f"/{source}/")
        or f"/{source}/" in f"/{label}"
    )


def _files(amount: int) -> str:
    return counted(amount, "arquivo", "arquivos")
