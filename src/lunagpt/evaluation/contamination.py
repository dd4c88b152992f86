"""Does an evaluation set stand, word for word, in the training data? Shared runs of 13 words, counted per
task.

Two texts that share 13 words in a row seldom do so by chance, so an item of an evaluation file that shares
one with a training file may have been read during training, and a score on it is not clean. The size of 13
words and the rule "one shared run makes an item dirty" are those of GPT-3 (Brown et al. 2020, arXiv
2005.14165, appendix C). Items shorter than that are compared as a whole if they have at least `MIN_WORDS`
words; shorter ones cannot be told from everyday phrases and are reported as not checked.

Memory holds the runs of the evaluation side only, as 64-bit hashes; the training side, whatever its size, is
streamed. Words are compared in lower case and without accents and punctuation.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lunagpt.data.readers import ReadReport, read_rows, resolve_paths
from lunagpt.errors import DataError
from lunagpt.evaluation.contamination_report import MIN_WORDS, ContaminationReport, TaskOverlap, stem
from lunagpt.evaluation.word_runs import RunIndex, texts_of

logger = logging.getLogger(__name__)

#: Length in words of the runs that are compared.
NGRAM = 13
# The column whose text is given to the reader, not asked of him.
_CONTEXT = "context"
_DESCRIPTIONS = frozenset(("manifest.md", "readme.md"))


def find_contamination(
    training: Sequence[str | Path],
    evaluation: Sequence[str | Path],
    ngram: int = NGRAM,
    root: str | Path | None = None,
) -> ContaminationReport:
    """Compares training files with evaluation files.

    Args:
        training: files, folders or globs: parquet, JSON, JSON Lines (.gz too), CSV, text. Every text column
            counts.
        evaluation: the same for the evaluation side. Columns that only describe a row (id, source, licence…)
            do not count.
        ngram: words in a run.
        root: folder of relative paths.

    Raises:
        DataError: nothing to read, an unreadable file, or `ngram` below 2.
        MissingDependencyError: a parquet file without pyarrow.
    """
    if ngram < 2:
        raise DataError(f"Sequências de {ngram} palavra não dizem nada. Use um tamanho a partir de 2.")
    started = time.perf_counter()
    index = RunIndex(ngram, MIN_WORDS)
    items = _Items(index)
    for path in _data_files(evaluation, root):
        items.read(path)
    index.close()
    files = _data_files(training, root)
    read: dict[str, tuple[int, int]] = {}
    for label, path in zip(_labels(files), files, strict=True):
        report = ReadReport()
        found, words = index.find(_texts(path, report))
        items.mark(label, found)
        read[label] = (report.rows, words)
        logger.info("%s: %d documentos, %d palavras", label, report.rows, words)
    return ContaminationReport(ngram, read, items.overlaps(), time.perf_counter() - started)


class _Items:
    """The rows of the evaluation files, and which of their runs were found.

    A row owns two numbers in the index: 2 i for what is asked, 2 i + 1 for its context.
    """

    def __init__(self, index: RunIndex) -> None:
        self._index = index
        self._tasks: list[tuple[str, int, int]] = []  # name, first row, row after the last
        self._ids: list[str] = []
        self._checked: list[bool] = []
        self._found: np.ndarray | None = None
        self._rows_of: dict[str, np.ndarray] = {}

    def read(self, path: Path) -> None:
        first = len(self._ids)
        for number, (_, row) in enumerate(read_rows(path, ReadReport()), start=1):
            owner = 2 * len(self._ids)
            taken = [self._index.add(owner + (column == _CONTEXT), text) for column, text in texts_of(row)]
            self._ids.append(str(row.get("id", number)))
            self._checked.append(any(taken))
        self._tasks.append((stem(path.name), first, len(self._ids)))

    def mark(self, label: str, found: np.ndarray) -> None:
        """Notes the runs (R,) that a training file holds."""
        self._found = found if self._found is None else self._found | found
        self._rows_of[label] = np.unique(self._index.owners[found] // 2)

    def overlaps(self) -> dict[str, TaskOverlap]:
        """The overlap of each task with all that was marked."""
        owners = self._index.owners
        size = 2 * len(self._ids)
        runs = np.bincount(owners, minlength=size).reshape(-1, 2)
        found = self._found if self._found is not None else np.zeros(len(owners), bool)
        shared = np.bincount(owners[found], minlength=size).reshape(-1, 2)
        dirty = shared.sum(1) > 0
        half = dirty & (2 * shared.sum(1) >= runs.sum(1))
        context = dirty & (shared[:, 0] == 0)
        overlaps = {}
        for name, first, end in self._tasks:
            counts = {
                label: int(((rows >= first) & (rows < end)).sum()) for label, rows in self._rows_of.items()
            }
            overlaps[name] = TaskOverlap(
                task=name,
                items=end - first,
                checked=sum(self._checked[first:end]),
                dirty=int(dirty[first:end].sum()),
                half_dirty=int(half[first:end].sum()),
                only_context=int(context[first:end].sum()),
                by_source={label: count for label, count in counts.items() if count},
                dirty_ids=tuple(self._ids[first + int(place)] for place in np.flatnonzero(dirty[first:end])),
            )
        return overlaps


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program, whose options are in `lunagpt.commands.contamination`; returns its exit code."""
    from lunagpt.commands.contamination import app
    from lunagpt.commands.program import run

    return run(app, "python -m lunagpt.evaluation.contamination", arguments)


def _data_files(patterns: Sequence[str | Path], root: str | Path | None) -> list[Path]:
    """The files named; those that only describe a folder of data count when they are named themselves."""
    named = {Path(pattern).name for pattern in patterns}
    files = resolve_paths([str(pattern) for pattern in patterns], root)
    return [path for path in files if path.name in named or path.name.lower() not in _DESCRIPTIONS]


def _texts(path: Path, report: ReadReport) -> Iterator[str]:
    for _, row in read_rows(path, report):
        for _, text in texts_of(row):
            yield text


def _labels(files: Sequence[Path]) -> list[str]:
    """A short name for each file, "folder/stem", with more folders where two would be called the same."""
    resolved = [path.resolve() for path in files]
    depth = 2
    while True:
        labels = [stem("/".join(path.parts[-depth:])) for path in resolved]
        if len(set(labels)) == len(labels) or depth > max(len(path.parts) for path in resolved):
            return labels
        depth += 1


if __name__ == "__main__":
    raise SystemExit(main())
