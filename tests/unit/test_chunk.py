"""Chunks: true offsets, nothing lost, no sentence cut, headings and tables kept together, sizes kept."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.data.chunk import Chunk, DocumentChunker
from lunagpt.data.documents import Document, Heading
from lunagpt.data.sentences import split_sentences
from lunagpt.data.token_counting import StretchCounter, token_counter
from lunagpt.errors import DataError
from lunagpt.tokenizer import LunaTokenizer

TOKENIZER = LunaTokenizer.default()
COUNT_TOKENS = token_counter(TOKENIZER)

MANUAL = """# Manual da Luna

## Instalação

Para instalar, siga estes passos:

1. Baixe o pacote no site.
2. Descompacte-o em uma pasta.
3. Execute o programa e aguarde.

Se algo falhar, veja a seção seguinte. O suporte atende das 8h às 18h. Fora disso, escreva para nós.

## Problemas comuns

| Erro | Causa | Solução |
|------|-------|---------|
| E01 | Falta de memória | Feche outros programas |
| E02 | Disco cheio | Libere 2 GB |

### Janela preta

A janela fica preta quando o driver é antigo. O Dr. Paulo recomenda a versão 5.2 ou superior.
"""


def lengths(chunks: list[Chunk]) -> list[int]:
    return [len(TOKENIZER.encode_content(chunk.text)) for chunk in chunks]


def check_chunks(document: Document, chunks: list[Chunk], size: int) -> None:
    """What holds for every document: true offsets, order, sizes, and all visible text in some chunk."""
    covered = 0
    for index, chunk in enumerate(chunks):
        assert chunk.index == index
        assert chunk.document_id == document.id
        assert document.content[chunk.start : chunk.end] == chunk.text == chunk.text.strip() != ""
        assert not document.content[covered : chunk.start].strip()
        assert chunk.end > covered
        covered = chunk.end
    assert not document.content[covered:].strip()
    assert max(lengths(chunks), default=0) <= size


LINES = st.sampled_from(
    ["# Título", "## Outro", "- item um", "- item dois. Com fim.", "| a | b |", "|---|---|", "a | b",
     "Uma frase. Outra frase!", "Segue a lista:", "", "", "```", "x = 1", "O Dr. Silva chegou.",
     "palavra " * 30, "x" * 300, "é" * 90, "1. Passo", "Parágrafo único. Nada.", "   ", "😀" * 40,
     "a, b; " * 25, "e\u0301" * 50, "\t\t\t\t", "não-fim"]
)  # fmt: skip
DOCUMENTS = st.one_of(st.text(max_size=300), st.lists(LINES, max_size=25).map("\n".join))


@given(DOCUMENTS, st.integers(16, 80), st.integers(0, 15), st.booleans())
def test_chunks_of_any_text(text: str, size: int, overlap: int, semantic: bool) -> None:
    document = Document("d", "t", text)
    chunker = DocumentChunker(size, overlap, semantic)
    check_chunks(document, chunker.chunk_document(document), size)


@given(DOCUMENTS, st.integers(24, 80))
def test_without_overlap_no_character_is_twice(text: str, size: int) -> None:
    chunks = DocumentChunker(size, 0).chunk_document(text)
    assert all(left.end <= right.start for left, right in pairwise(chunks))


@given(st.lists(st.sampled_from([line for line in LINES.elements if len(line) < 40]), max_size=30))
def test_chunks_begin_and_end_with_sentences(lines: list[str]) -> None:
    text = "\n".join(lines)
    spans = split_sentences(text)
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    for chunk in DocumentChunker(40, 12).chunk_document(text):
        assert chunk.start in starts
        assert chunk.end in ends


@given(DOCUMENTS, st.integers(40, 80), st.integers(1, 30))
def test_overlap_is_at_most_what_was_asked_for(text: str, size: int, overlap: int) -> None:
    chunks = DocumentChunker(size, overlap).chunk_document(text)
    for left, right in pairwise(chunks):
        assert len(TOKENIZER.encode_content(text[right.start : max(left.end, right.start)])) <= overlap + 1


def test_overlap_repeats_whole_sentences_of_the_section() -> None:
    text = "## Um\n\n" + " ".join(f"Esta é a frase número {n} do texto." for n in range(30))
    chunks = DocumentChunker(64, 16).chunk_document(text)
    assert len(chunks) > 3
    for left, right in pairwise(chunks):
        repeated = text[right.start : left.end]
        assert re.fullmatch(r"Esta é a frase número \d+ do texto\.", repeated)


def test_headings_lists_and_tables_keep_together() -> None:
    chunks = DocumentChunker(64, 0).chunk_document(MANUAL)
    assert len(chunks) >= 4
    for chunk in chunks:
        assert not chunk.text.splitlines()[-1].startswith("#")
        assert not chunk.text.endswith(":")
    (steps,) = [chunk for chunk in chunks if "1. Baixe" in chunk.text]
    assert steps.text.startswith("# Manual da Luna")
    assert "3. Execute o programa e aguarde." in steps.text
    (table,) = [chunk for chunk in chunks if "| E01" in chunk.text]
    assert table.text.startswith("## Problemas comuns\n\n| Erro | Causa | Solução |\n|------|")
    assert all(line.endswith("|") for line in table.text.splitlines() if line.startswith("|"))
    check_chunks(Document("documento", "", MANUAL), chunks, 64)


def test_the_head_of_a_table_without_marks_keeps_a_row() -> None:
    rows = "\n".join(f"E{n:02} | Falta de memória | Feche os outros programas" for n in range(12))
    text = f"Erros conhecidos\n\nErro | Causa | Solução\n{rows}"
    chunks = DocumentChunker(64, 0).chunk_document(text)
    assert len(chunks) > 2
    assert "Erro | Causa | Solução\nE00 | " in chunks[0].text
    assert all(line.endswith("programas") for chunk in chunks for line in chunk.text.splitlines()[-1:])


def test_a_title_without_marks_stays_with_its_text() -> None:
    body = "Uma frase que enche o texto desta parte. " * 5
    text = "\n\n".join(f"Parte número {number}\n\n{body}" for number in range(8))
    chunks = DocumentChunker(100, 0).chunk_document(text)
    assert len(chunks) > 4
    assert all(chunk.text.endswith(".") for chunk in chunks)


def test_heading_path_is_that_of_the_text_and_of_all_of_it() -> None:
    paths = [chunk.heading_path for chunk in DocumentChunker(64, 0).chunk_document(MANUAL)]
    assert paths[0] == ("Manual da Luna", "Instalação")
    assert paths[-1] == ("Manual da Luna", "Problemas comuns", "Janela preta")
    faq = "# Dúvidas\n\n## Quanto custa?\n\nNada.\n\n## Quem faz?\n\nNós."
    assert [chunk.heading_path for chunk in DocumentChunker(64, 0).chunk_document(faq)] == [("Dúvidas",)]


def test_headings_and_pages_of_the_document_are_used() -> None:
    text = "Introdução\n" + "Uma frase de enchimento. " * 20 + "\nMétodo\n" + "Outra frase. " * 8
    method = text.index("Método")
    headings = (Heading(0, 1, "Introdução"), Heading(method, 1, "Método"))
    document = Document("d", "t", text, headings=headings, pages=(0, method))
    chunks = DocumentChunker(64, 0).chunk_document(document)
    assert chunks[-1].text == text[method:].strip()
    assert (chunks[-1].heading_path, chunks[-1].page) == (("Método",), 2)
    assert (chunks[0].heading_path, chunks[0].page) == (("Introdução",), 1)


def test_sections_are_not_mixed_unless_they_are_tiny() -> None:
    body = "Uma frase que enche o texto da seção. " * 8
    text = f"## Um\n\n{body}\n\n## Dois\n\n{body}\n\n## Três\n\n{body}"
    chunks = DocumentChunker(256, 32).chunk_document(text)
    assert [chunk.heading_path for chunk in chunks] == [("Um",), ("Dois",), ("Três",)]


def test_chunks_of_a_long_section_are_even() -> None:
    text = " ".join(f"Esta é a frase número {n} deste texto." for n in range(26))
    total = len(TOKENIZER.encode_content(text))
    chunks = DocumentChunker(total * 10 // 11, 0).chunk_document(text)
    assert len(chunks) == 2
    assert min(lengths(chunks)) > total * 0.35


def test_only_a_sentence_that_is_too_long_is_cut_and_at_its_marks() -> None:
    clause = "quando a chuva cai sobre o telhado velho da casa"
    long = "Era assim, " + ", ".join([clause] * 12) + "."
    chunks = DocumentChunker(64, 0).chunk_document(f"Frase curta. {long} Outra frase curta.")
    inner = [chunk.text for chunk in chunks if chunk.text.endswith(",")]
    assert inner
    assert all(text.endswith((",", ".")) for text in (chunk.text for chunk in chunks))


def test_a_text_without_spaces_is_cut_between_characters() -> None:
    text = "a\u0301" * 3000
    chunks = DocumentChunker(50, 0).chunk_document(text)
    assert "".join(chunk.text for chunk in chunks) == text
    assert all(chunk.text[0] == "a" for chunk in chunks)


def test_words_fill_the_chunks_without_semantics() -> None:
    text = "palavra comum " * 400
    chunks = DocumentChunker(100, 10, split_by_semantic=False).chunk_document(text)
    assert all(90 <= length <= 100 for length in lengths(chunks[:-1]))
    shared = [left.end - right.start for left, right in pairwise(chunks)]
    assert min(shared) > len("palavra comum")


def test_split_document_gives_texts_of_strings_rows_and_documents() -> None:
    text = "Uma frase. " * 50
    chunker = DocumentChunker(chunk_size=64, chunk_overlap=0, split_by_semantic=True)
    expected = [chunk.text for chunk in chunker.chunk_document(Document("d", "t", text))]
    assert len(expected) > 2
    assert chunker.split_document(text) == chunker.split_document({"content": text}) == expected
    assert chunker.split_document(" \n\t ") == []


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (15, 0), (100, -1), (100, 100)])
def test_sizes_without_sense_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(DataError, match=r"chunk_(size|overlap)="):
        DocumentChunker(size, overlap)


def test_other_tokenizers_count() -> None:
    text = "Uma frase de seis palavras aqui. " * 20
    words = DocumentChunker(18, 0, tokenizer=lambda text: len(text.split())).chunk_document(text)
    assert max(len(chunk.text.split()) for chunk in words) == 18
    assert all(len(chunk.text.split()) % 6 == 0 for chunk in words)
    backend = TOKENIZER.backend_tokenizer
    assert token_counter(backend)([text]) == [len(backend.encode(text).ids)]
    with pytest.raises(DataError, match="int"):
        DocumentChunker(tokenizer=3)


@given(st.lists(st.one_of(st.text(max_size=60), st.lists(LINES, max_size=4).map(" ".join)), max_size=6))
def test_counting_agrees_with_encoding(texts: list[str]) -> None:
    expected = [len(ids) for ids in TOKENIZER.encode_batch_content(texts)]
    assert COUNT_TOKENS(texts) == token_counter()(texts) == expected


def test_our_own_tokenizer_is_counted_by_stretches() -> None:
    assert isinstance(COUNT_TOKENS, StretchCounter)
    assert isinstance(token_counter(), StretchCounter)
