"""The vectors of a collection on Qdrant: computing, keeping and indexing them. The other half of
`QdrantStore`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunagpt.errors import StoreError
from lunagpt.rag.embeddings.base import Vectors
from lunagpt.rag.model_holder import ModelHolder
from lunagpt.rag.qdrant_filters import all_of, equals, none_of, payload_key
from lunagpt.rag.qdrant_meta import CollectionMeta
from lunagpt.rag.qdrant_points import Points
from lunagpt.rag.qdrant_records import IS_CHUNK, embedded_text
from lunagpt.rag.qdrant_search import HAS_VECTOR

_DEFAULT_DIMENSION = 384


class QdrantVectors(ModelHolder):
    """What a collection can do with vectors; `QdrantStore` is one.

    Attributes:
        path: the folder of a collection in this process; None on a server.
    """

    path: Path | None
    _points: Points
    _meta: CollectionMeta

    def _attach(self, points: Points, path: Path | None) -> None:
        self._points = points
        self.path = path
        self._meta = CollectionMeta(points)

    def _width(self) -> int:
        """Width of the vectors of a new collection: that of the embedding model."""
        model = self.embedder
        return _DEFAULT_DIMENSION if model is None else model.dimension

    @property
    def chunk_count(self) -> int:
        """Number of passages."""
        return self._points.count(IS_CHUNK)

    def chunks_without_vectors(self, model: str, limit: int) -> list[tuple[int, str]]:
        missing: dict[str, tuple[int, str]] = {}
        condition = all_of([IS_CHUNK, none_of([all_of([HAS_VECTOR, equals("model", model)])])])
        for hit in self._points.scroll(condition):
            missing.setdefault(hit.payload["sha256"], (int(hit.id), embedded_text(hit.payload)))
            if len(missing) >= limit:
                break
        return list(missing.values())

    def add_vectors(self, model: str, chunk_ids: Sequence[int], vectors: Vectors) -> None:
        """Keep vectors (n, d) of length 1 for passages and for all others of equal text.

        Raises:
            StoreError: the base has vectors of another model; a collection holds those of one.
        """
        others = [name for name in self.vector_models if name != model]
        if others:
            raise StoreError(
                f'Esta base do Qdrant tem vetores do modelo "{others[0]}", e cada base guarda os de um só. '
                "Calcule todos de novo com update_embeddings(only_new=False) ou crie outra base."
            )
        given = dict(zip(map(int, chunk_ids), np.asarray(vectors, np.float32), strict=True))
        by_text = {
            hit.payload["sha256"]: given[int(hit.id)] for hit in self._points.get(list(given)) if hit.payload
        }
        if not by_text:
            return
        same = all_of([IS_CHUNK, {"should": [equals("sha256", sha256) for sha256 in by_text]}])
        rows = {int(hit.id): by_text[hit.payload["sha256"]] for hit in self._points.scroll(same)}
        if self._meta.get("model") != model:
            self._meta.write(model=model)
        self._points.set_dense(list(rows), np.stack(list(rows.values())), {"model": model})
        self._points.flush()

    def vectors(self, model: str | None = None) -> tuple[NDArray[np.int64], Vectors]:
        """Chunk ids (n,) in rising order and their vectors (n, d)."""
        if not self.vector_count(model):
            return np.empty(0, np.int64), np.empty((0, 0), np.float32)
        hits = self._points.scroll(all_of([IS_CHUNK, HAS_VECTOR]), with_vectors=True)
        rows = sorted((int(hit.id), hit.dense) for hit in hits if hit.dense is not None)
        return np.array([number for number, _ in rows], np.int64), np.stack([row for _, row in rows])

    def vector_count(self, model: str | None = None) -> int:
        conditions = [IS_CHUNK, HAS_VECTOR] + ([equals("model", model)] if model else [])
        return self._points.count(all_of(conditions))

    @property
    def vector_models(self) -> list[str]:
        """Name of the model that the base has vectors of; empty if it has none."""
        model = self._meta.get("model")
        return [model] if model and self.vector_count(model) else []

    def build_index(self, index_type: str = "hnsw", metric: str = "cosine") -> int:
        """Build the graph for fast dense search and wait for it ("hnsw"), or compare all vectors ("flat").

        Returns:
            Vectors in the base.

        Raises:
            StoreError: Qdrant has no such index or the collection no such metric.
        """
        if index_type not in ("hnsw", "flat"):
            raise StoreError(
                f'O Qdrant não tem o índice "{index_type}". Use "hnsw" ou "flat"; a compressão dos vetores é '
                "uma opção da coleção no servidor (quantization_config)."
            )
        if metric != "cosine":
            raise StoreError(f'A coleção do Qdrant compara vetores pelo cosseno, e não por "{metric}".')
        self._meta.write(index=index_type)
        if index_type == "hnsw":
            self._points.build_graph()
        return self.vector_count()

    def rebuild_index(self) -> int:
        """`build_index` with the type of last time."""
        return self.build_index(self._meta.get("index", "hnsw"))

    def create_filter_index(self, field: str, kind: str = "keyword") -> None:
        """Make filters on a field of the metadata fast: "keyword", "integer", "float" or "datetime"."""
        kinds = ("keyword", "integer", "float", "datetime")
        if kind not in kinds:
            raise StoreError(f'Não conheço o tipo "{kind}". Use um destes: {", ".join(kinds)}.')
        self._points.create_field_index(payload_key(field), kind)

    def _forget_vectors(self) -> None:
        self._points.drop_dense(IS_CHUNK)
        self._meta.write(model=None)
