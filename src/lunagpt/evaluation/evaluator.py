"""Measures models on tasks: finds the data of each task, samples it, asks the model, computes the numbers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lunagpt.errors import DataError, EvaluationError
from lunagpt.evaluation import by_generation, by_likelihood, by_vectors
from lunagpt.evaluation.answers import Answers, OnProgress
from lunagpt.evaluation.contamination_report import ContaminationReport, shipped_report
from lunagpt.evaluation.evaluation_data import DataFile, data_files, shipped_data
from lunagpt.evaluation.language_models import LanguageModel, open_language_model
from lunagpt.evaluation.provenance import Provenance
from lunagpt.evaluation.results import Evaluation, Result, interval_of, recompute
from lunagpt.evaluation.suites import Suite
from lunagpt.evaluation.task import Row, Task, kind_of, shipped_tasks

logger = logging.getLogger(__name__)

Measure = Callable[[Task, Sequence[Row], Sequence[Row], LanguageModel, OnProgress], Answers]

_MEASURES: Mapping[str, Measure] = {
    "choice": by_likelihood.measure_choices,
    "fill": by_likelihood.measure_gaps,
    "text": by_likelihood.measure_text,
    "probe": by_vectors.measure_probe,
    "similarity": by_vectors.measure_similarity,
    "retrieval": by_vectors.measure_retrieval,
    "generate": by_generation.measure_generation,
}

NO_FILE = "o arquivo de dados não foi encontrado"
_LACKING = {
    "loglikelihood": "este modelo não dá a probabilidade de um texto",
    "embed": "este modelo não dá vetores de textos",
    "generate": "este modelo não escreve respostas",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A task with its data and how many items to take (None: all)."""

    task: Task
    file: DataFile
    limit: int | None


