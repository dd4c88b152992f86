"""Follow-up questions in full; other messages untouched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.chat.grounding import rewrite_follow_up

CABRAL = ("Quem descobriu o Brasil?", "Pedro Álvares Cabral comandou a esquadra portuguesa [1].")


def after(question: str, answer: str, follow_up: str) -> str:
    history = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return rewrite_follow_up(follow_up, history)


@pytest.mark.parametrize(
    ("question", "answer", "follow_up", "expected"),
    [
        (*CABRAL, "E em que ano?", "Em que ano descobriu o Brasil?"),
        (*CABRAL, "Onde ele nasceu?", "Onde Pedro Álvares Cabral nasceu?"),
        (*CABRAL, "e quando ele morreu?", "Quando Pedro Álvares Cabral morreu?"),
        (*CABRAL, "Quando nasceu?", "Quando nasceu Pedro Álvares Cabral?"),
        ("Qual foi a mínima de julho?", "1,8 °C [1].", "E a máxima?", "Qual foi a máxima de julho?"),
        ("taxa do emprestimo safra certa", "0,9% [1].", "E o prazo máximo?", "o prazo máximo do emprestimo "
                                                                             "safra certa?"),
        (
            "Quanto custa alugar o espaço gourmet do Ipê Amarelo em 2024?",
            "R$ 160,00 [1].",
            "E a churrasqueira pequena?",
            "Quanto custa alugar a churrasqueira pequena do Ipê Amarelo em 2024?",
        ),
        ("pior nota da padaria", "5,2 [2].", "E a melhor?", "melhor nota da padaria?"),
        (
            "Quanto custa a inscrição para os 10 km da Corrida da Serra?",
            "Custa R$ 75,00 [2].",
            "e a de 21 km?",
            "Quanto custa a inscrição para os 21 km da Corrida da Serra?",
        ),
        ("Quantos alunos se formaram em "
         "2019?", "120 [1].", "E em 2020?", "Quantos alunos se formaram em 2020?"),
        ("Qual é a capital da França?", "A capital da França é Paris "
                                        "[1].", "E a da Itália?", "Qual é a capital da Itália?"),
        ("Qual é a capital da França?", "É Paris [1].", "Quantos habitantes ela tem?", "Quantos habitantes "
                                                                                       "Paris tem?"),
        ("O que é fotossíntese?", "Um processo [1].", "Onde isso acontece?", "Onde fotossíntese acontece?"),
        ("A piscina fecha às segundas?", "Sim [1].", "Por quê?", "Por que a piscina fecha às segundas?"),
        ("Qual é o telefone do síndico?", "3333 [1].", "E o da portaria?", "Qual é o telefone da portaria?"),
        ("Quanto custa o ingresso?", "R$ 15 [1].", "e para crianças?", "Quanto custa o ingresso para "
                                                                       "crianças?"),
        ("Quem escreveu Dom Casmurro?", "Machado de Assis [1].", "E Iracema?", "Quem escreveu Iracema?"),
        ("Quem escreveu Dom Casmurro?", "Machado de Assis [1].", "Onde ele nasceu?", "Onde Machado de "
                                                                                     "Assis nasceu?"),
        ("Qual a altura do Everest?", "8.849 m [1].", "E do Kilimanjaro?", "Qual a altura do Kilimanjaro?"),
        ("Como funciona o motor a "
         "diesel?", "Por compressão [1].", "Quem o inventou?", "Quem inventou o motor a diesel?"),
        ("Que horas abre a biblioteca?", "Às 8h [1].", "E fecha?", "Que horas fecha a biblioteca?"),
        ("Qual o horário da missa de "
         "domingo?", "7h [1].", "e no sábado?", "Qual o horário da missa de sábado?"),
        (
            "Quando foi a Revolução Francesa?",
            "Em 1789 [1].",
            "Quais foram as causas dela?",
            "Quais foram as causas da Revolução Francesa?",
        ),
        (
            "Quem foi Tiradentes?",
            "Joaquim José da Silva Xavier [1].",
            "Qual era o seu nome verdadeiro?",
            "Qual era o nome verdadeiro de Tiradentes?",
        ),
        ("Onde fica o Pantanal?", "No Centro-Oeste [1].", "Que animais vivem lá?", "Que animais vivem no "
                                                                                   "Pantanal?"),
        ("O que é lítio?", "Um metal [1].", "e o símbolo dele?", "Qual é o símbolo de lítio?"),
        ("Qual é a moeda da Suíça?", "O franco [1].", "e os idiomas?", "Quais são os idiomas da Suíça?"),
        ("Quem escreveu O cortiço?", "Aluísio Azevedo [1].", "Quando foi publicado?", "Quando foi publicado "
                                                                                      "o cortiço?"),
        ("O que é O cortiço?", "Um romance [1].", "sobre o que é?", "Sobre o que é o cortiço?"),
        (
            "Qual é o maior rio do Brasil?",
            "Não encontrei isso na Enciclopédia Luna, e sem uma fonte eu poderia inventar a resposta.",
            "Quantos km ele tem?",
            "Quantos km o maior rio do Brasil tem?",
        ),
        ("Me fale de Blumenau", "Uma cidade [1].", "E a população?", "Qual é a população de Blumenau?"),
        ("Me fale do rio Congo", "Um rio [1].", "Onde ele nasce?", "Onde o rio Congo nasce?"),
        ("O que é zircônio?", "Um metal [1].", "E o número atômico?", "Qual é o número atômico de zircônio?"),
        ("Me fale de Curitiba", "Uma cidade [1].", "Quem fundou a cidade?", "Quem fundou Curitiba?"),
        ("O que é Barbados?", "Um país [1].", "Quando ficou independente?", "Quando ficou independente "
                                                                             "Barbados?"),
        ("Quem pintou a Mona Lisa?", "Leonardo da Vinci [1].", "Onde ela está?", "Onde a Mona Lisa está?"),
        (
            "Quem escreveu Grande sertão: veredas?",
            "João Guimarães Rosa [1].",
            "Quando foi publicado?",
            "Quando foi publicado Grande sertão: veredas?",
        ),
        ("O que é a meia-entrada?", "Um desconto [1].", "E a inteira?", "O que é a inteira?"),
        ("Quem foi Tiradentes?", "Um inconfidente [1].", "E a esposa?", "Qual é a esposa de Tiradentes?"),
        ("valor da multa por atraso", "R$ 10 [1].", "na segunda vez?", "valor da multa por atraso na "
                                                                       "segunda vez?"),
    ],
)  # fmt: skip
def test_follow_ups_are_said_in_full(question: str, answer: str, follow_up: str, expected: str) -> None:
    assert after(question, answer, follow_up) == expected


@pytest.mark.parametrize(
    "message",
    [
        "Qual é a capital do Peru?",
        "O que é um quilombo?",
        "e você?",
        "Obrigada!",
        "Quanto custa o estacionamento do shopping aos domingos?",
        "E o que diz o artigo 5º da Constituição sobre a liberdade de expressão no Brasil de hoje?",
    ],
)
def test_what_stands_by_itself_is_left_alone(message: str) -> None:
    assert after("Quem foi Tiradentes?", "Um inconfidente [1].", message) == message
    assert rewrite_follow_up(message, []) == message


def test_a_chain_of_follow_ups_keeps_its_subject() -> None:
    history = [
        {"role": "user", "content": "Qual é a capital da França?"},
        {"role": "assistant", "content": "É Paris [1]."},
        {"role": "user", "content": "E a da Itália?"},
        {"role": "assistant", "content": "É Roma [1]."},
    ]
    assert rewrite_follow_up("E a da Espanha?", history) == "Qual é a capital da Espanha?"
    assert rewrite_follow_up("Quantos habitantes ela tem?", history) == "Quantos habitantes Roma tem?"


def test_several_things_that_were_counted_can_be_asked_about() -> None:
    history = [
        {"role": "user", "content": "Quantos planetas tem o sistema solar?"},
        {"role": "assistant", "content": "São oito planetas [1]."},
    ]
    assert rewrite_follow_up("Qual o maior deles?", history) == "Qual o maior dos planetas do sistema solar?"


def test_a_follow_up_late_in_a_long_conversation_is_said_in_full() -> None:
    history = []
    for question in [
        "Oi!",
        "Quem é você?",
        "Por que o céu é azul?",
        "Quais livros Machado de Assis escreveu?",
    ]:
        history += [{"role": "user", "content": question}, {"role": "assistant", "content": "Pois é [1]."}]
    history += [
        {"role": "user", "content": "E onde ele nasceu?"},
        {"role": "assistant", "content": "Nasceu no morro do Livramento, no Rio de Janeiro [1]."},
    ]
    assert rewrite_follow_up("E quando?", history) == "Quando Machado de Assis nasceu?"


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=60))
def test_any_conversation_can_be_followed(question: str, answer: str, message: str) -> None:
    assert isinstance(after(question, answer, message), str)
