"""What a collection on Qdrant remembers of itself: how documents are divided, the model of its vectors, the
index."""

from __future__ import annotations

import threading
from typing import Any

from lunagpt.rag.qdrant_points import Point, Points
from lunagpt.rag.qdrant_records import META_ID


class CollectionMeta:
    """The values, kept in a point of their own.

    Attributes:
        lock: held while they change.
    """

    def __init__(self, points: Points) -> None:
        self.lock = threading.RLock()
        self._points = points
        self._values = self._read()

    def get(self, key: str, default: Any = None) -> Any:
        """A value as this process last read or wrote it."""
        return self._values.get(key, default)

    def write(self, **values: Any) -> None:
        """Change some values; others that another process has written meanwhile stay."""
        with self.lock:
            self._values = {**self._read(), **values, "kind": "meta"}
            self._points.upsert([Point(META_ID, self._values)])
            self._points.flush()

    def _read(self) -> dict[str, Any]:
        found = self._points.get([META_ID])
        return dict(found[0].payload) if found else {}
