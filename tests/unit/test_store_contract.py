"""One suite for every store of documents: what is promised of one holds for all.

The local store, Qdrant's engine in this process and qdrant-client's own imitation of a server run always; a
real server is tested if LUNA_TEST_QDRANT_URL names one, e.g. ``http://localhost:6333``.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lunagpt.data.documents import Document, Heading
from lunagpt.errors import DataError, StoreError
from lunagpt.rag import DocumentStore, RAGSystem
from lunagpt.rag.copying import copy_base
from lunagpt.rag.embeddings.base import unit_rows
from lunagpt.rag.qdrant_store import QdrantStore

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]

# Read when the file is collected: the fixture that hides LUNA_* variables comes later.
SERVER = os.environ.get("LUNA_TEST_QDRANT_URL", "")

DOCUMENTS = [
    Document(
        "manual.md",
        "Manual da cafeteira",
        "# Limpeza\nLave o filtro com água morna depois de cada uso.\n\n"
        "# Garantia\nA cafeteira tem garantia de doze meses.\n",
        {"ano": 2023, "tipo": "manual", "público": True, "nota": 4.5, "tags": ["casa", "café"]},
        (Heading(0, 1, "Limpeza"), Heading(57, 1, "Garantia")),
    ),
    Document(
        "ata.txt",
        "Ata da reunião",
        "O conselho aprovou a reforma do telhado por cem mil reais.",
        {"ano": 2021, "tipo": "ata", "público": False, "data": "2021-05-03", "autor": {"nome": "Rita"}},
    ),
    Document(
        "receita.txt",
        "Bolo de fubá",
        "Misture o fubá, os ovos e o leite; asse por quarenta minutos.",
        {"ano": 2024, "tipo": "receita"},
    ),
]


class LetterModel:
    """An embedding model that any machine can run: how often each letter occurs."""

    name = "letras"
    dimension = 26

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        counts = [[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts]
        return unit_rows(np.array(counts, np.float32).reshape(len(texts), 26) + 1e-3)

    def embed_query(self, text: str) -> np.ndarray:
        return self.embed_documents([text])[0]


@pytest.fixture(params=["local", "edge", "client"] + ["server"] * bool(SERVER))
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Makes a store by name; the same name opens the same store again (except in the imitation)."""
    kind, opened, collections = request.param, [], []
    if kind == "edge":
        pytest.importorskip("qdrant_edge")
    if kind in ("client", "server"):
        pytest.importorskip("qdrant_client")
    suffix = uuid.uuid4().hex[:8]

    def make(name: str = "base", embedder: Any = False) -> Any:
        if kind == "local":
            store: Any = DocumentStore(tmp_path / name, embedder=embedder)
        elif kind == "edge":
            store = QdrantStore(tmp_path / name, embedder=embedder, dimension=26)
        elif kind == "server":
            collections.append(f"luna-test-{suffix}-{name}")
            store = QdrantStore(SERVER, collections[-1], embedder=embedder, dimension=26)
        else:
            from qdrant_client import QdrantClient

            store = QdrantStore(QdrantClient(":memory:"), name, embedder=embedder, dimension=26)
        opened.append(store)
        return store

    make.kind = kind  # type: ignore[attr-defined]
    yield make
    for store in opened:
        store.close()
    if collections:
        from qdrant_client import QdrantClient

        client = QdrantClient(SERVER)
        for name in collections:
            client.delete_collection(name)
        client.close()


@pytest.fixture
def store(make_store: Callable[..., Any]) -> Any:
    return make_store()


@pytest.fixture
def filled(store: Any) -> Any:
    summary = store.add_documents(DOCUMENTS)
    assert summary.ids == [document.id for document in DOCUMENTS]
    assert summary.changed == 3
    return store


def found_ids(passages: Sequence[Any]) -> list[str]:
    return [passage.document_id for passage in passages]


