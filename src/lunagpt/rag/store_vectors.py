"""The vectors of a store: computing, keeping and indexing them. The other half of `DocumentStore`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunagpt.rag.dense_search import DenseSearch
from lunagpt.rag.model_holder import ModelHolder
from lunagpt.rag.schema import Database
from lunagpt.rag.searching import DenseQuery
from lunagpt.rag.vector_rows import VectorRows

Vectors = NDArray[np.float32]

_DEFAULT_INDEX = ("flat", "cosine")


class StoredVectors(ModelHolder):
    """What a store in SQLite can do with vectors; `DocumentStore` is one."""

    def __init__(self, database: Database, folder: Path, embedder: Any) -> None:
        super().__init__(embedder)
        self._database = database
        self._dense = DenseSearch(database, folder)
        self._vectors = VectorRows(database)

    @property
    def chunk_count(self) -> int:
        """Number of passages."""
        return self._vectors.chunk_count

    @property
    def words_only(self) -> bool:
        """Whether the base is meant to be searched by words alone; kept with it."""
        return bool(self._database.meta("words_only"))

    @words_only.setter
    def words_only(self, value: bool) -> None:
        if value != self.words_only:
            self._database.set_meta("words_only", int(value))

    def chunks_without_vectors(self, model: str, limit: int) -> list[tuple[int, str]]:
        """Up to `limit` chunks without a vector of `model`: (chunk id, text to embed); equal texts once."""
        return self._vectors.missing(model, limit)

    def add_vectors(self, model: str, chunk_ids: Sequence[int], vectors: Vectors) -> None:
        """Keep vectors (n, d) of length 1 for chunks and for all others of equal text, in one transaction.

        Chunks that are gone meanwhile are left out.

        Raises:
            StoreError: the model's vectors have another width here.
        """
        self._vectors.add(model, chunk_ids, vectors)

    def vectors(self, model: str | None = None) -> tuple[NDArray[np.int64], Vectors]:
        """Chunk ids (n,) in rising order and their vectors (n, d) by a model; by default the main one."""
        return self._dense.all_vectors(model or self._main_model() or "")

    def vector_count(self, model: str | None = None) -> int:
        """Chunks that have a vector of a model; by default of the main one."""
        name = model or self._main_model()
        return self._vectors.count(name) if name else 0

    @property
    def vector_models(self) -> list[str]:
        """Names of the models that the base has vectors of, the latest first."""
        return self._vectors.models()

    def build_index(self, index_type: str = "flat", metric: str = "cosine") -> int:
        """Write a derived index for fast search by vectors, and tidy up the word index.

        Args:
            index_type: "flat" (exact), "hnsw", "ivf" or "pq" (these three with the extra `index`).
            metric: "cosine", "l2" or "ip"; vectors have length 1, so all three find the same passages.

        Returns:
            Vectors in the index. 0 if there are none yet: search by words needs no index.

        Raises:
            LunaError: unknown type or metric, or the package for it is missing.
        """
        model = self._main_model()
        built = self._dense.build(model, index_type, metric) if model else 0
        with self._database.write() as connection:
            connection.execute("INSERT INTO words(words) VALUES('optimize')")
            connection.execute("INSERT OR REPLACE INTO meta VALUES('index', ?)", (f"{index_type} {metric}",))
        return built

    def rebuild_index(self) -> int:
        """`build_index` with the type and metric of last time."""
        known = self._database.meta("index")
        index_type, metric = str(known).split() if known else _DEFAULT_INDEX
        return self.build_index(index_type, metric)

    def _main_model(self) -> str | None:
        """The model whose vectors are searched: the embedder's if it has any here, else the latest."""
        models = self.vector_models
        if self._embedder is not None and self._embedder.name in models:
            return self._embedder.name
        return models[0] if models else None

    def _dense_query(self, vector: Vectors, model: str | None) -> DenseQuery | None:
        name = model or self._main_model()
        return None if name is None else DenseQuery(name, vector, self._to_relevance(name))

    def _forget_vectors(self) -> None:
        if self.embedder is not None:
            self._vectors.clear(self.embedder.name)
