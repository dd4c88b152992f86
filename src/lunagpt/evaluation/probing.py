"""A linear probe: what a straight line through a model's vectors knows about labels.

Ridge regression on one-hot labels (a linear classifier in closed form), its strength chosen by leave-one-out
error on the training folds (Rifkin & Lippert 2007, "Notes on regularized least squares"), predictions from
five folds, so that every item is judged by a probe that has not seen it.

Letters: n items, D width of a vector, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FOLDS = 5
_STRENGTHS = np.logspace(-1, 5, 13)


def pair_features(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Features of a pair of vectors, (n, 2 D): |u - v| and u * v (InferSent, Conneau et al. 2017)."""
    return np.concatenate((np.abs(first - second), first * second), axis=1)


def probe_predictions(features: np.ndarray, labels: Sequence[str], seed: int = 0) -> list[str]:
    """The label that the probe gives each item.

    Args:
        features: (n, D). labels: (n,). seed: of the division into folds.

    Raises:
        ValueError: fewer than two classes, or fewer items than folds.
    """
    classes = sorted(set(labels))
    if len(classes) < 2 or len(labels) < FOLDS:
        raise ValueError("a probe needs two classes and an item for each fold")
    codes = np.array([classes.index(label) for label in labels])
    fold = stratified_folds(codes, np.random.default_rng(seed))
    predicted = np.empty(len(labels), dtype=np.int64)
    for number in range(FOLDS):
        held_out = fold == number
        train = ~held_out
        mean, scale = features[train].mean(axis=0), features[train].std(axis=0) + 1e-6
        weights, offset = _ridge((features[train] - mean) / scale, np.eye(len(classes))[codes[train]])
        predicted[held_out] = (((features[held_out] - mean) / scale) @ weights + offset).argmax(axis=1)
    return [classes[code] for code in predicted]


def _ridge(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (D, K) and offset (K,) with the strength of the least leave-one-out error."""
    offset = y.mean(axis=0)
    left, singular, right = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    projected = left.T @ (y - offset)
    best = (np.inf, 0.0)
    for strength in _STRENGTHS:
        shrink = singular**2 / (singular**2 + strength)
        residual = (y - offset) - left @ (shrink[:, None] * projected)
        leverage = (left**2) @ shrink + 1.0 / len(x)
        error = float(((residual / (1.0 - leverage)[:, None].clip(1e-6)) ** 2).mean())
        best = min(best, (error, float(strength)))
    inverse = singular / (singular**2 + best[1])
    return right.T @ (inverse[:, None] * projected), offset


def stratified_folds(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(n,) fold of each item, from their classes' numbers (n,); every class is spread evenly."""
    fold = np.empty(len(codes), dtype=np.int64)
    for code in np.unique(codes):
        members = generator.permutation(np.flatnonzero(codes == code))
        fold[members] = (np.arange(len(members)) + generator.integers(FOLDS)) % FOLDS
    return fold
