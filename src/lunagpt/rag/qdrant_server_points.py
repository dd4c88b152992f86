"""`Points` on a Qdrant server or cluster, through qdrant-client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lunagpt.errors import LunaError, StoreError, missing_extra
from lunagpt.rag.qdrant_filters import Json, all_of
from lunagpt.rag.qdrant_points import DENSE, SPARSE, Hit, Point, PointId, Sparse, Vector, pages

_PAGE = 256


def connect(url: str, api_key: str | None) -> Any:
    """A client of the server at `url`.

    Raises:
        MissingDependencyError: qdrant-client is not installed.
    """
    try:
        from qdrant_client import QdrantClient
    except ImportError as error:
        raise missing_extra("qdrant-client", "qdrant", "usar um servidor Qdrant") from error
    # The version check only prints a warning, in English, where the first request fails with our own error.
    return QdrantClient(url=url, api_key=api_key, timeout=60, check_compatibility=False)


class ServerPoints:
    """A collection on a server."""

    def __init__(
        self, client: Any, collection: str, dimension: Callable[[], int], indexed_fields: Sequence[str]
    ) -> None:
        """
        Args:
            client: a `qdrant_client.QdrantClient`. collection: its name; made if it is missing.
            dimension: gives the width of the vectors of a new collection.
            indexed_fields: fields of the payload that get an index for filters if they have none.

        Raises:
            StoreError: the server does not answer, or the collection is something else.
        """
        from qdrant_client import models

        self._models = models
        self._client = client
        self._name = collection
        with _server_errors():
            if not client.collection_exists(collection):
                client.create_collection(
                    collection,
                    vectors_config={
                        DENSE: models.VectorParams(size=dimension(), distance=models.Distance.COSINE)
                    },
                    sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                )
            found = client.get_collection(collection)
            parameters = found.config.params
        if DENSE not in (parameters.vectors or {}) or SPARSE not in (parameters.sparse_vectors or {}):
            raise StoreError(
                f'A coleção "{collection}" do servidor Qdrant não foi feita pelo LunaGPT. Escolha outro nome.'
            )
        for key in indexed_fields:
            if key not in (found.payload_schema or {}):
                self.create_field_index(key, "keyword")

    def upsert(self, points: Sequence[Point]) -> None:
        made = [
            self._models.PointStruct(id=p.id, vector=self._vectors(p.dense, p.sparse), payload=p.payload)
            for p in points
        ]
        with _server_errors():
            for page in pages(made):
                self._client.upsert(self._name, points=list(page), wait=True)

    def delete(self, filter: Json) -> None:
        selector = self._models.FilterSelector(filter=self._filter(filter))
        with _server_errors():
            self._client.delete(self._name, points_selector=selector, wait=True)

    def set_dense(self, ids: Sequence[int], vectors: Vector, payload: Json) -> None:
        rows = dict(zip(map(int, ids), vectors, strict=True))
        present = [int(hit.id) for hit in self.get(list(rows))]
        given = [
            self._models.PointVectors(id=number, vector={DENSE: rows[number].tolist()}) for number in present
        ]
        if given:
            with _server_errors():
                self._client.update_vectors(self._name, points=given, wait=True)
                self._client.set_payload(self._name, payload=payload, points=present, wait=True)

    def drop_dense(self, filter: Json) -> None:
        selector = self._models.FilterSelector(filter=self._filter(filter))
        with _server_errors():
            self._client.delete_vectors(self._name, vectors=[DENSE], points=selector, wait=True)

    def get(self, ids: Sequence[PointId], with_vectors: bool = False) -> list[Hit]:
        if not ids:
            return []
        with _server_errors():
            found = self._client.retrieve(
                self._name, ids=list(ids), with_payload=True, with_vectors=with_vectors
            )
        return [_hit(record) for record in found]

    def scroll(self, filter: Json, with_vectors: bool = False) -> Iterator[Hit]:
        offset = None
        while True:
            with _server_errors():
                found, offset = self._client.scroll(
                    self._name,
                    scroll_filter=self._filter(filter),
                    limit=_PAGE,
                    offset=offset,
                    with_payload=True,
                    with_vectors=with_vectors,
                )
            yield from map(_hit, found)
            if offset is None:
                return

    def count(self, filter: Json) -> int:
        with _server_errors():
            return int(self._client.count(self._name, count_filter=self._filter(filter), exact=True).count)

    def nearest(self, vector: Vector, k: int, filter: Json, exact: bool) -> list[Hit]:
        with _server_errors():
            found = self._client.query_points(
                self._name,
                query=vector.tolist(),
                using=DENSE,
                query_filter=self._filter(filter),
                search_params=self._models.SearchParams(exact=exact),
                limit=k,
                with_payload=True,
            )
        return [_hit(point) for point in found.points]

    def by_words(self, queries: Sequence[Sparse], k: int, filter: Json, explain: bool) -> list[list[Hit]]:
        if not queries:
            return []
        requests = [
            self._models.QueryRequest(
                query=self._models.SparseVector(indices=query.indices, values=query.values),
                using=SPARSE,
                filter=self._filter(filter),
                limit=k,
                with_payload=not explain,
                with_vector=[SPARSE] if explain else False,
            )
            for query in queries
        ]
        with _server_errors():
            results = self._client.query_batch_points(self._name, requests=requests)
        return [[_hit(point) for point in result.points] for result in results]

    def create_field_index(self, key: str, kind: str) -> None:
        schema = self._models.PayloadSchemaType(kind)
        with _server_errors():
            self._client.create_payload_index(self._name, field_name=key, field_schema=schema, wait=True)

    def build_graph(self) -> None:
        """Does nothing: a server builds the graph by itself, in the background, and searches meanwhile."""

    def flush(self) -> None:
        """Does nothing: every change waited for the server's log."""

    def close(self) -> None:
        self._client.close()

    def _vectors(self, dense: Vector | None, sparse: Sparse | None) -> dict[str, Any]:
        vectors: dict[str, Any] = {}
        if dense is not None:
            vectors[DENSE] = dense.tolist()
        if sparse is not None:
            vectors[SPARSE] = self._models.SparseVector(indices=sparse.indices, values=sparse.values)
        return vectors

    def _filter(self, filter: Json) -> Any:
        whole = filter if not filter or filter.keys() & {"must", "should", "must_not"} else all_of([filter])
        return self._models.Filter.model_validate(whole)


@contextmanager
def _server_errors() -> Iterator[None]:
    """Turns whatever goes wrong between here and the server into one kind of error."""
    try:
        yield
    except LunaError:
        raise
    except Exception as error:
        raise StoreError(
            f"O servidor Qdrant não fez o que foi pedido ({type(error).__name__}: {error}). Verifique o "
            "endereço, a chave e se ele está no ar."
        ) from error


def _hit(found: Any) -> Hit:
    vectors = found.vector if isinstance(found.vector, dict) else {}
    dense, sparse = vectors.get(DENSE), vectors.get(SPARSE)
    return Hit(
        id=found.id,
        score=float(getattr(found, "score", 0.0)),
        payload=found.payload or {},
        dense=None if dense is None else np.asarray(dense, dtype=np.float32),
        sparse=None if sparse is None else Sparse(list(sparse.indices), list(sparse.values)),
    )
