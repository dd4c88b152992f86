"""What is found in small collections whose subjects, gaps and copies are known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.test_comparator_reports import check_page

from lunagpt.data.documents import Document
from lunagpt.errors import StoreError
from lunagpt.rag import DocumentStore, RAGAnalyzer
from lunagpt.rag.collection_measures import (
    effective_dimensions,
    mean_cosine,
    near_duplicates,
    similarity_histogram,
)
from lunagpt.rag.lexical import stem
from lunagpt.rag.topics import find_topics

WORDS = """
cozinha farinha forno massa panela tempero receita cozinheiro molho fogão colher
astronomia planeta estrela órbita galáxia telescópio cometa gravidade satélite eclipse astro
futebol gol jogador torcida goleiro campeonato estádio chute árbitro escanteio atacante
"""
SUBJECTS = {name: words for name, *words in map(str.split, WORDS.strip().splitlines())}


def sentences(subject: str, seed: int) -> str:
    """A little text whose nouns are of one subject."""
    draw = np.random.default_rng(seed)
    frames = ("O {} e a {} ficaram ao lado.", "Depois veio {} com {}.", "Quase sempre há {} perto de {}.")
    chosen = [draw.choice(SUBJECTS[subject], 2, replace=False) for _ in range(6)]
    return " ".join(frames[int(draw.integers(3))].format(*pair) for pair in chosen)


@pytest.fixture(scope="module")
def labelled() -> tuple[list[str], list[str]]:
    names = [name for name in SUBJECTS for _ in range(20)]
    return [sentences(name, i) for i, name in enumerate(names)], names


def purity(members: Sequence[Sequence[int]], names: Sequence[str]) -> float:
    """Share of texts that stand with the majority of their group."""
    hits = sum(max(sum(names[i] == n for i in group) for n in SUBJECTS) for group in members)
    return hits / len(names)


def test_topics_are_the_subjects_and_carry_their_words(labelled: tuple[list[str], list[str]]) -> None:
    texts, names = labelled
    topics = find_topics(texts, num_topics=3)
    assert purity([t.members for t in topics], names) > 0.95
    assert sum(t.share for t in topics) == pytest.approx(1)
    assert sorted(i for t in topics for i in t.members) == list(range(60))
    for topic in topics:
        subject = names[topic.members[0]]
        assert set(topic.terms[:3]) <= set(SUBJECTS[subject])
        assert topic.label == f"{topic.terms[0]}, {topic.terms[1]} e {topic.terms[2]}"


def test_vectors_group_what_words_do_not(labelled: tuple[list[str], list[str]]) -> None:
    _, names = labelled
    draw = np.random.default_rng(0)
    centres = {name: draw.normal(size=16) for name in SUBJECTS}
    shared = 4 * draw.normal(size=16)  # a direction common to all, as in the E5 models
    vectors = np.array([shared + centres[n] + 0.2 * draw.normal(size=16) for n in names], np.float32)
    texts = [f"palavra{i}" for i in range(len(names))]
    topics = find_topics(texts, vectors, num_topics=3)
    assert purity([t.members for t in topics], names) == 1.0


def test_topics_of_little() -> None:
    assert find_topics([]) == []
    assert find_topics(["", "123 456"]) == []
    (only,) = find_topics(["A lua gira em torno da terra."])
    assert only.members == (0,)
    same = find_topics(["O rio corre para o mar."] * 30, num_topics=4)
    assert sum(len(t.members) for t in same) == 30
    assert len({t.label for t in same}) == len(same)


def test_names_keep_the_capital_only_of_names() -> None:
    texts = [f"Recife tem pontes. As pontes de Recife são {c}." for c in ("velhas", "belas", "altas")]
    terms = find_topics(texts, num_topics=1)[0].terms
    assert "Recife" in terms
    assert "pontes" in terms


def test_near_duplicates_are_the_copies() -> None:
    base = " ".join(f"palavra{i}" for i in range(60))
    edited = base.replace("palavra30", "outra")
    other = " ".join(f"texto{i}" for i in range(60))
    pairs = near_duplicates([base, other, edited, base])
    assert {(i, j) for i, j, _ in pairs} == {(0, 2), (0, 3), (2, 3)}
    assert pairs[0][:2] == (0, 3)
    assert pairs[0][2] == 1.0
    # one word of sixty changes five of the 56 sequences in each text
    assert pairs[1][2] == pytest.approx(51 / 61)
    assert near_duplicates(["", "", "curto"]) == []


def test_figures_on_vectors() -> None:
    draw = np.random.default_rng(1)
    spread = draw.normal(size=(300, 20))
    assert abs(mean_cosine(spread)) < 0.05
    assert mean_cosine(np.ones((5, 3))) == pytest.approx(1)
    few = draw.normal(size=(7, 4))
    unit = few / np.linalg.norm(few, axis=1, keepdims=True)
    exact = np.mean([unit[i] @ unit[j] for i in range(7) for j in range(7) if i != j])
    assert mean_cosine(few) == pytest.approx(exact, abs=1e-6)
    assert effective_dimensions(spread) > 17
    assert effective_dimensions(np.outer(draw.normal(size=50), np.ones(8))) == pytest.approx(1)
    assert math.isnan(mean_cosine(np.ones((1, 3))))
    counts, low, high = similarity_histogram(spread, bins=10)
    assert len(counts) == 10
    assert -1 <= low < high <= 1


class SubjectEmbedder:
    """Counts the words of each subject: close to what an embedding model does, and exactly known."""

    name, dimension = "assuntos-de-teste", len(SUBJECTS) + 1

    def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> np.ndarray:
        known = {stem(word): k for k, words in enumerate(SUBJECTS.values()) for word in words}
        vector = np.full(self.dimension, 0.1, np.float32)
        for word in text.replace(".", " ").split():
            if stem(word) in known:
                vector[known[stem(word)]] += 1
        return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def store() -> Iterator[DocumentStore]:
    with DocumentStore(embedder=False) as made:
        made.add_documents(
            {"id": f"{name}-{i}", "title": f"{words[i % 10]} número {i}", "content": sentences(name, i)}
            for name, words in SUBJECTS.items()
            for i in range(12)
        )
        made.add_documents([Document("vazio", "vazio", " ", {})])
        made.add_documents([{"id": "cópia", "title": "Cópia", "content": sentences("futebol", 3)}])
        yield made


def test_the_specification_calls_without_vectors(store: DocumentStore, tmp_path: Path) -> None:
    analyzer = RAGAnalyzer(store)
    coverage = analyzer.analyze_topic_coverage()
    assert sum(coverage.values()) == pytest.approx(1)
    assert all(isinstance(topic, str) and 0 < share <= 1 for topic, share in coverage.items())

    gaps = analyzer.identify_knowledge_gaps(
        reference_queries=["Quem inventou a penicilina?", "Onde fica o goleiro do campeonato?"]
    )
    assert gaps[0].query == "Quem inventou a penicilina?"
    assert str(gaps[0]).startswith("Quem inventou a penicilina? (")

    quality = analyzer.analyze_embedding_quality(sample_size=100, test_queries=["telescópio e cometa"])
    assert 0 <= quality["mean_score"] <= 1
    assert quality["model"] == ""
    assert quality["embedded_share"] == 0
    assert math.isnan(quality["mean_cosine"])
    assert "Cópia" in quality["duplicates"][0]
    assert quality["duplicates"][0][2] == 1.0

    report = analyzer.generate_report()
    for part in ("Quem inventou a penicilina?", "Do que a base fala", "Trechos repetidos", "cometa"):
        assert part in report
    assert "1 documento não tem texto" in report.replace("\u00a0", " ")
    page = analyzer.save_report(tmp_path)
    check_page(page.read_text(encoding="utf-8"))
    assert (tmp_path / "analise.md").read_text(encoding="utf-8").startswith("# Análise")


def test_with_vectors_topics_go_by_meaning(store: DocumentStore) -> None:
    embedder = SubjectEmbedder()
    with DocumentStore(embedder=embedder) as made:
        made.add_documents(store.documents())
        made.create_embeddings()
        analyzer = RAGAnalyzer(made)
        coverage = analyzer.analyze_topic_coverage(num_topics=3)
        assert len(coverage) == 3
        quality = analyzer.analyze_embedding_quality(sample_size=5)
        assert quality["model"] == embedder.name
        assert quality["embedded_share"] == 1.0
        assert quality["dimension"] == embedder.dimension
        assert 1 <= quality["effective_dimensions"] <= embedder.dimension
        analysis = analyzer.analyse()
        assert analysis.by_vectors
        page = analyzer.generate_report("html")
        check_page(page)
        assert "Cosseno médio" in page


def test_subjects_of_interest_get_their_relevance(store: DocumentStore) -> None:
    found = RAGAnalyzer(store).analyze_topic_coverage(["planeta", "penicilina"])
    assert found["planeta"] > 0.2 > found["penicilina"] == 0


def test_a_question_is_covered_by_the_most_relevant_passage_wherever_it_ranks(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyzer = RAGAnalyzer(store)
    found = analyzer.system.retrieve("panela", threshold=0.0)
    assert found
    passages = [replace(found[0], score=0.2), replace(found[0], score=0.9)]
    monkeypatch.setattr(analyzer.system, "retrieve", lambda *_, **__: passages)
    assert analyzer.identify_knowledge_gaps(["Para que serve a panela?"], threshold=0.7) == []


def test_what_cannot_be_analysed(store: DocumentStore) -> None:
    with DocumentStore(embedder=False) as empty, pytest.raises(StoreError, match="nenhum trecho"):
        RAGAnalyzer(empty).generate_report()
    analyzer = RAGAnalyzer(store)
    with pytest.raises(StoreError, match="perguntas de referência"):
        analyzer.identify_knowledge_gaps([])
    with pytest.raises(StoreError, match="ao menos um documento"):
        analyzer.analyze_embedding_quality(sample_size=0)
    with pytest.raises(StoreError, match="Não conheço o formato"):
        analyzer.generate_report("pdf")  # type: ignore[arg-type]
