"""A folder and its base: only what changed is read, what is gone leaves, nothing stops the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.rag_helpers import WordEmbedder, check_base

from lunagpt.data import loaders
from lunagpt.errors import DataError
from lunagpt.rag import DocumentStore
from lunagpt.rag.folder_sync import SyncSummary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "meus documentos"
    (folder / "notas").mkdir(parents=True)
    (folder / "biblioteca.txt").write_text("A biblioteca abre às 9h.", encoding="utf-8")
    (folder / "mercado.md").write_text("# Mercado\n\nO mercado fecha às 20h.", encoding="utf-8")
    (folder / "notas" / "museu.txt").write_text("O museu guarda moedas.", encoding="utf-8")
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the files that were really read, in order."""
    names: list[str] = []
    original = loaders.load_files

    def noting(files: list[loaders.FoundFile], **options: object) -> object:
        names.extend(file.id for file in files)
        return original(files, **options)

    monkeypatch.setattr(loaders, "load_files", noting)
    return names


def counts(summary: SyncSummary) -> tuple[int, int, int, int]:
    return summary.added, summary.changed, summary.unchanged, summary.removed


def texts(store: DocumentStore) -> dict[str, str]:
    return {document.id: document.content for document in store.documents()}


def test_only_what_changed_is_read(folder: Path, tmp_path: Path, read: list[str]) -> None:
    base = tmp_path / "base"
    with DocumentStore(base, embedder=WordEmbedder()) as store:
        seen = []
        summary = store.add_documents_from_directory(folder, progress=seen.append)
        assert counts(summary) == (3, 0, 0, 0)
        assert str(summary).startswith("3 arquivos novos (3 documentos lidos em ")
        assert [(step.done, step.total) for step in seen] == [(1, 3), (2, 3), (3, 3)]
        assert set(texts(store)) == {"biblioteca.txt", "mercado.md", "notas/museu.txt"}
        store.create_embeddings()
        read.clear()

        assert counts(store.add_documents_from_directory(folder)) == (0, 0, 3, 0)
        assert read == []

        (folder / "biblioteca.txt").write_text("A biblioteca abre às 8h.", encoding="utf-8")
        (folder / "notas" / "museu.txt").unlink()
        (folder / "farol.txt").write_text("O farol é alto.", encoding="utf-8")
        os.utime(folder / "mercado.md", ns=(1, 1))  # another time, the same content
        assert counts(store.add_documents_from_directory(folder)) == (1, 1, 1, 1)
        assert read == ["biblioteca.txt", "farol.txt"]
        assert store.search_lexical("moedas") == []
        assert store.search_lexical("que horas abre a biblioteca")[0].content == "A biblioteca abre às 8h."
        assert store.vector_count() == 1
        read.clear()
        assert counts(store.add_documents_from_directory(folder)) == (0, 0, 3, 0)
        assert read == []
    check_base(base)


def test_a_renamed_file_keeps_its_vectors(folder: Path) -> None:
    embedder = WordEmbedder()
    with DocumentStore(embedder=embedder) as store:
        store.add_documents_from_directory(folder)
        store.create_embeddings()
        (folder / "arquivo").mkdir()
        (folder / "notas" / "museu.txt").rename(folder / "arquivo" / "museu.txt")
        assert counts(store.add_documents_from_directory(folder)) == (1, 0, 2, 1)
        assert store.vector_count() == store.chunk_count == 3


def test_a_bad_file_does_not_stop_the_others(folder: Path) -> None:
    (folder / "ruim.json").write_text("{", encoding="utf-8")
    (folder / "foto.png").write_bytes(b"\x89PNG")
    with DocumentStore(embedder=False) as store:
        summary = store.add_documents_from_directory(folder)
        assert counts(summary) == (3, 0, 0, 0)
        assert [name for name, _ in summary.problems] == ["ruim.json"]
        assert [name for name, _ in summary.skipped] == ["foto.png"]
        assert "ruim.json" in str(summary)
        assert "foto.png" in str(summary)
        (folder / "ruim.json").write_text('{"texto": "Agora sim, o texto."}', encoding="utf-8")
        assert counts(store.add_documents_from_directory(folder)) == (1, 0, 3, 0)
        (folder / "ruim.json").write_text("{", encoding="utf-8")
        summary = store.add_documents_from_directory(folder)
        assert counts(summary) == (0, 0, 4, 0)
        assert "versão anterior" in summary.problems[0][1]
        assert store.search_lexical("Agora sim, o texto")


def test_types_and_subfolders(folder: Path) -> None:
    with DocumentStore(embedder=False) as store:
        assert counts(store.add_documents_from_directory(folder, recursive=False)) == (2, 0, 0, 0)
        assert counts(store.add_documents_from_directory(folder, file_types=["txt"])) == (1, 0, 1, 0)
        (folder / "mercado.md").unlink()
        assert counts(store.add_documents_from_directory(folder, file_types=["txt"])) == (0, 0, 2, 0)
        assert "mercado.md" in store, "files of types that were not asked for are not looked at"
        assert counts(store.add_documents_from_directory(folder)) == (0, 0, 2, 1)
        with pytest.raises(DataError):
            store.add_documents_from_directory(folder / "nada")


def test_two_folders_with_files_of_one_name(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "outros"
    other.mkdir()
    (other / "biblioteca.txt").write_text("A outra biblioteca.", encoding="utf-8")
    with DocumentStore(embedder=False) as store:
        store.add_documents([{"id": "mercado.md", "content": "Posto à mão."}])
        store.add_documents_from_directory(folder)
        for _ in range(2):
            store.add_documents_from_directory(other)
            assert texts(store)["biblioteca.txt"] == "A biblioteca abre às 9h."
            assert texts(store)["outros/biblioteca.txt"] == "A outra biblioteca."
        (other / "biblioteca.txt").write_text("A outra biblioteca mudou.", encoding="utf-8")
        assert counts(store.add_documents_from_directory(other)) == (0, 1, 0, 0)
        assert texts(store)["outros/biblioteca.txt"] == "A outra biblioteca mudou."
        (other / "biblioteca.txt").unlink()
        assert counts(store.add_documents_from_directory(other)) == (0, 0, 0, 1)
        assert set(texts(store)) == {"biblioteca.txt", "mercado.md", "notas/museu.txt"}


def test_a_folder_that_moved_is_the_same_folder(folder: Path, tmp_path: Path, read: list[str]) -> None:
    with DocumentStore(embedder=False) as store:
        store.add_documents_from_directory(folder)
        (tmp_path / "disco novo").mkdir()
        moved = folder.rename(tmp_path / "disco novo" / folder.name)
        read.clear()
        assert counts(store.add_documents_from_directory(moved)) == (0, 0, 3, 0)
        assert read == []


def test_rows_of_a_file(folder: Path) -> None:
    rows = ['{"id": "a", "texto": "O gato mia."}', '{"id": "b", "texto": "O cão late."}']
    (folder / "bichos.jsonl").write_text("\n".join(rows), encoding="utf-8")
    embedder = WordEmbedder()
    with DocumentStore(embedder=embedder) as store:
        store.add_documents_from_directory(folder)
        assert len(store) == 5
        store.create_embeddings()
        (folder / "bichos.jsonl").write_text("\n".join([rows[1], '{"id": "c", "texto": "O boi muge."}']))
        store.add_documents_from_directory(folder)
        assert len(store) == 5
        assert store.search_lexical("gato") == []
        assert store.search_lexical("cão")
        assert store.vector_count() == 4
