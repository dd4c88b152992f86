"""Quoting, checking and letting through: answers that stand on passages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.chat.grounding import check_answer, extractive_answer, refusal_text
from lunagpt.chat.grounding.gate import Gate
from lunagpt.chat.grounding.questions import Asks, analyse_question
from lunagpt.chat.grounding.refusal import Searched
from lunagpt.data.grounding_format import NO_ANSWER

PASSAGES = [
    {
        "title": "Regulamento da piscina",
        "content": "A piscina do Residencial Ipê funciona de terça a domingo, das 8h às 21h. Às "
        "segundas-feiras ela "
        "permanece fechada para limpeza. Cada apartamento pode levar até três convidados por dia. É "
        "proibido usar "
        "copos de vidro. Quem descumprir as regras paga multa de R$ 180,00.",
    },
    {
        "title": "Ata da assembleia",
        "content": "Em 12 de março de 2023, o síndico Carlos Benedetti apresentou as contas. A reforma da "
        "portaria "
        "custou R$ 14.500,00 e terminou em 30/06/2022. A proposta dos carregadores elétricos foi adiada.",
    },
    {
        "title": "Perguntas frequentes",
        "content": "Posso ter cachorro no apartamento? Pode, desde que o animal não incomode os vizinhos.\n\n"
        "Como peço a segunda via do boleto?\nPelo aplicativo, na aba Financeiro.\n\n"
        "Para mudar de apartamento é preciso:\n- avisar a portaria com 3 dias;\n- pagar a taxa de mudança;\n"
        "- proteger o elevador.",
    },
]


@pytest.mark.parametrize(
    ("question", "quote", "number"),
    [
        ("Em que dia a piscina fica fechada?", "Às segundas-feiras ela permanece fechada para limpeza.", 1),
        ("valor da multa por descumprir as regras da "
         "piscina", "Quem descumprir as regras paga multa de R$ 180,00.", 1),
        ("Quantos convidados cada apartamento pode levar?", "Cada apartamento pode levar até três "
                                                            "convidados por dia.", 1),
        ("quanto custou a reforma da portaria?", "A reforma da portaria custou R$ 14.500,00 e terminou em "
                                                 "30/06/2022.", 2),
        ("Quem apresentou as contas na assembleia?", "Em 12 de março de 2023, o síndico Carlos Benedetti "
                                                     "apresentou as contas.", 2),
        ("posso ter um cachorro no apartamento", "Pode, desde que o animal não incomode os vizinhos.", 3),
        ("como peço segunda via do boleto", "Pelo aplicativo, na aba Financeiro.", 3),
    ],
)  # fmt: skip
def test_the_sentence_that_answers_is_quoted(question: str, quote: str, number: int) -> None:
    answer = extractive_answer(question, PASSAGES)
    assert answer is not None
    (citation,) = answer.citations
    assert (citation.quote, citation.number) == (quote, number)
    assert answer.text == f"“{quote}” [{number}]"
    assert citation.passage is PASSAGES[number - 1]
    assert PASSAGES[number - 1]["content"][citation.start : citation.end] == quote
    assert 0 < answer.confidence <= 1


def test_a_list_is_quoted_with_what_announces_it() -> None:
    answer = extractive_answer("O que é preciso para mudar de apartamento?", PASSAGES)
    assert answer is not None
    assert answer.text.startswith("“Para mudar de apartamento é preciso:")
    assert "proteger o elevador" in answer.text


@pytest.mark.parametrize(
    "question",
    [
        "Qual é o telefone do bombeiro hidráulico?",
        "Quem ganhou a Copa do Mundo de 1994?",
        "A academia do Residencial Jatobá abre aos domingos?",
        "O que é fotossíntese?",
    ],
)
def test_what_the_passages_do_not_have_is_not_answered(question: str) -> None:
    assert extractive_answer(question, PASSAGES) is None


def test_no_passages_no_answer() -> None:
    assert extractive_answer("Quem?", []) is None
    assert extractive_answer("Quem?", [{"content": ""}, {"content": " \n "}]) is None


@pytest.mark.parametrize(
    ("question", "span"),
    [
        ("quanto custou a reforma da portaria?", "R$ 14.500,00"),
        ("Quem apresentou as contas na assembleia?", "Carlos Benedetti"),
        ("Quando terminou a reforma da portaria?", "30/06/2022"),
        ("Quantos convidados cada apartamento pode levar?", "três convidados"),
    ],
)
def test_the_words_that_answer_stand_out(question: str, span: str) -> None:
    answer = extractive_answer(question, PASSAGES)
    assert answer is not None
    assert answer.span == span


def test_the_encyclopaedia_speaks_for_luna() -> None:
    passage = {**PASSAGES[0], "metadata": {"built_in": True}}
    answer = extractive_answer("Em que dia a piscina fica fechada?", [passage])
    assert answer is not None
    assert answer.text == "Às segundas-feiras ela permanece fechada para limpeza [1]."


@given(st.text(max_size=60), st.lists(st.text(max_size=200), max_size=3))
def test_quotes_are_what_stands_in_the_passage(question: str, contents: list[str]) -> None:
    answer = extractive_answer(question, [{"content": content} for content in contents], threshold=0)
    for citation in answer.citations if answer else ():
        assert contents[citation.number - 1][citation.start : citation.end] == citation.quote


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ("A piscina fecha às segundas-feiras, para limpeza [1].", []),
        ("Até 3 convidados por dia [1].", []),
        ("A reforma custou R$ 14500 e acabou em 30 de junho de 2022 [2].", []),
        ("A reforma custou R$ 15.500,00 [2].", ["figure"]),
        ("A reforma terminou em 30 de julho de 2022 [2].", ["date"]),
        ("A piscina fecha às 22h [1].", ["time"]),
        ("O síndico João Pereira apresentou as contas [2].", ["name"]),
        ("Alfredo apresentou as contas [2].", ["name"]),
        ("A piscina fecha às segundas-feiras [4].", ["citation"]),
        ("A piscina fecha às segundas-feiras [0].", ["citation"]),
        ("A piscina fecha às segundas-feiras.", ["uncited"]),
        ("As regras são de Carlos Benedetti [1].", ["name"]),
        ("É permitido usar copos de vidro [1]. Cada apartamento não pode levar até três convidados por dia "
         "[1].", ["negation"]),
        ("A lua é feita de queijo francês muito curado [1].", ["unsupported"]),
        ("Veja [aqui](http://m.exemplo): a piscina fecha às segundas-feiras [1].", ["link"]),
        ("![x](http://m.exemplo/a.png) A piscina fecha às segundas-feiras [1].", ["link"]),
        ("Os documentos não trazem essa informação.", []),
    ],
)  # fmt: skip
def test_what_the_passages_do_not_carry_is_found(answer: str, kinds: list[str]) -> None:
    assert [problem.kind for problem in check_answer(answer, PASSAGES)] == kinds


def test_a_sentence_may_lean_on_the_citation_of_the_next() -> None:
    answer = "Às segundas-feiras ela fica fechada. Nos outros dias funciona das 8h às 21h [1]."
    assert check_answer(answer, PASSAGES) == []


def test_a_refusal_may_repeat_the_names_of_the_question() -> None:
    refusal = "Os documentos não falam do Residencial Jatobá [1]."
    assert [problem.kind for problem in check_answer(refusal, PASSAGES)] == ["name"]
    assert check_answer(refusal, PASSAGES, question="Como é a academia do Residencial Jatobá?") == []


def pieces(text: str) -> list[str]:
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def test_sentences_pass_one_by_one_and_the_first_bad_one_ends_the_answer() -> None:
    gate = Gate(PASSAGES, "Como funciona a piscina?")
    text = (
        "Ela funciona das 8h às 21h [1]. Às segundas-feiras fica fechada para limpeza [1]. "
        "A multa é de R$ 999 [1]. Fim."
    )
    shown = list(gate.let_through(iter(pieces(text))))
    assert shown == [
        "Ela funciona das 8h às 21h [1].",
        " Às segundas-feiras fica fechada para limpeza [1].",
    ]
    assert [problem.kind for problem in gate.problems] == ["figure"]
    assert [citation.number for citation in gate.citations] == [1]


def test_a_sentence_without_citation_gets_the_one_it_stands_on() -> None:
    gate = Gate(PASSAGES, "quando terminou a reforma?")
    assert list(gate.let_through(iter(["A reforma da portaria terminou em 30/06/2022."]))) == [
        "A reforma da portaria terminou em 30/06/2022 [2]."
    ]
    assert gate.citations[0].quote.startswith("A reforma da portaria custou")


def test_a_refusal_is_not_believed_beside_a_certain_quotation() -> None:
    question = "quanto custou a reforma da portaria?"
    quotation = extractive_answer(question, PASSAGES)
    assert quotation is not None
    gate = Gate(PASSAGES, question, quotation)
    assert list(gate.let_through(iter([NO_ANSWER]))) == []
    assert [problem.kind for problem in gate.problems] == ["refusal"]
    gate = Gate(PASSAGES, "Quem pintou a fachada?")
    assert list(gate.let_through(iter([NO_ANSWER]))) == [NO_ANSWER]
    assert gate.refused


@given(st.integers(1, 12))
def test_the_pieces_do_not_matter(size: int) -> None:
    text = (
        "Ela funciona das 8h às 21h [1]. Fecha às segundas-feiras para limpeza. [1] "
        "Até três convidados por dia [1]."
    )
    chunks = [text[i : i + size] for i in range(0, len(text), size)]
    gate = Gate(PASSAGES, "Como funciona a piscina?")
    assert "".join(gate.let_through(iter(chunks))) == text


def test_a_refusal_says_what_was_searched() -> None:
    searched = [
        Searched("nos seus documentos", 12, [{"title": "Ata", "page": 3, "content": "x"}]),
        Searched("na Enciclopédia Luna", None, []),
    ]
    assert refusal_text("Quem pintou a fachada?", searched) == (
        f"{NO_ANSWER} Procurei por “Quem pintou a fachada” nos seus documentos (12 documentos) e na "
        f"Enciclopédia "
        "Luna. O que mais se aproxima é “Ata”, p. 3."
    )


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Quem descobriu o Brasil?", Asks.PERSON),
        ("em que ano acabou a guerra", Asks.DATE),
        ("que horas abre", Asks.TIME),
        ("quanto custa", Asks.MONEY),
        ("Quantos alunos há?", Asks.QUANTITY),
        ("onde fica a Sé", Asks.PLACE),
        ("por que o céu é azul", Asks.REASON),
        ("como plantar alface", Asks.MANNER),
        ("o que é rima", Asks.DEFINITION),
        ("A água é aquecida?", Asks.YES_NO),
        ("Qual cor combina?", Asks.THING),
        ("preço do ingresso", Asks.MONEY),
    ],
)
def test_what_a_question_asks_for(question: str, asks: Asks) -> None:
    assert analyse_question(question).asks is asks


def test_headings_and_sentences_of_overlapping_passages_are_no_rivals() -> None:
    chunk = {"title": "Regulamento", "heading_path": ["Art. 7º Síndico"]}
    text = (
        "Art. 7º Síndico\n\nO síndico é Roberto Farias, do apartamento 302.\n\nO telefone dele é 3333-1000."
    )
    alone = extractive_answer("Quem é o síndico?", [{**chunk, "content": text}])
    twice = extractive_answer("Quem é o síndico?", [{**chunk, "content": text}, {**chunk, "content": text}])
    assert alone is not None
    assert alone.citations[0].quote == "O síndico é Roberto Farias, do apartamento 302."
    assert twice is not None
    assert twice.confidence == pytest.approx(alone.confidence)


@pytest.mark.parametrize(
    "heading", ["CLÁUSULA TERCEIRA - DO ALUGUEL", "Capítulo II: Das multas", "Art. 5º Mudanças"]
)
def test_a_numbered_heading_is_never_an_answer(heading: str) -> None:
    found = extractive_answer(heading, [{"content": f"{heading}\n\nNada mais."}], threshold=0)
    assert found is None or found.citations[0].quote == "Nada mais."
