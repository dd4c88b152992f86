"""What a measurement says: the value, its interval, what chance and a constant answer reach, and every item.

The JSON form (format "lunagpt-evaluation-1") holds one model per file:

    {"format": …, "model": {"name", "kind", "path"?, "parameters"?, "sha256"?}, "lunagpt": version,
     "created": time, "seed": n, "suite": name or null, "results": [fields of `Result`, …], "skipped": {…}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

import lunagpt
from lunagpt.errors import EvaluationError, reason_of
from lunagpt.evaluation.statistics import (
    Statistic,
    bootstrap_interval,
    macro_f1,
    mean_interval,
    pearson,
    weighted_mean,
)
from lunagpt.files import atomic_write_text

FORMAT = "lunagpt-evaluation-1"

#: Name of each metric in tables.
METRIC_TITLES = {
    "accuracy": "acertos",
    "macro_f1": "F1 macro",
    "mass": "peso das certas",
    "exact_match": "resposta exata",
    "f1": "F1 de palavras",
    "answerable": "sabe se há resposta",
    "pearson": "correlação",
    "mrr": "MRR@10",
    "recall_at_1": "acerto em 1º",
    "recall_at_10": "acerto em 10",
    "bits_per_byte": "bits por byte",
    "perplexity": "perplexidade",
    "relevance": "relevância",
    "consistency": "coerência",
    "fluency": "fluência",
}
METRICS_OF_TEXT = frozenset({"f1", "exact_match", "answerable"})
LOWER_IS_BETTER = frozenset({"bits_per_byte", "perplexity"})
#: Metrics that are shares from 0 to 1, shown as percentages.
PERCENTAGES = frozenset(METRIC_TITLES) - {"pearson", "mrr", "bits_per_byte", "perplexity"}


@dataclass(frozen=True, slots=True)
class Contamination:
    """Items of a task that stand word for word in what the model was trained on.

    Attributes:
        sources: training files that the model's card names and that share items, with how many.
        dirty: items among those measured that are shared with any training file.
        clean_value: the value on the other items; None if none is left.
    """

    sources: dict[str, int]
    dirty: int
    clean_value: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """One metric of one model on one task.

    Attributes:
        task, title: name of the task and its name in tables.
        metric: a key of METRIC_TITLES.
        value, low, high: the value and its 95 % bootstrap interval over items.
        n: items measured.
        chance: what answers drawn at random reach; None where that has no meaning.
        constant: what the best answer that is always the same reaches; None where there is none.
        prompt_hash: of everything that decides what the model is shown, see `Task.prompt_hash`.
        per_item: (n,) score of each item; of a correlation, the predicted similarity.
        item_ids, expected, predictions: (n,) what was asked, what is right, what the model chose (a letter or
            a label) or wrote.
        weights: (n,) weight of each item in the value, e.g. its bytes; None means equal ones.
        value_is_mean: whether `value` is the (weighted) mean of `per_item`; else use `recompute`.
        model: name of the model.
        shots: examples in the prompt.
        limit: items asked for, None for all.
        seconds: wall time of the whole task.
        data_sha256: of the file.
        contamination: None: nothing was found; see `checked`.
        checked: whether the model's card names its sources and they were compared with this task.
    """

    task: str
    title: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    chance: float | None
    constant: float | None
    prompt_hash: str
    per_item: list[float]
    item_ids: list[str]
    expected: list[str]
    predictions: list[str]
    weights: list[float] | None = None
    value_is_mean: bool = True
    model: str = ""
    shots: int = 0
    limit: int | None = None
    seconds: float = 0.0
    data_sha256: str = ""
    contamination: Contamination | None = None
    checked: bool = False

    @property
    def metric_title(self) -> str:
        """The metric's name in tables."""
        return METRIC_TITLES.get(self.metric, self.metric)

    @property
    def higher_is_better(self) -> bool:
        """Direction of the metric."""
        return self.metric not in LOWER_IS_BETTER

    @property
    def is_share(self) -> bool:
        """Whether the value is a share from 0 to 1, shown as a percentage."""
        return self.metric in PERCENTAGES

    @property
    def verdict(self) -> str:
        """What the interval allows to say; "" for metrics without a chance level."""
        if self.chance is None:
            return ""
        if self.high < self.chance:
            return "abaixo do acaso"
        if self.low <= self.chance:
            return "dentro do acaso"
        if self.constant is not None and self.low <= self.constant:
            return "não supera resposta fixa"
        return "acima do acaso"

    @property
    def says_something(self) -> bool:
        """Whether the value is better than chance and than a constant answer beyond doubt."""
        return self.verdict in ("", "acima do acaso")


