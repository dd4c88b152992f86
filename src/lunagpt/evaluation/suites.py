"""Suites: named lists of tasks with limits, in YAML."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import Field

from lunagpt.config.reading import read_settings
from lunagpt.config.section import Section
from lunagpt.errors import ConfigError, EvaluationError
from lunagpt.evaluation.task import Task, select_tasks, shipped_tasks


class _Entry(Section):
    task: str
    limit: int | None = Field(None, ge=1)


class _SuiteFile(Section):
    title: str
    tasks: list[_Entry] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class SuiteEntry:
    """A task and how many of its items to take (None: all)."""

    task: Task
    limit: int | None


@dataclass(frozen=True, slots=True)
class Suite:
    """A list of tasks to be measured together.

    Attributes:
        name: "rapida" or "completa", or the stem of a file.
        title: for reports.
    """

    name: str
    title: str
    entries: tuple[SuiteEntry, ...]


def _folder() -> Path:
    return Path(str(resources.files("lunagpt.evaluation") / "suites"))


def suite_names() -> list[str]:
    """The suites that come with the package."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load_suite(name: str | Path) -> Suite:
    """A suite by its name, or from a YAML file of one's own.

    Raises:
        EvaluationError: there is none of this name, or its file is wrong.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = _folder() / f"{name}.yaml"
        if not path.is_file():
            raise EvaluationError(f'Não há suíte "{name}". Há: {", ".join(suite_names())}.')
    try:
        content = _SuiteFile(**read_settings(path))
    except ConfigError as error:
        raise EvaluationError(f'Suíte "{path}": {error}') from None
    tasks = select_tasks([entry.task for entry in content.tasks], shipped_tasks())
    entries = tuple(SuiteEntry(task, entry.limit) for task, entry in zip(tasks, content.tasks, strict=True))
    return Suite(path.stem, content.title, entries)
