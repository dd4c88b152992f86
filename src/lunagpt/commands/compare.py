"""`luna compare`: measures models on the same items and writes a report on who is really better."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunagpt.commands import texts
from lunagpt.commands.evaluation_models import distinct_names, file_stem, is_stored, meant, require_writable
from lunagpt.commands.opening import set_threads
from lunagpt.commands.progress import ProgressLine
from lunagpt.commands.usage import UsageProblem
from lunagpt.errors import DataError, MissingDependencyError, missing_extra, reason_of
from lunagpt.evaluation.contamination_report import load_report
from lunagpt.evaluation.evaluation_data import default_data
from lunagpt.evaluation.findings import hollow_wins, summary
from lunagpt.evaluation.results import load_evaluation, save_evaluation
from lunagpt.files import atomic_write_text

if TYPE_CHECKING:
    from lunagpt.evaluation.comparator import ModelComparator
    from lunagpt.evaluation.comparison import Comparison

DEFAULT_SUITE = "rapida"
_WIDTH = 100


def run_compare(
    models: Sequence[str],
    *,
    suite: str | None,
    data: Sequence[Path],
    output: Path,
    limit: int | None,
    seed: int,
    speed: bool,
    contamination: Path | None,
    threads: int | None,
) -> int:
    """Measures, compares, prints the result in a few sentences and writes the report.

    Returns:
        0, or 1 if no task could be measured on all models.

    Raises:
        UsageProblem: fewer than two models.
        LunaError: a model, the suite or the data cannot be used, or the folder cannot be written.
        MissingDependencyError: torch is not installed.
    """
    if len(models) < 2:
        raise UsageProblem(texts.COMPARE_NEEDS_TWO)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported, see `open_chat`
    try:
        from lunagpt.evaluation.comparator import ModelComparator

        set_threads(threads)
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "torch", "torch", texts.TO_COMPARE) from error
    require_writable(output)
    progress = ProgressLine()
    comparator = ModelComparator(seed=seed, notify=progress.show)
    stored = [is_stored(model) for model in models]
    for name, model in zip(distinct_names(models), models, strict=True):
        comparator.add_model(name, _model(model))
    try:
        comparison = comparator.compare(
            metrics=["accuracy", "speed"] if speed and not any(stored) else ["accuracy"],
            max_samples_per_set=limit,
            suite=suite or (None if data else DEFAULT_SUITE),
            data=[] if all(stored) and not data else data or default_data(),
            contamination=None if contamination is None else load_report(contamination),
        )
    finally:
        progress.finish()
    width = min(_WIDTH, shutil.get_terminal_size().columns)
    for sentence in (*summary(comparison), *hollow_wins(comparison), *comparison.notices):
        print(textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False) + "\n")
    print(texts.COMPARE_WRITTEN.format(path=_write(comparator, comparison, output)))
    return 0 if comparison.tasks else 1


def _model(model: str) -> Any:
    """What the comparator takes for a word of the command line."""
    return load_evaluation(model) if is_stored(model) else meant(model)


def _write(comparator: ModelComparator, comparison: Comparison, folder: Path) -> Path:
    """Writes the report, the pictures and the data; returns the path of the HTML page."""
    try:
        page = folder / texts.COMPARE_PAGE
        atomic_write_text(page, comparator.generate_report(comparison, "html"))
        atomic_write_text(page.with_suffix(".md"), comparator.generate_report(comparison))
        data = json.dumps(comparison.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
        atomic_write_text(folder / texts.COMPARE_DATA, data + "\n")
        for name, evaluation in comparator.evaluations.items():
            save_evaluation(evaluation, folder / texts.COMPARE_EVALUATION.format(name=file_stem(name)))
        if comparison.tasks:
            try:
                comparator.generate_visualizations(comparison, folder)
            except MissingDependencyError as error:  # the page has charts of its own
                print(texts.COMPARE_NO_PICTURES.format(reason=error))
    except OSError as error:
        raise DataError(texts.FILE_UNWRITABLE.format(path=folder, reason=reason_of(error))) from error
    return page
