"""What is known after several models answered the same items: what reports and charts are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from lunagpt.evaluation.paired import PairedTest, compare_paired, compare_statistics, holm
from lunagpt.evaluation.results import Result, statistic_of

SCHEMA = "lunagpt-comparison-1"
LEVEL = 0.05  # of a finding, after Holm's correction

LEAST_RADAR_AXES, MOST_RADAR_AXES = 3, 12

Verdict = Literal["melhor", "pior", "empate", "sem teste"]


def floor(result: Result) -> float:
    """What a model must pass to have shown anything: the better of guessing and of a constant answer; NaN
    where there is no such level."""
    if result.chance is None:
        return math.nan
    levels = [level for level in (result.chance, result.constant) if level is not None]
    return max(levels) if result.higher_is_better else min(levels)


@dataclass(frozen=True)
class Duel:
    """A model against the first one on one task.

    Attributes:
        test: the paired test; its difference is this model minus the first one. None if the models were not
            asked the same.
        adjusted_p: probability after Holm's correction over all tasks, NaN without test.
        verdict: "melhor" or "pior" than the first model if the adjusted probability is under 5 %.
    """

    test: PairedTest | None
    adjusted_p: float
    verdict: Verdict


@dataclass(frozen=True)
class TaskComparison:
    """One metric of a task: a result for each model, and each later model against the first one."""

    results: tuple[Result, ...]
    duels: tuple[Duel, ...] = ()

    @property
    def title(self) -> str:
        return self.results[0].title

    @property
    def task(self) -> str:
        return self.results[0].task


@dataclass(frozen=True)
class Sample:
    """An item on which models differ."""

    task: str
    title: str
    item_id: str
    question: str
    expected: str
    answers: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class ComparedModel:
    """A model as the report introduces it.

    Attributes:
        name: for readers. source: where it came from. fingerprint: hash of its weights, "" if unknown.
        parameters: number of weights, None if unknown.
    """

    name: str
    source: str = ""
    fingerprint: str = ""
    parameters: int | None = None


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found.

    Attributes:
        models: in the order in which they were added; the first is the one that all others are set against.
        tasks: one entry per task, with its main metric. others: further metrics of these tasks, not tested.
        samples: items that differ.
        speed: per model and configuration, what `PerformanceBenchmark` measured.
        settings, machine: names and values for readers. created: date and time, ISO 8601.
        notices: what a reader must know, e.g. tasks that a model could not do.
    """

    models: tuple[ComparedModel, ...]
    tasks: tuple[TaskComparison, ...]
    others: tuple[TaskComparison, ...] = ()
    samples: tuple[Sample, ...] = ()
    speed: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    notices: tuple[str, ...] = ()

    def findings(self, model: int) -> dict[Verdict, list[TaskComparison]]:
        """Tasks by the verdict on a model (1 or higher) against the first one."""
        found: dict[Verdict, list[TaskComparison]] = {"melhor": [], "pior": [], "empate": [], "sem teste": []}
        for task in self.tasks:
            found[task.duels[model - 1].verdict].append(task)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the items; not-a-number becomes None."""
        plain: dict[str, Any] = _plain(asdict(self))
        for task in (*plain["tasks"], *plain["others"]):
            for result in task["results"]:
                for name in _ITEMS:
                    del result[name]
        return {"schema": SCHEMA, **plain}


_ITEMS = ("per_item", "item_ids", "expected", "predictions", "weights")


def radar_tasks(comparison: Comparison) -> list[TaskComparison]:
    """The tasks of a radar chart: those measured in shares, none if they are fewer than three."""
    tasks = [task for task in comparison.tasks if task.results[0].is_share]
    return tasks[:MOST_RADAR_AXES] if len(tasks) >= LEAST_RADAR_AXES else []


def compare_results(
    models: Sequence[ComparedModel], results: Sequence[Sequence[Result]], seed: int = 0, **others: Any
) -> Comparison:
    """Set the later models against the first, task by task, with Holm's correction per model over its tasks.

    Args:
        models: at least one. results: per model its results; what some model lacks is left out.
        seed: of the drawn samples. others: further fields of `Comparison`.
    """
    tables = [{(r.task, r.metric): r for r in row} for row in results]
    common = [key for key in tables[0] if all(key in table for table in tables[1:])]
    main = dict(reversed(common))  # the first metric of each task
    rows = [tuple(table[key] for table in tables) for key in common if main[key[0]] == key[1]]
    further = [tuple(table[key] for table in tables) for key in common if main[key[0]] != key[1]]
    columns: list[list[Duel]] = []
    for other in range(1, len(models)):
        tests = [_test(row[0], row[other], seed) for row in rows]
        adjusted = holm([math.nan if test is None else test.p for test in tests])
        columns.append(
            [
                Duel(test, p, _verdict(test, p, row[0].higher_is_better))
                for test, p, row in zip(tests, adjusted, rows, strict=True)
            ]
        )
    tasks = [TaskComparison(row, tuple(column[i] for column in columns)) for i, row in enumerate(rows)]
    return Comparison(tuple(models), tuple(tasks), tuple(map(TaskComparison, further)), **others)


def _test(first: Result, second: Result, seed: int) -> PairedTest | None:
    """The paired test over the items that both have; None if there are none or they were asked otherwise."""
    if first.item_ids == second.item_ids:  # also where ids repeat
        shared = [(i, i) for i in range(len(first.item_ids))]
    else:
        place = {item: i for i, item in enumerate(second.item_ids)}
        shared = [(i, place[item]) for i, item in enumerate(first.item_ids) if item in place]
    if not shared or first.prompt_hash != second.prompt_hash:
        return None
    left, right = (np.array(indices) for indices in zip(*shared, strict=True))
    if not first.value_is_mean:
        one, two = statistic_of(first), statistic_of(second)
        return compare_statistics(lambda i: one(left[i]), lambda i: two(right[i]), len(left), seed=seed)
    a, b = np.array(first.per_item)[left], np.array(second.per_item)[right]
    weights = None if first.weights is None else np.array(first.weights)[left]
    return compare_paired(a, b, weights, seed=seed)


def _verdict(test: PairedTest | None, p: float, up: bool) -> Verdict:
    if test is None:
        return "sem teste"
    if not p < LEVEL:
        return "empate"
    return "melhor" if (test.difference > 0) == up else "pior"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
