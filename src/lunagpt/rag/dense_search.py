"""Search by vectors: exact over what is in memory, through a derived index over what was built into one.

The vectors live in the base. An index in ``indexes/`` covers those up to a certain row; rows written later
are searched beside it, rows deleted later are recognised when their text is looked up. So an index is never
wrong, only less of a help the older it is, and may be deleted at any time.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunagpt.errors import LunaError, StoreError
from lunagpt.files import atomic_directory, atomic_write_text
from lunagpt.rag.exact_search import search_exact
from lunagpt.rag.filters import Condition
from lunagpt.rag.passages import text_hash
from lunagpt.rag.schema import INDEX_FOLDER, Database
from lunagpt.rag.vector_index import VectorIndex

logger = logging.getLogger("lunagpt.rag")

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]

_READ_ROWS = 4096
_SPARE_HITS = 16  # asked for beyond k, in case some were deleted
_STAMP = "stamp.json"
_REMEMBERED_FILTERS = 8


@dataclass(slots=True)
class _Loaded:
    """The vectors of one model as far as they have been read: `index` up to a row, `ids`/`rows` after it."""

    model: int
    dimension: int
    index: VectorIndex | None = None
    last_id: int = 0
    version: int = -1
    count: int = 0
    ids: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    rows: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def append(self, ids: Ids, rows: Vectors) -> None:
        """Take in more rows; the arrays grow by doubling, so that many small additions stay cheap."""
        needed = self.count + len(ids)
        if needed > len(self.ids):
            capacity = max(needed, 2 * len(self.ids), 256)
            grown_ids, grown_rows = (
                np.empty(capacity, np.int64),
                np.empty((capacity, self.dimension), np.float32),
            )
            grown_ids[: self.count], grown_rows[: self.count] = (
                self.ids[: self.count],
                self.rows[: self.count],
            )
            self.ids, self.rows = grown_ids, grown_rows
        self.ids[self.count : needed], self.rows[self.count : needed] = ids, rows
        self.count = needed
        self.last_id = int(ids[-1])


class DenseSearch:
    """Search by vectors in one base; may be used from several threads.

    Args:
        database: the base.
        folder: the base's folder; derived indexes are kept in ``folder/indexes``.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder / INDEX_FOLDER
        self._lock = threading.RLock()
        self._loaded: dict[str, _Loaded] = {}
        self._filters: dict[tuple[object, ...], Ids] = {}

    def search(
        self, model: str, vector: Vectors, k: int, condition: Condition | None = None
    ) -> list[tuple[int, float]]:
        """The chunks whose vectors are nearest to `vector`.

        Args:
            model: name of the embedding model.
            vector: (d,), of length 1.
            k: how many at most.
            condition: which documents count, from `filters.compile_filter`.

        Returns:
            (chunk id, cosine), best first; empty if there are no vectors of that model.

        Raises:
            StoreError: `vector` has another width than the vectors of the model.
        """
        vector = np.ascontiguousarray(vector, dtype=np.float32).reshape(-1)
        with self._lock:
            loaded = self._refreshed(model)
            if loaded is None or k < 1:
                return []
            index, ids, rows = loaded.index, loaded.ids[: loaded.count], loaded.rows[: loaded.count]
        if len(vector) != loaded.dimension:
            raise StoreError(
                f"O vetor da pergunta tem {len(vector)} números e os da base têm {loaded.dimension}. "
                "Use o mesmo modelo de vetores com que a base foi criada."
            )
        allowed = None if condition is None else self._allowed(loaded.model, condition)
        total = len(ids) + (len(index) if index is not None else 0)
        wanted = k + _SPARE_HITS
        while True:
            candidates = _nearest(ids, rows, vector, wanted, allowed)
            if index is not None:
                candidates = np.concatenate([candidates, index.search(vector, wanted, allowed)[0]])
            hits = self._chunks(candidates, vector, condition)
            if len(hits) >= k or wanted >= total:
                return hits[:k]
            wanted *= 4

    def cosines(self, model: str, vector: Vectors, chunk_ids: list[int]) -> dict[int, float]:
        """Cosine between `vector` and each of the chunks that has a vector of `model`."""
        if not chunk_ids:
            return {}
        found = self._database.connection.execute(
            "SELECT chunks.id, vector FROM chunks JOIN vectors USING (sha256) "
            "JOIN models ON models.id = vectors.model "
            "WHERE models.name = ? AND chunks.id IN (SELECT value FROM json_each(?))",
            (model, json.dumps(chunk_ids)),
        ).fetchall()
        return {chunk_id: float(np.frombuffer(blob, "<f4") @ vector) for chunk_id, blob in found}

    def all_vectors(self, model: str) -> tuple[Ids, Vectors]:
        """Chunk ids (n,) in rising order and their vectors (n, d); (0,) and (0, 0) if there are none."""
        rows = self._database.connection.execute(
            "SELECT chunks.id, vector FROM chunks JOIN vectors USING (sha256) "
            "JOIN models ON models.id = vectors.model WHERE models.name = ? ORDER BY chunks.id",
            (model,),
        ).fetchall()
        if not rows:
            return np.empty(0, np.int64), np.empty((0, 0), np.float32)
        ids = np.array([chunk_id for chunk_id, _ in rows], np.int64)
        return ids, _matrix([blob for _, blob in rows])

    def build(self, model: str, kind: str, metric: str) -> int:
        """Write a derived index over all vectors of a model and use it from now on.

        Args:
            model: name of the embedding model.
            kind: "flat", "hnsw", "ivf" or "pq". metric: "cosine", "l2" or "ip".

        Returns:
            Vectors in the index; 0 if the base has none of that model (nothing is written then).

        Raises:
            LunaError: unknown kind or metric, or the package for it is missing.
        """
        with self._database.snapshot() as connection:
            row = _model_row(connection, model)
            if row is None:
                return 0
            model_id, dimension = row
            count = connection.execute(
                "SELECT count(*) FROM vectors WHERE model = ?", (model_id,)
            ).fetchone()[0]
            if count == 0:
                return 0
            self._folder.mkdir(exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=self._folder))
            try:
                ids = np.empty(count, np.int64)
                vectors = np.lib.format.open_memmap(
                    scratch / "vectors.npy", mode="w+", dtype=np.float32, shape=(count, dimension)
                )
                filled = 0
                for block_ids, block in _read_vectors(connection, model_id, after=0):
                    ids[filled : filled + len(block_ids)] = block_ids
                    vectors[filled : filled + len(block_ids)] = block
                    filled += len(block_ids)
                index = VectorIndex.build(kind, metric, vectors, ids)
                with self._lock:
                    self._loaded.pop(model, None)  # lets go of the files of the old index
                    with atomic_directory(self._folder / _slug(model)) as fresh:
                        index.save(fresh / "index")
                        stamp = {
                            "base": self._database.meta("id"),
                            "model": model,
                            "last_id": int(ids[-1]),
                            "kind": kind,
                            "metric": metric,
                        }
                        atomic_write_text(fresh / _STAMP, json.dumps(stamp, ensure_ascii=False, indent=2))
                del index, vectors
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return int(count)

    def forget(self) -> None:
        """Let go of everything read so far, the files of indexes included."""
        with self._lock:
            self._loaded.clear()
            self._filters.clear()

    def _refreshed(self, model: str) -> _Loaded | None:
        """The vectors of a model, brought up to date; None if the base has none. The lock is held."""
        connection = self._database.connection
        loaded = self._loaded.get(model)
        if loaded is None:
            row = _model_row(connection, model)
            if row is None:
                return None
            loaded = _Loaded(*row, rows=np.empty((0, row[1]), np.float32))
            self._open_index(model, loaded)
            self._loaded[model] = loaded
        version = self._database.version("vectors")
        if version != loaded.version:
            for ids, rows in _read_vectors(connection, loaded.model, after=loaded.last_id):
                loaded.append(ids, rows)
            loaded.version = version
        return loaded

    def _open_index(self, model: str, loaded: _Loaded) -> None:
        """Use the derived index of a model if there is one that belongs to this base."""
        folder = self._folder / _slug(model)
        if not (folder / _STAMP).is_file():
            return
        try:
            stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
            last_id = int(stamp["last_id"])
            newest = self._database.connection.execute("SELECT max(id) FROM vectors").fetchone()[0] or 0
            if stamp["base"] != self._database.meta("id") or stamp["model"] != model or last_id > newest:
                raise StoreError("feito para outra base")
            loaded.index = VectorIndex.load(folder / "index")
            loaded.last_id = last_id
        except (LunaError, OSError, ValueError, KeyError, TypeError) as error:
            # It is derived: the search is right without it, only slower to start.
            logger.warning('O índice "%s" não serve (%s); recrie-o com build_index().', folder, error)

    def _allowed(self, model_id: int, condition: Condition) -> Ids:
        """Rows of ``vectors`` that belong to documents which the condition lets through, in rising order."""
        where, parameters = condition
        key = (
            model_id,
            where,
            *parameters,
            self._database.version("text"),
            self._database.version("vectors"),
        )
        with self._lock:
            known = self._filters.get(key)
        if known is None:
            cursor = self._database.connection.execute(
                "SELECT DISTINCT vectors.id FROM documents JOIN chunks ON document = documents.key "
                f"JOIN vectors ON vectors.sha256 = chunks.sha256 WHERE model = ? AND {where}",
                (model_id, *parameters),
            )
            known = np.sort(np.fromiter((row[0] for row in cursor), np.int64))
            with self._lock:
                while len(self._filters) >= _REMEMBERED_FILTERS:
                    del self._filters[next(iter(self._filters))]
                self._filters[key] = known
        return known

    def _chunks(
        self, vector_ids: Ids, vector: Vectors, condition: Condition | None
    ) -> list[tuple[int, float]]:
        """The living chunks of some vectors with their exact cosines, best first."""
        if len(vector_ids) == 0:
            return []
        where, parameters = condition or ("1", [])
        rows = self._database.connection.execute(
            "SELECT chunks.id, vector FROM vectors JOIN chunks USING (sha256) "
            "JOIN documents ON documents.key = chunks.document "
            f"WHERE vectors.id IN (SELECT value FROM json_each(?)) AND {where}",
            (json.dumps(vector_ids.tolist()), *parameters),
        ).fetchall()
        if not rows:
            return []
        # vecdot, not "@": for so few rows, waking the threads of a matrix product costs more than the sums
        cosines = np.vecdot(_matrix([blob for _, blob in rows]), vector)
        hits = [(chunk_id, float(cosine)) for (chunk_id, _), cosine in zip(rows, cosines, strict=True)]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))


