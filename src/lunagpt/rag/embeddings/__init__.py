"""Text → vectors: one protocol, three kinds of model behind it, and a job that embeds in the background."""

from __future__ import annotations

from lunagpt.rag.embeddings.background import BackgroundEmbedder, EmbeddingProgress, EmbeddingStore
from lunagpt.rag.embeddings.base import Embedder, EmbeddingError
from lunagpt.rag.embeddings.opening import default_embedder, open_embedder
from lunagpt.rag.embeddings.safe import SafeEmbedder

__all__ = [
    "BackgroundEmbedder",
    "Embedder",
    "EmbeddingError",
    "EmbeddingProgress",
    "EmbeddingStore",
    "SafeEmbedder",
    "default_embedder",
    "open_embedder",
]
