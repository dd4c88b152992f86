"""Scores → relevance: one meaning for `relevance_threshold`, whatever model or method gave the score.

A cosine of 0.8 is a near miss for one model and a sure hit for another; a BM25 score has no upper end at all.
Every score is therefore mapped to the probability that a passage with it answers the question, by a logistic
curve fitted to the built-in questions (Platt, "Probabilistic Outputs for Support Vector Machines", 1999).
Half of the questions are not used for the fit; on them it is checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import ArrayLike, NDArray

from lunagpt.files import atomic_write_text
from lunagpt.rag.calibration_pairs import CalibrationSet, calibration_set
from lunagpt.rag.embeddings.base import Embedder
from lunagpt.rag.embeddings.safe import embed_in_halves

Floats = NDArray[np.float64]
#: Questions (q) and passages (p), the whole collection → scores (q, p).
ScoreFunction = Callable[[Sequence[str], Sequence[str]], ArrayLike]

#: Pulls the curve towards flatness, so that classes that a score separates fully do not make it a step: about
#: one example's worth beside the hundred that count.
_RIDGE = 1e-3
_STEPS = 100
_BINS = 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """Curve of one model or method.

    Attributes:
        name: of the model or method.
        slope, intercept: relevance = 1 / (1 + e^−(slope · score + intercept)).
        auc: how well the score itself tells right from wrong passages, 0.5 to 1, on the held-out half.
        error: mean distance of relevance from the observed share of right passages, on the held-out half.
    """

    name: str
    slope: float
    intercept: float
    auc: float
    error: float

    def __call__(self, scores: ArrayLike) -> Floats:
        """Relevance, 0 to 1, of scores of any shape."""
        return _logistic(np.asarray(scores, dtype=np.float64) * self.slope + self.intercept)

    def to_relevance(self, score: float) -> float:
        """Relevance, 0 to 1, of one score."""
        return float(self(score))

    def to_score(self, relevance: float) -> float:
        """The score that has this relevance (0 < relevance < 1)."""
        return float((np.log(relevance / (1 - relevance)) - self.intercept) / self.slope)

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """Inverse of `to_dict`.

        Raises:
            TypeError, ValueError: keys or values are not those of a calibration.
        """
        name = str(values["name"]) if "name" in values else ""
        numbers = {key: float(value) for key, value in values.items() if key != "name"}
        return cls(name, **numbers)


def calibrate(embedder: Embedder, cache_folder: Path | None = None) -> Calibration:
    """Curve from cosine to relevance for an embedding model.

    That of the default model ships with LunaGPT; others are fitted when they are first used (195 short texts,
    about ten seconds) and then kept.

    Args:
        cache_folder: where fitted curves are kept; None takes the user's cache folder.

    Raises:
        EmbeddingError, MemoryError: the model failed.
    """
    known = find_calibration(embedder.name, cache_folder)
    if known is not None:
        return known
    fitted = fit_embedder(embedder)
    with suppress(OSError):  # a read-only home costs ten seconds at each start, nothing else
        text = json.dumps(fitted.to_dict(), ensure_ascii=False, indent=2) + "\n"
        atomic_write_text(_cache_path(embedder.name, cache_folder), text)
    return fitted


def find_calibration(model: str, cache_folder: Path | None = None) -> Calibration | None:
    """The curve of a model by its name, if it ships with LunaGPT or was fitted on this machine before."""
    shipped = _shipped().get(model)
    if shipped is not None:
        return shipped
    with suppress(OSError, ValueError, KeyError, TypeError):  # absent or damaged: as if never fitted
        text = _cache_path(model, cache_folder).read_text(encoding="utf-8")
        kept = Calibration.from_dict(json.loads(text))
        if kept.name == model:
            return kept
    return None


def fit_embedder(embedder: Embedder) -> Calibration:
    """Fits the curve of an embedding model anew."""

    def cosines(questions: Sequence[str], passages: Sequence[str]) -> ArrayLike:
        asked = np.stack([embedder.embed_query(question) for question in questions])
        return asked @ embed_in_halves(embedder, passages).T

    return calibrate_scores(cosines, embedder.name)


def calibrate_scores(score: ScoreFunction, name: str) -> Calibration:
    """Fits the curve of any way of scoring passages.

    Args:
        score: gets q questions and the p passages of a whole small collection, returns (q, p) scores. They
            should not depend on the size of the collection, as a bare BM25 score does.
        name: of the method.
    """
    fitting, checking = calibration_set(held_out=False), calibration_set(held_out=True)
    scores = _scores(score, fitting)
    slope, intercept = fit_logistic(scores.reshape(-1, 1), fitting.labels.ravel(), fitting.weights.ravel())
    unseen = _scores(score, checking)
    labels, weights = checking.labels.ravel(), checking.weights.ravel()
    relevance = _logistic(unseen.ravel() * slope + intercept)
    return Calibration(
        name,
        round(float(slope), 6),
        round(float(intercept), 6),
        auc=round(_auc(unseen.ravel(), labels, weights), 4),
        error=round(_calibration_error(relevance, labels, weights), 4),
    )


def fit_logistic(features: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Logistic regression by Newton's method.

    Args:
        features: (n, f). labels: (n,) of True and False or 1 and 0. weights: (n,); None weighs all alike.

    Returns:
        (f + 1,) the slopes, then the intercept.

    Raises:
        ValueError: one of the two labels is missing.
    """
    matrix = np.asarray(features, dtype=np.float64)
    truth = np.asarray(labels, dtype=np.float64)
    share = np.full(len(truth), 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    if truth.min() == truth.max():
        raise ValueError("both labels are needed to fit a curve")
    share = share / share.sum()
    centre = share @ matrix
    spread = np.sqrt(share @ (matrix - centre) ** 2)
    spread[spread == 0] = 1.0
    design = np.column_stack([(matrix - centre) / spread, np.ones(len(truth))])
    ridge = np.diag([_RIDGE] * matrix.shape[1] + [0.0])
    solution = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        predicted = _logistic(design @ solution)
        gradient = design.T @ (share * (predicted - truth)) + ridge @ solution
        curvature = (design * (share * predicted * (1 - predicted))[:, None]).T @ design + ridge
        # The floor keeps the last steps finite when every example is already predicted with certainty.
        step = np.linalg.solve(curvature + 1e-12 * np.eye(len(solution)), gradient)
        solution -= step
        if np.abs(step).max() < 1e-10:
            break
    slopes = solution[:-1] / spread
    return np.append(slopes, solution[-1] - slopes @ centre)


def _scores(score: ScoreFunction, task: CalibrationSet) -> Floats:
    scores = np.asarray(score(task.questions, task.passages), dtype=np.float64)
    if scores.shape != task.labels.shape:
        raise ValueError(f"expected scores of shape {task.labels.shape}, not {scores.shape}")
    return scores


def _auc(scores: Floats, labels: NDArray[np.bool_], weights: Floats) -> float:
    """Weighted share of (right, wrong) pairs in which the right one has the higher score; ties count half."""
    right, wrong = scores[labels], scores[~labels]
    ahead = (right[:, None] > wrong) + 0.5 * (right[:, None] == wrong)
    share = np.outer(weights[labels], weights[~labels])
    return float((ahead * share).sum() / share.sum())


def _calibration_error(relevance: Floats, labels: NDArray[np.bool_], weights: Floats) -> float:
    """Mean |relevance − share that is right| over bins of equal weight (expected calibration error)."""
    order = np.argsort(relevance, kind="stable")
    bins = np.minimum((np.cumsum(weights[order]) * _BINS / weights.sum()).astype(int), _BINS - 1)
    error = 0.0
    for number in range(_BINS):
        rows = order[bins == number]
        if len(rows):
            error += abs(float(weights[rows] @ (relevance[rows] - labels[rows])))
    return error / float(weights.sum())


def _logistic(values: Floats) -> Floats:
    # Through tanh: no overflow on either side.
    return 0.5 * (1.0 + np.tanh(0.5 * values))


@cache
def _shipped() -> dict[str, Calibration]:
    text = files("lunagpt").joinpath("assets/calibration/fits.json").read_text(encoding="utf-8")
    return {entry["name"]: Calibration.from_dict(entry) for entry in json.loads(text)}


def _cache_path(model: str, folder: Path | None) -> Path:
    # A model name may hold any character, so its hash names the file.
    folder = folder or platformdirs.user_cache_path("lunagpt", appauthor=False) / "calibration"
    return folder / f"{hashlib.sha256(model.encode()).hexdigest()[:16]}.json"