def _nearest(ids: Ids, rows: Vectors, vector: Vectors, k: int, allowed: Ids | None) -> Ids:
    """Ids of the `k` rows with the largest inner product; `ids` and `allowed` rise."""
    positions = None if allowed is None else np.flatnonzero(np.isin(ids, allowed, assume_unique=True))
    return ids[search_exact(rows, vector, min(k, len(ids)), "cosine", rows=positions)[0]]


def _read_vectors(connection: sqlite3.Connection, model_id: int, after: int) -> Iterator[tuple[Ids, Vectors]]:
    cursor = connection.execute(
        "SELECT id, vector FROM vectors WHERE id > ? AND model = ? ORDER BY id", (after, model_id)
    )
    while rows := cursor.fetchmany(_READ_ROWS):
        yield np.array([identity for identity, _ in rows], np.int64), _matrix([blob for _, blob in rows])


def _matrix(blobs: list[bytes]) -> Vectors:
    return np.frombuffer(b"".join(blobs), "<f4").reshape(len(blobs), -1)


def _model_row(connection: sqlite3.Connection, model: str) -> tuple[int, int] | None:
    row: tuple[int, int] | None = connection.execute(
        "SELECT id, dimension FROM models WHERE name = ?", (model,)
    ).fetchone()
    return row


def _slug(model: str) -> str:
    """A folder name for a model: readable, and different for different models."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", model).strip("-.")[:40]
    return f"{readable}-{text_hash(model).hex()[:8]}"
