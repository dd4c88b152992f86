"""One order from several: reciprocal rank fusion (Cormack, Clarke, Büttcher, SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

RRF_K = 60  # the constant of the paper; measured no worse than others on Portuguese questions


def fuse(orders: Iterable[Sequence[int]], k: int = RRF_K) -> list[int]:
    """Ids by the sum of 1 / (k + rank) over the orders that have them, rank from 1, best first.

    Equal sums keep the order of first appearance.
    """
    scores: dict[int, float] = {}
    for order in orders:
        for rank, identity in enumerate(order, start=1):
            scores[identity] = scores.get(identity, 0.0) + 1.0 / (k + rank)
    return sorted(scores, key=lambda identity: -scores[identity])
