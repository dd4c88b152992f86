"""Figures on a collection's texts and vectors that need no labelled data.

Letters: N passages, F features of a vector.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from lunagpt.rag.lexical import words

_SHINGLE = 5  # words
_COMMON = 60  # a shingle in more passages than this is boilerplate and tells no pair
_PAIRS = 20_000


def mean_cosine(vectors: np.ndarray, seed: int = 0) -> float:
    """Mean cosine of random pairs: near 0 the vectors use the whole space, near 1 they all point one way.

    Mu & Viswanath 2018 and Ethayarajh 2019 call the latter anisotropy. Models of the E5 family stand at 0.7
    to 0.9 by design, therefore the figure is to be compared between bases of the same model only.

    Args:
        vectors: (N, F), not all zero. NaN with fewer than two.
    """
    n = len(vectors)
    if n < 2:
        return float("nan")
    unit = _unit(vectors)
    if n * (n - 1) // 2 <= _PAIRS:
        total = unit.sum(axis=0)
        return float((total @ total - n) / (n * (n - 1)))
    generator = np.random.default_rng(seed)
    a = generator.integers(0, n, _PAIRS)
    b = (a + generator.integers(1, n, _PAIRS)) % n
    return float((unit[a] * unit[b]).sum(axis=1).mean())


def effective_dimensions(vectors: np.ndarray) -> float:
    """How many directions the vectors really use: the exponential of the entropy of their variance's shares
    along the principal axes (Roy & Vetterli 2007). Between 1 and the smaller of N - 1 and F; NaN with fewer
    than three vectors."""
    if len(vectors) < 3:
        return float("nan")
    centred = np.asarray(vectors, np.float64) - np.asarray(vectors, np.float64).mean(axis=0)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2
    if variance.sum() <= 0:
        return 1.0
    share = variance[variance > 0] / variance.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def similarity_histogram(
    vectors: np.ndarray, bins: int = 20, seed: int = 0
) -> tuple[list[int], float, float]:
    """Counts of the cosines of random pairs in equal steps between the lowest and the highest."""
    n = len(vectors)
    generator = np.random.default_rng(seed)
    a = generator.integers(0, n, _PAIRS)
    b = (a + generator.integers(1, n, _PAIRS)) % n
    unit = _unit(vectors)
    cosines = (unit[a] * unit[b]).sum(axis=1)
    counts, edges = np.histogram(cosines, bins=bins)
    return [int(c) for c in counts], float(edges[0]), float(edges[-1])


def near_duplicates(texts: Sequence[str], threshold: float = 0.8) -> list[tuple[int, int, float]]:
    """Pairs of passages that say nearly the same in the same words.

    The measure is the Jaccard similarity of their sets of five-word sequences (Broder 1997), computed exactly
    for every pair that shares a sequence which is not boilerplate.

    Args:
        threshold: least similarity, above 0.

    Returns:
        (i, j, similarity), i < j, the most similar first.
    """
    sets = [_shingles(text) for text in texts]
    homes: defaultdict[int, list[int]] = defaultdict(list)
    for i, shingles in enumerate(sets):
        for shingle in shingles:
            homes[shingle].append(i)
    shared: Counter[tuple[int, int]] = Counter()
    for where in homes.values():
        if 2 <= len(where) <= _COMMON:
            shared.update((a, b) for k, a in enumerate(where) for b in where[k + 1 :])
    found = []
    for a, b in shared:
        similarity = len(sets[a] & sets[b]) / len(sets[a] | sets[b])
        if similarity >= threshold:
            found.append((a, b, similarity))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _shingles(text: str) -> set[int]:
    found = words(text)
    count = max(1, len(found) - _SHINGLE + 1)
    return {_number(" ".join(found[i : i + _SHINGLE])) for i in range(count)} if found else set()


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")


def _unit(vectors: np.ndarray) -> np.ndarray:
    matrix = np.asarray(vectors, np.float32)
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, length, out=np.zeros_like(matrix), where=length > 0)
