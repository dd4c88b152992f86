"""Births and deaths that a text only tells in brackets: read, owned by the right person, never confused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.chat.grounding import extractive_answer, rewrite_follow_up
from lunagpt.chat.grounding.life_spans import LifeEvent, event_named, find_life_spans

ASSIS = {
    "title": "Machado de Assis",
    "content": "Foi um escritor carioca (1839–1908), autor de “Dom Casmurro”. Em 1897 fundou a Academia. "
    "Casou-se com Carolina Xavier de Novais (1835–1904), irmã do poeta Faustino Xavier de Novais.",
}
PORTRAITS = {
    "title": "Galeria do museu",
    "content": "A sala tem quadros de Tarsila do Amaral (Capivari, 1º de setembro de 1886 — São Paulo, 17 de "
    "janeiro de 1973) e de Gil Vicente (c. 1465–c. 1536). O retrato de Dom Pedro II (1825–1891) foi doado no "
    "governo de Getúlio Vargas (1930–1945). A escultora Ana Prado (n. 1952) restaurou a moldura. Há um busto "
    "de Epicuro (341–270 a.C.) e um de Alfredo da Rocha Vianna Filho (1897–1973), o Pixinguinha.",
}


def spans(sentence: str) -> list[tuple[tuple[str, ...], str | None, str | None]]:
    return [
        (span.names, span.birth.text if span.birth else None, span.death.text if span.death else None)
        for span in find_life_spans(sentence)
    ]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Machado de Assis (1839–1908) escreveu.", (("Machado de Assis",), "1839", "1908")),
        ("Machado de Assis (1839-1908) escreveu.", (("Machado de Assis",), "1839", "1908")),
        ("Foi um escritor carioca (1839–1908).", ((), "1839", "1908")),
        ("Ele era pintor (1900 - 1980).", ((), "1900", "1980")),
        (
            "Machado (Rio de Janeiro, 21 de junho de 1839 — Rio de Janeiro, 29 de setembro de 1908).",
            (("Machado",), "21 de junho de 1839", "29 de setembro de 1908"),
        ),
        ("Ana Lima (* 21/06/1939 – † 29/09/2008)", (("Ana Lima",), "21/06/1939", "29/09/2008")),
        ("Aristóteles (384–322 a.C.) escreveu.", (("Aristóteles",), "384 a.C.", "322 a.C.")),
        ("Chico Buarque (1944–) canta.", (("Chico Buarque",), "1944", None)),
        ("Chico Buarque (nascido no Rio de Janeiro, 1944) canta.", None),
        ("Chico Buarque (nascido em 1944) canta.", (("Chico Buarque",), "1944", None)),
        ("Joana Reis (m. 1908) pintava.", (("Joana Reis",), None, "1908")),
        (
            "Alfredo Filho (1897–1973), o Pixinguinha, tocava.",
            (("Alfredo Filho", "Pixinguinha"), "1897", "1973"),
        ),
        ("Lula (2003–2010) governou.", None),
        ("Lula (presidente, 1930–2010) governou.", None),
        ("No reinado de Dom Pedro II (1840–1889) houve guerra.", None),
        ("No governo do presidente Getúlio Vargas (1930–1945) houve censura.", None),
        ("A guerra (1939–1945) acabou.", None),
        ("Foi filho do ferreiro da vila (1800–1860).", None),
        ("Seu pai, ferreiro (1800–1860), ensinou-lhe o ofício.", None),
        ("O código (ISO 8601–2004) vale.", None),
    ],
)
def test_brackets_are_read(
    sentence: str, expected: tuple[tuple[str, ...], str | None, str | None] | None
) -> None:
    assert spans(sentence) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("question", "event"),
    [
        ("Quando ele nasceu?", LifeEvent.BIRTH),
        ("Qual a data de nascimento dela?", LifeEvent.BIRTH),
        ("Em que ano faleceu?", LifeEvent.DEATH),
        ("Qual foi o ano da morte dele?", LifeEvent.DEATH),
        ("Quando nasceu e quando morreu?", None),
        ("Quando publicou o livro?", None),
    ],
)
def test_births_and_deaths_are_told_apart(question: str, event: LifeEvent | None) -> None:
    assert event_named(question) is event


@pytest.mark.parametrize(
    ("question", "text", "span"),
    [
        ("Quando Machado de Assis nasceu?", "Nasceu em 1839: “Foi um escritor carioca", "1839"),
        ("E em que ano morreu Machado de Assis?", "Morreu em 1908: “Foi um escritor carioca", "1908"),
        ("quando nasceu o escritor machado de assis", "Nasceu em 1839: ", "1839"),
        ("Quando nasceu Carolina Xavier de Novais?", "Nasceu em 1835: “Casou-se com", "1835"),
    ],
)
def test_a_life_in_brackets_answers(question: str, text: str, span: str) -> None:
    answer = extractive_answer(question, [ASSIS])
    assert answer is not None
    assert answer.text.startswith(text)
    assert answer.text.endswith("[1]")
    assert answer.span == span
    (citation,) = answer.citations
    assert ASSIS["content"][citation.start : citation.end] == citation.quote


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        ("Qual a data de nascimento de Tarsila do Amaral?", "Nasceu em 1º de setembro de 1886"),
        ("Quando morreu Tarsila do Amaral?", "Morreu em 17 de janeiro de 1973"),
        ("Quando morreu Gil Vicente?", "Morreu por volta de 1536"),
        ("Quando dom Pedro II nasceu?", "Nasceu em 1825"),
        ("Em que ano nasceu a escultora Ana Prado?", "Nasceu em 1952"),
        ("Quando morreu Epicuro?", "Morreu em 270 a.C."),
        ("Quando nasceu Pixinguinha?", "Nasceu em 1897"),
    ],
)
def test_each_person_has_their_own_dates(question: str, lead: str) -> None:
    answer = extractive_answer(question, [PORTRAITS])
    assert answer is not None
    assert answer.lead == lead
    told = extractive_answer(question, [{**PORTRAITS, "metadata": {"built_in": True}}])
    assert told is not None
    assert told.text == f"{lead} [1]."


@pytest.mark.parametrize(
    "question",
    [
        "Quando nasceu a filha de Machado de Assis?",
        "Quando morreu a mãe de Machado de Assis?",
        "Quando nasceu José de Alencar?",
        "Quando nasceu Joaquim Assis Brasil?",
        "Quando nasceu Faustino Xavier de Novais?",
        "Quando morreu Ana Prado?",
        "Quando nasceu dom Pedro I?",
        "Quando nasceu Getúlio Vargas?",
        "Quando morreu Getúlio Vargas?",
    ],
)
def test_what_no_bracket_tells_is_refused(question: str) -> None:
    assert extractive_answer(question, [ASSIS, PORTRAITS]) is None


def test_a_sentence_on_the_other_end_of_a_life_never_answers() -> None:
    passage = {
        "title": "Rosa Dias",
        "content": "Rosa Dias nasceu em Recife em 4 de maio de 1920. Foi atriz até 1980.",
    }
    born = extractive_answer("Quando Rosa Dias nasceu?", [passage])
    assert born is not None
    assert "4 de maio de 1920" in born.text
    assert extractive_answer("Quando Rosa Dias morreu?", [passage], threshold=0.0) is None


def test_a_date_that_the_sentence_tells_itself_needs_no_lead() -> None:
    passage = {
        "title": "Rosa Dias",
        "content": "Rosa Dias (1920–1990) nasceu no Recife em 4 de maio de 1920.",
    }
    answer = extractive_answer("Quando Rosa Dias nasceu?", [passage])
    assert answer is not None
    assert answer.text == f"“{passage['content']}” [1]"


@pytest.mark.parametrize(
    ("asked", "said", "follow_up", "lead"),
    [
        (
            "Quem foi Machado de Assis?",
            "Foi um escritor carioca (1839–1908) [1].",
            "E quando ele nasceu?",
            "1839",
        ),
        ("quem foi machado de assis", "Foi um escritor carioca (1839–1908) [1].", "quando morreu?", "1908"),
        ("Quem escreveu Dom Casmurro?", "Foi Machado de Assis [1].", "E em que ano ele nasceu?", "1839"),
        (
            "Com quem Machado de Assis se casou?",
            "Com Carolina Xavier de Novais [1].",
            "Quando ela nasceu?",
            "1835",
        ),
    ],
)
def test_a_follow_up_is_asked_about_the_person_of_the_last_turn(
    asked: str, said: str, follow_up: str, lead: str
) -> None:
    history = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    answer = extractive_answer(rewrite_follow_up(follow_up, history), [ASSIS])
    assert answer is not None
    assert lead in answer.lead


@given(st.text(max_size=120))
def test_any_sentence_can_be_read(sentence: str) -> None:
    assert all(span.birth or span.death for span in find_life_spans(sentence))
