"""Talk goes to the model, questions on the world to the encyclopaedia."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat
from lunagpt.chat.grounding import Intent, intent_of
from lunagpt.chat.grounding.router import asks_for_a_fact

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "talk_and_questions.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
TALK = [row for row in ROWS if row["kind"] == "conversa"]
QUESTIONS = [row for row in ROWS if row["kind"] == "pergunta"]


def grounding(row: dict[str, Any]) -> str | None:
    """Where the answer of a small model comes from; None: from itself."""
    chat = LunaChat(ScriptedEngine(lambda _messages: "conversa"), encyclopedia=True)
    chat.model_reads_passages = False
    chat.send_message_with_history(row["message"], row["history"])
    return chat.report.grounding


def test_talk_is_not_hijacked() -> None:
    """Dialogues of which half have never been looked at, and the greetings everybody tries."""
    assert len(TALK) >= 80
    hijacked = [row["message"] for row in TALK if grounding(row) is not None]
    assert len(hijacked) <= 0.05 * len(TALK), hijacked
    assert not {row["message"] for row in TALK if row["domain"] == "extra"} & set(hijacked)


def test_questions_on_the_world_are_looked_up() -> None:
    """Questions that the encyclopaedia has never seen: most are answered, few are left to the model."""
    assert len(QUESTIONS) >= 80
    found = [grounding(row) for row in QUESTIONS]
    assert found.count("extractive") >= 0.5 * len(QUESTIONS)
    assert found.count(None) <= 0.3 * len(QUESTIONS)


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        ("Quem descobriu o Brasil?", Intent.QUESTION),
        ("capital da frança", Intent.QUESTION),
        ("Luna, quem foi Zumbi?", Intent.QUESTION),
        ("me explica o que é inflação", Intent.QUESTION),
        ("preço do ingresso", Intent.QUESTION),
        ("Posso levar meu cachorro?", Intent.PERSONAL),
        ("Minha filha tem 12 anos; ela entra na piscina?", Intent.PERSONAL),
        ("Que horas abre hoje?", Intent.PERSONAL),
        ("Quanto é 2 + 3?", Intent.TALK),
        ("oi, quanto dá 12 vezes 7?", Intent.TALK),
        ("quanto é 20% de 150", Intent.TALK),
        ("Calcule (3,5 + 2) × 4", Intent.TALK),
        ("Quanto é 1 milha em quilômetros?", Intent.QUESTION),
        ("oi", Intent.TALK),
        ("bom dia, Luna!", Intent.TALK),
        ("qual é o seu nome?", Intent.TALK),
        ("estou triste", Intent.TALK),
        ("você gosta de samba?", Intent.TALK),
        ("escreve um poema sobre o mar", Intent.TALK),
        ("lembra do que eu te falei?", Intent.TALK),
        ("kkkk", Intent.TALK),
        ("...", Intent.TALK),
        ("quero morrer", Intent.TALK),
        ("Quantos anos Machado de Assis tinha quando morreu?", Intent.QUESTION),
        ("Quantos anos ele tinha quando morreu?", Intent.QUESTION),
        ("Quantos anos eu tinha em 2010?", Intent.PERSONAL),
        ("Onde estava o recibo?", Intent.PERSONAL),
    ],
)
def test_what_a_message_wants(message: str, intent: Intent) -> None:
    assert intent_of(message) is intent


def test_loose_words_are_a_search_only_at_the_start_or_after_an_answer_with_citations() -> None:
    asked = [{"role": "user", "content": "oi"}, {"role": "assistant", "content": "Qual prato?"}]
    cited = [{"role": "user", "content": "capital da frança"}, {"role": "assistant", "content": "Paris [1]."}]
    assert intent_of("lentilha") is Intent.QUESTION
    assert intent_of("lentilha", asked) is Intent.TALK
    assert intent_of("capital da itália", cited) is Intent.QUESTION


@pytest.mark.parametrize(
    "message",
    ["Chiquinha Gonzaga era casada com quem?", "Quanto a onça-pintada pesa?", "Quais os idiomas da Suíça?"],
)
def test_a_fact_of_the_world_is_asked_for_however_the_question_is_turned(message: str) -> None:
    history = [
        {"role": "user", "content": "Me fale da onça-pintada"},
        {"role": "assistant", "content": "É [1]."},
    ]
    assert asks_for_a_fact(message, history)
