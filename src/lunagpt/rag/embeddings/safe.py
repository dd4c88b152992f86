"""An embedding model that may give up: search goes on with words alone, and the user is told once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from lunagpt.errors import LunaError
from lunagpt.rag.embeddings.base import Embedder, Vectors
from lunagpt.rag.embeddings.notices import Notify, lexical_only, tell

_Result = TypeVar("_Result")


class SafeEmbedder:
    """Answers None instead of raising; after a failure it stays off until `retry`.

    Attributes:
        problem: the notice the user was given, or None while the model works.
    """

    def __init__(self, embedder: Embedder, notify: Notify | None = None) -> None:
        self.embedder = embedder
        self.problem: str | None = None
        self._notify = notify
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.embedder.name

    @property
    def dimension(self) -> int:
        return self.embedder.dimension

    @property
    def active(self) -> bool:
        """Whether the model is still in use."""
        return self.problem is None

    def embed_query(self, text: str) -> Vectors | None:
        """Vector (d,) of a question, or None if the model is off."""
        return self._try(lambda: self.embedder.embed_query(text))

    def embed_documents(self, texts: Sequence[str]) -> Vectors | None:
        """Vectors (n, d) of passages, or None if the model is off; short of memory, in smaller batches."""
        return self._try(lambda: embed_in_halves(self.embedder, texts))

    def retry(self) -> None:
        """Lets the model try again, e.g. after memory was freed."""
        with self._lock:
            self.problem = None

    def _try(self, attempt: Callable[[], _Result]) -> _Result | None:
        if self.problem is not None:
            return None
        try:
            return attempt()
        except MemoryError:
            self._give_up("Faltou memória para o modelo de vetores.")
        except LunaError as error:
            self._give_up(str(error))
        return None

    def _give_up(self, reason: str) -> None:
        with self._lock:
            if self.problem is not None:
                return  # another thread has told it
            self.problem = lexical_only(reason)
        tell(self.problem, self._notify)


def embed_in_halves(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Like `embed_documents`, but if memory does not suffice for all texts, the halves are tried apart.

    Raises:
        MemoryError: it does not suffice for a single text.
        EmbeddingError: the model failed.
    """
    try:
        return embedder.embed_documents(texts)
    except MemoryError:
        if len(texts) < 2:
            raise
    middle = len(texts) // 2
    halves = texts[:middle], texts[middle:]
    return np.concatenate([embed_in_halves(embedder, half) for half in halves])
