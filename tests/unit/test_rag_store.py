"""The store: what is put in can be found, cited, changed and removed, and nothing is left behind."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rag_helpers import WordEmbedder, check_base

from lunagpt.data.documents import Document, Heading
from lunagpt.errors import DataError, StoreError
from lunagpt.rag import DocumentStore, Passage, is_base
from lunagpt.rag import store as store_module

TOWN = [
    {
        "id": "biblioteca",
        "title": "Biblioteca",
        "content": "A biblioteca abre às 9h.",
        "metadata": {"ano": 2020},
    },
    {"id": "mercado", "title": "Mercado", "content": "O mercado fecha às 20h.", "metadata": {"ano": 2023}},
    {"id": "museu", "title": "Museu", "content": "O museu guarda moedas romanas.", "metadata": {"ano": 2024}},
]


def contents(passages: list[Passage]) -> list[str]:
    return [passage.content for passage in passages]


def test_texts_rows_and_documents() -> None:
    with DocumentStore(embedder=False) as store:
        document = Document("doc", "Guia", "O farol fica na ponta.", {"fonte": "guia"})
        summary = store.add_documents(["A praia tem ondas.", TOWN[0], document])
        assert summary.changed == 3
        assert summary.ids[1:] == ["biblioteca", "doc"]
        assert store.get_document("doc") == document
        assert store.get_document("biblioteca").metadata == {"ano": 2020}
        assert store.get_document("nenhum") is None
        assert "doc" in store
        assert "nenhum" not in store
        assert store.add_documents(["A praia tem ondas.", TOWN[0], document]).changed == 0
        assert len(store) == store.chunk_count == 3
        with pytest.raises(DataError, match="int"):
            store.add_documents([3])


def test_a_passage_is_object_dictionary_and_pair() -> None:
    with DocumentStore(embedder=False) as store:
        text = "# Serviços\n\n## Ônibus\n\nO ônibus 42 passa a cada dez minutos.\n"
        headings = (Heading(0, 1, "Serviços"), Heading(12, 2, "Ônibus"))
        store.add_documents([Document("guia", "Guia da cidade", text, {"ano": 2024}, headings, (0,))])
        (passage,) = store.search_lexical("De quanto em quanto tempo passa o ônibus?")
        assert passage.content == text[passage.start : passage.end]
        assert (passage.title, passage.document_id, passage.page) == ("Guia da cidade", "guia", 1)
        assert passage.heading_path[0] == "Serviços"
        assert passage.metadata == {"ano": 2024}
        assert passage["content"] == passage.content
        assert passage.get("title") == "Guia da cidade"
        assert passage.get("nada", 1) == 1
        assert dict(passage)["score"] == passage.score > 0.5
        document, score = passage
        assert (document.content, score) == (passage[0].content, passage[1])
        assert passage.lexical_score == passage.score
        assert passage.dense_score is None
        assert store.get_chunk(passage.chunk_id).content == passage.content
        with pytest.raises(KeyError):
            passage["nada"]


def test_what_is_embedded_says_nothing_twice() -> None:
    embedder = WordEmbedder()
    with DocumentStore(embedder=embedder) as store:
        headings = (Heading(0, 1, "Serviços"),)
        store.add_documents(
            [
                "A praia tem ondas.",
                {"title": "Guia", "content": "O farol é alto."},
                Document("d", "Cidade", "# Serviços\n\nO ônibus passa.", {}, headings),
            ]
        )
        store.create_embeddings()
        assert sorted(embedder.embedded) == [
            "A praia tem ondas.",
            "Cidade > Serviços\n# Serviços\n\nO ônibus passa.",
            "Guia\nO farol é alto.",
        ]


def test_a_document_of_the_same_id_replaces_the_old_one(tmp_path: Path) -> None:
    with DocumentStore(tmp_path / "base", embedder=False) as store:
        store.add_documents(TOWN)
        store.add_documents([{"id": "museu", "title": "Museu", "content": "O museu está em obras."}])
        assert contents(store.search_lexical("moedas romanas")) == []
        assert contents(store.search_lexical("museu em obras")) == ["O museu está em obras."]
        assert len(store) == 3
    check_base(tmp_path / "base")


def test_removal(tmp_path: Path) -> None:
    with DocumentStore(tmp_path / "base", embedder=WordEmbedder()) as store:
        store.add_documents(TOWN)
        store.create_embeddings()
        assert store.remove_documents_by_filter(filter_func=lambda d: d.metadata["ano"] < 2023) == 1
        assert store.remove_documents_by_filter(filter={"ano": {"$gt": 2023}}) == 1
        assert [document.id for document in store.documents()] == ["mercado"]
        assert store.vector_count() == 1
        assert contents(store.search_lexical("biblioteca museu mercado")) == ["O mercado fecha às 20h."]
        assert store.remove_documents(["mercado", "nenhum"]) == 1
        assert store.search_lexical("mercado") == []
        with pytest.raises(StoreError, match="um dos dois"):
            store.remove_documents_by_filter()
    check_base(tmp_path / "base")


def test_vectors_follow_their_texts() -> None:
    embedder = WordEmbedder()
    with DocumentStore(embedder=embedder) as store:
        store.add_documents(TOWN)
        assert store.create_embeddings(batch_size=2) == 3
        assert store.create_embeddings() == 0
        store.add_documents([{**TOWN[0], "id": "biblioteca-2"}, {**TOWN[1], "metadata": {"ano": 1}}])
        assert store.vector_count() == store.chunk_count == 4, "a copy and new metadata need no new vector"
        store.add_documents([{**TOWN[2], "content": "O museu guarda quadros."}])
        assert store.vector_count() == 3
        assert store.update_embeddings(only_new=True) == 1
        assert len(embedder.embedded) == 4
        ids, matrix = store.vectors()
        assert ids.tolist() == [chunk.chunk_id for chunk in store.chunks()]
        assert matrix.shape == (4, 64)
        assert np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)
        assert store.update_embeddings(only_new=False) == 4
        assert store.vector_models == ["palavras"]


def test_search_by_vectors_and_by_both() -> None:
    embedder = WordEmbedder()
    with DocumentStore(embedder=embedder) as store:
        store.add_documents(TOWN)
        question = "moedas do museu"
        vector = embedder.embed_query(question)
        assert store.search_dense(vector) == []
        store.create_embeddings()
        assert store.embedder is embedder
        dense = store.search_dense(vector, 2)
        assert contents(dense)[0] == "O museu guarda moedas romanas."
        assert dense[0].lexical_score is None
        assert dense[0].dense_score == dense[0].score
        both = store.search_hybrid(question, vector, 2)
        assert contents(both)[0] == "O museu guarda moedas romanas."
        assert None not in (both[0].lexical_score, both[0].dense_score)
        assert store.search_dense(vector, 3, {"ano": {"$lt": 2024}})[0].document_id != "museu"
        assert len(store.search_hybrid(question, vector, 5, {"ano": 2020})) == 1
        assert store.search(question, 1)[0].document_id == "museu"
        assert store.search(vector, 1)[0].document_id == "museu"
        assert store.search("assunto qualquer do museu", threshold=0.99) == []
        with pytest.raises(StoreError, match="3 números"):
            store.search_dense(np.ones(3, np.float32))
        with pytest.raises(StoreError, match="outro nome"):
            store.add_vectors("palavras", [1], np.ones((1, 3), np.float32))


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_the_index_changes_nothing(tmp_path: Path, metric: str) -> None:
    """Built, outdated by additions and removals, deleted: the same passages are found."""
    base = tmp_path / "base"
    embedder = WordEmbedder()
    with DocumentStore(base, embedder=embedder) as store:
        store.add_documents(f"A rua {n} tem {n % 7} casas e {n % 5} árvores." for n in range(60))
        store.create_embeddings()
        vector = embedder.embed_query("rua com 3 casas e 4 árvores")
        expected = contents(store.search_dense(vector, 5))
        assert store.build_index("flat", metric) == 60
        assert contents(store.search_dense(vector, 5)) == expected
        store.remove_documents_by_filter(filter_func=lambda d: d.content == expected[0])
        store.add_documents(["Uma rua com 3 casas e 4 árvores."])
        store.create_embeddings()
        changed = contents(store.search_dense(vector, 5))
        assert changed[0] == "Uma rua com 3 casas e 4 árvores."
        assert expected[0] not in changed
    with DocumentStore.load(base, embedder=embedder) as store:
        assert contents(store.search_dense(vector, 5)) == changed
        assert store.rebuild_index() == 60
        assert contents(store.search_dense(vector, 5)) == changed
    shutil.rmtree(base / "indexes")
    with DocumentStore.load(base, embedder=embedder) as store:
        assert contents(store.search_dense(vector, 5)) == changed
    check_base(base)


def test_a_damaged_or_foreign_index_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    embedder = WordEmbedder()
    for name in ("uma", "outra"):
        with DocumentStore(tmp_path / name, embedder=embedder) as store:
            store.add_documents([f"Documento da base {name}.", f"Mais um da base {name}."])
            store.create_embeddings()
            store.build_index()
    shutil.rmtree(tmp_path / "outra" / "indexes")
    shutil.copytree(tmp_path / "uma" / "indexes", tmp_path / "outra" / "indexes")
    for path in (tmp_path / "uma" / "indexes").rglob("*.npy"):
        path.write_bytes(b"nada")
    vector = embedder.embed_query("base")
    for name in ("uma", "outra"):
        with DocumentStore.load(tmp_path / name, embedder=embedder) as store:
            assert all(name in text for text in contents(store.search_dense(vector)))
            assert len(store.search_dense(vector)) == 2
    assert caplog.text.count("rebuild_index") + caplog.text.count("build_index()") >= 2


def test_save_and_load(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    with DocumentStore(embedder=embedder) as store:
        store.add_documents(TOWN)
        store.create_embeddings()
        store.build_index()
        assert store.save(tmp_path / "base") == tmp_path / "base"
        store.add_documents(["Depois da cópia."])
    assert is_base(tmp_path / "base")
    assert not (tmp_path / "base" / "luna.db-wal").exists()
    (tmp_path / "base").rename(tmp_path / "mudou de lugar")
    with DocumentStore.load(tmp_path / "mudou de lugar", embedder=embedder) as store:
        assert len(store) == 3
        assert contents(store.search_hybrid("moedas", embedder.embed_query("moedas"), 1)) == [
            "O museu guarda moedas romanas."
        ]
        store.add_documents(["Direto na base."])
        assert store.save() == store.save(tmp_path / "mudou de lugar") == store.path
    check_base(tmp_path / "mudou de lugar")
    with DocumentStore.load(tmp_path / "mudou de lugar") as store:
        assert len(store) == 4
        with DocumentStore(embedder=False) as other:
            other.add_documents(TOWN[:1])
            other.save(tmp_path / "mudou de lugar 2")
            other.save(tmp_path / "mudou de lugar 2")


def test_a_base_takes_no_folder_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "fotos").mkdir()
    (tmp_path / "fotos" / "praia.jpg").write_bytes(b"...")
    (tmp_path / "arquivo").write_text("x")
    with DocumentStore(embedder=False) as store:
        for target in ("fotos", "arquivo"):
            with pytest.raises(StoreError, match="Escolha"):
                store.save(tmp_path / target)
            with pytest.raises(StoreError, match="Escolha"):
                DocumentStore(tmp_path / target)
    assert (tmp_path / "fotos" / "praia.jpg").read_bytes() == b"..."
    with pytest.raises(StoreError, match="Não há uma base"):
        DocumentStore.load(tmp_path / "nada")
    assert not (tmp_path / "nada").exists()


def test_files_that_are_no_base(tmp_path: Path) -> None:
    for name, data in {"lixo": b"isto nao e um banco" * 100, "vazio": b""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "luna.db").write_bytes(data)
    with pytest.raises(StoreError, match="danificado"):
        DocumentStore.load(tmp_path / "lixo")
    DocumentStore.load(tmp_path / "vazio").close()  # what a crash before the first commit leaves
    (tmp_path / "outro").mkdir()
    connection = sqlite3.connect(tmp_path / "outro" / "luna.db")
    connection.execute("CREATE TABLE receitas(nome)")
    connection.close()
    with pytest.raises(StoreError, match="não é uma base"):
        DocumentStore.load(tmp_path / "outro")
    with DocumentStore(tmp_path / "novo", embedder=False) as store:
        store.add_documents(TOWN)
    connection = sqlite3.connect(tmp_path / "novo" / "luna.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="Atualize"):
        DocumentStore.load(tmp_path / "novo")


def test_read_only(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    with DocumentStore(embedder=embedder) as store:
        store.add_documents(TOWN)
        store.create_embeddings()
        store.save(tmp_path / "base")
    before = {path.name: path.read_bytes() for path in (tmp_path / "base").iterdir()}
    with DocumentStore.load(tmp_path / "base", embedder=embedder, read_only=True) as store:
        assert contents(store.search_hybrid("moedas", embedder.embed_query("moedas"), 1)) == [
            "O museu guarda moedas romanas."
        ]
        with pytest.raises(StoreError, match="só para leitura"):
            store.add_documents(["Mais um."])
    assert {path.name: path.read_bytes() for path in (tmp_path / "base").iterdir()} == before
    with pytest.raises(StoreError, match="Não há uma base"):
        DocumentStore(tmp_path / "nada", read_only=True)


def test_new_rules_of_words_rebuild_the_word_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DocumentStore(tmp_path / "base", embedder=False) as store:
        store.add_documents(TOWN)
    connection = sqlite3.connect(tmp_path / "base" / "luna.db")
    connection.execute("INSERT INTO words(words) VALUES('delete-all')")
    connection.commit()
    connection.close()
    with DocumentStore.load(tmp_path / "base", embedder=False) as store:
        assert store.search_lexical("moedas") == [], "the same rules: nothing is rebuilt"
    monkeypatch.setattr(store_module, "LEXICAL_VERSION", "outra")
    with DocumentStore.load(tmp_path / "base", embedder=False) as store:
        assert contents(store.search_lexical("moedas")) == ["O museu guarda moedas romanas."]
    check_base_with_version(tmp_path / "base", "outra")


def check_base_with_version(folder: Path, version: str) -> None:
    connection = sqlite3.connect(folder / "luna.db")
    assert connection.execute("SELECT value FROM meta WHERE key = 'lexical'").fetchone() == (version,)
    connection.close()


def test_jsonl(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "artigos.jsonl"
    rows = [json.dumps(row, ensure_ascii=False) for row in TOWN[:2]]
    path.write_text(
        "\n".join([rows[0], "{quebrada", "", '{"titulo": "sem texto"}', rows[1], '{"texto": "Sem id."}']),
        encoding="utf-8-sig",
    )
    with DocumentStore(embedder=False) as store:
        summary = store.add_documents_from_jsonl(path)
        assert summary.ids == ["biblioteca", "mercado", "artigos.jsonl#6"]
        assert [problem.split(":")[0] for problem in summary.problems] == [
            "artigos.jsonl, linha 2",
            "artigos.jsonl, linha 4",
        ]
        assert str(summary) == "3 documentos, 3 novos ou alterados, 2 linhas com problema"
        assert "artigos.jsonl" in caplog.text
        with pytest.raises(DataError, match=r"nada\.jsonl"):
            store.add_documents_from_jsonl(tmp_path / "nada.jsonl")


def test_chunks_can_be_made_anew(tmp_path: Path) -> None:
    sentences = [f"A lei número {n} trata do assunto {n * 7} e vale desde {1900 + n}." for n in range(60)]
    long = {"id": "leis", "title": "Leis", "content": " ".join(sentences)}
    with DocumentStore(tmp_path / "base", embedder=WordEmbedder()) as store:
        store.add_documents([long, *TOWN])
        before = store.chunk_count
        store.create_embeddings()
        assert store.process_documents(chunk_size=32, chunk_overlap=0) == store.chunk_count > before
        assert store.vector_count() == 3, "passages that stay the same keep their vectors"
        assert store.process_documents() == store.chunk_count
        store.add_documents([{**long, "id": "leis-2"}])
        sizes = {name: sum(c.document_id == name for c in store.chunks()) for name in ("leis", "leis-2")}
        assert sizes["leis"] == sizes["leis-2"]
        with pytest.raises(DataError):
            store.process_documents(chunk_size=50, chunk_overlap=50)
        assert store.chunking.chunk_size == 32
    check_base(tmp_path / "base")


STRANGE = st.text(max_size=80) | st.text(alphabet="a\0 \ud800é.\n# |-", max_size=40)


@settings(max_examples=40)
@given(
    texts=st.lists(
        st.tuples(STRANGE, STRANGE, st.dictionaries(STRANGE, STRANGE | st.floats(), max_size=2)), max_size=4
    )
)
def test_any_text_can_be_kept_and_cited(texts: list[tuple[str, str, dict[str, Any]]]) -> None:
    with DocumentStore(embedder=False) as store:
        store.add_documents(
            Document(f"d{number}", title, content, metadata)
            for number, (title, content, metadata) in enumerate(texts)
        )
        for number, (_, content, _) in enumerate(texts):
            kept = store.get_document(f"d{number}")
            assert len(kept.content) == len(content)
            assert all(a == b or b == "\ufffd" for a, b in zip(content, kept.content, strict=True))
        for chunk in store.chunks():
            kept = store.get_document(chunk.document_id)
            assert kept.content[chunk.start : chunk.end] == chunk.content
        store.remove_documents_by_filter(filter={})
        assert (len(store), store.chunk_count) == (0, 0)


def test_readers_and_writers_in_threads(tmp_path: Path) -> None:
    problems: list[BaseException] = []
    with DocumentStore(tmp_path / "base", embedder=WordEmbedder()) as store:
        store.add_documents(TOWN)

        def run(work: Any) -> None:
            try:
                for number in range(15):
                    work(number)
            except BaseException as error:
                problems.append(error)

        def write(number: int) -> None:
            store.add_documents([{"id": f"n{number % 5}", "content": f"Notícia {number} do museu."}])

        def embed(_: int) -> None:
            store.create_embeddings()

        def read(_: int) -> None:
            found = store.search_hybrid("museu", WordEmbedder().embed_query("museu"), 3)
            assert found
            assert all("museu" in passage.content for passage in found[:1])

        threads = [threading.Thread(target=run, args=(work,)) for work in (write, embed, read, read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        store.create_embeddings()
        assert store.vector_count() == store.chunk_count == 8
    check_base(tmp_path / "base")


def test_threads_that_end_leave_no_open_file() -> None:
    with DocumentStore(embedder=False) as store:
        store.add_documents(TOWN)
        for _ in range(20):
            thread = threading.Thread(target=store.search_lexical, args=("museu",))
            thread.start()
            thread.join()
        assert len(store._database._connections) <= 2


def test_a_closed_store_says_so_and_a_temporary_one_leaves_nothing() -> None:
    store = DocumentStore(embedder=False)
    store.add_documents(TOWN)
    folder = store.path
    assert is_base(folder)
    store.close()
    store.close()
    assert not folder.exists()
    with pytest.raises(StoreError, match="fechada"):
        store.search_lexical("museu")
