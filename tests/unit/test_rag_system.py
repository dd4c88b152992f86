"""Retrieval as a conversation uses it, with and without an embedding model."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from tests.rag_helpers import WordEmbedder

from lunagpt import LunaConfig
from lunagpt.data.sentences import split_sentences
from lunagpt.errors import LunaError, StoreError
from lunagpt.rag import DocumentStore, RAGSystem
from lunagpt.tokenizer import LunaTokenizer

FACTS = [
    "O LunaGPT usa modelos de espaço de estados para ler sequências longas.",
    "Uma mistura de especialistas dá muita capacidade com pouco cálculo.",
    "O sistema de busca encontra trechos que enriquecem as respostas.",
]


class Broken(WordEmbedder):
    """A model that works while documents are embedded and has no memory for questions."""

    def embed_query(self, text: str) -> np.ndarray:
        raise MemoryError


@pytest.mark.parametrize("embedding_model", [False, WordEmbedder()])
def test_from_texts_to_context(embedding_model: object) -> None:
    rag = RAGSystem(LunaConfig(), embedding_model=embedding_model)
    rag.document_store.add_documents(FACTS)
    rag.document_store.create_embeddings()
    question = "Como o LunaGPT lê sequências longas?"
    found = rag.retrieve(question, threshold=0.0)
    assert found[0][0].content == FACTS[0]
    assert [score for _, score in found] == [passage.score for passage in found]
    context = rag.augment_context(question, context="O LunaGPT é um modelo de linguagem.")
    assert context == f"O LunaGPT é um modelo de linguagem.\n\nDocumentos:\n[1] {FACTS[0]}"
    assert rag.augment_context(question) == f"Documentos:\n[1] {FACTS[0]}"
    assert rag.augment_context("Qual é a receita do bolo?", "Contexto.") == "Contexto."
    assert rag.augment_context("Qual é a receita do bolo?") == ""
    rag.close()


def test_settings() -> None:
    config = LunaConfig.from_dict(
        {"rag": {"k_retrieval": 2, "relevance_threshold": 0.0, "stop_words": ["luna"]}}
    )
    rag = RAGSystem(config, embedding_model=False)
    rag.document_store.add_documents(["luna um", "luna dois", "luna três", "luna que"])
    assert len(rag.retrieve("um dois três")) == 2
    assert len(rag.retrieve("um dois três", k=3)) == 3
    assert [p.content for p in rag.retrieve("que luna")] == ["luna que"], (
        "only the words of the list are ignored"
    )
    rag.close()


def test_the_threshold_is_the_least_relevance() -> None:
    rag = RAGSystem(embedding_model=False)
    rag.document_store.add_documents(FACTS)
    every = rag.retrieve("sequências longas, capacidade dos especialistas e trechos", threshold=0.0)
    assert len(every) == 3
    middle = sorted(passage.score for passage in every)[1]
    assert [p for p in every if p.score >= middle] == rag.retrieve(
        "sequências longas, capacidade dos especialistas e trechos", threshold=middle
    )
    assert rag.retrieve("receita de bolo de cenoura") == []
    rag.close()


def test_a_base_with_vectors_and_no_model_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with DocumentStore(tmp_path / "base", embedder=WordEmbedder()) as store:
        store.add_documents(FACTS)
        store.create_embeddings()
    with caplog.at_level(logging.WARNING, "lunagpt.rag"):
        rag = RAGSystem.open(tmp_path / "base", embedding_model=False)
        for _ in range(3):
            assert rag.retrieve("sequências longas")[0].content == FACTS[0]
        assert rag.notice is not None
        assert "lunagpt[rag]" in rag.notice
        assert caplog.text.count("lunagpt[rag]") == 1
        rag.close()
        rag = RAGSystem.open(tmp_path / "base", embedding_model=WordEmbedder("outro"))
        assert rag.retrieve("sequências longas")[0].content == FACTS[0]
        assert '"outro"' in (rag.notice or "")
        rag.close()


def test_without_memory_words_go_on(caplog: pytest.LogCaptureFixture) -> None:
    rag = RAGSystem(embedding_model=Broken())
    rag.document_store.add_documents(FACTS)
    rag.document_store.create_embeddings()
    with caplog.at_level(logging.WARNING, "lunagpt.rag"):
        for _ in range(3):
            (first, *_) = rag.retrieve("sequências longas")
            assert first.content == FACTS[0]
            assert first.dense_score is None
    assert "memória" in (rag.notice or "")
    assert caplog.text.count("memória") == 1
    rag.close()


def test_without_fallback_problems_are_raised() -> None:
    config = LunaConfig.from_dict({"rag": {"enable_fallback": False}})
    rag = RAGSystem(config, embedding_model=Broken())
    rag.document_store.add_documents(FACTS)
    rag.document_store.create_embeddings()
    with pytest.raises(MemoryError):
        rag.retrieve("sequências longas")
    rag.close()
    with pytest.raises(StoreError, match="enable_fallback"):
        _ = RAGSystem(config, embedding_model=False).embedding_model


def test_a_folder_is_searched_at_once_and_embedded_in_the_background(tmp_path: Path) -> None:
    for number, fact in enumerate(FACTS):
        (tmp_path / f"{number}.txt").write_text(fact, encoding="utf-8")
    rag = RAGSystem(embedding_model=WordEmbedder())
    assert rag.index_directory(tmp_path).added == 3
    assert rag.retrieve("sequências longas")[0].content == FACTS[0]
    rag._job.wait(30)
    assert rag.embedding_progress.state == "done"
    assert rag.retrieve("sequências longas")[0].dense_score is not None
    (tmp_path / "mais.txt").write_text("Mais um fato.", encoding="utf-8")
    rag.index_directory(tmp_path, embed="later")
    assert rag.document_store.vector_count() == 3
    rag.index_directory(tmp_path, embed="now")
    assert rag.document_store.vector_count() == 4
    rag.close()


def test_the_knowledge_base_of_the_settings(tmp_path: Path) -> None:
    config = LunaConfig.from_dict({"rag": {"knowledge_base_path": str(tmp_path / "base")}})
    rag = RAGSystem(config, embedding_model=False)
    rag.document_store.add_documents(FACTS)
    rag.close()
    again = RAGSystem(config, embedding_model=False)
    assert len(again.document_store) == 3
    again.close()
    with pytest.raises(LunaError, match="Não há uma base"):
        RAGSystem.open(tmp_path / "nada")


def test_whole_passages_in_the_budget() -> None:
    count = LunaTokenizer.default().encode_content
    rag = RAGSystem(embedding_model=False)
    sentences = [
        f"A obra número {n} do bairro das Flores custou {n * 13} mil reais em {1990 + n}." for n in range(12)
    ]
    rag.document_store.add_documents(
        [
            {"id": "longo", "title": "Obras", "content": " ".join(sentences)},
            {"id": "curto", "title": "Bairro", "content": "O bairro das Flores tem obras."},
        ]
    )
    passages = rag.retrieve("obras do bairro das Flores", threshold=0.0)
    assert {passage.document_id for passage in passages} == {"longo", "curto"}
    long = next(passage for passage in passages if passage.document_id == "longo")
    short = next(passage for passage in passages if passage.document_id == "curto")
    assert rag.fit([long, short], 1000) == [long, short]
    assert rag.fit([short, long], 40) == [short], "what does not fit is left out whole"
    (cut,) = rag.fit([long, short], 60)
    document = rag.document_store.get_document("longo")
    assert cut.content == document.content[cut.start : cut.end]
    assert cut.end - cut.start in {stop for _, stop in split_sentences(long.content)}, (
        "never within a sentence"
    )
    assert len(count(cut.title)) + len(count(cut.content)) <= 60
    assert rag.fit([long], 5) == []
    rag.close()
