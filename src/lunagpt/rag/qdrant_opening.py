"""From a URL, a client or a folder to the points of a collection on Qdrant."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from lunagpt.rag.qdrant_points import Points

INDEXED_FIELDS = ("kind", "document_id", "sha256", "version", "flags")


def open_points(
    location: Any, collection: str, width: Callable[[], int], api_key: str | None
) -> tuple[Points, Path | None]:
    """The points of a collection, made if it is missing, and its folder if it is in this process.

    Args:
        location: a URL, a `QdrantClient`, or a folder for the engine in this process.
        collection: its name on a server.
        width: tells how wide the vectors of a new collection are; only asked for one.
        api_key: of the server.

    Raises:
        StoreError: the server does not answer, or the folder or collection is something else.
        MissingDependencyError: the extra `qdrant` is not installed.
    """
    is_url = isinstance(location, str) and location.startswith(("http://", "https://"))
    if is_url or not isinstance(location, str | PathLike):
        from lunagpt.rag.qdrant_server_points import ServerPoints, connect

        client = connect(location, api_key) if is_url else location
        return ServerPoints(client, collection, width, INDEXED_FIELDS), None
    from lunagpt.rag.qdrant_edge_points import EdgePoints, edge_dimension

    folder = Path(location).expanduser()
    return EdgePoints(folder, edge_dimension(folder) or width(), INDEXED_FIELDS), folder