def test_a_server_was_tested_too() -> None:
    if not SERVER:
        pytest.skip("sem servidor: defina LUNA_TEST_QDRANT_URL para testar com um Qdrant de verdade")


def test_documents_come_back_as_they_went_in(filled: Any) -> None:
    assert len(filled) == 3
    assert {document.id: document for document in filled.documents()} == {d.id: d for d in DOCUMENTS}
    assert filled.get_document("ata.txt") == DOCUMENTS[1]
    assert filled.get_document("outra.txt") is None
    assert "ata.txt" in filled
    assert "outra.txt" not in filled


def test_passages_are_pieces_of_their_documents(filled: Any) -> None:
    passages = list(filled.chunks())
    assert len(passages) == filled.chunk_count >= 3
    for passage in passages:
        document = filled.get_document(passage.document_id)
        assert passage.content == document.content[passage.start : passage.end]
        assert (passage.title, passage.metadata) == (document.title, document.metadata)
        assert filled.get_chunk(passage.chunk_id).content == passage.content
    assert filled.get_chunk(2**40 + 1) is None


def test_the_same_documents_change_nothing(filled: Any) -> None:
    before = sorted(passage.chunk_id for passage in filled.chunks())
    assert filled.add_documents(DOCUMENTS).changed == 0
    assert sorted(passage.chunk_id for passage in filled.chunks()) == before


def test_a_changed_document_replaces_the_old_one(filled: Any) -> None:
    changed = Document("ata.txt", "Ata da reunião", "O conselho adiou a pintura da fachada.", {"ano": 2022})
    assert filled.add_documents([changed]).changed == 1
    assert len(filled) == 3
    assert filled.get_document("ata.txt") == changed
    assert not any("telhado" in passage.content for passage in filled.chunks())
    assert found_ids(filled.search_lexical("pintura da fachada"))[:1] == ["ata.txt"]
    assert found_ids(filled.search_lexical("reforma do telhado")) == []


def test_texts_and_rows_are_documents_too(store: Any) -> None:
    store.add_documents(["O céu é azul.", {"texto": "A grama é verde.", "id": "grama"}])
    assert store.add_documents(["O céu é azul."]).changed == 0
    assert len(store) == 2
    assert "grama" in store
    with pytest.raises(DataError):
        store.add_documents([42])


def test_strange_texts_are_kept(store: Any) -> None:
    store.add_documents([Document('a/b "c" ção\n', "t", "um\0dois \ud800 três 🙂", {"x": float("nan")})])
    (document,) = store.documents()
    assert document.content == "um\ufffddois \ufffd três 🙂"
    assert document.metadata == {"x": None}
    assert found_ids(store.search_lexical("três")) == [document.id]


def test_search_by_words(filled: Any) -> None:
    for question, wanted in [
        ("quanto tempo dura a garantia da cafeteira?", "manual.md"),
        ("reformas de telhados", "ata.txt"),
        ("bolo de fuba", "receita.txt"),
    ]:
        found = filled.search_lexical(question, 2)
        assert found_ids(found)[0] == wanted
        assert 0 < found[0].score <= 1
        assert found[0].lexical_score == found[0].score
        assert found[0].dense_score is None
    assert filled.search_lexical("quimioterapia") == []
    assert filled.search_lexical("o de a", 5) is not None
    assert filled.search_lexical("bolo", 0) == []


def test_relevance_by_words_is_the_same_in_every_store(filled: Any, tmp_path: Path) -> None:
    with DocumentStore(tmp_path / "medida", embedder=False) as measure:
        measure.add_documents(DOCUMENTS)
        for question in (
            "garantia da cafeteira",
            "reforma do telhado em Marte",
            "ovos e leite no bolo de fubá",
        ):
            ours = {p.document_id: p.score for p in filled.search_lexical(question, 3)}
            theirs = {p.document_id: p.score for p in measure.search_lexical(question, 3)}
            assert ours == pytest.approx(theirs, abs=0.02)


