"""One fact about whom or what a text is about: sentences that state it answer with certainty, others not at
all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat
from lunagpt.chat.grounding import extractive_answer
from lunagpt.chat.grounding.measures import measure_asked, tells_measure
from lunagpt.chat.grounding.words import fold

FOLLOW_UPS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "encyclopedia_follow_ups.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def article(title: str, text: str) -> dict[str, Any]:
    return {"title": title, "content": text, "metadata": {"built_in": True}, "score": 0.9}


def answer(question: str, *articles: dict[str, Any]) -> str | None:
    found = extractive_answer(question, articles, threshold=0.9)
    return None if found is None else found.citations[0].quote


PERSON = article(
    "Ana Duarte",
    "Filha de um ferreiro, Ana Duarte nasceu em 1873 em Vila Rica. Estudou em Lisboa e casou-se com Pedro "
    "Lima. "
    "A irmã, Clara, morreu em 1890. Ana era generosa com os vizinhos. Publicou Marés, que vendeu 300 cópias. "
    "Já doente, morreu aos 59 anos, em 1932, no Guarujá.",
)
TOWN = article(
    "Serra Azul",
    "Serra Azul, capital do queijo, fica no alto da serra. Fundada em 1693 pelo tropeiro João Dias, tem 8,8 "
    "milhões de habitantes e 350 quilômetros quadrados. A moeda antiga era a pataca. O rio tem 30 metros de "
    "largura. A igreja foi aberta em 1745.",
)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Quando Ana Duarte nasceu?", "nasceu em 1873"),
        ("Onde Ana Duarte nasceu?", "Vila Rica"),
        ("Em que ano morreu Ana Duarte?", "em 1932"),
        ("Onde Ana Duarte morreu?", "Guarujá"),
        ("Com quantos anos Ana Duarte morreu?", "59 anos"),
        ("Com quem Ana Duarte se casou?", "Pedro Lima"),
    ],
)
def test_what_is_stated_of_a_person_is_certain(question: str, expected: str) -> None:
    assert expected in str(answer(question, PERSON))


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Qual é a população de Serra Azul?", "8,8 milhões"),
        ("Quantos habitantes tem Serra Azul?", "8,8 milhões"),
        ("Qual é a área de Serra Azul?", "350 quilômetros quadrados"),
        ("Quem fundou Serra Azul?", "João Dias"),
        ("Quando Serra Azul foi fundada?", "1693"),
        ("Qual era a moeda de Serra Azul?", "pataca"),
    ],
)
def test_what_is_stated_of_a_place_is_certain(question: str, expected: str) -> None:
    assert expected in str(answer(question, TOWN))


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("Quantos filhos Ana Duarte teve?", PERSON),
        ("Qual era a altura de Ana Duarte?", PERSON),
        ("Qual é a altura de Serra Azul?", TOWN),
        ("Qual é a profundidade de Serra Azul?", TOWN),
        ("Quem descreveu Serra Azul?", TOWN),
        ("Quando Serra Azul foi destruída?", TOWN),
    ],
)
def test_what_is_not_stated_is_not_answered(question: str, source: dict[str, Any]) -> None:
    found = extractive_answer(question, [source], threshold=0.6)
    assert found is None, found.text


def test_the_death_of_a_relative_is_not_the_persons_own() -> None:
    text = "Ana Duarte perdeu o pai, morto em 1880. A mãe dela morreu em 1881."
    assert answer("Quando Ana Duarte morreu?", article("Ana Duarte", text)) is None


def test_the_birth_of_somebody_named_in_the_sentence_is_not_that_of_the_title() -> None:
    text = "Em 1709, o padre Bartolomeu de Gusmão, nascido em Santos, mostrou um balão de ar quente ao rei."
    assert answer("Onde o balão nasceu?", article("Balão", text)) is None


def test_what_another_article_says_of_something_else_is_no_answer() -> None:
    port = article(
        "Porto Azul", "A maior cidade perto de Serra Azul, Porto Azul, tem 3 milhões de habitantes."
    )
    bare = article("Serra Azul", "Serra Azul fica no alto da serra.")
    assert answer("Qual é a população de Serra Azul?", bare, port) is None


@pytest.mark.parametrize(
    ("question", "sentence", "told"),
    [
        ("Qual é a altura dele?", "A torre tem 196 metros de altura.", True),
        ("Qual é a altura dele?", "O avião voou 60 metros.", False),
        ("Qual é a área dele?", "Tem 22 mil quilômetros quadrados.", True),
        ("Qual é a área dele?", "Corre por 22 mil quilômetros.", False),
        ("Quanto ele pesa?", "Pesa até 30 quilos.", True),
        ("Quanto ele pesa?", "Come 30 quilos de capim.", False),
        ("Quantos anos ele vive?", "Pode passar de 15 anos.", True),
        ("Qual é o diâmetro dela?", "Seu diâmetro, cerca de 3.475 quilômetros, é menor.", True),
    ],
)
def test_measures_are_told_with_their_unit(question: str, sentence: str, told: bool) -> None:
    measure = measure_asked(question)
    assert measure is not None
    assert tells_measure(measure, sentence) is told


def test_the_set_of_follow_ups_is_large_and_has_unanswerable_ones() -> None:
    assert len(FOLLOW_UPS) >= 120
    assert sum(not row["expected"] for row in FOLLOW_UPS) >= 40


@pytest.mark.nightly
def test_follow_ups_to_the_encyclopaedia_are_answered_or_refused() -> None:
    chat = LunaChat(ScriptedEngine(lambda _messages: "Entendo."), encyclopedia=True)
    chat.model_reads_passages = False
    right = wrong = 0
    for row in FOLLOW_UPS:
        chat.clear()
        chat.send_message(row["opening"])
        said = f" {fold(chat.send_message(row['question']))}"
        if chat.report.grounding == "extractive":
            good = any(f" {fold(words)}" in said for words in row["expected"])
            right, wrong = right + good, wrong + (not good)
    assert right >= 80  # of 94
    assert wrong <= 4  # of 154
