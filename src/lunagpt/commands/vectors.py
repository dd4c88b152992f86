"""The vectors that a base still lacks: computed while a conversation goes on, or pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lunagpt.chat import LunaChat
from lunagpt.commands import texts
from lunagpt.rag import RAGSystem
from lunagpt.reporting.numbers import counted


def resume(chat: LunaChat) -> str | None:
    """Begins to compute what is missing in the background; returns what to say, None if nothing is."""
    rag = _rag(chat)
    missing = rag.resume_embedding() if rag is not None else 0
    return texts.VECTORS_UNDER_WAY.format(missing=_passages(missing)) if missing else None


def progress(chat: LunaChat) -> str | None:
    """How far that is; None if it is not under way."""
    rag = _rag(chat)
    if rag is None or rag.embedding_progress.state != "running":
        return None
    now = rag.embedding_progress
    return texts.VECTORS_PROGRESS.format(done=now.done, total=now.total)


def incomplete(chat: LunaChat) -> str | None:
    """What to say before a single question to a base of which only a part has vectors; else None.

    A base without any is searched by words alone, and whole.
    """
    rag = _rag(chat)
    if rag is None or not rag.missing_vectors or not rag.document_store.vector_count():
        return None
    return texts.VECTORS_INCOMPLETE.format(missing=_passages(rag.missing_vectors))


@contextmanager
def stopped_afterwards(chat: LunaChat) -> Iterator[None]:
    """Ends the work in the background with the block; what is done stays in the base."""
    try:
        yield
    finally:
        if (rag := _rag(chat)) is not None:
            rag.stop_embedding()


def _rag(chat: LunaChat) -> RAGSystem | None:
    return chat.rag_system if chat.rag_enabled and isinstance(chat.rag_system, RAGSystem) else None


def _passages(count: int) -> str:
    return counted(count, *texts.PASSAGES)
