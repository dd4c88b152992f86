"""One order from the search by words and the search by vectors.

Where the scores of both are at hand they are blended: each is stretched to 0…1 over what was found, and the
two are averaged. That beats the fusion of ranks, with no weight to tune (Bruch, Gai, Ingber, "An Analysis of
Fusion Functions for Hybrid Retrieval", 2022), also on Portuguese collections: see
``benchmarks/results/retrieval.md``. Where only orders are known, ranks are fused (Cormack, Clarke, Büttcher,
SIGIR 2009).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

RRF_K = 60  # the constant of the paper


def blend(lexical: Mapping[int, float], cosines: Mapping[int, float], floor: float) -> list[int]:
    """Ids by the mean of their stretched scores, best first; equal means in the order of the ids.

    Args:
        lexical: id → BM25 score, of what was found by words; others have none of the words.
        cosines: id → cosine, also of what was found by words alone. An id without one has no vector yet and
            is judged by its words.
        floor: the cosine that counts as 0: that of the last passage found by vectors.
    """
    most = max(lexical.values(), default=0.0) or 1.0
    span = max(cosines.values(), default=floor) - floor or 1.0

    def score(identity: int) -> float:
        by_words = lexical.get(identity, 0.0) / most
        cosine = cosines.get(identity)
        return by_words if cosine is None else (by_words + (cosine - floor) / span) / 2

    return sorted({*lexical, *cosines}, key=lambda identity: (-score(identity), identity))


def fuse(orders: Iterable[Sequence[int]], k: int = RRF_K) -> list[int]:
    """Ids by the sum of 1 / (k + rank) over the orders that have them, rank from 1, best first.

    Equal sums keep the order of first appearance.
    """
    scores: dict[int, float] = {}
    for order in orders:
        for rank, identity in enumerate(order, start=1):
            scores[identity] = scores.get(identity, 0.0) + 1.0 / (k + rank)
    return sorted(scores, key=lambda identity: -scores[identity])