FILTERS: list[tuple[dict, str]] = [
    ({}, "ata manual receita"),
    ({"tipo": "ata"}, "ata"),
    ({"ano": 2023}, "manual"),
    ({"ano": 2023.0}, "manual"),
    ({"ano": [2021, 2024, "2023"]}, "ata receita"),
    ({"ano": {"$gte": 2021, "$lt": 2024}}, "ata manual"),
    ({"nota": {"$gt": 4}}, "manual"),
    ({"tipo": {"$ne": "ata"}}, "manual receita"),
    ({"tipo": {"$nin": ["ata", "receita"]}}, "manual"),
    ({"público": True}, "manual"),
    ({"público": False}, "ata"),
    ({"público": {"$in": [True, False]}}, "ata manual"),
    ({"público": 1}, ""),
    ({"público": {"$exists": False}}, "receita"),
    ({"autor.nome": "Rita"}, "ata"),
    ({"metadata.tipo": "ata"}, "ata"),
    ({"data": {"$lt": "2022-01-01"}}, "ata"),
    ({"data": {"$gt": "2022-01-01"}}, ""),
    ({"tags": {"$contains": "café"}}, "manual"),
    ({"tipo": {"$contains": "ece"}}, "receita"),
    ({"$or": [{"tipo": "ata"}, {"ano": 2024}]}, "ata receita"),
    ({"$and": [{"tipo": "ata"}, {"ano": 2024}]}, ""),
    ({"$not": {"$or": [{"tipo": "ata"}, {"ano": 2024}]}}, "manual"),
    ({"id": "ata.txt"}, "ata"),
    ({"title": {"$contains": "Manual"}}, "manual"),
    ({"tipo": []}, ""),
    ({"$or": []}, ""),
]


def test_filters(filled: Any) -> None:
    question = "garantia da cafeteira, reforma do telhado, bolo de fubá"
    for filter, wanted in FILTERS:
        names = {
            "documents": [document.id for document in filled.documents(filter)],
            "chunks": found_ids(list(filled.chunks(filter))),
            "search": found_ids(filled.search_lexical(question, 9, filter)),
        }
        for how, ids in names.items():
            assert {name.partition(".")[0] for name in ids} == set(wanted.split()), (filter, how)


BAD_FILTERS: list[Any] = [
    "ano",
    {"$nenhum": []},
    {"ano": {"$maior": 1}},
    {"ano": {"$in": 3}},
    {"a..b": 1},
    {"ano": object()},
]


def test_bad_filters_are_refused(filled: Any) -> None:
    for filter in BAD_FILTERS:
        with pytest.raises(StoreError):
            list(filled.documents(filter))


def test_removal(filled: Any) -> None:
    assert filled.remove_documents(["ata.txt", "outra.txt"]) == 1
    assert filled.remove_documents_by_filter(filter={"ano": {"$lt": 2024}}) == 1
    assert [document.id for document in filled.documents()] == ["receita.txt"]
    assert set(found_ids(list(filled.chunks()))) == {"receita.txt"}
    assert filled.search_lexical("garantia da cafeteira") == []
    assert filled.remove_documents_by_filter(lambda document: document.metadata["ano"] == 2024) == 1
    assert (len(filled), filled.chunk_count) == (0, 0)
    for arguments in ({}, {"filter_func": bool, "filter": {}}):
        with pytest.raises(StoreError):
            filled.remove_documents_by_filter(**arguments)


