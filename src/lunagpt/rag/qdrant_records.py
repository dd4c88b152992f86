"""Documents and passages as points of Qdrant, and back."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from lunagpt.data.chunk import Chunk
from lunagpt.data.documents import Document, Heading
from lunagpt.rag.lexical import tokens
from lunagpt.rag.passages import Passage, context_line, search_text, text_hash
from lunagpt.rag.qdrant_filters import Json, equals, flags_of
from lunagpt.rag.qdrant_points import Hit, Point, Sparse, Vector

IS_CHUNK, IS_DOCUMENT = equals("kind", "chunk"), equals("kind", "document")
META_ID = str(uuid5(NAMESPACE_URL, "lunagpt:meta"))

# As the local store weighs words: those of title and headings count half, BM25 with the usual constants.
_CONTEXT_WEIGHT = 0.5
_K1, _B = 1.2, 0.75
#: Words of a passage of usual size. A constant in place of the mean: a cluster knows no mean, and passages
#: are cut to like sizes.
_USUAL_LENGTH = 150.0


def document_point_id(document_id: str) -> str:
    """Id of the point of a document."""
    return str(uuid5(NAMESPACE_URL, f"lunagpt:document:{document_id}"))


def chunk_point_id(document_id: str, version: str, position: int) -> int:
    """Id of the point of a passage, below 2⁶³.

    Drawn from a hash, so that writers need not agree on a counter; among 100 million passages, the chance
    that any two are given the same id is 1 in 2,000.
    """
    digest = hashlib.sha256(json.dumps([document_id, version, position]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def document_point(document: Document, version: str, chunking: str, folder: str | None) -> Point:
    """The point that holds the whole document. `folder` is the one that it was read from, if any."""
    metadata = plain(document.metadata)
    payload = {
        "kind": "document",
        "document_id": document.id,
        "title": document.title,
        "content": document.content,
        "metadata": metadata,
        "flags": flags_of(metadata),
        "headings": [[heading.offset, heading.level, heading.text] for heading in document.headings],
        "pages": list(document.pages),
        "version": version,
        "chunking": chunking,
        "folder": folder,
    }
    return Point(document_point_id(document.id), payload)


def chunk_point(
    document: Document, version: str, chunk: Chunk, vectors: Mapping[str, tuple[Vector, str]]
) -> Point:
    """The point of a passage.

    Args:
        vectors: known vectors of texts, by `text_hash` in hexadecimal, each with the name of its model.
    """
    embedded = search_text(document.title, chunk.heading_path, chunk.text)
    sha256 = text_hash(embedded).hex()
    dense, model = vectors.get(sha256, (None, None))
    metadata = plain(document.metadata)
    payload = {
        "kind": "chunk",
        "document_id": document.id,
        "title": document.title,
        "version": version,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "heading_path": list(chunk.heading_path),
        "text": chunk.text,
        "sha256": sha256,
        "model": model,
        "metadata": metadata,
        "flags": flags_of(metadata),
    }
    number = chunk_point_id(document.id, version, chunk.index)
    return Point(number, payload, dense, _words(document.title, chunk))


def as_document(payload: Json) -> Document:
    """The document in the payload of its point."""
    return Document(
        payload["document_id"],
        payload["title"],
        payload["content"],
        payload["metadata"],
        tuple(Heading(offset, level, text) for offset, level, text in payload["headings"]),
        tuple(payload["pages"]),
    )


def as_passage(hit: Hit) -> Passage:
    """The unscored passage of a point."""
    payload = hit.payload
    return Passage(
        content=payload["text"],
        title=payload["title"],
        document_id=payload["document_id"],
        chunk_id=int(hit.id),
        start=int(payload["start"]),
        end=int(payload["end"]),
        page=payload["page"],
        heading_path=tuple(payload["heading_path"]),
        metadata=payload["metadata"],
    )


def embedded_text(payload: Json) -> str:
    """The text of a passage that is embedded."""
    return search_text(payload["title"], payload["heading_path"], payload["text"])


def query_vector(words: Sequence[str]) -> Sparse:
    """A query that asks for each of some tokens alike."""
    indices = sorted({token_index(word) for word in words})
    return Sparse(indices, [1.0] * len(indices))


def token_index(token: str) -> int:
    """Index of a token in sparse vectors."""
    return zlib.crc32(token.encode())


def plain(metadata: Mapping[str, Any]) -> Json:
    """Metadata as JSON keeps it: what JSON has no word for becomes text, what is no number becomes null."""
    text = json.dumps(metadata, ensure_ascii=False, default=str).encode("utf-8", "replace")
    kept: Json = json.loads(text, parse_constant=lambda _: None)
    return kept


def _words(title: str, chunk: Chunk) -> Sparse:
    """BM25 weights of a passage's words; the engine multiplies them by the idf of the moment."""
    body = tokens(chunk.text)
    context = tokens(context_line(title, chunk.heading_path))
    counts: dict[str, float] = dict(Counter(body))
    for token in context:
        counts[token] = counts.get(token, 0.0) + _CONTEXT_WEIGHT
    damping = _K1 * (1 - _B + _B * (len(body) + len(context)) / _USUAL_LENGTH)
    weights: dict[int, float] = {}
    for token, count in counts.items():
        index = token_index(token)  # two tokens in one index is rare, and then they share it
        weights[index] = weights.get(index, 0.0) + count * (_K1 + 1) / (count + damping)
    indices = sorted(weights)
    return Sparse(indices, [weights[index] for index in indices])
