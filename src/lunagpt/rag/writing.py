"""Documents into a base and out of it: the only code that changes documents, chunks and the word index."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from lunagpt.data.chunk import Chunk, DocumentChunker
from lunagpt.data.documents import Document, Heading
from lunagpt.rag.lexical import tokens
from lunagpt.rag.passages import context_line, search_text, text_hash
from lunagpt.rag.schema import Database

# What SQLite cannot keep as text, or cuts text at; replaced one for one, so that offsets stay.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_BATCH_CHARACTERS = 1 << 20
_RECHUNKED_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are divided; lengths in tokens of the tokenizer."""

    chunk_size: int = 256
    chunk_overlap: int = 32

    @property
    def signature(self) -> str:
        """Kept with each document, to tell which ones were divided otherwise."""
        return f"{self.chunk_size}/{self.chunk_overlap}"

    @classmethod
    def from_signature(cls, signature: str) -> Chunking:
        """The settings that `signature` stands for."""
        size, overlap = signature.split("/")
        return cls(int(size), int(overlap))

    def chunker(self) -> DocumentChunker:
        """A chunker with these settings.

        Raises:
            DataError: they contradict each other.
        """
        return DocumentChunker(chunk_size=self.chunk_size, chunk_overlap=self.chunk_overlap)


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk ready to be written.

    Attributes:
        chunk: the chunk.
        sha256: of the text that is embedded for it.
        context_tokens, body_tokens: the columns of its row in the word index.
    """

    chunk: Chunk
    sha256: bytes
    context_tokens: str
    body_tokens: str


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document with everything computed that a transaction needs to write it."""

    document: Document
    sha256: bytes
    chunking: str
    chunks: tuple[IndexedChunk, ...]
    file_id: int | None = None


class DocumentWriter:
    """Adds, replaces and removes documents, each of them wholly or not at all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, documents: Iterable[Document], chunking: Chunking) -> Iterator[tuple[str, bool]]:
        """Write documents, several per transaction; one that is there already in the same words is kept.

        Yields:
            (id, whether anything changed), once the document is safely in the base.
        """
        chunker = chunking.chunker()
        for batch in _batches(documents):
            prepared = {}  # by id: a later document replaces an earlier one
            for document in batch:
                prepared[document.id] = self.prepare(document, chunking, chunker)
            with self._database.write() as connection:
                for row in filter(None, prepared.values()):
                    self.replace(connection, row)
            yield from ((identity, row is not None) for identity, row in prepared.items())

    def prepare(
        self, document: Document, chunking: Chunking, chunker: DocumentChunker, file_id: int | None = None
    ) -> PreparedDocument | None:
        """Divide and analyse a document, outside any transaction; None if the base has it so already."""
        document = storable(document)
        sha256 = document_hash(document)
        present = self._database.connection.execute(
            "SELECT 1 FROM documents WHERE id = ? AND sha256 = ? AND chunking = ? AND file IS ?",
            (document.id, sha256, chunking.signature, file_id),
        ).fetchone()
        if present:
            return None
        chunks = tuple(_indexed(document, chunk) for chunk in chunker.chunk_document(document))
        return PreparedDocument(document, sha256, chunking.signature, chunks, file_id)

    def replace(self, connection: sqlite3.Connection, prepared: PreparedDocument) -> None:
        """Write a prepared document in the place of the one with its id, within a transaction.

        Texts that stay the same keep their vectors.
        """
        document = prepared.document
        old = connection.execute("SELECT key FROM documents WHERE id = ?", (document.id,)).fetchone()
        old_hashes = self._delete(connection, [old[0]]) if old else set()
        key = connection.execute(
            "INSERT INTO documents(id, title, content, metadata, headings, pages, sha256, chunking, file) "
            "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                document.id,
                document.title,
                zlib.compress(document.content.encode("utf-8"), 1),
                _json(document.metadata),
                _json([[heading.offset, heading.level, heading.text] for heading in document.headings]),
                _json(document.pages),
                prepared.sha256,
                prepared.chunking,
                prepared.file_id,
            ),
        ).lastrowid
        for entry in prepared.chunks:
            chunk = entry.chunk
            chunk_id = connection.execute(
                "INSERT INTO chunks(document, position, start, end, text, heading_path, page, sha256) "
                "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    chunk.index,
                    chunk.start,
                    chunk.end,
                    chunk.text,
                    _json(chunk.heading_path),
                    chunk.page,
                    entry.sha256,
                ),
            ).lastrowid
            connection.execute(
                "INSERT INTO words(rowid, context, body) VALUES(?, ?, ?)",
                (chunk_id, entry.context_tokens, entry.body_tokens),
            )
        self._delete_orphans(connection, old_hashes)

    def remove(self, connection: sqlite3.Connection, keys: Sequence[int]) -> None:
        """Remove documents by their ``documents.key``, within a transaction, with all that hangs on them."""
        self._delete_orphans(connection, self._delete(connection, keys))

    def rechunk(self, chunking: Chunking) -> None:
        """Divide all documents that were divided otherwise anew, and documents added later too.

        Raises:
            DataError: the sizes contradict each other.
        """
        chunker = chunking.chunker()
        self._database.set_meta("chunking", chunking.signature)
        while True:
            # A document at a time is read and written; a run that was stopped goes on here.
            batch = list(
                islice(
                    read_documents(self._database.connection, "chunking <> ?", [chunking.signature]),
                    _RECHUNKED_TOGETHER,
                )
            )
            if not batch:
                return
            files = self._files_of([key for key, _ in batch])
            prepared = [self.prepare(document, chunking, chunker, files[key]) for key, document in batch]
            with self._database.write() as connection:
                for row in filter(None, prepared):
                    self.replace(connection, row)

    def _files_of(self, keys: Sequence[int]) -> dict[int, int | None]:
        rows = self._database.connection.execute(
            "SELECT key, file FROM documents WHERE key IN (SELECT value FROM json_each(?))", (_json(keys),)
        )
        return dict(rows)

    def rebuild_words(self) -> None:
        """Fill the word index anew from the chunks; needed when the rules of `lexical` have changed."""
        with self._database.write() as connection:
            connection.execute("INSERT INTO words(words) VALUES('delete-all')")
            cursor = connection.execute(
                "SELECT chunks.id, title, heading_path, text FROM chunks JOIN documents ON key = document"
            )
            connection.executemany(
                "INSERT INTO words(rowid, context, body) VALUES(?, ?, ?)",
                ((chunk_id, *_index_texts(*columns)) for chunk_id, *columns in cursor),
            )

    def _delete(self, connection: sqlite3.Connection, keys: Sequence[int]) -> set[bytes]:
        """Delete documents, their chunks and index rows; returns the hashes of the chunks' texts."""
        hashes: set[bytes] = set()
        for key in keys:
            chunks = connection.execute(
                "SELECT chunks.id, chunks.sha256, title, heading_path, text "
                "FROM chunks JOIN documents ON key = document WHERE key = ?",
                (key,),
            ).fetchall()
            for chunk_id, sha256, *columns in chunks:
                hashes.add(sha256)
                connection.execute(
                    "INSERT INTO words(words, rowid, context, body) VALUES('delete', ?, ?, ?)",
                    (chunk_id, *_index_texts(*columns)),
                )
            connection.execute("DELETE FROM documents WHERE key = ?", (key,))
        return hashes

    @staticmethod
    def _delete_orphans(connection: sqlite3.Connection, hashes: set[bytes]) -> None:
        """Delete the vectors of texts that no chunk has any more."""
        connection.executemany(
            "DELETE FROM vectors WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM chunks WHERE sha256 = ?1)",
            ((sha256,) for sha256 in hashes),
        )


