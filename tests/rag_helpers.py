"""What the tests of retrieval share: an embedding model of words, and checks of a whole base."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lunagpt.rag import DocumentStore
from lunagpt.rag.lexical import tokens
from lunagpt.rag.passages import search_text, text_hash
from lunagpt.rag.writing import Chunking


class WordEmbedder:
    """Vectors of the words in a text: equal words, equal direction. Counts what it is asked."""

    dimension = 64

    def __init__(self, name: str = "palavras") -> None:
        self.name = name
        self.embedded: list[str] = []

    def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
        self.embedded += texts
        return np.stack([self._vector(text) for text in texts])

    def embed_query(self, text: str) -> np.ndarray:
        return self._vector(text)

    def _vector(self, text: str) -> np.ndarray:
        vector = np.zeros(self.dimension, np.float32)
        for token in tokens(text):
            seed = int.from_bytes(hashlib.sha256(token.encode()).digest()[:4], "little")
            vector += np.random.default_rng(seed).standard_normal(self.dimension).astype(np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-9)


def check_base(folder: Path) -> None:
    """Everything that must hold in a base at any time, looked at without the store."""
    connection = sqlite3.connect(folder / "luna.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.execute("INSERT INTO words(words) VALUES('integrity-check')")
        chunk_ids = {row[0] for row in connection.execute("SELECT id FROM chunks")}
        indexed = {row[0] for row in connection.execute("SELECT id FROM words_docsize")}
        assert indexed == chunk_ids, "the word index has exactly the chunks"
        hashes = {row[0] for row in connection.execute("SELECT sha256 FROM chunks")}
        embedded = {row[0] for row in connection.execute("SELECT sha256 FROM vectors")}
        assert embedded <= hashes, "no vector outlives its text"
        chunkings = dict(connection.execute("SELECT id, chunking FROM documents"))
    finally:
        connection.rollback()
        connection.close()
    with DocumentStore.load(folder, embedder=False) as store:
        documents = {document.id: document for document in store.documents()}
        chunks = list(store.chunks())
        for chunk in chunks:
            document = documents[chunk.document_id]
            assert chunk.content == document.content[chunk.start : chunk.end]
        chunkers = {name: Chunking.from_signature(name).chunker() for name in set(chunkings.values())}
        expected = [
            (document.id, piece.start, piece.end)
            for document in documents.values()
            for piece in chunkers[chunkings[document.id]].chunk_document(document)
        ]
        assert sorted((c.document_id, c.start, c.end) for c in chunks) == sorted(expected)
        assert hashes == {text_hash(search_text(c.title, c.heading_path, c.content)) for c in chunks}
