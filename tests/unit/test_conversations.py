"""Short conversations of talk, questions and follow-ups: who answers each turn, and from which article."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat

CONVERSATIONS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "conversations.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
FROM = {"extractive": "citação", "refusal": "recusa", None: "modelo"}


def test_there_are_enough() -> None:
    assert len(CONVERSATIONS) >= 40
    assert sum(map(len, CONVERSATIONS)) >= 120


@pytest.mark.parametrize("turns", CONVERSATIONS, ids=lambda turns: turns[0]["message"][:24])
def test_each_turn_is_answered_from_the_right_place(turns: list[dict[str, Any]]) -> None:
    chat = LunaChat(ScriptedEngine(lambda _messages: "Entendo."), encyclopedia=True)
    chat.model_reads_passages = False
    happened = []
    for turn in turns:
        chat.send_message(turn["message"])
        entry = {"message": turn["message"], "from": FROM[chat.report.grounding]}
        if chat.report.citations:
            entry["title"] = chat.report.citations[0].passage["title"]
        happened.append(entry)
    assert happened == turns


def test_a_small_model_does_not_read_the_quotations_before() -> None:
    engine = ScriptedEngine(lambda _messages: "Entendo.")
    chat = LunaChat(engine, encyclopedia=True)
    chat.model_reads_passages = False
    for message in ("oi", "Quem descobriu o Brasil?", "Quem ganhou a copa de 2030?", "estou triste"):
        chat.send_message(message)
    assert [entry["content"] for entry in engine.prompts[-1]] == ["oi", "Entendo.", "estou triste"]
    assert len(chat.history) == 8
