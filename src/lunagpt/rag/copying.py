"""Moving a base between stores, e.g. from a folder on this machine to a Qdrant cluster, with its vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from lunagpt.data.documents import Document
from lunagpt.rag.embeddings.base import Vectors
from lunagpt.rag.filters import Filter
from lunagpt.rag.incoming import AddSummary
from lunagpt.rag.passages import Passage
from lunagpt.rag.writing import Chunking

_TOGETHER = 64


class CopyableStore(Protocol):
    """What a copy needs of a store."""

    @property
    def chunking(self) -> Chunking: ...
    @property
    def vector_models(self) -> list[str]: ...
    def documents(self, filter: Filter | None = None) -> Iterator[Document]: ...
    def chunks(self, filter: Filter | None = None) -> Iterator[Passage]: ...
    def vectors(self, model: str | None = None) -> tuple[np.ndarray, Vectors]: ...
    def add_documents(self, documents: Sequence[Document]) -> AddSummary: ...
    def process_documents(self, chunk_size: int | None = None, chunk_overlap: int | None = None) -> int: ...
    def add_vectors(self, model: str, chunk_ids: Sequence[int], vectors: Vectors) -> None: ...


def copy_base(source: CopyableStore, target: CopyableStore) -> int:
    """Copies all documents, divided as in `source`, and the vectors of its main model; nothing is embedded.

    May be run again after an interruption: documents that are there are not written again.

    Args:
        target: an empty store, or one with earlier copies of the same documents.

    Returns:
        Number of documents.
    """
    chunking = source.chunking
    target.process_documents(chunking.chunk_size, chunking.chunk_overlap)
    count = 0
    documents = source.documents()
    while batch := list(islice(documents, _TOGETHER)):
        target.add_documents(batch)
        count += len(batch)
    for model in source.vector_models[:1]:
        _copy_vectors(source, target, model)
    return count


def _copy_vectors(source: CopyableStore, target: CopyableStore, model: str) -> None:
    ids, vectors = source.vectors(model)
    row_of = {int(number): row for row, number in enumerate(ids)}
    rows = {_place(chunk): row_of[chunk.chunk_id] for chunk in source.chunks() if chunk.chunk_id in row_of}
    found = [(chunk.chunk_id, rows[_place(chunk)]) for chunk in target.chunks() if _place(chunk) in rows]
    for start in range(0, len(found), _TOGETHER):
        part = found[start : start + _TOGETHER]
        target.add_vectors(model, [number for number, _ in part], vectors[[row for _, row in part]])


def _place(chunk: Passage) -> tuple[str, int, int]:
    """Where a passage is in its document: the same in both stores, unlike its number."""
    return chunk.document_id, chunk.start, chunk.end
