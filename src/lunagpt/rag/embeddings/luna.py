"""Vectors from a LunaModel itself: no further model needed, weaker than one trained for search."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lunagpt.rag.embeddings.base import Vectors, clean_text, unit_rows
from lunagpt.rag.embeddings.memory import memory_errors

if TYPE_CHECKING:
    from lunagpt.models import LunaModel

_BATCH = 16
#: Numbers of each weight matrix that identify it.
_SAMPLE = 64


class LunaEmbedder:
    """`LunaModel.encode_text` as an embedding model.

    The hidden states of a language model all point in roughly one direction, which drowns what tells texts
    apart; the mean vector of `reference` texts is subtracted before the length is made one (Mu and
    Viswanath, "All-but-the-Top", arXiv 1702.01417).
    """

    def __init__(
        self, model: LunaModel, pooling: str = "mean", reference: Sequence[str] | None = None
    ) -> None:
        """
        Args:
            pooling: "mean" over the tokens, "last" or "max".
            reference: texts whose mean vector is the origin; None takes the built-in calibration passages.
        """
        self._model = model
        self._pooling = pooling
        self.dimension = int(model.config.model.hidden_size)
        self.name = f"luna-{pooling}-{_fingerprint(model)}"
        if reference is None:
            from lunagpt.rag.calibration_pairs import calibration_pairs

            reference = [pair.passage for pair in calibration_pairs()]
        self._origin = np.zeros(self.dimension, dtype=np.float32)
        if reference:
            self._origin = self._raw(reference).mean(axis=0)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            vectors[start : start + _BATCH] = self._raw(texts[start : start + _BATCH])
        return unit_rows(vectors - self._origin)

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self.embed_documents([text])[0]
        return vector

    def _raw(self, texts: Sequence[str]) -> Vectors:
        # A text of blanks has no token; the dot stands for "nothing in particular".
        cleaned = [clean_text(text).strip() or "." for text in texts]
        with memory_errors():
            vectors = self._model.encode_text(cleaned, pooling=self._pooling)
        return np.asarray(vectors.numpy(), dtype=np.float32)


def _fingerprint(model: LunaModel) -> str:
    """Eight hexadecimal digits of a sample of every weight: equal models, equal digits, wherever they lie."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        sample = tensor.detach().flatten()[:_SAMPLE].float().cpu().numpy()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(sample.tobytes())
    return digest.hexdigest()[:8]
