"""`Points` on qdrant-edge: Qdrant's engine inside this process, in a folder, with no server.

Changes go to the engine's write-ahead log one after the other, so that a kill leaves all of them up to some
point; `flush` takes them to the disk, so that a power cut does too.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lunagpt.errors import StoreError, missing_extra
from lunagpt.files import atomic_write_text
from lunagpt.rag.qdrant_filters import Json, all_of
from lunagpt.rag.qdrant_points import DENSE, SPARSE, Hit, Point, PointId, Sparse, Vector, pages

_MARKER = "luna.json"
_FORMAT = "lunagpt-qdrant-edge-1"
_PAGE = 256


def edge_dimension(folder: Path) -> int | None:
    """Width of the vectors of the collection in a folder; None if there is none."""
    try:
        record = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        if record["format"] != _FORMAT:
            raise ValueError(record["format"])
        return int(record["dimension"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f'A pasta "{folder}" não é uma base do Qdrant que eu conheça ({error}).') from error


class EdgePoints:
    """A shard of Qdrant in a folder."""

    def __init__(self, folder: Path, dimension: int, indexed_fields: Sequence[str] = ()) -> None:
        """
        Args:
            dimension: width of the vectors of a new collection.
            indexed_fields: fields of the payload with an index for filters, made with the collection.

        Raises:
            MissingDependencyError: qdrant-edge-py is not installed.
            StoreError: the folder holds something else, is damaged, or another process has it open.
        """
        self._edge = _edge()
        self._lock = threading.RLock()
        known = edge_dimension(folder)
        try:
            if known is None:
                if folder.is_dir() and any(folder.iterdir()):
                    raise StoreError(
                        f'A pasta "{folder}" tem outros arquivos e não é uma base do Qdrant. Escolha uma '
                        "pasta nova ou vazia."
                    )
                folder.mkdir(parents=True, exist_ok=True)
                self._shard = self._edge.EdgeShard.create(str(folder / "shard"), self._config(dimension))
                for key in indexed_fields:
                    self.create_field_index(key, "keyword")
                self.flush()
                atomic_write_text(
                    folder / _MARKER, json.dumps({"format": _FORMAT, "dimension": dimension}) + "\n"
                )
            else:
                self._shard = self._edge.EdgeShard.load(str(folder / "shard"))
        except StoreError:
            raise
        except Exception as error:  # the engine has one kind of error for everything
            raise StoreError(
                f'A base do Qdrant em "{folder}" não abriu ({error}). Feche outros programas que a usem; se '
                "estiver danificada, refaça-a a partir dos documentos."
            ) from error

    def upsert(self, points: Sequence[Point]) -> None:
        made = [self._edge.Point(_edge_id(p.id), self._vectors(p.dense, p.sparse), p.payload) for p in points]
        for page in pages(made):
            self._update(self._edge.UpdateOperation.upsert_points(list(page)))

    def delete(self, filter: Json) -> None:
        self._update(self._edge.UpdateOperation.delete_points_by_filter(self._filter(filter)))

    def set_dense(self, ids: Sequence[int], vectors: Vector, payload: Json) -> None:
        rows = dict(zip(map(int, ids), vectors, strict=True))
        present = [int(hit.id) for hit in self.get(list(rows))]
        given = [
            self._edge.PointVectors(number, {DENSE: rows[number].tolist()}) for number in sorted(present)
        ]
        if given:
            operation = self._edge.UpdateOperation
            self._update(operation.update_vectors(given))
            self._update(operation.set_payload(present, payload))

    def drop_dense(self, filter: Json) -> None:
        self._update(self._edge.UpdateOperation.delete_vectors_by_filter(self._filter(filter), [DENSE]))

    def get(self, ids: Sequence[PointId], with_vectors: bool = False) -> list[Hit]:
        if not ids:
            return []
        with self._lock:
            found = self._shard.retrieve([_edge_id(number) for number in ids], True, with_vectors)
        return [_hit(record) for record in found]

    def scroll(self, filter: Json, with_vectors: bool = False) -> Iterator[Hit]:
        offset = None
        while True:
            request = self._edge.ScrollRequest(
                offset=offset,
                limit=_PAGE,
                filter=self._filter(filter),
                with_payload=True,
                with_vector=with_vectors,
            )
            with self._lock:
                found, offset = self._shard.scroll(request)
            yield from map(_hit, found)
            if offset is None:
                return

    def count(self, filter: Json) -> int:
        with self._lock:
            return int(self._shard.count(self._edge.CountRequest(filter=self._filter(filter))))

    def nearest(self, vector: Vector, k: int, filter: Json, exact: bool) -> list[Hit]:
        query = self._edge.Query.Nearest(vector.tolist(), using=DENSE)
        request = self._edge.QueryRequest(
            limit=k,
            query=query,
            filter=self._filter(filter),
            with_payload=True,
            params=self._edge.SearchParams(exact=exact),
        )
        with self._lock:
            return [_hit(found) for found in self._shard.query(request)]

    def by_words(self, queries: Sequence[Sparse], k: int, filter: Json, explain: bool) -> list[list[Hit]]:
        requests = [
            self._edge.QueryRequest(
                limit=k,
                query=self._edge.Query.Nearest(
                    self._edge.SparseVector(query.indices, query.values), using=SPARSE
                ),
                filter=self._filter(filter),
                with_payload=not explain,
                with_vector=[SPARSE] if explain else False,
            )
            for query in queries
        ]
        with self._lock:
            results = self._shard.query_batch(self._edge.QueryBatchRequest(requests)) if requests else []
        return [[_hit(found) for found in result] for result in results]

    def create_field_index(self, key: str, kind: str) -> None:
        schema = getattr(self._edge.PayloadSchemaType, kind.capitalize())
        self._update(self._edge.UpdateOperation.create_field_index(key, schema))

    def build_graph(self) -> None:
        with self._lock:
            self._shard.optimize()

    def flush(self) -> None:
        with self._lock:
            self._shard.flush()

    def close(self) -> None:
        with self._lock:
            self._shard.close()

    def _update(self, operation: Any) -> None:
        with self._lock:
            self._shard.update(operation)

    def _config(self, dimension: int) -> Any:
        edge = self._edge
        return edge.EdgeConfig(
            vectors={DENSE: edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine)},
            sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        )

    def _vectors(self, dense: Vector | None, sparse: Sparse | None) -> dict[str, Any]:
        vectors: dict[str, Any] = {}
        if dense is not None:
            vectors[DENSE] = dense.tolist()
        if sparse is not None:
            vectors[SPARSE] = self._edge.SparseVector(sparse.indices, sparse.values)
        return vectors

    def _filter(self, filter: Json) -> Any:
        parts = {
            name: [self._condition(part) for part in filter[name]]
            for name in ("must", "should", "must_not")
            if name in filter
        }
        return self._edge.Filter(**parts) if parts or not filter else self._filter(all_of([filter]))

    def _condition(self, condition: Mapping[str, Any]) -> Any:
        edge = self._edge
        if "has_id" in condition:
            return edge.HasIdCondition(set(condition["has_id"]))
        if "has_vector" in condition:
            return edge.HasVectorCondition(condition["has_vector"])
        if "is_empty" in condition:
            return edge.IsEmptyCondition(condition["is_empty"]["key"])
        if "match" in condition:
            match = condition["match"]
            part = match.get("substring")
            wanted = edge.MatchValue(match["value"]) if part is None else edge.MatchSubstring(part)
            return edge.FieldCondition(condition["key"], match=wanted)
        if "range" in condition:
            limits = condition["range"]
            dates = any(isinstance(limit, str) for limit in limits.values())
            kind = edge.RangeDateTime if dates else edge.RangeFloat
            return edge.FieldCondition(condition["key"], range=kind(**limits))
        return self._filter(dict(condition))


def _edge() -> Any:
    try:
        import qdrant_edge
    except ImportError as error:
        raise missing_extra("qdrant-edge-py", "qdrant", "guardar a base no formato do Qdrant") from error
    return qdrant_edge


def _edge_id(number: PointId) -> Any:
    from uuid import UUID

    return UUID(number) if isinstance(number, str) else int(number)


def _hit(found: Any) -> Hit:
    vectors = found.vector if isinstance(found.vector, dict) else {}
    dense, sparse = vectors.get(DENSE), vectors.get(SPARSE)
    return Hit(
        id=found.id if isinstance(found.id, int) else str(found.id),
        score=float(getattr(found, "score", 0.0)),
        payload=found.payload or {},
        dense=None if dense is None else np.asarray(dense, dtype=np.float32),
        sparse=None if sparse is None else Sparse(list(sparse.indices), list(sparse.values)),
    )