def test_vectors_are_computed_kept_and_searched(make_store: Callable[..., Any]) -> None:
    model = LetterModel()
    store = make_store("base", model)
    store.add_documents(DOCUMENTS)
    assert store.vector_models == []
    total = store.chunk_count
    assert store.create_embeddings(batch_size=2) == total
    assert store.create_embeddings() == 0
    assert store.vector_models == ["letras"]
    assert store.vector_count() == store.vector_count("letras") == total
    assert store.vector_count("outro") == 0
    ids, vectors = store.vectors()
    assert ids.tolist() == sorted(passage.chunk_id for passage in store.chunks())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-4)

    target = store.get_chunk(int(ids[0]))
    best = store.search_dense(vectors[0], 2)
    assert best[0].chunk_id == target.chunk_id
    assert best[0].dense_score == best[0].score
    assert best[0].lexical_score is None
    assert store.search_dense(vectors[0], 9, {"tipo": "receita"})[0].document_id == "receita.txt"

    both = store.search_hybrid("bolo de fubá", model.embed_query("bolo de fubá"), 3)
    assert both[0].document_id == "receita.txt"
    assert all(passage.dense_score is not None for passage in both)
    assert len({passage.chunk_id for passage in both}) == len(both)


def test_both_searches_together_order_as_in_the_local_store(
    make_store: Callable[..., Any], tmp_path: Path
) -> None:
    model = LetterModel()
    with DocumentStore(tmp_path / "medida", embedder=model) as measure:
        store = make_store("base", model)
        for each in (store, measure):
            each.add_documents(DOCUMENTS)
            each.create_embeddings()
        for question in ("garantia da cafeteira", "a reforma do bolo", "leite e telhado"):
            asked = question, model.embed_query(question), 3
            ours, theirs = store.search_hybrid(*asked), measure.search_hybrid(*asked)
            assert found_ids(ours) == found_ids(theirs)
            assert [p.score for p in ours] == pytest.approx([p.score for p in theirs], abs=0.02)


def test_texts_that_stay_are_not_embedded_again(make_store: Callable[..., Any]) -> None:
    model = LetterModel()
    store = make_store("base", model)
    long = Document("livro.txt", "Livro", "\n\n".join(f"Capítulo {i}. " + "palavra " * 150 for i in range(6)))
    store.add_documents([long])
    store.create_embeddings()
    assert len(model.texts) == store.chunk_count > 3
    done = len(model.texts)
    store.add_documents([Document("livro.txt", "Livro", long.content + "\n\nFim do livro.")])
    store.create_embeddings()
    assert len(model.texts) - done <= 2
    assert store.vector_count() == store.chunk_count


def test_equal_texts_share_a_vector(make_store: Callable[..., Any]) -> None:
    model = LetterModel()
    store = make_store("base", model)
    store.add_documents([Document(name, "Título", "O mesmo texto.") for name in ("a", "b", "c")])
    assert len(store.chunks_without_vectors("letras", 10)) == 1
    store.create_embeddings()
    assert len(model.texts) == 1
    assert store.vector_count() == 3


def test_vectors_can_be_computed_anew(make_store: Callable[..., Any]) -> None:
    model = LetterModel()
    store = make_store("base", model)
    store.add_documents(DOCUMENTS)
    store.create_embeddings()
    total = store.chunk_count
    assert store.update_embeddings() == 0
    assert store.update_embeddings(only_new=False) == total
    assert len(model.texts) == 2 * total


def test_vectors_for_passages_that_are_gone_are_left_out(filled: Any) -> None:
    number = next(iter(filled.chunks())).chunk_id
    filled.add_vectors("letras", [number, 999_999_999_999], np.eye(2, 26, dtype=np.float32))
    assert filled.vector_count("letras") == 1


def test_passages_of_another_size(filled: Any) -> None:
    text = "\n\n".join(f"Parágrafo {i}. " + "palavra " * 60 for i in range(8))
    filled.add_documents([Document("longo.txt", "Longo", text)])
    before = filled.chunk_count
    after = filled.process_documents(chunk_size=64, chunk_overlap=0)
    assert after == filled.chunk_count > before
    assert len(filled) == 4
    assert filled.chunking.chunk_size == 64
    for passage in filled.chunks():
        document = filled.get_document(passage.document_id)
        assert passage.content == document.content[passage.start : passage.end]


