"""Documents such as people have: rules, entries and values that are quoted although in other words, and
others of the same kind that are not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat
from lunagpt.chat.grounding import extractive_answer
from lunagpt.chat.grounding.contrasts import exclude
from lunagpt.chat.grounding.questions import analyse_question
from lunagpt.chat.grounding.synonyms import other_words
from lunagpt.chat.grounding.units import cut_passages
from lunagpt.config import LunaConfig
from lunagpt.rag import RAGSystem

LEASE = {
    "title": "Contrato",
    "content": "LOCADORA: Helena Prado, dentista. O locatário é professor.\n\nAnimais são permitidos, desde "
    "que não incomodem. É proibido sublocar o imóvel. A água e a luz ficam por conta do locatário. O IPTU é "
    "pago pela locadora.",
}
SCHOOL = {
    "title": "Calendário",
    "content": "As aulas de 2026 começam em 9 de fevereiro. Em 2025, o ano letivo terminou em 12 de "
    "dezembro. As provas do segundo trimestre são de 10 a 13 de agosto. A aula de natação custa R$ 40,00. A "
    "secretaria atende das 7h às 17h.",
}
MANUAL = {
    "title": "Manual",
    "content": "tensão | 127 V, não é bivolt\n\nA embalagem com a lavadora pesa 41 kg.\n\n"
    "Posso usar extensão elétrica?\nNão. Ligue a máquina a uma tomada aterrada.\n\n"
    "Com que frequência devo limpar o filtro?\nA cada 15 lavagens.",
}
PASSAGES = [LEASE, SCHOOL, MANUAL]


def quoted(question: str, *passages: dict[str, Any]) -> str | None:
    answer = extractive_answer(question, passages or PASSAGES)
    return None if answer is None else answer.citations[0].quote


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Posso ter cachorro?", "Animais são permitidos, desde que não incomodem."),
        ("É permitido ter gato?", "Animais são permitidos, desde que não incomodem."),
        ("Pode sublocar o apartamento?", "É proibido sublocar o imóvel."),
        ("A máquina é bivolt?", "tensão | 127 V, não é bivolt"),
        ("Posso usar extensão?", "Não. Ligue a máquina a uma tomada aterrada."),
        ("Quem paga a luz?", "A água e a luz ficam por conta do locatário."),
        ("Quem paga o IPTU?", "O IPTU é pago pela locadora."),
        ("Quem é a locadora?", "LOCADORA: Helena Prado, dentista."),
        ("Quando começam as aulas de 2026?", "As aulas de 2026 começam em 9 de fevereiro."),
        ("Que horas fecha a secretaria?", "A secretaria atende das 7h às 17h."),
    ],
)
def test_what_is_written_in_other_words_is_quoted(question: str, expected: str) -> None:
    assert quoted(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Posso ter piscina?",
        "Pode fumar no apartamento?",
        "Quem paga o gás?",
        "Quem é a fiadora?",
        "Quando começam as aulas em 2025?",
        "Quando são as provas do terceiro trimestre?",
        "Quanto custa a aula de ioga?",
        "Quanto a lavadora pesa?",
    ],
)
def test_another_thing_of_the_same_kind_is_no_answer(question: str) -> None:
    assert quoted(question) is None


def test_a_year_inside_of_those_told_is_not_another_one() -> None:
    reign = {"title": "Ata", "content": "A síndica Rosa Lima dirigiu o prédio de 2019 a 2023."}
    assert extractive_answer("Quem dirigiu o prédio em 2021?", [reign], threshold=0.1) is not None
    assert extractive_answer("Quem dirigiu o prédio em 2011?", [reign], threshold=0.0) is None


def test_a_bare_no_goes_with_what_follows_in_its_line() -> None:
    content = "Posso sair? Não. Fique em casa. Sim.\n\nVolte cedo."
    texts = [unit.text for unit in cut_passages([{"content": content}])[0]]
    assert texts == ["Posso sair?", "Não. Fique em casa.", "Sim.", "Volte cedo."]


@pytest.mark.parametrize(
    ("first", "second", "in_range", "expected"),
    [
        ("abre", "fecha", False, True),
        ("abre", "fecha", True, False),
        ("terceiro", "segundo", True, True),
        ("segunda", "quinta", False, True),
        ("abre", "aberto", False, False),
        ("mesa", "cadeira", False, False),
    ],
)
def test_words_that_exclude_one_another(first: str, second: str, in_range: bool, expected: bool) -> None:
    assert exclude(first, second, in_range=in_range) is expected
    assert exclude(second, first, in_range=in_range) is expected


def test_documents_are_searched_by_other_words_too(tmp_path: Any) -> None:
    (tmp_path / "regras.md").write_text(f"# Regras\n\n{LEASE['content']}\n", "utf-8")
    rag = RAGSystem(LunaConfig(), embedding_model=False)
    rag.index_directory(tmp_path, embed="later")
    chat = LunaChat(ScriptedEngine.echo(), rag)
    chat.model_reads_passages = False
    assert "cachorro" not in LEASE["content"]
    assert "Animais são permitidos" in chat.ask("Posso ter cachorro?")
    assert chat.report.query == "Posso ter cachorro?"
    chat.ask("Posso ter piscina?")
    assert chat.report.grounding == "refusal"
    rag.close()


def test_other_words_leave_out_those_that_were_said() -> None:
    found = other_words("Posso ter cachorro?")
    assert {"animais", "gato"} <= set(found)
    assert "cachorro" not in found
    assert other_words("Quem é o zelador?") == []


def test_an_ordinal_is_one_thing_in_words_and_in_figures() -> None:
    books = {
        "title": "Leituras",
        "content": "- 1º bimestre: O cortiço\n- 2º bimestre: Capitães da areia\n- 3ª prova: Vidas secas",
    }
    for question, expected in [
        ("Qual livro do segundo bimestre?", "2º bimestre"),
        ("Qual livro do primeiro bimestre?", "1º bimestre"),
        ("Qual livro da terceira prova?", "3ª prova"),
    ]:
        answer = extractive_answer(question, [books], threshold=0.0)
        assert answer is not None
        assert expected in answer.citations[0].quote
    assert "2" in other_words("Qual livro do segundo bimestre?")
    assert "segund" not in analyse_question("Segundo o contrato, quem paga?").stems
