"""`luna evaluate`: measures models and prints what the numbers allow to say."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from lunagpt.commands import texts
from lunagpt.commands.evaluation_models import distinct_names, opened, output_file, require_writable
from lunagpt.commands.progress import ProgressLine
from lunagpt.commands.usage import UsageProblem
from lunagpt.evaluation import evaluate
from lunagpt.evaluation.contamination_report import ContaminationReport, load_report, shipped_report
from lunagpt.evaluation.evaluation_data import default_data
from lunagpt.evaluation.results import Evaluation, Result, save_evaluation
from lunagpt.evaluation.suites import Suite, load_suite
from lunagpt.evaluation.task import Task, select_tasks, shipped_tasks
from lunagpt.reporting.numbers import in_words, number

BEHAVIOURS = "comportamentos"

_WIDTH = 80
_METRIC = 19  # the longest name of a metric


def run_evaluation(
    models: Sequence[str],
    *,
    data: Sequence[Path],
    suite: str | None,
    tasks: Sequence[str],
    limit: int | None,
    output: Path | None,
    seed: int,
    contamination: Path | None,
    threads: int | None,
    judge: str | None = None,
    judge_model: str | None = None,
) -> int:
    """Measures each model and prints a table; with `output`, writes the results too.

    Returns:
        0, or 1 if nothing of a model could be measured.

    Raises:
        LunaError: a model, a task, the data or the report cannot be used.
        UsageProblem: the options do not go together.
        MissingDependencyError: torch is not installed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported, see `open_chat`
    if suite is not None and tasks:
        raise UsageProblem(texts.EVALUATE_ONE_CHOICE)
    if output is not None:
        require_writable(output if len(models) > 1 or output.is_dir() else output.parent)
    wanted: Sequence[Task] | Suite | None = None
    if suite is not None and suite != BEHAVIOURS:
        wanted = load_suite(suite)
    elif tasks:
        wanted = select_tasks(tasks, shipped_tasks())
    if suite == BEHAVIOURS:
        from lunagpt.commands.behaviours import evaluate_behaviours, judge_server

        return evaluate_behaviours(models, limit, seed, output, threads, judge_server(judge, judge_model))
    if judge is not None or judge_model is not None:
        raise UsageProblem(texts.EVALUATE_JUDGE_OF_BEHAVIOURS)
    code = 0
    report = shipped_report() if contamination is None else load_report(contamination)
    for place, (name, model) in enumerate(zip(distinct_names(models), models, strict=True)):
        evaluation = _measured(model, name, wanted, data or default_data(), limit, seed, report, threads)
        if place:
            print()
        print(table(evaluation, report))
        if output is not None:
            path = output_file(output, name, many=len(models) > 1)
            save_evaluation(evaluation, path)
            print(texts.EVALUATE_SAVED.format(path=path))
        code = code if evaluation.results else 1
    return code


def _measured(
    model: str,
    name: str,
    tasks: Sequence[Task] | Suite | None,
    data: Sequence[Path],
    limit: int | None,
    seed: int,
    report: ContaminationReport | None,
    threads: int | None,
) -> Evaluation:
    progress = ProgressLine()
    progress.show(texts.EVALUATE_OPENING.format(model=model))
    language_model = opened(model, name, threads)
    place: dict[str, Any] = {}

    def on_task(task: Task, number: int, total: int) -> None:
        place.update(title=task.title, number=number, total=total)
        progress.show(texts.EVALUATE_PROGRESS.format(**place, percent=0))

    def on_progress(done: int, total: int) -> None:
        progress.show(texts.EVALUATE_PROGRESS.format(**place, percent=100 * done // max(1, total)))

    try:
        return evaluate(
            language_model,
            tasks,
            data,
            limit,
            seed,
            contamination=report,
            on_task=on_task,
            on_progress=on_progress,
        )
    finally:
        progress.finish()


def table(evaluation: Evaluation, report: ContaminationReport | None) -> str:
    """The results for a terminal of 80 columns."""
    facts = evaluation.model
    parameters = f", {in_words(facts['parameters'], 'parâmetros')}" if facts.get("parameters") else ""
    kind = texts.EVALUATE_KINDS.get(facts["kind"], facts["kind"])
    lines = [texts.EVALUATE_HEADING.format(model=facts["name"], kind=kind, parameters=parameters)]
    lines += ["", *(_values(evaluation, report) if evaluation.results else [texts.EVALUATE_NOTHING])]
    if evaluation.skipped:
        by_reason: dict[str, list[str]] = {}
        for name, reason in evaluation.skipped.items():
            by_reason.setdefault(reason, []).append(name)
        lines.append(texts.EVALUATE_SKIPPED)
        for reason, names in by_reason.items():
            text = f"{', '.join(names)}: {reason}"
            lines += textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _values(evaluation: Evaluation, report: ContaminationReport | None) -> list[str]:
    """The lines of all results under their heading, and what is to be known about them."""
    value, interval, chance, constant = texts.EVALUATE_COLUMNS
    lines = [f"{'':{_METRIC + 2}}{value:>8}  {interval:^15}{chance:>7}{constant:>7}"]
    for _, group in groupby(evaluation.results, key=lambda result: result.task):
        results = list(group)
        n = results[0].n
        items = texts.EVALUATE_ITEMS[n != 1]
        lines.append(texts.EVALUATE_TASK_LINE.format(title=results[0].title, n=n, items=items))
        lines += [_line(result) for result in results]
        lines += [note for note in map(_contamination_note, results[:1]) if note]
    lines += ["", *textwrap.wrap(texts.EVALUATE_LEGEND, _WIDTH)]
    return lines + textwrap.wrap(_verification(evaluation, report), _WIDTH)


def _line(result: Result) -> str:
    value = shown(result, result.value)
    if result.contamination is not None:
        value += "*"
    interval = f"{shown(result, result.low, False)} a {shown(result, result.high, False)}"
    levels = [
        "" if level is None else shown(result, level, False) for level in (result.chance, result.constant)
    ]
    verdict = texts.EVALUATE_VERDICTS.get(result.verdict, result.verdict)
    return (
        f"  {result.metric_title:{_METRIC}}{value:>8}  {interval:^15}{levels[0]:>7}{levels[1]:>7}  {verdict}"
    ).rstrip()


def shown(result: Result, value: float, unit: bool = True) -> str:
    """A value as it is read: 61,5 % for shares, 0,512 for correlations, 1,234 for bits per byte."""
    if result.is_share:
        return number(100 * value, 1) + (" %" if unit else "")
    return number(value, 3, minus="-")


def _contamination_note(result: Result) -> str:
    note = result.contamination
    if note is None:
        return ""
    sources = ", ".join(sorted(note.sources, key=lambda name: -note.sources[name])[:3])
    if note.clean_value is None:
        text = texts.EVALUATE_ALL_DIRTY.format(sources=sources)
    else:
        value = shown(result, note.clean_value)
        text = texts.EVALUATE_DIRTY.format(dirty=note.dirty, sources=sources, value=value)
    return textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _verification(evaluation: Evaluation, report: ContaminationReport | None) -> str:
    if report is None:
        return texts.EVALUATE_NO_REPORT
    if evaluation.model.get("sources") is None:
        return texts.EVALUATE_NO_SOURCES
    tasks = {result.task for result in evaluation.results}
    checked = {result.task for result in evaluation.results if result.checked}
    dirty = {result.task for result in evaluation.results if result.contamination is not None}
    if not checked:
        return texts.EVALUATE_NONE_COMPARED
    return texts.EVALUATE_CHECKED.format(
        checked=len(checked), total=len(tasks), clean=len(checked) - len(dirty)
    )
