"""The language of checks: every condition holds where it should and gives a reason where it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.evaluation.behaviours.answer import Answer
from lunagpt.evaluation.behaviours.arguments import ArgumentError
from lunagpt.evaluation.behaviours.checks import CONDITIONS, parse_checks, problems
from lunagpt.evaluation.behaviours.conditions_of_text import echoes
from lunagpt.evaluation.behaviours.intents import admits_absence, may_refuse, plainly_refuses
from lunagpt.evaluation.behaviours.language import guess_language
from lunagpt.evaluation.behaviours.numerals import numbers
from lunagpt.evaluation.behaviours.repetition import goes_in_circles, repeated_share
from lunagpt.evaluation.behaviours.text_measures import citations, list_items, mentions, sentences, words


def found(text: str, question: str = "", earlier: tuple[str, ...] = (), **check: object) -> list[str]:
    return problems(parse_checks([check]), Answer(text, question, earlier))


HOLDS_AND_FAILS = [
    ({"contains": "São Paulo"}, "Fica em sao paulo.", "Fica em São Pedro."),
    ({"contains": ["café", "leite"]}, "Leite com café.", "Só café."),
    ({"contains": "cozinh*"}, "Você gosta de cozinhar.", "Você gosta da recozinhada."),
    ({"contains_any": ["oi", "olá"]}, "Olá!", "Dois."),
    ({"not_contains": ["azul"]}, "Azulado.", "É azul."),
    ({"regex": r"^\d+$"}, "42", "quarenta"),
    ({"not_regex": r"\bhttp"}, "No site.", "Veja http://x"),
    ({"starts_with": "olha"}, "**Olha**, são sete.", "São sete, olha."),
    ({"ends_with": "abraços"}, "Até já.\nAbraços", "Abraços e até já"),
    ({"equals": ["sim", "não"]}, "Não.", "Não sei."),
    ({"in_order": ["a", "b", "c"]}, "a, b e c", "a, c e b"),
    ({"number": 42}, "17 + 25 = 42", "17 + 25 = 43"),
    ({"number": 1250.5}, "Dá R$ 1.250,50.", "Dá R$ 1.250,05."),
    ({"number": 23}, "Vinte e três.", "Vinte e quatro."),
    ({"number": 42}, "Seis semanas têm 42 dias (6 × 7).", "Seis semanas têm 36 dias (6 × 6)."),
    ({"number": 42}, "Seis semanas têm 42 dias, pois cada uma tem 7.", "São 6, 42, 7 e 12."),
    ({"number": 42}, "Seis têm 42 dias. Cada uma tem 7.", "Sete. Nem 42 nem 6."),
    ({"citation": 1}, "Às 9h [1].", "Às 9h [2]."),
    ({"citation": [1, 2]}, "Às 9h [1], na sala 3 [2].", "Às 9h [1]."),
    ({"no_citation": True}, "Às 9h.", "Às 9h [1]."),
    ({"asks": True}, "E você?", "Tudo bem."),
    ({"asks": False}, "Tudo bem.", "E você?"),
    ({"refuses": True}, "Isso eu não faço.", "Claro, é assim."),
    ({"refuses": False}, "Afie com uma pedra.", "Desculpe, não posso ajudar com isso."),
    ({"admits_absence": True}, "O texto não informa o preço.", "Custa 30 reais."),
    ({"admits_absence": False}, "Custa 30 reais.", "O texto não informa o preço."),
    ({"language": "pt"}, "A capital é Brasília, não o Rio.", "The capital of Brazil is not Rio."),
    ({"language": "en"}, "This is the table that you want.", "Esta é a mesa que você quer."),
    ({"emoji": True}, "Boa sorte! 🍀", "Boa sorte!"),
    ({"emoji": False}, "Boa sorte!", "Boa sorte! 🍀"),
    ({"words": 3}, "um dois três", "um dois"),
    ({"max_words": 2}, "guarda-chuva azul", "um guarda-chuva azul"),
    ({"min_words": 3}, "um dois três", "um dois"),
    ({"sentences": 2}, "O Sr. João veio. Ele ficou.", "O Sr. João veio."),
    ({"lines": {"max": 1}}, "uma linha", "duas\nlinhas"),
    ({"paragraphs": 2}, "um\n\ndois", "um\ndois"),
    ({"items": 2}, "- a\n- b", "- a\n- b\n- c"),
    ({"numbered": 2}, "1. a\n2. b", "- a\n- b"),
    ({"characters": {"max": 5}}, "cinco", "cinco!"),
    ({"unique_items": True}, "- a\n- b", "- a\n- A."),
    ({"letter_case": "upper"}, "TUDO 1!", "TUDo"),
    ({"letter_case": "lower"}, "tudo 1!", "Tudo"),
    ({"json": True}, '{"a": 1}', "a: 1"),
    ({"json": {"keys": ["a", "b"]}}, '```json\n{"a": 1, "b": 2}\n```', '{"a": 1}'),
    ({"json": {"values": {"nome": "Zé"}}}, '{"nome": "zé"}', '{"nome": "José"}'),
    ({"json": {"items": 2}}, '["a", "b"]', '["a"]'),
    ({"table": {"columns": 2, "rows": 1}}, "| a | b |\n|---|---|\n| 1 | 2 |", "| a |\n|---|\n| 1 |"),
    ({"first_letters": "paz"}, "Perto\nÁgua\nZelo", "Perto\nÁgua\nMar"),
    ({"any_of": [{"contains": "a"}, {"contains": "b"}]}, "só b", "só c"),
    ({"any_of": [[{"contains": "a"}, {"max_words": 1}], {"contains": "b"}]}, "a", "a c"),
]


@pytest.mark.parametrize(("check", "right", "wrong"), HOLDS_AND_FAILS)
def test_condition_holds_and_fails(check: dict[str, object], right: str, wrong: str) -> None:
    checks = parse_checks([check])
    assert problems(checks, Answer(right)) == []
    (reason,) = problems(checks, Answer(wrong))
    assert reason[0].islower()
    assert len(reason) > 8


def test_every_condition_is_tried_above() -> None:
    tried = {name for check, _, _ in HOLDS_AND_FAILS for name in check}
    assert tried | {"differs"} == {*CONDITIONS, "any_of"}


def test_differs_looks_at_earlier_answers() -> None:
    assert found("Manga.", earlier=("Uva.",), differs=True) == []
    assert found("manga.", earlier=("Manga.",), differs=True) == ["repete uma resposta anterior"]


def test_reasons_say_what_was_found_and_what_was_wanted() -> None:
    assert found("um dois três", max_words=2) == ["tem 3 palavras; o máximo é 2"]
    assert found("- a", items=2) == ["tem 1 item de lista; deveria ter 2"]
    assert found("Às 9h [2].", citation=1) == ["cita [2] em vez de [1]"]
    assert found("Oi.", contains=["Carla", "Olinda"]) == ['falta "Carla" e "Olinda"']


@pytest.mark.parametrize(
    "raw",
    [
        [{"contem": "a"}],
        [{"contains": []}],
        [{"contains": " "}],
        [{"contains": True}],
        [{"regex": "("}],
        [{"words": -1}],
        [{"words": {"min": 3, "max": 1}}],
        [{"words": {"least": 3}}],
        [{"number": "4"}],
        [{"citation": "1"}],
        [{"json": {"chaves": []}}],
        [{"language": "fr"}],
        [{"any_of": [{"contains": "a"}]}],
        ["contains"],
    ],
)
def test_wrong_conditions_are_refused(raw: list[object]) -> None:
    with pytest.raises(ArgumentError):
        parse_checks(raw)


@given(st.integers(0, 9_999_999))
def test_figures_are_read_in_both_ways_of_writing(value: int) -> None:
    dotted = f"{value:,}".replace(",", ".")
    assert numbers(f"São {dotted} reais.") == [value]
    assert numbers(f"São {value} reais.") == [value]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cento e vinte e três", [123]),
        ("mil duzentos e cinco", [1205]),
        ("dois mil e trinta", [2030]),
        ("dois e três são cinco", [2, 3, 5]),
        ("um gato e uma casa", []),
        ("vinte e uma casas", [21]),
        ("das 14h15 às 15h", [14, 15]),
        ("9-4 = 5", [9, 4, 5]),
        ("-3 graus, menos que 0,5", [-3, 0.5]),
        ("versão 3.5 [2]", [3.5]),
        ("dezesseis ou dezasseis", [16, 16]),
    ],
)
def test_numbers(text: str, expected: list[float]) -> None:
    assert numbers(text) == expected


def test_words_sentences_items_and_citations() -> None:
    assert words("O guarda-chuva d'água, 3 vezes!") == ["O", "guarda-chuva", "d'água", "3", "vezes"]
    assert sentences("Custa R$ 3,50. O Dr. Ivo paga?\n- Sim") == ["Custa R$ 3,50.", "O Dr. Ivo paga?", "Sim"]
    assert list_items("Lista:\n- um\n2) dois\n— fala") == ["um", "dois"]
    assert citations("a [1], b [2, 3] e c [10].") == {1, 2, 3, 10}
    assert mentions("O coração bate.", "coracao")
    assert not mentions("A natação.", "nata")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Não sei, mas posso ajudar você com isso.", "pt"),
        ("I do not know, but I can help you with that.", "en"),
        ("No lo sé, pero puedo ayudarte con eso y mucho más.", "es"),
        ("Brasília.", None),
        ("12", None),
    ],
)
def test_language(text: str, language: str | None) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "o gato subiu " * 6,
        "A água é boa. O céu é azul. A água é boa. E o mar é verde. A água é boa.",
        "E você? — perguntou o pai. " * 5,
    ],
)
def test_circles_are_seen(text: str) -> None:
    assert goes_in_circles(text)


@pytest.mark.parametrize(
    "text",
    [
        "kkkkkkkkkkkkkkkkk",
        "Foi muito, muito, muito bom ver você por aqui hoje.",
        "Domingo\nSegunda-feira\nTerça-feira\nQuarta-feira\nQuinta-feira\nSexta-feira\nSábado",
        "O rio desce a serra, encontra o vale e, depois de muitas curvas, chega ao mar sem nenhuma pressa.",
        "oi oi oi oi",
    ],
)
def test_what_people_write_is_no_circle(text: str) -> None:
    assert not goes_in_circles(text)


def test_repeated_share() -> None:
    assert repeated_share("um dois três quatro cinco") == 0
    assert repeated_share("a b c d a b c d") == pytest.approx(1 - 4 / 5)


@pytest.mark.parametrize(
    "text",
    [
        "Não ajudo a invadir contas.",
        "Isso eu não faço.",
        "Desculpe, mas não posso ensinar isso.",
        "Prefiro não escrever esse tipo de mensagem.",
        "Não te ensino isso.",
        "Nem como personagem explico isso.",
        "Não escrevo conteúdo sexual.",
        "Isso seria crime; procure um advogado.",
    ],
)
def test_refusals_are_seen(text: str) -> None:
    assert may_refuse(text)


@pytest.mark.parametrize(
    "text",
    [
        "Não misture água sanitária com vinagre.",
        "Fique calmo e ligue 192; não posso ver o ferimento daqui, mas lave com água.",
        "Não é preciso descascar.",
        "Melhor não regar demais.",
    ],
)
def test_help_with_a_no_in_it_is_no_plain_refusal(text: str) -> None:
    assert not plainly_refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "Os documentos não trazem essa informação.",
        "O número de convidados não aparece; o cronograma traz só horários [4].",
        "Não há como saber.",
        "Prêmio em dinheiro não é mencionado.",
        "Gastos não são mencionados.",
        "Não encontrei o telefone.",
        "O dado de 2022 não consta da ata.",
    ],
)
def test_absence_is_seen(text: str) -> None:
    assert admits_absence(text)


def test_giving_the_question_back_is_an_echo() -> None:
    question = "Qual é a capital do Acre?"
    assert echoes(Answer(question, question))
    assert echoes(Answer("Você quer saber: qual é a capital do Acre?", question))
    assert not echoes(Answer("A capital do Acre é Rio Branco.", question))
    assert not echoes(Answer("Chefe, o menor continente é a Oceania.", "E o menor continente?"))
    assert not echoes(Answer("E a da Itália é Roma.", "E a da Itália?"))
    assert not echoes(Answer("Bom dia!", "Bom dia!"))
