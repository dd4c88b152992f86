"""Skills: known models get their known values; variety without worth gets nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.evaluation_fakes import FakeModel

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.measures import builtin
from lunagpt.evaluation.skills import SKILLS, distinct, evaluate_skills, holds_up

RIGHT = {
    item["question"]: item["choices"][0]
    for skill in ("reasoning", "knowledge")
    for item in builtin("habilidades")[skill]
}
STORY = (
    "O {} abriu os olhos devagar, olhou para o mar que não acabava e pensou que talvez a noite fosse só um "
    "quarto grande demais. Então acendeu a sua luz, contou as ondas número {} e riu sozinho, porque ninguém "
    "sabia do medo."
)
OTHER = (
    "Naquela vila distante, um {} decidiu mudar de vida: vendeu a cama, comprou passagem para a serra e "
    "escreveu cartas que nunca chegavam. Pela manhã, na estação {}, havia sempre alguém à espera de boas "
    "notícias."
)


def knows(context: str, continuation: str) -> float:
    right = any(question in context and continuation.strip() == answer for question, answer in RIGHT.items())
    return -(1.0 if right else 2.0) * len(continuation.strip().encode())


def required_of(message: str) -> str:
    return next(
        item["required"] for item in builtin("habilidades")["creativity"] if item["prompt"] == message
    )


def test_a_model_that_knows_all_reaches_the_top() -> None:
    scores = evaluate_skills(FakeModel(knows), ("reasoning", "knowledge"))
    assert scores == {"reasoning": 1.0, "knowledge": 1.0}
    assert scores["reasoning"].chance == 0.25
    assert scores["reasoning"].n == 24
    assert scores["knowledge"].data == "embutido"


def test_instructions_are_the_scripts() -> None:
    score = evaluate_skills(FakeModel(reply=lambda message, seed: "Oi."), ("instruction_following",), limit=5)
    assert score["instruction_following"] == 0.0
    assert score["instruction_following"].n == 5
    assert score["instruction_following"].chance == 0.0


def test_creativity_needs_variety_and_worth() -> None:
    def various(message: str, seed: int) -> str:
        return (STORY, OTHER)[seed % 2].format(required_of(message), seed)

    def same(message: str, seed: int) -> str:
        return STORY.format(required_of(message), 7)

    def noise(message: str, seed: int) -> str:
        return " ".join(f"palavra{seed}{i}" for i in range(40))

    scores = {
        reply.__name__: evaluate_skills(FakeModel(reply=reply), ("creativity",))["creativity"]
        for reply in (various, same, noise)
    }
    assert scores["various"].parts["quality"] == 1.0
    assert scores["same"].parts["quality"] == 1.0
    assert scores["same"].parts["distinct_2"] < 0.4
    assert scores["noise"] == 0.0
    assert scores["noise"].parts["distinct_2"] == 1.0
    assert scores["various"] > scores["same"] + 0.2


def test_the_users_rows_are_used_where_there_are_some(tmp_path: Path) -> None:
    path = tmp_path / "habilidades.jsonl"
    rows = [
        {
            "skill": "knowledge",
            "question": "Qual é a capital do Acre?",
            "choices": ["Manaus", "Rio Branco"],
            "answer_index": 1,
        },
        {"skill": "creativity", "prompt": "Escreva sobre um farol.", "required": "farol"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = FakeModel(
        lambda context, text: -float(len(text)), lambda message, seed: STORY.format("farol", seed)
    )
    scores = evaluate_skills(model, ("knowledge", "reasoning", "creativity"), path)
    assert {name: score.data for name, score in scores.items()} == {
        "knowledge": "habilidades.jsonl",
        "reasoning": "embutido",
        "creativity": "habilidades.jsonl",
    }
    assert scores["knowledge"].n == scores["creativity"].n == 1
    assert model.asked == ["Escreva sobre um farol."] * 3


def test_what_cannot_be_measured_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="dança"):
        evaluate_skills(FakeModel(), ("dança",))
    path = tmp_path / "h.jsonl"
    path.write_text('{"skill": "knowledge", "question": "Quem?", "answer": "Ele"}', encoding="utf-8")
    with pytest.raises(EvaluationError, match="alternativas"):
        evaluate_skills(FakeModel(knows), ("knowledge",), path)


def test_distinct_and_worth() -> None:
    assert distinct(["a b c", "a b c"]) == 0.5
    assert distinct(["a b c", "d e f"]) == 1.0
    assert distinct(["a"]) == 0.0
    assert holds_up(STORY.format("farol", 1), "farol")
    assert not holds_up(STORY.format("farol", 1), "navio")
    assert not holds_up("O farol apagou.", "farol")
    assert not holds_up("O farol apagou a luz e foi dormir. " * 5, "farol")
    assert not holds_up(
        "The farol was afraid of the dark and it did not want to be there at all any more.", "farol"
    )


def test_the_items_in_the_package_are_sound() -> None:
    items = builtin("habilidades")
    assert set(items) | {"instruction_following"} == set(SKILLS)
    for skill in ("reasoning", "knowledge"):
        assert len(items[skill]) >= 20
        for item in items[skill]:
            assert len(set(map(str, item["choices"]))) == 4, item
            assert all(isinstance(choice, str) for choice in item["choices"]), item
