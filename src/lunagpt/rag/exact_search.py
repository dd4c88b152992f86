"""Exact nearest neighbours: every vector is looked at, in blocks, on several cores, without copying any.

A core compares seven to nine million vectors of 384 numbers per second, as fast as memory delivers them, so a
personal library is searched in a few milliseconds and a million vectors in about 0.1 s.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lunagpt.utils.hardware import usable_threads

Metric = Literal["cosine", "l2", "ip"]
Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

#: Vectors per task: 25 MB of 384 numbers, large beside the cost of a task, small beside the memory.
BLOCK = 16_384
#: Fewer numbers than this are done sooner by one core than handed out.
_PARALLEL_NUMBERS = 8 << 20
#: From this share of allowed rows on, reading all of them in order beats picking them out.
_PICKING_SHARE = 0.3


def search_exact(
    vectors: Matrix,
    query: Matrix,
    k: int,
    metric: Metric,
    squared_norms: Matrix | None = None,
    rows: Rows | None = None,
) -> tuple[Rows, Matrix]:
    """The k best rows of (n, d) for a query (d,), best first; equal scores in the order of the rows.

    Args:
        metric: "cosine" (rows and query have length one already), "ip" inner product or "l2".
        squared_norms: (n,) squared lengths of the rows, needed for "l2".
        rows: only these rows, in ascending order; None means all.

    Returns:
        Row numbers and scores; the higher, the better: cosine, inner product, or distance times −1.
    """
    count = len(vectors)
    picked = rows is not None and len(rows) < _PICKING_SHARE * count
    total = len(rows) if picked and rows is not None else count
    mask = None
    if rows is not None and not picked:
        mask = np.zeros(count, dtype=bool)
        mask[rows] = True
    # Distances computed from norms lose digits when they are small: more candidates, then exact ones.
    wanted = min(4 * k + 16 if metric == "l2" else k, total)

    def best_of_block(start: int) -> tuple[Rows, Matrix]:
        stop = min(start + BLOCK, total)
        chosen: slice | Rows = rows[start:stop] if picked and rows is not None else slice(start, stop)
        # Not `@`: its library starts threads of its own for every block, and they get into each other's way.
        scores = np.vecdot(vectors[chosen], query)
        if metric == "l2":
            assert squared_norms is not None
            scores = 2 * scores - squared_norms[chosen]  # −‖a−q‖² up to a constant
        if mask is not None:
            scores[~mask[chosen]] = -np.inf
        best = _largest(scores, wanted)
        numbers = chosen[best] if isinstance(chosen, np.ndarray) else best + start
        return numbers.astype(np.int64, copy=False), scores[best]

    starts = range(0, total, BLOCK)
    threads = usable_threads() if total * vectors.shape[1] >= _PARALLEL_NUMBERS else 1
    parts = list(_pool(threads).map(best_of_block, starts) if threads > 1 else map(best_of_block, starts))
    if not parts:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    found = np.concatenate([numbers for numbers, _ in parts])
    scores = np.concatenate([values for _, values in parts])
    if mask is not None:
        kept = scores != -np.inf
        found, scores = found[kept], scores[kept]
    if metric == "l2":
        best = _largest(scores, wanted)
        found = found[best]
        scores = -np.linalg.norm(vectors[found] - query, axis=1)
    order = np.lexsort((found, -scores))[:k]
    return found[order], scores[order].astype(np.float32, copy=False)


def squared_lengths(vectors: Matrix) -> Matrix:
    """Squared length of each row of (n, d), block by block."""
    lengths = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        np.einsum("nd,nd->n", block, block, out=lengths[start : start + BLOCK])
    return lengths


def _largest(scores: Matrix, k: int) -> Rows:
    """Positions of the k largest values, in no order; of equal values at the border, the first ones."""
    if k >= len(scores):
        return np.arange(len(scores))
    border = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > border)
    equal = np.flatnonzero(scores == border)[: k - len(above)]
    return np.concatenate([above, equal])


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="luna-scan")