@dataclass(slots=True)
class Evaluation:
    """All results of one model.

    Attributes:
        model: facts about it: name, kind, and what `LanguageModel.describe` gives.
        skipped: tasks that were not measured, with the reason in Portuguese.
    """

    model: dict[str, Any]
    results: list[Result] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    suite: str | None = None
    seed: int = 0
    created: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "format": FORMAT,
            "model": self.model,
            "lunagpt": lunagpt.__version__,
            "created": self.created,
            "seed": self.seed,
            "suite": self.suite,
            "results": [_rounded(asdict(result)) for result in self.results],
            "skipped": self.skipped,
        }


def statistic_of(result: Result) -> Statistic:
    """The value of a result as a function of the indices of chosen items."""
    if result.metric == "macro_f1":
        return macro_f1(result.expected, result.predictions)
    if result.metric == "pearson":
        return pearson([float(value) for value in result.expected], result.per_item)
    return weighted_mean(result.per_item, result.weights)


def recompute(result: Result, indices: Sequence[int] | np.ndarray) -> float:
    """The value on chosen items (repetitions count), e.g. for a bootstrap that pairs two models."""
    return statistic_of(result)(np.asarray(indices, dtype=np.int64))


def interval_of(result: Result, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of a result's value."""
    if result.value_is_mean:
        return mean_interval(result.per_item, result.weights, seed)
    return bootstrap_interval(statistic_of(result), result.n, seed)


def save_evaluation(evaluation: Evaluation, path: str | Path) -> None:
    """Writes the JSON form in one step."""
    text = json.dumps(evaluation.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # one result a line: diffs stay readable and the lists of items do not fill the screen
    atomic_write_text(
        path, text.replace('{"task":', '\n{"task":').replace(',"skipped"', ',\n"skipped"') + "\n"
    )


def load_evaluation(path: str | Path) -> Evaluation:
    """Reads what `save_evaluation` wrote.

    Raises:
        EvaluationError: the file is missing or is not of this format.
    """
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise ValueError(f"o formato é {raw['format']!r}")
        known = {entry.name for entry in fields(Result)}
        results = [
            Result(
                **{key: value for key, value in entry.items() if key in known and key != "contamination"},
                contamination=entry.get("contamination") and Contamination(**entry["contamination"]),
            )
            for entry in raw["results"]
        ]
        return Evaluation(
            raw["model"], results, raw["skipped"], raw.get("suite"), raw["seed"], raw.get("created", "")
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f'"{path}" não é um arquivo de resultados que esta versão saiba ler ({reason_of(error)}). '
            "Gere-o de novo com: luna evaluate MODELO --data PASTA --json ARQUIVO"
        ) from error


def _rounded(result: dict[str, Any]) -> dict[str, Any]:
    """What goes to disk: six digits, all that a score per item can mean, and no text of the data set.

    Right answers that are text of their own, not labels, stay in the data.
    """
    if result["metric"] in METRICS_OF_TEXT:
        result["expected"] = [""] * result["n"]
    for name in ("per_item", "weights"):
        if result[name] is not None:
            result[name] = [_short(value) for value in result[name]]
    return result


def _short(value: float) -> float | int:
    if value == int(value) and abs(value) < 1e15:
        return int(value)
    digits = 6 - 1 - math.floor(math.log10(abs(value)))
    return round(value, digits)
