"""Documents into a collection on Qdrant and out of it.

A document is replaced in three steps: its new passages, then itself, then its old passages are gone. After a
crash between them, old passages may be found until the document is added again, which completes the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lunagpt.data.documents import Document
from lunagpt.rag.embeddings.base import Vectors
from lunagpt.rag.qdrant_filters import Json, all_of, equals, none_of, qdrant_filter
from lunagpt.rag.qdrant_points import Point, Points
from lunagpt.rag.qdrant_records import (
    IS_CHUNK,
    IS_DOCUMENT,
    chunk_point,
    document_point,
    document_point_id,
)
from lunagpt.rag.qdrant_search import HAS_VECTOR
from lunagpt.rag.writing import Chunking, document_hash, storable

_BATCH_DOCUMENTS = 64
_BATCH_CHARACTERS = 1 << 20


def batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """The documents in lots that fit into one request."""
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.content)
        if len(batch) >= _BATCH_DOCUMENTS or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class QdrantWriter:
    """The only code that changes documents and passages of a collection."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def write(self, documents: Sequence[Document], chunking: Chunking, folder: str | None) -> int:
        """Writes those documents of a batch that are new or different; returns how many.

        Args:
            folder: the one that they were read from, if any.
        """
        latest = {document.id: storable(document) for document in documents}
        versions = {
            identity: f"{document_hash(document).hex()}-{chunking.signature}"
            for identity, document in latest.items()
        }
        wanted = [document_point_id(identity) for identity in latest]
        present = {hit.payload["document_id"]: hit.payload for hit in self._points.get(wanted)}
        fresh = [
            document
            for identity, document in latest.items()
            if identity not in present
            or present[identity]["version"] != versions[identity]
            or present[identity]["folder"] != folder
        ]
        if not fresh:
            return 0
        replaced = [document.id for document in fresh if document.id in present]
        vectors = self._vectors_of(replaced)
        chunker = chunking.chunker()
        passages: list[Point] = []
        wholes: list[Point] = []
        for document in fresh:
            version = versions[document.id]
            passages += [
                chunk_point(document, version, chunk, vectors) for chunk in chunker.chunk_document(document)
            ]
            wholes.append(document_point(document, version, chunking.signature, folder))
        self._points.upsert(passages)
        self._points.upsert(wholes)
        if replaced:
            old = [
                all_of([equals("document_id", name), none_of([equals("version", versions[name])])])
                for name in replaced
            ]
            self._points.delete(all_of([IS_CHUNK, {"should": old}]))
        return len(fresh)

    def remove(self, condition: Json) -> int:
        """Removes the documents that meet a condition, with their passages; returns how many there were."""
        found = self._points.scroll(all_of([IS_DOCUMENT, condition]))
        ids = [hit.payload["document_id"] for hit in found]
        for start in range(0, len(ids), _BATCH_DOCUMENTS):
            self._points.delete(qdrant_filter({"id": ids[start : start + _BATCH_DOCUMENTS]}))
        return len(ids)

    def _vectors_of(self, document_ids: Sequence[str]) -> dict[str, tuple[Vectors, str]]:
        """The vectors that some documents have, by the hash of their texts: unchanged texts keep them."""
        if not document_ids:
            return {}
        condition = all_of([IS_CHUNK, HAS_VECTOR, qdrant_filter({"id": list(document_ids)})])
        hits = self._points.scroll(condition, with_vectors=True)
        return {
            hit.payload["sha256"]: (hit.dense, hit.payload["model"]) for hit in hits if hit.dense is not None
        }
