"""Is one model better than another, or was it luck? Paired comparisons on the same items.

Letters: n items.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Method = Literal["mcnemar", "sinais trocados", "bootstrap"]

_RESAMPLES = 10_000
_STATISTIC_RESAMPLES = 2_000  # each of them costs a Python call or two
_EXACT_ITEMS = 14  # up to 2^14 patterns of signs are simply all tried
_BLOCK = 1 << 22  # numbers drawn at once, to bound the memory


@dataclass(frozen=True, slots=True)
class PairedTest:
    """What is known about the difference between two models on one task.

    Attributes:
        difference: value of the second model minus that of the first, in units of the metric.
        low, high: 95 % interval of it (paired bootstrap over items, percentiles).
        p: two-sided probability of a difference at least as large if both models were equally good.
        method: "mcnemar" (exact, items right or wrong), "sinais trocados" (sign flips, other scores) or
            "bootstrap" (values that are no means, e.g. correlations).
        n: items that both models answered.
        wins, losses, ties: items on which the second model scored higher, lower, the same; None where the
            value is no mean of such scores.
    """

    difference: float
    low: float
    high: float
    p: float
    method: Method
    n: int
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None


def compare_paired(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    weights: Sequence[float] | np.ndarray | None = None,
    *,
    seed: int = 0,
) -> PairedTest:
    """Compare two models by their scores on the same items.

    Scores that are all 0 or 1, unweighted, go through McNemar's exact test (McNemar 1947: under equal skill
    an item on which the models differ is a fair coin). Others go through the sign-flip permutation test of
    the mean difference (Fisher 1935; recommended for language processing by Yeh 2000 and Dror et al. 2018):
    all sign patterns for few items, 10,000 drawn ones for many. The interval comes from 10,000 bootstrap
    samples of items (Efron 1979), the same items for both models.

    Args:
        first, second: (n,) scores in the same order of items.
        weights: (n,) weight of an item in the value, e.g. its bytes for bits per byte; None means equal ones.
        seed: of the drawn samples.

    Raises:
        ValueError: the lengths differ, there is no item, a score is not finite, or no weight is positive.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise ValueError(f"scores of shapes {a.shape} and {b.shape} cannot be paired")
    w = np.ones_like(a) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != a.shape or not (np.isfinite(a).all() and np.isfinite(b).all() and np.isfinite(w).all()):
        raise ValueError("scores and weights must be finite and as many as the items")
    if (w < 0).any() or w.sum() <= 0:
        raise ValueError("weights must not be negative, and one must be positive")
    d = b - a
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    generator = np.random.default_rng(seed)
    low, high = _bootstrap(d, w, generator)
    binary = weights is None and bool(np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all())
    p = mcnemar_exact(wins, losses) if binary else _sign_flips(d * w, generator)
    return PairedTest(
        difference=float((d * w).sum() / w.sum()),
        low=low,
        high=high,
        p=p,
        method="mcnemar" if binary else "sinais trocados",
        n=int(d.size),
        wins=wins,
        losses=losses,
        ties=int(d.size) - wins - losses,
    )


def compare_statistics(
    first: Callable[[np.ndarray], float],
    second: Callable[[np.ndarray], float],
    n: int,
    *,
    seed: int = 0,
) -> PairedTest:
    """Compare two values that are no means of item scores, e.g. correlations or macro F1.

    The difference is computed again on 2,000 bootstrap samples of items, the same for both models. The
    probability is twice the smaller share of samples on either side of zero (Efron & Tibshirani 1993,
    ch. 15), with one added above and below, so that it is never zero.

    Args:
        first, second: value of a model over chosen items, given their indices. n: items.

    Raises:
        ValueError: there is no item.
    """
    if n < 1:
        raise ValueError("a comparison needs at least one item")
    generator = np.random.default_rng(seed)
    drawn = (generator.integers(0, n, n) for _ in range(_STATISTIC_RESAMPLES))
    differences = np.array([second(chosen) - first(chosen) for chosen in drawn])
    differences = differences[np.isfinite(differences)]
    everything = np.arange(n)
    difference = second(everything) - first(everything)
    if not differences.size:
        return PairedTest(difference, math.nan, math.nan, 1.0, "bootstrap", n)
    low, high = np.percentile(differences, (2.5, 97.5))
    side = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p = min(1.0, 2 * (side + 1) / (differences.size + 1))
    return PairedTest(difference, float(low), float(high), p, "bootstrap", n)


def mcnemar_exact(wins: int, losses: int) -> float:
    """Two-sided exact binomial probability of a split as uneven as this one among fair coins."""
    n, k = wins + losses, min(wins, losses)
    if n == 0:
        return 1.0
    # Sums of logarithms: the coefficients of thousands of items overflow a float.
    tail = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(k + 1)]
    highest = max(tail)
    log_p = highest + math.log(math.fsum(math.exp(t - highest) for t in tail)) - n * math.log(2) + math.log(2)
    return min(1.0, math.exp(log_p))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted probabilities: with them, the chance of even one false finding among all the
    tasks stays under the level at which they are judged. NaN (no test) stays NaN and does not count."""
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    adjusted = [math.nan] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def _bootstrap(d: np.ndarray, w: np.ndarray, generator: np.random.Generator) -> tuple[float, float]:
    n = d.size
    means = np.empty(_RESAMPLES)
    rows = max(1, _BLOCK // n)
    for start in range(0, _RESAMPLES, rows):
        chosen = generator.integers(0, n, (min(rows, _RESAMPLES - start), n))
        weight = w[chosen]
        total = weight.sum(axis=1)
        sums = (d[chosen] * weight).sum(axis=1)
        means[start : start + rows] = np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _sign_flips(d: np.ndarray, generator: np.random.Generator) -> float:
    d = d[d != 0]  # an item without difference is the same under either sign
    n = d.size
    if n == 0:
        return 1.0
    observed = abs(d.sum())
    limit = observed * (1 - 1e-12)  # equal sums differ in the last bits
    if n <= _EXACT_ITEMS:
        patterns = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return float((np.abs((2 * patterns - 1) @ d) >= limit).mean())
    beyond = 0
    rows = max(1, _BLOCK // n)
    for start in range(0, _RESAMPLES, rows):
        signs = generator.integers(0, 2, (min(rows, _RESAMPLES - start), n), dtype=np.int8)
        beyond += int((np.abs((2 * signs - 1) @ d) >= limit).sum())
    return (beyond + 1) / (_RESAMPLES + 1)  # Phipson & Smyth 2010: never zero
