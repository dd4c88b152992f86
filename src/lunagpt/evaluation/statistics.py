"""From the scores of items to a number with its uncertainty.

Every interval is a percentile bootstrap over items (Efron 1979): 2,000 samples of n items with replacement.

Letters: n items, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

_RESAMPLES = 2_000
_BLOCK = 1 << 22  # numbers drawn at once, to bound the memory
_CHANCE_DRAWS = 200

Statistic = Callable[[np.ndarray], float]


def weighted_mean(scores: Sequence[float], weights: Sequence[float] | None = None) -> Statistic:
    """The mean over chosen items, as a function of their indices."""
    values = np.asarray(scores, dtype=np.float64)
    w = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)

    def statistic(indices: np.ndarray) -> float:
        total = float(w[indices].sum())
        return float((values[indices] * w[indices]).sum() / total) if total else math.nan

    return statistic


def macro_f1(expected: Sequence[str], predicted: Sequence[str]) -> Statistic:
    """F1 of each class that occurs among the expected ones, averaged without weights, over chosen items."""
    classes = sorted(set(expected))
    place = {label: i for i, label in enumerate(classes)}
    size = len(classes)
    rows = np.array([place[label] for label in expected])
    columns = np.array([place.get(label, size) for label in predicted])  # another word counts as wrong
    codes = rows * (size + 1) + columns

    def statistic(indices: np.ndarray) -> float:
        counts = np.bincount(codes[indices], minlength=size * (size + 1)).reshape(size, size + 1)
        hits = np.diagonal(counts)
        support = counts.sum(axis=1)
        answered = counts[:, :size].sum(axis=0)
        total = support + answered
        f1 = np.divide(2.0 * hits, total, out=np.zeros(size), where=total > 0)
        return float(f1[support > 0].mean())

    return statistic


def pearson(expected: Sequence[float], predicted: Sequence[float]) -> Statistic:
    """Pearson's correlation over chosen items; 0 where one side does not vary."""
    x = np.asarray(expected, dtype=np.float64)
    y = np.asarray(predicted, dtype=np.float64)

    def statistic(indices: np.ndarray) -> float:
        a, b = x[indices] - x[indices].mean(), y[indices] - y[indices].mean()
        scale = math.sqrt(float((a * a).sum() * (b * b).sum()))
        return float((a * b).sum() / scale) if scale > 0 else 0.0

    return statistic


def bootstrap_interval(statistic: Statistic, n: int, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a statistic of n items.

    Raises:
        ValueError: there is no item.
    """
    if n == 0:
        raise ValueError("an interval needs at least one item")
    generator = np.random.default_rng(seed)
    values = np.array([statistic(generator.integers(0, n, n)) for _ in range(_RESAMPLES)])
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)


def mean_interval(
    scores: Sequence[float], weights: Sequence[float] | None = None, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a mean, like `bootstrap_interval` but many samples at a time.

    Where all items are 0 or all are 1 every sample is the same, though n items prove no certainty: there the
    interval is Wilson's (1927) for a proportion.
    """
    values = np.asarray(scores, dtype=np.float64)
    n = values.size
    if n == 0:
        raise ValueError("an interval needs at least one item")
    if weights is None and (values == values[0]).all() and values[0] in (0.0, 1.0):
        return wilson_interval(int(values.sum()), n)
    w = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    generator = np.random.default_rng(seed)
    means = np.empty(_RESAMPLES)
    rows = max(1, _BLOCK // n)
    for start in range(0, _RESAMPLES, rows):
        chosen = generator.integers(0, n, (min(rows, _RESAMPLES - start), n))
        means[start : start + rows] = (values[chosen] * w[chosen]).sum(axis=1) / w[chosen].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion."""
    z = 1.959964
    share = hits / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # exactly 0 and 1 at the ends, where rounding would fall short of them
    low = 0.0 if hits == 0 else (centre - spread) / scale
    return low, 1.0 if hits == n else (centre + spread) / scale


def chance_macro_f1(expected: Sequence[str], labels: Sequence[str]) -> float:
    """The macro F1 that answers drawn evenly from `labels` reach on average (200 draws, seed 0)."""
    generator = np.random.default_rng(0)
    everything = np.arange(len(expected))
    draws = [
        macro_f1(expected, [labels[i] for i in generator.integers(0, len(labels), len(expected))])(everything)
        for _ in range(_CHANCE_DRAWS)
    ]
    return float(np.mean(draws))
