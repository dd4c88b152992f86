"""What a method of measuring found out: the answers of a model to the rows of a task, item by item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lunagpt.evaluation.results import Result
from lunagpt.evaluation.statistics import chance_macro_f1, macro_f1
from lunagpt.evaluation.task import Row, Task, letter

#: Told how many items of how many are done.
OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class Answers:
    """The answers of a model, n items.

    Attributes:
        ids, expected, predictions: (n,) see `Result`.
        scores: for each metric, (n,) its score of every item.
        chance, constant: for each metric, see `Result`.
        weights: (n,) or None for equal ones.
    """

    ids: list[str]
    expected: list[str]
    predictions: list[str]
    scores: dict[str, list[float]]
    chance: dict[str, float | None] = field(default_factory=dict)
    constant: dict[str, float | None] = field(default_factory=dict)
    weights: list[float] | None = None

    def result(self, task: Task, metric: str) -> Result:
        """The result of one metric, its value and interval still to be computed."""
        return Result(
            task=task.name,
            title=task.title,
            metric=metric,
            value=0.0,
            low=0.0,
            high=0.0,
            n=len(self.ids),
            chance=self.chance.get(metric),
            constant=self.constant.get(metric),
            prompt_hash=task.prompt_hash,
            per_item=self.scores[metric],
            item_ids=self.ids,
            expected=self.expected,
            predictions=self.predictions,
            weights=self.weights,
            value_is_mean=metric not in ("macro_f1", "pearson"),
            shots=task.shots,
        )


def row_ids(rows: Sequence[Row]) -> list[str]:
    """The id of each row (`DataFile.rows` gives one to all)."""
    return [str(row["id"]) for row in rows]


def classified(
    rows: Sequence[Row], choices: Sequence[Sequence[str]], right: Sequence[int], chosen: Sequence[int]
) -> Answers:
    """Answers that choose among alternatives, with the levels of chance and of a constant answer.

    Where all rows have the same alternatives these are labels and appear as such; else letters do.

    Args:
        choices: of each row. right, chosen: (n,) indices into them.
    """
    labels = list(choices[0]) if all(list(entry) == list(choices[0]) for entry in choices) else None
    names = [labels[i] if labels else letter(i) for i in range(max(map(len, choices)))]
    expected = [names[i] for i in right]
    predictions = [names[i] for i in chosen]
    n = len(rows)
    correct = [float(a == b) for a, b in zip(right, chosen, strict=True)]
    answers = Answers(row_ids(rows), expected, predictions, {"accuracy": correct, "macro_f1": correct})
    answers.chance["accuracy"] = sum(1 / len(entry) for entry in choices) / n
    answers.constant["accuracy"] = max(Counter(right).values()) / n
    if labels:
        answers.chance["macro_f1"] = chance_macro_f1(expected, labels)
        answers.constant["macro_f1"] = max(best_constant_f1(expected, label) for label in labels)
    return answers


def best_constant_f1(expected: Sequence[str], label: str) -> float:
    """The macro F1 of answering `label` always."""
    import numpy as np

    return macro_f1(expected, [label] * len(expected))(np.arange(len(expected)))


def most_frequent(counts: Mapping[str, int], n: int) -> float:
    """The share of the most frequent of several answers."""
    return max(counts.values(), default=0) / n