def test_an_index_changes_speed_and_not_results(make_store: Callable[..., Any]) -> None:
    store = make_store("base", LetterModel())
    store.add_documents(DOCUMENTS)
    store.create_embeddings()
    vector = store.embedder.embed_query("telhado")
    before = found_ids(store.search_dense(vector, 3))
    assert store.build_index("flat", "cosine") == store.chunk_count
    assert found_ids(store.search_dense(vector, 3)) == before
    assert store.rebuild_index() == store.chunk_count
    with pytest.raises(Exception, match="árvore"):
        store.build_index("árvore")


def test_a_store_is_found_again(make_store: Callable[..., Any]) -> None:
    if make_store.kind == "client":  # type: ignore[attr-defined]
        pytest.skip("a imitação do servidor só existe na memória")
    first = make_store("base", LetterModel())
    first.add_documents(DOCUMENTS)
    first.create_embeddings()
    first.process_documents(chunk_size=100)
    first.close()
    again = make_store("base", LetterModel())
    assert len(again) == 3
    assert again.chunking.chunk_size == 100
    assert again.vector_models == ["letras"]
    assert found_ids(again.search_lexical("telhado")) == ["ata.txt"]


def test_a_base_is_copied_from_store_to_store(make_store: Callable[..., Any], tmp_path: Path) -> None:
    model = LetterModel()
    with DocumentStore(tmp_path / "origem", embedder=model) as source:
        source.add_documents(DOCUMENTS)
        source.process_documents(chunk_size=40, chunk_overlap=0)
        source.create_embeddings()
        embedded = len(model.texts)
        target = make_store("destino", model)
        assert copy_base(source, target) == 3
        assert copy_base(source, target) == 3
        assert {d.id: d for d in target.documents()} == {d.id: d for d in source.documents()}
        assert target.vector_count() == target.chunk_count == source.chunk_count
        vector = model.embed_query("telhado")
        assert found_ids(target.search_dense(vector, 3)) == found_ids(source.search_dense(vector, 3))
        back = DocumentStore(tmp_path / "volta", embedder=model)
        copy_base(target, back)
        assert back.vector_count() == source.vector_count()
        back.close()
        assert len(model.texts) == embedded + 1  # the question


def test_a_folder_is_followed(store: Any, tmp_path: Path) -> None:
    folder = tmp_path / "documentos"
    (folder / "sub").mkdir(parents=True)
    (folder / "um.txt").write_text("O gato dorme no telhado.")
    (folder / "sub" / "dois.md").write_text("# Cão\n\nO cachorro late no quintal.")
    (folder / "quebrado.pdf").write_bytes(b"isto nem de longe parece um PDF")
    store.add_documents(DOCUMENTS)
    summary = store.add_documents_from_directory(folder)
    assert (summary.added, len(summary.problems)) == (2, 1)
    assert found_ids(store.search_lexical("cachorro"))[0] == "sub/dois.md"
    (folder / "um.txt").write_text("O gato caça no porão.")
    (folder / "sub" / "dois.md").unlink()
    summary = store.add_documents_from_directory(folder)
    assert (summary.added, summary.changed, summary.unchanged, summary.removed) == (0, 1, 0, 1)
    assert store.search_lexical("cachorro") == []
    assert len(store) == 4  # documents from elsewhere stay
    assert store.add_documents_from_directory(folder).unchanged == 1


def test_the_rag_system_works_on_every_store(make_store: Callable[..., Any]) -> None:
    store = make_store("base", LetterModel())
    store.add_documents(DOCUMENTS)
    store.create_embeddings()
    system = RAGSystem(document_store=store)
    passages = system.retrieve("qual é a garantia da cafeteira?", threshold=0.0)
    assert passages[0].document_id == "manual.md"
    system.threshold = 0.0
    assert "doze meses" in system.augment_context("qual é a garantia da cafeteira?")
