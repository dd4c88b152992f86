"""Memory that runs out: noticed before native code ends the process, recognised when torch reports it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lunagpt.rag.embeddings.base import EmbeddingError

_MEMINFO = Path("/proc/meminfo")
#: What the rest of the process may want while a model is at work.
_MARGIN_BYTES = 64 << 20


def require_memory(num_bytes: int) -> None:
    """Makes sure that `num_bytes` more can be had.

    C code that does not look at what `malloc` gives ends the whole process when nothing is left, so the
    question is asked beforehand: of the system (what it can hand out) and of the limits of this process.

    Raises:
        MemoryError: it does not fit.
    """
    available = _available_bytes()
    if available is not None and available < num_bytes + _MARGIN_BYTES:
        raise MemoryError(f"{num_bytes} bytes asked for, {available} available")
    # Reserving address space costs no memory, and fails under a limit such as `ulimit -v`.
    np.empty(num_bytes + _MARGIN_BYTES, dtype=np.uint8)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turns the memory errors of torch and of its libraries into `MemoryError`, other failures into
    `EmbeddingError`."""
    try:
        yield
    except (MemoryError, EmbeddingError):
        raise
    except RuntimeError as error:
        message = str(error).lower()
        if "out of memory" in message or "can't allocate memory" in message or "not enough memory" in message:
            raise MemoryError(str(error)) from error
        raise EmbeddingError(f"O modelo de vetores falhou: {error}") from error


def _available_bytes() -> int | None:
    """Memory the system can still hand out without swapping; None where it does not say."""
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None
