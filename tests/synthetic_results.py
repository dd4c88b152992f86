"""Results of made-up models, for tests of what is done with results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lunagpt.evaluation.results import Result, interval_of, recompute


def result(
    task: str,
    scores: Sequence[float],
    *,
    title: str = "",
    metric: str = "accuracy",
    chance: float | None = 0.5,
    constant: float | None = None,
    model: str = "",
    expected: Sequence[str] | None = None,
    predictions: Sequence[str] | None = None,
    weights: list[float] | None = None,
    prompt_hash: str = "0123456789ab",
) -> Result:
    """A result with these scores; its value and interval follow from them."""
    n = len(scores)
    if predictions is None:
        predictions = ["A" if score == 1 else "B" for score in scores]
    made = Result(
        task=task,
        title=title or task,
        metric=metric,
        value=0.0,
        low=0.0,
        high=0.0,
        n=n,
        chance=chance,
        constant=constant,
        prompt_hash=prompt_hash,
        per_item=[float(score) for score in scores],
        item_ids=[f"{task}-{i}" for i in range(n)],
        expected=list(expected) if expected is not None else ["A"] * n,
        predictions=list(predictions)
        if predictions is not None
        else ["A" if s == 1 else "B" for s in scores],
        weights=weights,
        value_is_mean=metric not in ("pearson", "macro_f1"),
        model=model,
        seconds=1.5,
    )
    low, high = interval_of(made)
    return replace(made, value=recompute(made, np.arange(n)), low=low, high=high)


def right(n: int, share: float, seed: int) -> list[float]:
    """Item scores of 0 and 1; models with another seed share half of their luck, as real ones do."""
    common = np.random.default_rng(n).random(n)
    own = np.random.default_rng(1000 + seed).random(n)
    mixed = np.where(np.random.default_rng(n + 1).random(n) < 0.5, common, own)
    return [float(x) for x in mixed < share]
