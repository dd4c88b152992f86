"""One order from the search by words and the search by vectors.

The scores of both are blended: each is stretched to 0…1 over what was found, and the two are averaged. That
beats the fusion of ranks, with no weight to tune (Bruch, Gai, Ingber, "An Analysis of Fusion Functions for
Hybrid Retrieval", 2022), also on Portuguese collections: see ``benchmarks/results/retrieval.md``.
"""

from __future__ import annotations

from collections.abc import Mapping


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
