"""The built-in questions by which scores are calibrated.

Each has a passage that answers it and one that does not, though it is of the same document. They were written
for this project, for many domains, in everyday wording.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from lunagpt.rag.passages import search_text

#: Parts of the weight that the three sorts of examples have in a fit: half is right; of the wrong half, one
#: fifth is from the right document. Small embedding models hardly tell these near misses from answers: the
#: more they weigh, the fewer right passages reach a high relevance. With these parts, multilingual-e5-small
#: lets 72 % of the right passages and 0.1 % of the unrelated ones through at 0.7 (held-out questions).
_RIGHT, _NEAR, _FAR = 0.5, 0.1, 0.4


@dataclass(frozen=True, slots=True)
class CalibrationPair:
    """A question, a passage that answers it, and a near miss; `held_out` pairs are for checking only.

    `title` is that of the document of both.
    """

    domain: str
    title: str
    question: str
    passage: str
    near_miss: str
    held_out: bool


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """One half of the pairs as a small search task.

    Attributes:
        questions: q texts. passages: p texts under their titles, the answers and then the near misses.
        labels: (q, p) bool, whether the passage answers the question.
        weights: (q, p) float64, positive, of sum one.
    """

    questions: tuple[str, ...]
    passages: tuple[str, ...]
    labels: NDArray[np.bool_]
    weights: NDArray[np.float64]


@cache
def calibration_pairs() -> tuple[CalibrationPair, ...]:
    """All pairs; every second one is held out."""
    text = files("lunagpt").joinpath("assets/calibration/pairs.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return tuple(CalibrationPair(**row, held_out=number % 2 == 1) for number, row in enumerate(rows))


@cache
def calibration_set(held_out: bool) -> CalibrationSet:
    """The half for fitting (False) or the half for checking (True)."""
    pairs = [pair for pair in calibration_pairs() if pair.held_out == held_out]
    count = len(pairs)
    right = np.eye(count, 2 * count, dtype=bool)
    near = np.eye(count, 2 * count, k=count, dtype=bool)
    weights = np.full(right.shape, _FAR / (right.size - 2 * count))
    weights[right] = _RIGHT / count
    weights[near] = _NEAR / count
    passages = [search_text(pair.title, (), pair.passage) for pair in pairs]
    passages += [search_text(pair.title, (), pair.near_miss) for pair in pairs]
    return CalibrationSet(tuple(pair.question for pair in pairs), tuple(passages), right, weights)
