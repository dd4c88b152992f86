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
from lunagpt.commands.opening import set_threads
from lunagpt.commands.tokenizer import ProgressLine
from lunagpt.commands.usage import UsageProblem
from lunagpt.errors import DataError, MissingDependencyError, missing_extra, reason_of
from lunagpt.evaluation.evaluation_data import default_data
from lunagpt.evaluation.findings import hollow_wins, summary
from lunagpt.evaluation.results import load_evaluation, save_evaluation
from lunagpt.files import atomic_write_text

if TYPE_CHECKING:
    from lunagpt.evaluation.comparator import ModelComparator
    from lunagpt.evaluation.comparison import Comparison

RANDOM = "aleatorio"  # the name that stands for a model without training
DEFAULT_SUITE = "rapida"
_RANDOM_SEED = 0
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
    threads: int | None,
) -> int:
    """Measures, compares, prints the result in a few sentences and writes the report.

    Returns:
        0.

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
    progress = ProgressLine()
    comparator = ModelComparator(seed=seed, notify=progress.show)
    stored = [_is_stored(model) for model in models]
    for name, model in zip(_names(models), models, strict=True):
        comparator.add_model(name, _model(model))
    try:
        comparison = comparator.compare(
            metrics=["accuracy", "speed"] if speed and not any(stored) else ["accuracy"],
            max_samples_per_set=limit,
            suite=suite or (None if data else DEFAULT_SUITE),
            data=[] if all(stored) and not data else data or default_data(),
        )
    finally:
        progress.finish()
    width = min(_WIDTH, shutil.get_terminal_size().columns)
    for sentence in (*summary(comparison), *hollow_wins(comparison), *comparison.notices):
        print(textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False) + "\n")
    print(texts.COMPARE_WRITTEN.format(path=_write(comparator, comparison, output)))
    return 0


def _names(models: Sequence[str]) -> list[str]:
    """Short names for the report; equal ones are told apart by their folders, then by a number."""
    short = [_short_name(model) for model in models]
    names: list[str] = []
    for model, name in zip(models, short, strict=True):
        if short.count(name) > 1 and Path(model).parent.name:
            name = f"{Path(model).parent.name}/{name}"
        number, unique = 1, name
        while unique in names:
            number += 1
            unique = f"{name} ({number})"
        names.append(unique)
    return names


def _short_name(model: str) -> str:
    if model.partition(":")[0] == RANDOM:
        return texts.COMPARE_RANDOM_NAME.format(preset=model.partition(":")[2] or "nano")
    if _is_stored(model):
        return str(load_evaluation(model).model.get("name") or Path(model).stem)
    return Path(model).name.removesuffix(".gguf") or model


def _is_stored(model: str) -> bool:
    return model.endswith(".json") and Path(model).is_file()


def _model(model: str) -> Any:
    """What the comparator takes for a word of the command line."""
    if _is_stored(model):
        return load_evaluation(model)
    kind, _, preset = model.partition(":")
    if kind == RANDOM and not Path(model).exists():
        from lunagpt import LunaConfig, LunaModel

        return LunaModel.from_scratch(LunaConfig.preset(preset or "nano"), seed=_RANDOM_SEED).eval()
    return model


def _write(comparator: ModelComparator, comparison: Comparison, folder: Path) -> Path:
    """Writes the report, the pictures and the data; returns the path of the HTML page."""
    try:
        page = folder / texts.COMPARE_PAGE
        atomic_write_text(page, comparator.generate_report(comparison, "html"))
        atomic_write_text(page.with_suffix(".md"), comparator.generate_report(comparison))
        data = json.dumps(comparison.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
        atomic_write_text(folder / texts.COMPARE_DATA, data + "\n")
        for name, evaluation in comparator.evaluations.items():
            stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
            save_evaluation(evaluation, folder / texts.COMPARE_EVALUATION.format(name=stem))
        if comparison.tasks:
            try:
                comparator.generate_visualizations(comparison, folder)
            except MissingDependencyError as error:  # the page has charts of its own
                print(texts.COMPARE_NO_PICTURES.format(reason=error))
    except OSError as error:
        raise DataError(texts.FILE_UNWRITABLE.format(path=folder, reason=reason_of(error))) from error
    return page
