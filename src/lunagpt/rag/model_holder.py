"""The embedding model of a store: opened when it is first needed, put to work on what has no vectors."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from lunagpt.rag.embeddings import BackgroundEmbedder, Embedder, open_embedder
from lunagpt.rag.embeddings.base import Vectors
from lunagpt.rag.embeddings.notices import tell
from lunagpt.rag.searching import ToRelevance


class ModelHolder(ABC):
    """What every store does with its embedding model; the store adds how vectors are kept.

    Attributes:
        embedder_problem: why the model could not be opened, a Portuguese sentence that the log has too.
    """

    def __init__(self, embedder: Any) -> None:
        """
        Args:
            embedder: whatever `open_embedder` takes.
        """
        self._embedder_wanted = embedder
        self._embedder: Embedder | None = None
        self._embedder_opened = False
        self.embedder_problem: str | None = None
        self._embedder_lock = threading.RLock()
        self._calibrations: dict[str, ToRelevance] = {}

    @property
    def embedder(self) -> Embedder | None:
        """The embedding model, opened on first use; None if there is none (said once in the log)."""
        with self._embedder_lock:
            if not self._embedder_opened:
                self._embedder = open_embedder(self._embedder_wanted, self._note_problem)
                self._embedder_opened = True
            return self._embedder

    def _note_problem(self, sentence: str) -> None:
        self.embedder_problem = sentence
        tell(sentence, None)

    def use_embedder(self, wanted: Any) -> None:
        """Use another embedding model from now on: whatever `embeddings.open_embedder` takes."""
        with self._embedder_lock:
            self._embedder_wanted, self._embedder_opened = wanted, False

    def create_embeddings(self, batch_size: int = 32, embedder: Embedder | None = None) -> int:
        """Compute the vectors that are missing; what is done survives an interruption.

        Args:
            batch_size: texts per step. embedder: another model than the store's own.

        Returns:
            How many passages got a vector; 0 without an embedding model.
        """
        model = embedder or self.embedder
        if model is None:
            return 0
        before = self.vector_count(model.name)
        return BackgroundEmbedder(self, model, batch_size=batch_size).run().done - before

    def update_embeddings(self, only_new: bool = True, batch_size: int = 32) -> int:
        """Compute the vectors of new passages, or with ``only_new=False`` all of them anew."""
        if not only_new and self.embedder is not None:
            self._forget_vectors()
        return self.create_embeddings(batch_size)

    @property
    def words_only(self) -> bool:
        """Whether the base is meant to be searched by words alone, so that no vectors are missing."""
        return False

    @property
    @abstractmethod
    def chunk_count(self) -> int:
        """Number of passages."""

    @abstractmethod
    def vector_count(self, model: str | None = None) -> int:
        """Passages that have a vector of a model."""

    @abstractmethod
    def chunks_without_vectors(self, model: str, limit: int) -> list[tuple[int, str]]:
        """Up to `limit` passages without a vector of `model`: (chunk id, text to embed); equal texts once."""

    @abstractmethod
    def add_vectors(self, model: str, chunk_ids: Sequence[int], vectors: Vectors) -> None:
        """Keep vectors (n, d) of length 1 for passages and for all others of equal text."""

    @abstractmethod
    def _forget_vectors(self) -> None:
        """Drop the vectors of the embedding model, so that they are computed anew."""

    def _to_relevance(self, model: str) -> ToRelevance:
        """Cosine → relevance for a model. Of a model that nobody knows here, the cosine itself has to do."""
        known = self._calibrations.get(model)
        if known is None:
            from lunagpt.rag.thresholds import calibrate, find_calibration

            embedder = self._embedder
            at_hand = embedder is not None and embedder.name == model
            found = calibrate(embedder) if at_hand and embedder is not None else find_calibration(model)
            if found is None:
                return _positive
            known = self._calibrations[model] = found.to_relevance
        return known


def _positive(cosine: float) -> float:
    return min(max(cosine, 0.0), 1.0)
