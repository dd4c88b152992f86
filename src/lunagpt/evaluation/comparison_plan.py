"""What models are compared on: runs of tasks over files, and the rows behind the items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.evaluation_data import DataFile, data_files
from lunagpt.evaluation.evaluator import tasks_for
from lunagpt.evaluation.suites import Suite
from lunagpt.evaluation.task import Row, Task

_LONGEST_TITLE = 34  # of a task, see `Task.title`


@dataclass(frozen=True)
class Run:
    """Tasks measured together.

    Attributes:
        title: for readers. tasks: a suite with its limits, or tasks. files: their data, by stem.
    """

    title: str
    tasks: Suite | list[Task]
    files: Mapping[str, DataFile]

    @property
    def paths(self) -> list[Path]:
        return [file.path for file in self.files.values()]

    def all_tasks(self) -> list[Task]:
        return [e.task for e in self.tasks.entries] if isinstance(self.tasks, Suite) else self.tasks


@dataclass(frozen=True)
class Plan:
    """Everything that each model is measured on."""

    title: str
    runs: list[Run] = field(default_factory=list)

    def tasks_with_rows(self) -> Iterator[tuple[Task, dict[str, Row]]]:
        """Each task with the rows of its file by id."""
        for run in self.runs:
            for task in run.all_tasks():
                file = run.files.get(task.file or "")
                if file is not None:
                    yield task, {str(row["id"]): row for row in file.rows}


def plan_sets(test_sets: Mapping[str, str | PathLike[str]]) -> Plan:
    """A run for each set; its tasks carry the set's name.

    Raises:
        EvaluationError: a file is missing, or no task fits its rows.
    """
    runs = []
    for title, path in test_sets.items():
        files = data_files([Path(path)])
        tasks = [task for file in files.values() for task in tasks_for(file)]
        several = len(tasks) > 1
        named = [
            task.model_copy(
                update={
                    "name": f"{title}/{task.name}",
                    "title": (f"{title}: {task.title}" if several else title)[:_LONGEST_TITLE],
                }
            )
            for task in tasks
        ]
        runs.append(Run(title, named, files))
    return Plan(", ".join(test_sets), runs)


def plan_data(paths: Sequence[str | PathLike[str]], suite: Suite | None) -> Plan:
    """One run: a suite over its data, or without suite every task that fits a file.

    Raises:
        EvaluationError: there is no data, or no task for it.
    """
    files = data_files([Path(path) for path in paths])
    if suite is not None:
        missing = [entry.task.file for entry in suite.entries if entry.task.file not in files]
        if len(missing) == len(suite.entries):
            raise EvaluationError(
                f"Nenhum dos dados é de uma tarefa da suíte {suite.name}, que espera arquivos como "
                f"{missing[0]}.jsonl.gz. Indique a pasta dos conjuntos de avaliação."
            )
        return Plan(f"suíte {suite.name}", [Run(suite.title, suite, files)])
    tasks = [task for file in files.values() for task in tasks_for(file)]
    return Plan("todas as tarefas dos dados", [Run("todas as tarefas dos dados", tasks, files)])
