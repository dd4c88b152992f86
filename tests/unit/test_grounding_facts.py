"""Figures, dates, times and names, in whatever form they are written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.chat.grounding.facts import FactBase, find_dates, find_facts, find_names
from lunagpt.chat.grounding.figures import find_numbers, parse_digits

_UNIT_WORDS = """
zero um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze dezesseis
dezessete dezoito dezenove
"""
UNITS = _UNIT_WORDS.split()
TENS = ["", "", "vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa"]
HUNDREDS = ["", "cento", "duzentos", "trezentos", "quatrocentos", "quinhentos", "seiscentos", "setecentos"]
HUNDREDS += ["oitocentos", "novecentos"]


def spelled(number: int) -> str:
    """A number up to 999,999 in words."""
    if number < 20:
        return UNITS[number]
    if number < 100:
        rest = f" e {UNITS[number % 10]}" if number % 10 else ""
        return TENS[number // 10] + rest
    if number == 100:
        return "cem"
    if number < 1000:
        rest = f" e {spelled(number % 100)}" if number % 100 else ""
        return HUNDREDS[number // 100] + rest
    head = "mil" if number // 1000 == 1 else f"{spelled(number // 1000)} mil"
    below = number % 1000
    if not below:
        return head
    return f"{head} e {spelled(below)}" if below <= 100 or below % 100 == 0 else f"{head} {spelled(below)}"


def values(text: str) -> list[set[Decimal]]:
    return [set(number.values) for number in find_numbers(text)]


@given(st.integers(2, 999_999))
def test_spelled_numbers_are_read(number: int) -> None:
    assert values(f"foram {spelled(number)} casas") == [{Decimal(number)}]


@given(st.integers(0, 10**12))
def test_grouped_thousands_are_read(number: int) -> None:
    grouped = f"{number:,}".replace(",", ".")
    assert Decimal(number) in parse_digits(grouped)
    assert Decimal(number) in parse_digits(grouped.replace(".", "\u00a0"))


@given(st.integers(0, 10**7), st.integers(0, 99))
def test_money_is_the_same_with_and_without_grouping(whole: int, cents: int) -> None:
    plain = f"{whole},{cents:02d}"
    grouped = f"{whole:,}".replace(",", ".") + f",{cents:02d}"
    assert parse_digits(plain) & parse_digits(grouped) == {Decimal(f"{whole}.{cents:02d}").normalize()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.500,50", "1500.5"),
        ("1500,5", "1500.5"),
        ("1,500.50", "1500.5"),
        ("2,2 milhões", "2200000"),
        ("dois milhões e trezentos mil", "2300000"),
        ("mil novecentos e oitenta e quatro", "1984"),
        ("XV", "15"),
        ("MCMLXXXIV", "1984"),
        ("1 500 000", "1500000"),
        ("vinte e três", "23"),
    ],
)
def test_forms_of_numbers(text: str, value: str) -> None:
    assert Decimal(value) in values(f"são {text} ao todo")[0]


def test_articles_are_no_numbers() -> None:
    assert find_numbers("um homem comprou uma casa e meia dúzia de ovos") == []


@pytest.mark.parametrize(
    ("answer", "passage", "carried"),
    [
        ("Foi em 22 de abril de 1500.", "A frota chegou em 22/04/1500.", True),
        ("Foi em 22/04/1500.", "A frota chegou em 22 de abril de 1500.", True),
        ("Foi em abril de 1500.", "A frota chegou em 22/04/1500.", True),
        ("Foi em 23 de abril de 1500.", "A frota chegou em 22/04/1500.", False),
        ("Foi em 22 de abril de 1501.", "A frota chegou em 22/04/1500.", False),
        ("Foi em 1500.", "A frota chegou em 1500-04-22.", True),
        ("São dois navios.", "A frota tinha 2 navios.", True),
        ("São 13 navios.", "A frota tinha treze navios.", True),
        ("São 14 navios.", "A frota tinha treze navios.", False),
        ("Custa R$ 1.500,50.", "O preço é de 1500,5 reais.", True),
        ("Custa R$ 1.500,51.", "O preço é de 1500,5 reais.", False),
        ("Fecha às 20h.", "Aberto até as 20:00.", True),
        ("Fecha às 8h da noite.", "Aberto até as 20h.", True),
        ("Fecha às 20h30.", "Aberto até as 20h.", False),
        ("Abre às sextas.", "Abre de sexta-feira a domingo.", True),
        ("Abre aos domingos.", "Abre às segundas-feiras.", False),
        ("Foi no século XIX.", "Aconteceu no século 19.", True),
        ("Quem dirigiu foi Carlo Benedetti.", "A obra foi dirigida por Carlo Benedetti.", True),
        ("Quem dirigiu foi Carlos Bendito.", "A obra foi dirigida por Carlo Benedetti.", False),
        ("Fica na Praça da Sé.", "O endereço é Praça da Sé, 10.", True),
        ("Fica em SAO PAULO.", "Fica em São Paulo.", True),
    ],
)
def test_facts_are_found_again_in_another_form(answer: str, passage: str, carried: bool) -> None:
    base = FactBase.of([passage])
    facts = find_facts(answer)
    assert facts
    assert all(base.has(fact) for fact in facts) is carried


def test_names_hold_together_and_sentence_starts_are_no_names() -> None:
    text = "Ontem a Maria da Penha foi a Belo Horizonte. Depois ela voltou com o IBGE."
    assert [fact.text for fact in find_names(text)] == ["Maria da Penha", "Belo Horizonte", "IBGE"]


@given(st.text(max_size=200))
def test_any_text_can_be_searched_for_facts(text: str) -> None:
    for fact in find_facts(text):
        assert text[fact.start : fact.end] == fact.text
        assert FactBase.of([text]).has(fact)


def test_months_alone_and_streets_with_months() -> None:
    assert [date for _, _, date in find_dates("Rua Maio, 12")] == []
    assert len(find_dates("em maio e em junho de 2020")) == 2
