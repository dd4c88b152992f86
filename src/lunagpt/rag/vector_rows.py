"""The vectors of a base: which are missing, how many there are, writing them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lunagpt.errors import StoreError
from lunagpt.rag.passages import search_text
from lunagpt.rag.schema import Database


class VectorRows:
    """Reads and writes the table ``vectors``; may be used from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        # Chunks up to this id all had a vector of the model: a long job need not look at them again.
        self._done_up_to: dict[str, int] = {}
        self._counts: dict[tuple[str, int, int], int] = {}

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return self._count("", "SELECT count(*) FROM chunks", ())

    def count(self, model: str) -> int:
        """Number of chunks with a vector of `model`."""
        return self._count(
            model,
            "SELECT count(*) FROM vectors JOIN models ON models.id = model JOIN chunks USING (sha256) "
            "WHERE name = ?",
            (model,),
        )

    def models(self) -> list[str]:
        """Names of the models with vectors here, the one that came last first."""
        rows = self._database.connection.execute(
            "SELECT name FROM models WHERE EXISTS (SELECT 1 FROM vectors WHERE model = models.id) "
            "ORDER BY id DESC"
        )
        return [name for (name,) in rows]

    def missing(self, model: str, limit: int) -> list[tuple[int, str]]:
        """Up to `limit` chunks without a vector of `model`: (id, text to embed); of equal texts one."""
        with self._lock:
            start = self._done_up_to.get(model, 0)
        rows = self._database.connection.execute(
            "SELECT chunks.id, chunks.sha256, title, heading_path, text "
            "FROM chunks JOIN documents ON key = document "
            "WHERE chunks.id > ?1 AND NOT EXISTS (SELECT 1 FROM vectors JOIN models ON models.id = model "
            "WHERE vectors.sha256 = chunks.sha256 AND name = ?2) ORDER BY chunks.id LIMIT ?3",
            (start, model, limit),
        ).fetchall()
        with self._lock:
            if rows:
                self._done_up_to[model] = max(start, rows[0][0] - 1)
        first: dict[bytes, tuple[int, str]] = {}
        for chunk_id, sha256, title, heading_path, text in rows:
            first.setdefault(sha256, (chunk_id, search_text(title, json.loads(heading_path), text)))
        return list(first.values())

    def add(self, model: str, chunk_ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Write vectors (n, d) for the texts of chunks; of a text that has one already it is replaced.

        Raises:
            StoreError: shapes that do not fit.
        """
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        if rows.ndim != 2 or len(rows) != len(chunk_ids):
            raise StoreError(f"{len(chunk_ids)} trechos não combinam com vetores de forma {rows.shape}.")
        counted_at = self._versions()
        known = self.count(model)
        with self._database.write("vectors") as connection:
            unchanged = self._versions() == counted_at
            connection.execute(
                "INSERT OR IGNORE INTO models(name, dimension) VALUES(?, ?)", (model, rows.shape[1])
            )
            model_id, dimension = connection.execute(
                "SELECT id, dimension FROM models WHERE name = ?", (model,)
            ).fetchone()
            if dimension != rows.shape[1]:
                raise StoreError(
                    f'Os vetores do modelo "{model}" têm {rows.shape[1]} números, e os que já estão na base '
                    f"têm {dimension}. Dê outro nome ao modelo novo."
                )
            (added,) = connection.execute(
                "SELECT count(*) FROM chunks WHERE sha256 IN "
                "(SELECT sha256 FROM chunks WHERE id IN (SELECT value FROM json_each(?))) AND NOT EXISTS "
                "(SELECT 1 FROM vectors WHERE vectors.sha256 = chunks.sha256 AND model = ?)",
                (json.dumps([int(chunk) for chunk in chunk_ids]), model_id),
            ).fetchone()
            connection.executemany(
                "INSERT OR REPLACE INTO vectors(sha256, model, vector) "
                "SELECT sha256, ?, ? FROM chunks WHERE id = ?",
                [(model_id, row.tobytes(), int(chunk)) for chunk, row in zip(chunk_ids, rows, strict=True)],
            )
            text, before = self._versions()
        if unchanged:  # a long job asks after each batch: counting a million rows each time would take over
            with self._lock:
                self._counts[(model, text, before + 1)] = known + added

    def clear(self, model: str) -> None:
        """Delete all vectors of a model."""
        with self._database.write("vectors") as connection:
            connection.execute("DELETE FROM models WHERE name = ?", (model,))
        with self._lock:
            self._done_up_to.pop(model, None)

    def _versions(self) -> tuple[int, int]:
        return self._database.version("text"), self._database.version("vectors")

    def _count(self, name: str, sql: str, parameters: tuple[str, ...]) -> int:
        """A count, looked up again only after a change."""
        key = (name, *self._versions())
        with self._lock:
            known = self._counts.get(key)
        if known is None:
            known = int(self._database.connection.execute(sql, parameters).fetchone()[0])
            with self._lock:
                if len(self._counts) > 8:
                    self._counts.clear()
                self._counts[key] = known
        return known
