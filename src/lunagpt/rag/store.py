"""`DocumentStore`: documents that can be searched, kept in one folder that survives any crash."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunagpt.data.documents import Document
from lunagpt.errors import StoreError
from lunagpt.files import atomic_directory
from lunagpt.rag.filters import Filter, compile_filter
from lunagpt.rag.folder_sync import FolderSync, SyncProgress, SyncSummary
from lunagpt.rag.incoming import AddSummary, as_documents, jsonl_documents
from lunagpt.rag.lexical import LEXICAL_VERSION
from lunagpt.rag.lexical_search import LexicalSearch
from lunagpt.rag.passages import Passage
from lunagpt.rag.schema import INDEX_FOLDER, Database, is_base
from lunagpt.rag.searching import Searcher
from lunagpt.rag.store_vectors import StoredVectors
from lunagpt.rag.writing import Chunking, DocumentWriter, read_documents

logger = logging.getLogger("lunagpt.rag")

Vectors = NDArray[np.float32]
AnyPath = str | PathLike[str]


class DocumentStore(StoredVectors):
    """Documents, their passages and vectors in a folder (`luna.db` and derived indexes).

    Every change is on disk, wholly or not at all, when the method returns; `save` is for copies. Documents
    can be searched by words as soon as they are added; vectors come with `create_embeddings`. May be used
    from several threads; several processes may read while one writes.

    Args:
        path: the base's folder, made if it is missing. None: a temporary one that vanishes with the store.
        embedder: the model of `create_embeddings`: "auto" for the default one, opened when first needed;
            whatever `open_embedder` takes; False for none.
        read_only: for a base on a read-only medium that nobody changes.

    Raises:
        StoreError: the folder has other things in it, or the base is damaged, too new or missing (read-only).
    """

    def __init__(
        self, path: AnyPath | None = None, *, embedder: Any = "auto", read_only: bool = False
    ) -> None:
        self._temporary: Callable[[], object] | None = None
        if path is None:
            folder = Path(tempfile.mkdtemp(prefix="luna-base-"))
            self._temporary = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        else:
            folder = Path(path).expanduser()
            if not read_only:
                _check_target(folder)
        self.path = folder
        super().__init__(Database(folder, read_only=read_only), folder, embedder)
        self._writer = DocumentWriter(self._database)
        self._searcher = Searcher(self._database, LexicalSearch(self._database), self._dense)
        if not read_only and self._database.meta("lexical") != LEXICAL_VERSION:
            if self.chunk_count:
                logger.info("As regras da busca por palavras mudaram; refazendo o índice de palavras.")
            self._writer.rebuild_words()
            self._database.set_meta("lexical", LEXICAL_VERSION)

    # Documents

    def add_documents(self, documents: Iterable[str | Mapping[str, Any] | Document]) -> AddSummary:
        """Add texts, rows (`content`, and if they have them `id`, `title`, `metadata`) or documents.

        A document with an id that is there already replaces it. A text without an id gets one from its words,
        so that adding it twice keeps one.

        Raises:
            DataError: an element is none of these. Those before it may have been added.
        """
        return self._add(as_documents(documents), [])

    def add_documents_from_jsonl(self, path: AnyPath) -> AddSummary:
        """Add the rows of a JSONL file; a row without id is called by the file's name and its line.

        Lines that cannot be used are left out and listed in the summary's `problems`.

        Raises:
            DataError: the file cannot be read.
        """
        problems: list[str] = []
        summary = self._add(jsonl_documents(Path(path).expanduser(), problems), problems)
        if problems:
            logger.warning('Linhas de "%s" que ficaram de fora: %d. %s', path, len(problems), problems[0])
        return summary

    def add_documents_from_directory(
        self,
        directory: AnyPath,
        recursive: bool = True,
        file_types: Sequence[str] | None = None,
        progress: Callable[[SyncProgress], None] | None = None,
    ) -> SyncSummary:
        """Bring the base up to date with a folder: new and changed files are read, those gone are removed.

        Unchanged files (same size and time, or same content) are not read again. A file that cannot be read
        never stops the others; the summary says why.

        Args:
            directory: the folder. recursive: its subfolders too.
            file_types: endings such as ``["pdf", "md"]``; None takes all that are known.
            progress: called after each file.

        Raises:
            DataError: the folder does not exist or a type is unknown.
        """
        sync = FolderSync(self._database, self._writer, self.chunking)
        return sync.run(Path(directory).expanduser(), recursive, file_types, progress)

    def remove_documents(self, ids: Iterable[str]) -> int:
        """Remove documents by id, with their passages and vectors; returns how many there were."""
        return self._remove({"id": list(ids)})

    def remove_documents_by_filter(
        self,
        filter_func: Callable[[Document], bool] | None = None,
        *,
        filter: Filter | None = None,
    ) -> int:
        """Remove the documents for which `filter_func` is true, or that `filter` (see `filters`) lets
        through.

        Returns:
            How many were removed.

        Raises:
            StoreError: neither or both are given, or the filter is not valid.
        """
        if (filter_func is None) == (filter is None):
            raise StoreError("Diga quais documentos remover com filter_func ou com filter (um dos dois).")
        if filter is not None:
            return self._remove(filter)
        assert filter_func is not None
        # Judged first, removed afterwards: the function may take its time, or look into the store itself.
        keys = [key for key, document in read_documents(self._database.connection) if filter_func(document)]
        return self._remove_keys(keys)

    def get_document(self, document_id: str) -> Document | None:
        """The document with this id."""
        return next(self.documents({"id": document_id}), None)

    def documents(self, filter: Filter | None = None) -> Iterator[Document]:
        """All documents, or those that a filter lets through, in the order in which they were added."""
        where, parameters = compile_filter(filter or {})
        for _, document in read_documents(self._database.connection, where, parameters):
            yield document

    def __len__(self) -> int:
        return int(self._database.connection.execute("SELECT count(*) FROM documents").fetchone()[0])

    def __contains__(self, document_id: object) -> bool:
        found = self._database.connection.execute("SELECT 1 FROM documents WHERE id = ?", (document_id,))
        return found.fetchone() is not None

    # Passages

    @property
    def chunking(self) -> Chunking:
        """How documents are divided into passages, unless `process_documents` asks for something else."""
        signature = self._database.meta("chunking")
        return Chunking() if signature is None else Chunking.from_signature(str(signature))

    def process_documents(self, chunk_size: int | None = None, chunk_overlap: int | None = None) -> int:
        """Divide all documents into passages of another size; documents added later are divided like this
        too.

        Passages that come out the same keep their vectors.

        Args:
            chunk_size: tokens per passage at most. chunk_overlap: tokens that neighbours share at most.

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
        self._writer.rechunk(chunking)
        return self.chunk_count

    def chunks(self, filter: Filter | None = None) -> Iterator[Passage]:
        """All passages, or those of the documents that a filter lets through; their score is 0."""
        yield from self._searcher.read(compile_filter(filter or {}))

    def get_chunk(self, chunk_id: int) -> Passage | None:
        """The passage with this number."""
        return next(iter(self._searcher.passages([chunk_id])), None)

    # Search

    @property
    def stop_words(self) -> frozenset[str]:
        """Words that questions ignore, in lower case without accents."""
        return self._searcher.stop_words

    @stop_words.setter
    def stop_words(self, words: frozenset[str]) -> None:
        self._searcher.stop_words = words

    def search_lexical(self, query: str, k: int = 5, filter: Filter | None = None) -> list[Passage]:
        """The best passages by words, best first; `score` is the relevance, 0 to 1.

        Args:
            query: a question, or words. k: how many at most. filter: which documents count.

        Raises:
            StoreError: the filter is badly written.
        """
        return self._searcher.search(query, None, k, filter)

    def search_dense(
        self, vector: Vectors, k: int = 5, filter: Filter | None = None, model: str | None = None
    ) -> list[Passage]:
        """The best passages by vectors, best first.

        Args:
            vector: (d,) of the question, of length 1. k: how many at most.
            filter: which documents count. model: the embedding model; by default the store's own.

        Raises:
            StoreError: the filter is badly written.
        """
        return self._searcher.search(None, self._dense_query(vector, model), k, filter)

    def search_hybrid(
        self, query: str, vector: Vectors, k: int = 5, filter: Filter | None = None, model: str | None = None
    ) -> list[Passage]:
        """The best passages by words and by vectors, by their blended scores. Arguments and errors as in the
        searches by one of them."""
        return self._searcher.search(query, self._dense_query(vector, model), k, filter)

    def search(
        self,
        query: str | Vectors,
        k: int = 5,
        threshold: float = 0.0,
        filter: Filter | None = None,
    ) -> list[Passage]:
        """The best passages for a text (by words) or a vector (d,), of relevance `threshold` (0…1) or more.

        `RAGSystem.retrieve` also turns the text into a vector and uses both. Arguments and errors as in
        `search_lexical`.
        """
        found = (
            self.search_lexical(query, k, filter)
            if isinstance(query, str)
            else self.search_dense(np.asarray(query, np.float32), k, filter)
        )
        return [passage for passage in found if passage.score >= threshold]

    # The folder

    def save(self, path: AnyPath | None = None) -> Path:
        """Copy the base to a folder, in one step; into its own folder, only make sure that all is on disk.

        Raises:
            StoreError: the folder has other things in it.
            OSError: it cannot be written.
        """
        target = self.path if path is None else Path(path).expanduser()
        if target.resolve() == self.path.resolve():
            self._database.checkpoint()
            return self.path
        _check_target(target)
        with atomic_directory(target) as fresh:
            self._database.copy_to(fresh)
            if (self.path / INDEX_FOLDER).is_dir():
                shutil.copytree(
                    self.path / INDEX_FOLDER, fresh / INDEX_FOLDER, ignore=shutil.ignore_patterns(".*")
                )
        return target

    @classmethod
    def load(cls, path: AnyPath, *, embedder: Any = "auto", read_only: bool = False) -> DocumentStore:
        """Open the base in a folder; changes go straight to it.

        Args:
            path: the folder. embedder, read_only: as in the constructor.

        Raises:
            StoreError: there is no base, or it is damaged or too new.
        """
        folder = Path(path).expanduser()
        if not is_base(folder):
            raise StoreError(
                f'Não há uma base de documentos em "{folder}". Crie uma com: luna index PASTA -o "{folder}"'
            )
        return cls(folder, embedder=embedder, read_only=read_only)

    def close(self) -> None:
        """Let go of all files; a temporary base is deleted."""
        self._dense.forget()
        self._database.close()
        if self._temporary is not None:
            self._temporary()

    def __enter__(self) -> DocumentStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, documents: Iterator[Document], problems: list[str]) -> AddSummary:
        ids, changed = [], 0
        for identity, is_new in self._writer.add(documents, self.chunking):
            ids.append(identity)
            changed += is_new
        return AddSummary(ids, changed, problems)

    def _remove(self, filter: Filter) -> int:
        where, parameters = compile_filter(filter)
        keys = self._database.connection.execute(f"SELECT key FROM documents WHERE {where}", parameters)
        return self._remove_keys([key for (key,) in keys])

    def _remove_keys(self, keys: Sequence[int]) -> int:
        if keys:
            with self._database.write() as connection:
                self._writer.remove(connection, keys)
        return len(keys)


def _check_target(folder: Path) -> None:
    """Refuse to make a base of a folder that holds something else.

    Raises:
        StoreError: it does.
    """
    if folder.is_file():
        raise StoreError(f'"{folder}" é um arquivo; uma base de documentos é uma pasta. Escolha outro nome.')
    if folder.is_dir() and not is_base(folder) and any(folder.iterdir()):
        raise StoreError(
            f'A pasta "{folder}" tem outros arquivos e não é uma base de documentos. Escolha uma pasta nova '
            "ou vazia para a base."
        )
