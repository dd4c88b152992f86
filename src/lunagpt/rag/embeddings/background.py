"""Embedding a collection while people already search it: a job that survives being stopped or killed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from lunagpt.errors import LunaError
from lunagpt.rag.embeddings.base import Embedder, EmbeddingError, Vectors
from lunagpt.rag.embeddings.notices import Notify, lexical_only, tell
from lunagpt.rag.embeddings.safe import embed_in_halves
from lunagpt.rag.embeddings.threads import lower_this_threads_priority

State = Literal["idle", "running", "stopped", "done", "failed"]

#: Batches whose mean speed predicts the time left.
_RECENT_BATCHES = 8


class EmbeddingStore(Protocol):
    """What the job asks of a store. Its methods are called from the job's own thread.

    The store keeps the vectors of texts it has seen (by SHA-256) when documents change, and lists only what
    really has none: a file that is indexed again costs nothing.
    """

    @property
    def chunk_count(self) -> int:
        """Chunks in the store."""
        ...

    def vector_count(self, model: str) -> int:
        """Chunks that have a vector of `model`."""
        ...

    def chunks_without_vectors(self, model: str, limit: int) -> Sequence[tuple[int, str]]:
        """Up to `limit` chunks without a vector of `model`: (chunk id, text to embed)."""
        ...

    def add_vectors(self, model: str, chunk_ids: Sequence[int], vectors: Vectors) -> None:
        """Keeps vectors (n, d), all or, if interrupted, none; chunks that are gone are left out."""
        ...


@dataclass(frozen=True, slots=True)
class EmbeddingProgress:
    """How far the job is.

    Attributes:
        done, total: chunks. per_second: recent speed, None before the first batch.
        state: "idle", "running", "stopped" (on request), "done" or "failed".
        problem: Portuguese sentence if it failed.
    """

    done: int = 0
    total: int = 0
    per_second: float | None = None
    state: State = "idle"
    problem: str | None = None

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the end; None while the speed is unknown."""
        return (self.total - self.done) / self.per_second if self.per_second else None

    @property
    def fraction(self) -> float:
        """Share that is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0


class BackgroundEmbedder:
    """Embeds what a store has no vectors of yet.

    Every batch is one transaction of the store and the list of what is missing is asked for anew, so nothing
    needs to be remembered: after a stop, a crash or a kill, starting again goes on where it was, and loses
    the work of one batch at most.
    """

    def __init__(
        self,
        store: EmbeddingStore,
        embedder: Embedder,
        batch_size: int = 16,
        notify: Notify | None = None,
        on_progress: Callable[[EmbeddingProgress], None] | None = None,
    ) -> None:
        """
        Args:
            batch_size: texts per transaction. A stop request waits for one batch at most.
            notify: gets one Portuguese sentence if the job fails; None writes it to the log.
            on_progress: called after each batch, from the job's thread.
        """
        if batch_size < 1:
            raise EmbeddingError(f"batch_size precisa ser pelo menos 1, não {batch_size}.")
        self._store = store
        self._embedder = embedder
        self._batch_size = batch_size
        self._notify = notify
        self._on_progress = on_progress
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._progress = EmbeddingProgress()

    @property
    def progress(self) -> EmbeddingProgress:
        """The last known state; may be read from any thread."""
        return self._progress

    def start(self) -> None:
        """Starts or goes on in a thread of low priority; does nothing if it is running."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._run_quietly, name="luna-embeddings", daemon=True)
        self._thread.start()

    def stop(self, timeout: float | None = 30.0) -> None:
        """Asks the thread to end after its batch and waits for it up to `timeout` seconds."""
        self._stop.set()
        self.wait(timeout)

    def wait(self, timeout: float | None = None) -> EmbeddingProgress:
        """Waits up to `timeout` seconds for the thread to end; returns the progress."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._progress

    def run(self) -> EmbeddingProgress:
        """Does the whole job in the calling thread.

        Raises:
            MemoryError: not enough memory for a single text.
            LunaError: the model or the store failed; what was embedded before is kept.
        """
        self._stop.clear()
        return self._run()

    def _run_quietly(self) -> None:
        lower_this_threads_priority()
        try:
            self._run()
        except MemoryError:
            self._fail("Faltou memória para calcular os vetores dos documentos.")
        except LunaError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"O cálculo dos vetores parou ({type(error).__name__}: {error}).")
            raise

    def _run(self) -> EmbeddingProgress:
        model = self._embedder.name
        counts = self._store.vector_count(model), self._store.chunk_count
        self._publish(EmbeddingProgress(*counts, state="running"))
        speeds: deque[tuple[int, float]] = deque(maxlen=_RECENT_BATCHES)
        while not self._stop.is_set():
            began = time.perf_counter()
            pending = self._store.chunks_without_vectors(model, self._batch_size)
            if not pending:
                return self._publish(replace(self._progress, state="done"))
            self._store.add_vectors(model, [chunk_id for chunk_id, _ in pending], self._embed(pending))
            speeds.append((len(pending), time.perf_counter() - began))
            rate = sum(chunks for chunks, _ in speeds) / max(sum(seconds for _, seconds in speeds), 1e-9)
            # Counted again: documents may have come or gone meanwhile.
            counts = self._store.vector_count(model), self._store.chunk_count
            self._publish(EmbeddingProgress(*counts, rate, "running"))
        return self._publish(replace(self._progress, state="stopped"))

    def _embed(self, pending: Sequence[tuple[int, str]]) -> Vectors:
        """Vectors (n, d) of the chunks in `pending`; equal texts are embedded once."""
        rows: dict[str, int] = {}
        for _, text in pending:
            rows.setdefault(text, len(rows))
        distinct = embed_in_halves(self._embedder, list(rows))
        chosen: Vectors = distinct[[rows[text] for _, text in pending]]
        return chosen

    def _publish(self, progress: EmbeddingProgress) -> EmbeddingProgress:
        self._progress = progress
        if self._on_progress is not None:
            self._on_progress(progress)
        return progress

    def _fail(self, reason: str) -> None:
        problem = lexical_only(reason)
        self._publish(replace(self._progress, state="failed", problem=problem))
        tell(problem, self._notify)