def evaluate(
    model: Any,
    tasks: Sequence[Task] | Suite | None = None,
    data: str | Path | Sequence[str | Path] = (),
    limit: int | None = None,
    seed: int = 0,
    *,
    contamination: ContaminationReport | None = None,
    on_task: Callable[[Task, int, int], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Measures one model.

    Args:
        model: whatever `open_language_model` takes.
        tasks: tasks, a suite, or None for every task that fits a file of `data`; a file without a task of its
            own is measured by the general tasks for the values in its column `task`.
        data: evaluation files, or folders with them.
        limit: items of each task, drawn with `seed`; overrules the limits of a suite.
        contamination: what evaluation and training data share; None takes the report on this project's data.
        on_task: told the task about to be measured, its number from 1 and how many there are.
        on_progress: told how many items of the task are done, of how many.

    Returns:
        the results in the order of the tasks, and under `skipped` what was left out and why.

    Raises:
        EvaluationError: there is no data, or no task fits it.
    """
    language_model = open_language_model(model)
    provenance = Provenance.of(language_model, contamination or shipped_report())
    evaluation = Evaluation(
        model={
            "name": language_model.name,
            "kind": language_model.kind,
            **language_model.describe(),
            "sources": provenance.sources,
        },
        suite=tasks.name if isinstance(tasks, Suite) else None,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    files = data_files(data)
    if tasks is not None:  # what is asked for by name is also found in the package
        files = {**data_files(shipped_data()), **files}
    plan = _plan(tasks, files, limit, evaluation.skipped)
    for number, entry in enumerate(plan, start=1):
        if entry.task.capability not in language_model.capabilities:
            evaluation.skipped[entry.task.name] = _LACKING[entry.task.capability]
            continue
        if on_task is not None:
            on_task(entry.task, number, len(plan))
        try:
            results = measure(language_model, entry, seed, on_progress or (lambda done, total: None))
        except (EvaluationError, DataError) as error:
            evaluation.skipped[entry.task.name] = str(error)
            logger.warning("%s: %s", entry.task.title, error)
            continue
        evaluation.results += [provenance.checked(result, entry.file) for result in results]
    return evaluation


def measure(model: LanguageModel, entry: Planned, seed: int, progress: OnProgress) -> list[Result]:
    """One task: a result for each of its metrics.

    Raises:
        EvaluationError: the rows do not fit the task.
    """
    task = entry.task
    started = time.perf_counter()
    rows, others = _rows(task, entry.file, entry.limit, seed)
    answers = _MEASURES[task.method](task, rows, others, model, progress)
    results = []
    for metric in task.metrics:
        result = answers.result(task, metric)
        low, high = interval_of(result, seed)
        results.append(
            replace(
                result,
                value=recompute(result, np.arange(result.n)),
                low=low,
                high=high,
                model=model.name,
                limit=entry.limit,
                data_sha256=entry.file.sha256,
                seconds=time.perf_counter() - started,
            )
        )
    return results


def _rows(task: Task, file: DataFile, limit: int | None, seed: int) -> tuple[list[Row], list[Row]]:
    """The rows to measure, in file order, and those that help: examples, or the documents of a retrieval."""
    rows = file.rows
    if task.method == "retrieval":
        helpers = [row for row in rows if kind_of(row) == by_vectors.DOCUMENT]
        rows = [row for row in rows if kind_of(row) == by_vectors.QUERY]
    else:
        rows = [row for row in rows if task.kind is None or kind_of(row) == task.kind]
        helpers, rows = _draw_examples(rows, task.shots, seed)
    if not rows:
        raise EvaluationError(f'O arquivo "{file.path.name}" não tem linhas para a tarefa {task.name}.')
    if limit is not None and limit < len(rows):
        chosen = np.random.default_rng(seed).permutation(len(rows))[:limit]
        rows = [rows[i] for i in sorted(chosen)]
    return rows, helpers


def _draw_examples(rows: list[Row], shots: int, seed: int) -> tuple[list[Row], list[Row]]:
    """`shots` rows as examples, the classes in turn, and the rest, which is what gets measured."""
    if not shots:
        return [], rows
    order = np.random.default_rng(seed).permutation(len(rows))
    by_answer: dict[Any, list[int]] = {}
    for i in order:
        by_answer.setdefault(rows[i].get("answer_index"), []).append(int(i))
    queues = [by_answer[key] for key in sorted(by_answer, key=str)]
    drawn: list[int] = []
    while len(drawn) < shots and any(queues):
        drawn += [queue.pop() for queue in queues if queue][: shots - len(drawn)]
    taken = set(drawn)
    return [rows[i] for i in drawn], [row for i, row in enumerate(rows) if i not in taken]


def _plan(
    tasks: Sequence[Task] | Suite | None,
    files: Mapping[str, DataFile],
    limit: int | None,
    skipped: dict[str, str],
) -> list[Planned]:
    if isinstance(tasks, Suite):
        wanted: Iterable[tuple[Task, int | None]] = [
            (e.task, e.limit if limit is None else limit) for e in tasks.entries
        ]
    elif tasks is not None:
        wanted = [(task, limit) for task in tasks]
    else:
        return [Planned(task, file, limit) for file in files.values() for task in tasks_for(file)]
    plan = []
    for task, at_most in wanted:
        file = files.get(task.file or "")
        if task.file is None:
            plan += [Planned(task.for_file(f.stem), f, at_most) for f in files.values() if _has(f, task)]
        elif file is None:
            skipped[task.name] = NO_FILE
        else:
            plan.append(Planned(task, file, at_most))
    if not plan:
        raise EvaluationError(
            "Nenhum arquivo dos dados serve para as tarefas pedidas. Indique com --data a pasta dos "
            "conjuntos de avaliação (os nomes que cada tarefa espera estão em docs/avaliacao.md)."
        )
    return plan


def tasks_for(file: DataFile) -> list[Task]:
    """The tasks of a file: its own, else the general ones for what its rows are."""
    tasks = shipped_tasks()
    own = [task for task in tasks if task.file == file.stem]
    if own:
        return own
    general = [task.for_file(file.stem) for task in tasks if task.file is None and _has(file, task)]
    if not general:
        kinds = ", ".join(sorted({kind_of(row) for row in file.rows}))
        raise EvaluationError(
            f'Não há tarefa para o arquivo "{file.path.name}", cujas linhas são do tipo {kinds}. '
            "Escreva uma (docs/avaliacao.md mostra como) ou deixe-o de fora."
        )
    return general


def _has(file: DataFile, task: Task) -> bool:
    if task.method == "retrieval":
        return by_vectors.QUERY in file.kinds and by_vectors.DOCUMENT in file.kinds
    return task.kind in file.kinds


class ModelEvaluator:
    """All measurements of one model.

    Args:
        model: whatever `open_language_model` takes: a `LunaModel`, a folder, a .gguf file, an engine.
    """

    def __init__(self, model: Any) -> None:
        self.model = open_language_model(model)

    def evaluate(
        self,
        data: str | Path | Sequence[str | Path],
        tasks: Sequence[Task] | Suite | None = None,
        limit: int | None = None,
        seed: int = 0,
        contamination: ContaminationReport | None = None,
    ) -> Evaluation:
        """See `lunagpt.evaluation.evaluate`."""
        return evaluate(self.model, tasks, data, limit, seed, contamination=contamination)

    def evaluate_quality(
        self,
        test_dataset: str | Path | None = None,
        metrics: Sequence[str] = ("perplexity", "accuracy", "relevance", "consistency"),
        **options: Any,
    ) -> dict[str, Any]:
        """Measures of quality by name; see `lunagpt.evaluation.quality.evaluate_quality`."""
        from lunagpt.evaluation.quality import evaluate_quality

        return evaluate_quality(self.model, metrics, test_dataset, **options)

    def evaluate_skills(
        self, skills: Sequence[str] | None = None, test_dataset: str | Path | None = None, **options: Any
    ) -> dict[str, Any]:
        """Skills by name; see `lunagpt.evaluation.skills.evaluate_skills`."""
        from lunagpt.evaluation.skills import SKILLS, evaluate_skills

        return evaluate_skills(self.model, SKILLS if skills is None else skills, test_dataset, **options)
