"""What an embedding model is for the rest of LunaGPT, and what every implementation does to its texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lunagpt.errors import LunaError

Vectors = NDArray[np.float32]

#: Bytes of each weights file that identify it, from its beginning and from its end.
_SAMPLE_BYTES = 1 << 20


class EmbeddingError(LunaError):
    """An embedding model cannot be opened or cannot embed; lexical search goes on without it."""


@runtime_checkable
class Embedder(Protocol):
    """Turns questions and passages into vectors whose inner product is their cosine similarity.

    Vectors of models with different `name` are never compared, nor taken from one another's cache.
    """

    @property
    def name(self) -> str:
        """Identity of the model: equal names promise equal vectors."""
        ...

    @property
    def dimension(self) -> int:
        """Width d of a vector."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages: (n, d) float32, each of length one.

        Raises:
            EmbeddingError: the model failed.
            MemoryError: not enough memory for these texts; fewer may fit.
        """
        ...

    def embed_query(self, text: str) -> Vectors:
        """Vector of a question: (d,) float32 of length one; raises as `embed_documents`."""
        ...


def clean_text(text: str) -> str:
    """`text` as models can read it: without NUL, which ends a C string, and without half characters."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def unit_rows(vectors: np.ndarray) -> Vectors:
    """Rows of (n, d) scaled to length one, as float32; rows of zeros stay zeros.

    Raises:
        EmbeddingError: a value is not a number; such a vector would win or lose every search.
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if not np.isfinite(rows).all():
        raise EmbeddingError("O modelo de vetores devolveu valores inválidos. Use outro modelo de vetores.")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, np.float32(1e-12)), dtype=np.float32)


def folder_fingerprint(folder: Path) -> str:
    """Eight hexadecimal digits that change when the settings or the weights in `folder` do.

    Small files count whole, large ones by their size and both ends: reading 500 MB at each start is not
    worth it, and retrained weights differ everywhere.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        if path.suffix in {".md", ".txt", ".png"}:
            continue
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}:{size}\n".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_SAMPLE_BYTES))
            if size > _SAMPLE_BYTES:
                stream.seek(max(_SAMPLE_BYTES, size - _SAMPLE_BYTES))
                digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:8]
