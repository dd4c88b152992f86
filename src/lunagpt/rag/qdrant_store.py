"""`QdrantStore`: the methods of `DocumentStore` on Qdrant, for collections that outgrow one machine.

A document is a point with its content, a passage a point with its text, its words as a sparse vector and,
once it is embedded, a dense one. With a URL, a server or cluster holds them; with a folder, Qdrant's engine
in this process does, in the same format.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lunagpt.data.documents import Document
from lunagpt.errors import StoreError
from lunagpt.files import atomic_directory
from lunagpt.rag.embeddings.base import Vectors
from lunagpt.rag.filters import Filter
from lunagpt.rag.folder_sync import SyncProgress, SyncSummary
from lunagpt.rag.incoming import AddSummary, as_documents, jsonl_documents
from lunagpt.rag.passages import Passage
from lunagpt.rag.qdrant_filters import Json, all_of, equals, none_of, qdrant_filter
from lunagpt.rag.qdrant_opening import open_points
from lunagpt.rag.qdrant_records import (
    IS_CHUNK,
    IS_DOCUMENT,
    as_document,
    as_passage,
    document_point_id,
)
from lunagpt.rag.qdrant_search import QdrantQuery, QdrantSearcher
from lunagpt.rag.qdrant_vectors import QdrantVectors
from lunagpt.rag.qdrant_writing import QdrantWriter, batches
from lunagpt.rag.writing import Chunking

AnyPath = str | PathLike[str]


class QdrantStore(QdrantVectors):
    """A store of documents on Qdrant; used like `DocumentStore`, also by `RAGSystem`."""

    def __init__(
        self,
        location: Any,
        collection: str = "luna",
        *,
        embedder: Any = "auto",
        dimension: int | None = None,
        api_key: str | None = None,
    ) -> None:
        """
        Args:
            location: ``"http://servidor:6333"``, a `QdrantClient` of your own (gRPC, certificates…), or a
                folder for the engine in this process.
            collection: its name on a server.
            embedder: whatever `open_embedder` takes.
            dimension: width of the vectors of a new collection; None takes that of the embedding model.
            api_key: of the server.

        Raises:
            StoreError: the server does not answer, or the folder or collection is something else.
            MissingDependencyError: the extra `qdrant` is not installed.
        """
        super().__init__(embedder)

        def width() -> int:
            return self._width() if dimension is None else dimension

        points, folder = open_points(location, collection, width, api_key)
        self._attach(points, folder)
        self._searcher = QdrantSearcher(self._points)
        self._writer = QdrantWriter(self._points)

    # Documents

    def add_documents(self, documents: Iterable[str | Mapping[str, Any] | Document]) -> AddSummary:
        """Add texts, rows or documents; see `DocumentStore.add_documents`."""
        return self._add(as_documents(documents), [])

    def add_documents_from_jsonl(self, path: AnyPath) -> AddSummary:
        """Add the rows of a JSONL file; see `DocumentStore.add_documents_from_jsonl`."""
        problems: list[str] = []
        return self._add(jsonl_documents(Path(path).expanduser(), problems), problems)

    def add_documents_from_directory(
        self,
        directory: AnyPath,
        recursive: bool = True,
        file_types: Sequence[str] | None = None,
        progress: Callable[[SyncProgress], None] | None = None,
    ) -> SyncSummary:
        """Bring the base up to date with a folder; all files are read, only changed documents are written.

        Raises:
            DataError: the folder does not exist or a type is unknown.
        """
        from lunagpt.rag.qdrant_folder import sync_folder

        folder = Path(directory).expanduser()
        summary = sync_folder(self._points, self.chunking, folder, recursive, file_types, progress)
        self._changed()
        return summary

    def remove_documents(self, ids: Iterable[str]) -> int:
        """Remove documents by id, with their passages and vectors; returns how many there were."""
        return self._remove(qdrant_filter({"id": list(ids)}))

    def remove_documents_by_filter(
        self, filter_func: Callable[[Document], bool] | None = None, *, filter: Filter | None = None
    ) -> int:
        """Remove the documents for which `filter_func` is true, or that `filter` lets through.

        Raises:
            StoreError: neither or both are given, or the filter is not valid.
        """
        if (filter_func is None) == (filter is None):
            raise StoreError("Diga quais documentos remover com filter_func ou com filter (um dos dois).")
        if filter is not None:
            return self._remove(qdrant_filter(filter))
        assert filter_func is not None
        return self.remove_documents([document.id for document in self.documents() if filter_func(document)])

    def get_document(self, document_id: str) -> Document | None:
        """The document with this id."""
        found = self._points.get([document_point_id(document_id)])
        return as_document(found[0].payload) if found else None

    def documents(self, filter: Filter | None = None) -> Iterator[Document]:
        """All documents, or those that a filter lets through, in no particular order."""
        for hit in self._points.scroll(all_of([IS_DOCUMENT, qdrant_filter(filter or {})])):
            yield as_document(hit.payload)

    def __len__(self) -> int:
        return self._points.count(IS_DOCUMENT)

    def __contains__(self, document_id: object) -> bool:
        return isinstance(document_id, str) and bool(self._points.get([document_point_id(document_id)]))

    # Passages

    @property
    def chunking(self) -> Chunking:
        """How documents are divided into passages, unless `process_documents` asks for something else."""
        signature = self._meta.get("chunking")
        return Chunking() if signature is None else Chunking.from_signature(str(signature))

    def process_documents(self, chunk_size: int | None = None, chunk_overlap: int | None = None) -> int:
        """Divide all documents, and those added later, into passages of another size.

        Returns:
            Number of passages in the base.

        Raises:
            DataError: the sizes contradict each other.
        """
        now = self.chunking
        chunking = Chunking(
            now.chunk_size if chunk_size is None else chunk_size,
            now.chunk_overlap if chunk_overlap is None else chunk_overlap,
        )
        chunking.chunker()
        self._meta.write(chunking=chunking.signature)
        others = all_of([IS_DOCUMENT, none_of([equals("chunking", chunking.signature)])])
        for hit in list(self._points.scroll(others)):
            self._writer.write([as_document(hit.payload)], chunking, hit.payload["folder"])
        self._changed()
        return self.chunk_count

    def chunks(self, filter: Filter | None = None) -> Iterator[Passage]:
        """All passages, or those of the documents that a filter lets through; their score is 0."""
        for hit in self._points.scroll(self._searched(filter)):
            yield as_passage(hit)

    def get_chunk(self, chunk_id: int) -> Passage | None:
        """The passage with this number."""
        found = self._points.get([chunk_id])
        return as_passage(found[0]) if found else None

    # Search

    @property
    def stop_words(self) -> frozenset[str]:
        """Words that questions ignore, in lower case without accents."""
        return self._searcher.stop_words

    @stop_words.setter
    def stop_words(self, words: frozenset[str]) -> None:
        self._searcher.stop_words = words

    def search_lexical(self, query: str, k: int = 5, filter: Filter | None = None) -> list[Passage]:
        """The best passages by words, best first."""
        return self._search(query, None, k, filter)

    def search_dense(
        self, vector: Vectors, k: int = 5, filter: Filter | None = None, model: str | None = None
    ) -> list[Passage]:
        """The best passages by vectors, best first."""
        return self._search(None, np.asarray(vector, np.float32), k, filter, model)

    def search_hybrid(
        self, query: str, vector: Vectors, k: int = 5, filter: Filter | None = None, model: str | None = None
    ) -> list[Passage]:
        """The best passages by words and by vectors, in their fused order."""
        return self._search(query, np.asarray(vector, np.float32), k, filter, model)

    def search(
        self, query: str | Vectors, k: int = 5, threshold: float = 0.0, filter: Filter | None = None
    ) -> list[Passage]:
        """The best passages for a text (by words) or for a vector, with at least `threshold` of relevance."""
        found = (
            self.search_lexical(query, k, filter)
            if isinstance(query, str)
            else self.search_dense(query, k, filter)
        )
        return [passage for passage in found if passage.score >= threshold]

    def _search(
        self,
        text: str | None,
        vector: Vectors | None,
        k: int,
        filter: Filter | None,
        model: str | None = None,
    ) -> list[Passage]:
        models = self.vector_models if vector is not None else []
        if not models or (model is not None and model not in models):
            vector = None
        to_relevance = None if vector is None else self._to_relevance(models[0])
        exact = self._meta.get("index") == "flat"
        query = QdrantQuery(text, vector, to_relevance, self._searched(filter), exact)
        return self._searcher.search(query, k)

    # The base

    def save(self, path: AnyPath | None = None) -> Path | None:
        """Make sure that all is on disk; with another folder, copy the base of this process there.

        Raises:
            StoreError: the base is on a server; use its snapshots or `copy_base`.
        """
        self._points.flush()
        if path is None or (self.path is not None and Path(path).expanduser() == self.path):
            return self.path
        if self.path is None:
            raise StoreError(
                "A base está num servidor Qdrant: copie-a com os snapshots do servidor, ou para uma base "
                "local com lunagpt.rag.copying.copy_base."
            )
        with self._meta.lock, atomic_directory(Path(path).expanduser()) as fresh:
            shutil.copytree(self.path, fresh, dirs_exist_ok=True)
        return Path(path).expanduser()

    @classmethod
    def load(cls, path: AnyPath, *, embedder: Any = "auto") -> QdrantStore:
        """Open the base in a folder.

        Raises:
            StoreError: there is none.
        """
        from lunagpt.rag.qdrant_edge_points import edge_dimension

        if edge_dimension(Path(path).expanduser()) is None:
            raise StoreError(f'Não há uma base do Qdrant em "{path}".')
        return cls(path, embedder=embedder)

    def close(self) -> None:
        """Let go of files and connections."""
        self._points.close()

    def __enter__(self) -> QdrantStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, documents: Iterator[Document], problems: list[str]) -> AddSummary:
        ids: list[str] = []
        changed = 0
        for batch in batches(documents):
            changed += self._write(batch, None)
            ids.extend(document.id for document in batch)
        return AddSummary(list(dict.fromkeys(ids)), changed, problems)

    def _write(self, documents: Sequence[Document], folder: str | None) -> int:
        changed = self._writer.write(documents, self.chunking, folder)
        if changed:
            self._changed()
        return changed

    def _remove(self, condition: Json) -> int:
        count = self._writer.remove(condition)
        self._changed()
        return count

    def _changed(self) -> None:
        self._points.flush()
        self._searcher.forget()

    def _searched(self, filter: Filter | None) -> Json:
        return all_of([IS_CHUNK, qdrant_filter(filter)]) if filter else IS_CHUNK
