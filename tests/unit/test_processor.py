"""The pipeline of the specification: load, normalise, divide, save."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from lunagpt.data import DataProcessor, Document, DocumentChunker, TextNormalizer
from lunagpt.errors import DataError

TEXT = "# Manual\n\n" + "A Luna lê documentos  da sua pasta. " * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "sources"
    (source / "sub").mkdir(parents=True)
    (source / "manual.md").write_text(TEXT, encoding="utf-8")
    (source / "sub" / "nota.txt").write_text("Uma nota curta.", encoding="utf-8")
    (source / "quebrado.json").write_text("{", encoding="utf-8")
    return source


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_pipeline_as_documented(folder: Path, tmp_path: Path) -> None:
    processor = DataProcessor()
    documents = processor.load_documents(str(folder))
    normalizer = TextNormalizer(
        lowercase=False, remove_accents=False, expand_contractions=True, remove_extra_whitespaces=True
    )
    normalized = [normalizer.normalize(document.content) for document in documents]
    chunker = DocumentChunker(chunk_size=100, chunk_overlap=10, split_by_semantic=True)
    rows = []
    for document, text in zip(documents, normalized, strict=True):
        chunks = chunker.split_document(text)
        rows += [
            {"id": f"{document.id}_chunk_{number}", "parent_id": document.id, "content": chunk,
             "metadata": {**document.metadata, "sequence": number, "total_chunks": len(chunks)}}
            for number, chunk in enumerate(chunks, start=1)
        ]  # fmt: skip
    output = tmp_path / "processed" / "chunked_docs.jsonl"
    assert processor.save_documents(rows, output) == len(rows)
    saved = rows_of(output)
    assert saved == rows
    assert len(saved) > 3
    assert "documentos de a sua pasta" in str(saved[0]["content"])
    by_one_call = list(processor.chunk_documents(documents, chunker, normalizer))
    assert [row["content"] for row in by_one_call] == [row["content"] for row in saved]


def test_a_bad_file_is_told_and_stops_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    processor = DataProcessor()
    with caplog.at_level(logging.WARNING):
        documents = processor.load_documents(folder)
    assert [document.id for document in documents] == ["manual.md", "sub/nota.txt"]
    assert processor.summary is not None
    assert [name for name, _ in processor.summary.problems] == ["quebrado.json"]
    assert "quebrado.json" in caplog.text
    assert [one.id for one in processor.load_documents(folder, file_types=["txt"])] == ["sub/nota.txt"]
    assert processor.load_documents(folder, recursive=False, file_types=["txt"]) == []


def test_a_single_file_and_one_that_is_missing(folder: Path) -> None:
    processor = DataProcessor()
    (document,) = processor.load_documents(folder / "sub" / "nota.txt")
    assert document.content == "Uma nota curta."
    with pytest.raises(DataError, match="Não encontrei"):
        processor.load_documents(folder / "nada.txt")
    with pytest.raises(DataError, match=r"quebrado\.json"):
        processor.load_documents(folder / "quebrado.json")


def test_chunks_say_where_they_are(folder: Path) -> None:
    processor = DataProcessor()
    (document,) = processor.load_documents(folder / "manual.md")
    rows = list(processor.chunk_documents([document], DocumentChunker(100, 0)))
    for number, row in enumerate(rows, start=1):
        metadata = row["metadata"]
        assert row["content"] == document.content[metadata["start"] : metadata["end"]]
        assert (metadata["sequence"], metadata["total_chunks"]) == (number, len(rows))
        assert metadata["headings"] == ["Manual"]
        assert row["parent_id"] == document.id


def test_saved_documents_can_be_loaded(tmp_path: Path) -> None:
    document = Document("d1", "Título", "Um texto.", {"autor": "Ana"})
    processor = DataProcessor()
    for name in ("a.jsonl", "a.json"):
        assert processor.save_documents([document, {"id": "d2", "content": "Outro."}], tmp_path / name) == 2
        loaded = processor.load_documents(tmp_path / name)
        assert [(one.id, one.content) for one in loaded] == [("d1", "Um texto."), ("d2", "Outro.")]
        assert loaded[0].title == "Título"
        assert loaded[0].metadata["autor"] == "Ana"
    with pytest.raises(DataError, match="int"):
        processor.save_documents([3], tmp_path / "b.jsonl")  # type: ignore[list-item]
    assert not (tmp_path / "b.jsonl").exists()
