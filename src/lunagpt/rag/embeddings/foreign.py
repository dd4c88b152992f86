"""Objects of other libraries that have `encode(texts)`, as in sentence-transformers, used as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lunagpt.rag.embeddings.base import EmbeddingError, Vectors, clean_text, unit_rows
from lunagpt.rag.embeddings.memory import memory_errors


@runtime_checkable
class Encoder(Protocol):
    """What `ForeignEmbedder` asks of an object."""

    def encode(self, texts: Any) -> Any:
        """Vectors of a list of texts: (n, d), as numpy array, tensor or lists."""
        ...


class ForeignEmbedder:
    """An object with `encode`; its vectors are brought to length one.

    If it has `encode_query` and `encode_document`, they are used for questions and passages.
    """

    def __init__(self, encoder: Encoder, name: str | None = None) -> None:
        """
        Args:
            name: identity of the model; None takes the object's `name` or its class. Give one if you use
                several models of one class on the same documents.

        Raises:
            EmbeddingError: `encode` gives no vectors.
        """
        self._encode_document = getattr(encoder, "encode_document", encoder.encode)
        self._encode_query = getattr(encoder, "encode_query", encoder.encode)
        self.dimension = 0
        self.dimension = self._embed(self._encode_document, ["dimensão"]).shape[1]
        own = name or getattr(encoder, "name", None)
        kind = type(encoder)
        self.name = str(own) if own else f"{kind.__module__}.{kind.__qualname__}-{self.dimension}"

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._embed(self._encode_document, [clean_text(text) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self._embed(self._encode_query, [clean_text(text)])[0]
        return vector

    def _embed(self, encode: Any, texts: list[str]) -> Vectors:
        with memory_errors():
            result = encode(texts)
            if hasattr(result, "detach"):  # a tensor, perhaps on a GPU
                result = result.detach().cpu().numpy()
            try:
                vectors = np.asarray(result, dtype=np.float32)
            except (TypeError, ValueError) as error:
                raise EmbeddingError(f"O modelo de vetores não devolveu números: {error}") from error
        width = self.dimension or (vectors.shape[1] if vectors.ndim == 2 else 0)
        if width == 0 or vectors.shape != (len(texts), width):
            raise EmbeddingError(
                f"O modelo de vetores devolveu a forma {vectors.shape} para {len(texts)} texto(s); "
                f"esperava uma linha por texto."
            )
        return unit_rows(vectors)
