"""Words as the index knows them, and queries made of them."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.errors import ConfigError
from lunagpt.rag import DocumentStore
from lunagpt.rag import lexical_search as lexical_search_module
from lunagpt.rag.fusion import blend
from lunagpt.rag.lexical import STOP_WORDS, fold, query_tokens, stem, stop_words_from, tokens


@pytest.mark.parametrize(
    "forms",
    [
        ("educação", "educacao", "Educação", "EDUCAÇÕES", "educacoes"),
        ("biblioteca", "bibliotecas"),
        ("responsável", "responsavel", "responsáveis", "responsaveis"),
        ("horário", "horario", "horários"),
        ("ciência", "ciencia", "ciências"),
        ("1.500", "1500"),
    ],
)
def test_forms_of_a_word_share_a_token(forms: tuple[str, ...]) -> None:
    assert len({tuple(tokens(form)) for form in forms}) == 1


def test_different_words_keep_different_tokens() -> None:
    words = ["casa", "casamento", "rio", "riso", "educar", "edital", "1500", "150", "museu", "mercado"]
    assert len({stem(word) for word in words}) == len(words)


@given(st.text())
def test_the_stem_does_not_depend_on_accents_or_capitals(text: str) -> None:
    for word in text.split():
        assert stem(word) == stem(fold(word)) == stem(word.lower())


@given(st.text())
def test_tokens_hold_nothing_that_separates_them(text: str) -> None:
    for token in tokens(text):
        assert 0 < len(token) <= 40
        assert not any(character.isspace() for character in token)


def test_decomposed_accents_are_the_same_words() -> None:
    assert tokens("educac\u0327a\u0303o basica\u0301") == tokens("educação basicá")


def test_a_query_is_its_content_words() -> None:
    assert query_tokens("Me explique como é que funciona a fotossíntese?") == query_tokens("fotossíntese")
    assert query_tokens("voce nao disse o que e a fotossintese") == query_tokens("disse fotossíntese")
    assert query_tokens("o que é isso?") != [], "a query of stop words alone is searched by them"
    assert query_tokens("gato gatos GATO") == ["gat"]
    assert query_tokens("") == query_tokens("?!…") == []


def test_stop_words_from_settings() -> None:
    assert stop_words_from("portuguese") == stop_words_from("Português") == STOP_WORDS
    assert stop_words_from(["Açaí", " "]) == {"acai"}
    with pytest.raises(ConfigError, match="english"):
        stop_words_from("english")


@pytest.fixture(scope="module")
def museums() -> DocumentStore:
    store = DocumentStore(embedder=False)
    store.add_documents(
        f"O museu número {number} fica na cidade e guarda {'quadros' if number % 3 else 'moedas'}."
        + (" Abre aos domingos." if number % 50 == 7 else "")
        for number in range(300)
    )
    return store


@given(query=st.text(max_size=60) | st.text(alphabet='"*^:()-+ANDORNETa ', max_size=30))
def test_no_text_breaks_the_query(museums: DocumentStore, query: str) -> None:
    found = museums.search_lexical(query, 3)
    assert len(found) <= 3
    assert all(0 <= passage.score <= 1 for passage in found)


@pytest.mark.parametrize(
    "query", ['museu" OR "', "museu AND", "NEAR(museu", "museu*", "body:museu", "'; DROP"]
)
def test_operators_are_words(museums: DocumentStore, query: str) -> None:
    assert [p.content for p in museums.search_lexical(query, 3)] == [
        p.content for p in museums.search_lexical(query.replace('"', "").replace("*", ""), 3)
    ]


def test_a_long_text_is_searched_by_the_words_that_exist(museums: DocumentStore) -> None:
    page = " ".join(f"palavra{number}" for number in range(500)) + " domingos"
    assert "domingos" in museums.search_lexical(page, 1)[0].content


def test_rare_words_decide(museums: DocumentStore) -> None:
    found = museums.search_lexical("Que museu da cidade abre no domingo?", 6)
    assert all("domingos" in passage.content for passage in found)
    assert found[0].score > 0.8


def test_common_words_beyond_the_budget_lose_nothing(
    museums: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the rare words and scored by all, the first passages are those of the full search."""
    queries = ["museu que guarda moedas aos domingos", "museu 42 na cidade", "quadros do museu 100"]
    full = [[p.chunk_id for p in museums.search_lexical(query, 3)] for query in queries]
    monkeypatch.setattr(lexical_search_module, "_MATCH_BUDGET", 10)
    assert [[p.chunk_id for p in museums.search_lexical(query, 3)] for query in queries] == full


def test_a_very_common_word_alone_still_finds(
    museums: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical_search_module, "_MATCH_BUDGET", 10)
    assert len(museums.search_lexical("museu", 4)) == 4


def test_relevance_falls_with_what_is_missing(museums: DocumentStore) -> None:
    scores = [
        museums.search_lexical(query, 1)[0].score
        for query in ("moedas do museu", "moedas do museu de Lisboa", "moedas raras do imperador de Lisboa")
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.4
    assert scores[-1] < 0.2


def test_the_scores_are_those_of_sqlite(museums: DocumentStore) -> None:
    """Our own BM25 (for questions of common words) and SQLite's agree on the order."""
    found = [p.chunk_id for p in museums.search_lexical("moedas domingos cidade", 300)]
    assert len(found) == 300
    connection = sqlite3.connect(museums.path / "luna.db")
    rows = connection.execute(
        "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, 1.0, 1.0), rowid LIMIT 6",
        (" OR ".join(f'"{token}"' for token in tokens("moedas domingos cidade")),),
    ).fetchall()
    connection.close()
    assert {row[0] for row in rows} == set(found[:6])


def test_blending() -> None:
    lexical, cosines = {1: 8.0, 2: 4.0}, {2: 0.9, 3: 0.8, 1: 0.6}
    assert blend(lexical, cosines, floor=0.7) == [2, 1, 3], "means: 0.75, 0.25 and 0.25, the smaller id first"
    assert blend({1: 8.0, 2: 7.0}, {3: 0.9, 1: 0.9}, floor=0.8) == [1, 2, 3], (
        "without a vector, words count alone"
    )
    assert blend({}, {4: 0.5, 5: 0.6}, floor=0.5) == [5, 4]
    assert blend({7: 2.0}, {7: 0.5}, floor=0.5) == [7]
    assert blend({}, {}, floor=0.0) == []