def document_hash(document: Document) -> bytes:
    """SHA-256 over everything a document says, its id apart."""
    return text_hash(_json({**document.to_dict(), "id": ""}))


def read_documents(
    connection: sqlite3.Connection, condition: str = "1", parameters: Sequence[Any] = ()
) -> Iterator[tuple[int, Document]]:
    """Documents with their ``documents.key``, in the order in which they were added."""
    cursor = connection.execute(
        "SELECT key, id, title, content, metadata, headings, pages FROM documents "
        f"WHERE {condition} ORDER BY key",
        parameters,
    )
    for key, identity, title, content, metadata, headings, pages in cursor:
        yield (
            key,
            Document(
                identity,
                title,
                zlib.decompress(content).decode("utf-8"),
                json.loads(metadata),
                tuple(Heading(*heading) for heading in json.loads(headings)),
                tuple(json.loads(pages)),
            ),
        )


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Groups of documents, so large that a transaction's own cost vanishes, small enough for memory."""
    size, number = 0, 0

    def group(document: Document) -> int:
        nonlocal size, number
        size += len(document.content) + 1000
        if size > _BATCH_CHARACTERS:
            size, number = len(document.content), number + 1
        return number

    for _, batch in groupby(documents, key=group):
        yield list(batch)


def _indexed(document: Document, chunk: Chunk) -> IndexedChunk:
    context, body = _index_texts(document.title, _json(chunk.heading_path), chunk.text)
    sha256 = text_hash(search_text(document.title, chunk.heading_path, chunk.text))
    return IndexedChunk(chunk, sha256, context, body)


def _index_texts(title: str, heading_path: str, text: str) -> tuple[str, str]:
    """The two columns of the word index for a chunk, from what the base keeps of it."""
    context = context_line(title, json.loads(heading_path))
    return " ".join(tokens(context)), " ".join(tokens(text))


def storable(document: Document) -> Document:
    """The document without characters that SQLite cannot keep; one takes the place of each: offsets stay."""
    if not any(map(_NO_TEXT.search, (document.id, document.title, document.content))):
        return document
    return Document(
        _NO_TEXT.sub(_REPLACEMENT, document.id),
        _NO_TEXT.sub(_REPLACEMENT, document.title),
        _NO_TEXT.sub(_REPLACEMENT, document.content),
        document.metadata,
        document.headings,
        document.pages,
    )


def _json(value: Any) -> str:
    """JSON that SQLite can search: what JSON has no word for (dates, NaN) becomes text or null."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        text = json.dumps(_jsonable(value), ensure_ascii=False)
    return _NO_TEXT.sub(_REPLACEMENT, text)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None  # infinities and NaN are not in JSON
    return str(value)
