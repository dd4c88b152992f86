"""`Document`: offsets, pages, heading paths, and where documents come from."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.data import Document, Heading
from lunagpt.errors import DataError


def test_page_at() -> None:
    document = Document("a", "A", "um\n\ndois\n\n\n\nquatro", pages=(0, 4, 10, 12))
    assert [document.page_at(offset) for offset in (0, 3, 4, 9, 10, 11, 12, 17)] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert Document("a", "A", "sem páginas").page_at(3) is None


def test_a_page_that_starts_where_the_next_does_is_empty() -> None:
    assert Document("a", "A", "texto", pages=(0, 0)).page_at(0) == 2


def test_heading_path_at() -> None:
    headings = (Heading(2, 1, "I"), Heading(10, 3, "I.a"), Heading(20, 2, "I.b"), Heading(30, 1, "II"))
    document = Document("a", "A", "x" * 40, headings=headings)
    assert document.heading_path_at(0) == ()
    assert document.heading_path_at(2) == ("I",)
    assert document.heading_path_at(15) == ("I", "I.a")
    assert document.heading_path_at(29) == ("I", "I.b")
    assert document.heading_path_at(39) == ("II",)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 6)), max_size=12), st.integers(0, 60))
def test_heading_path_is_that_of_a_plain_walk(places: list[tuple[int, int]], offset: int) -> None:
    headings = tuple(Heading(place, level, f"{n}") for n, (place, level) in enumerate(sorted(places)))
    path: list[Heading] = []
    for heading in headings:
        if heading.offset <= offset:
            path = [*(above for above in path if above.level < heading.level), heading]
    document = Document("a", "A", "x" * 60, headings=headings)
    assert document.heading_path_at(offset) == tuple(heading.text for heading in path)


def test_a_plain_text_is_a_document() -> None:
    assert Document.from_any("Olá.\nTudo bem?", "x1") == Document("x1", "Olá.", "Olá.\nTudo bem?")


def test_a_row_is_a_document() -> None:
    row = {"id": 7, "título": "T", "texto": "corpo", "ano": 2020, "metadata": {"source": "s"}}
    assert Document.from_any(row, "x") == Document("7", "T", "corpo", {"ano": 2020, "source": "s"})


def test_a_row_without_id_or_title() -> None:
    assert Document.from_any({"body": "# Olá\nmundo"}, "arq#1") == Document("arq#1", "Olá", "# Olá\nmundo")


def test_long_first_lines_make_short_titles() -> None:
    title = Document.from_any("palavra " * 40, "x").title
    assert len(title) <= 81
    assert title.endswith("palavra…")


def test_to_dict_and_back() -> None:
    document = Document("a", "A", "I\n\nx", {"n": [1, 2]}, (Heading(0, 1, "I"),), (0, 3))
    assert Document.from_any(json.loads(json.dumps(document.to_dict())), "outro") == document
    assert Document.from_any(document, "outro") is document


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (3, "não int"),
        ({"id": "d", "assunto": "x"}, 'O documento "d" não tem texto'),
        ({"content": "  "}, "não tem texto"),
        ({"content": "abc", "headings": [[9, 1, "x"]]}, "não cabem no texto"),
        ({"content": "abc", "headings": ["x"]}, "não são válidos"),
        ({"content": "abc", "pages": [2, 1]}, "não cabem no texto"),
        ({"content": "abc", "pages": [-1]}, "não cabem no texto"),
    ],
)
def test_what_is_no_document(row: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Document.from_any(row, "x")  # type: ignore[arg-type]
