"""Qdrant's points behind one small interface: the engine inside this process, or a server or cluster of them.

Both speak the same data model (points with payload, a dense and a sparse vector), so the store above knows
nothing of which one it uses. Filters are those of Qdrant's REST interface, as dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lunagpt.rag.qdrant_filters import Json

DENSE, SPARSE = "dense", "words"
_PAGE = 256

PointId = int | str
Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector: distinct indices below 2³² and their values."""

    indices: list[int]
    values: list[float]


@dataclass(frozen=True, slots=True)
class Point:
    """What is stored under one id."""

    id: PointId
    payload: dict[str, Any]
    dense: Vector | None = None
    sparse: Sparse | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A point that a search found."""

    id: PointId
    score: float
    payload: dict[str, Any] = field(default_factory=dict)
    dense: Vector | None = None
    sparse: Sparse | None = None


class Points(Protocol):
    """A collection of points; may be used from several threads. Changes are on disk after `flush`."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Writes points; one with the same id is replaced."""
        ...

    def delete(self, filter: Json) -> None:
        """Deletes the points that a filter lets through."""
        ...

    def set_dense(self, ids: Sequence[int], vectors: Vector, payload: Json) -> None:
        """Gives existing points dense vectors and sets fields of their payload; unknown ids are left out."""
        ...

    def drop_dense(self, filter: Json) -> None:
        """Takes the dense vectors away from the points that a filter lets through."""
        ...

    def get(self, ids: Sequence[PointId], with_vectors: bool = False) -> list[Hit]:
        """The points of these ids that exist, in any order."""
        ...

    def scroll(self, filter: Json, with_vectors: bool = False) -> Iterator[Hit]:
        """All points that a filter lets through, in pages, in the order of their ids."""
        ...

    def count(self, filter: Json) -> int:
        """How many points a filter lets through."""
        ...

    def nearest(self, vector: Vector, k: int, filter: Json, exact: bool) -> list[Hit]:
        """The k points with the largest cosine."""
        ...

    def by_words(self, queries: Sequence[Sparse], k: int, filter: Json, explain: bool) -> list[list[Hit]]:
        """For each query the k points with the largest product of the sparse vectors, weighted by idf.

        Args:
            explain: return the sparse vectors of the points found instead of their payloads.
        """
        ...

    def create_field_index(self, key: str, kind: str) -> None:
        """Makes filters on a field of the payload fast."""
        ...

    def build_graph(self) -> None:
        """Builds what is missing of the graph for fast dense search, and waits for it."""
        ...

    def flush(self) -> None:
        """Makes sure that everything is on disk."""
        ...

    def close(self) -> None:
        """Lets go of files and connections."""
        ...


def pages(items: Sequence[Any], size: int = _PAGE) -> Iterator[Sequence[Any]]:
    """Slices of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
