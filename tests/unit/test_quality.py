"""Measures of quality: right on models whose value is known, and not fooled by one that is constant."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import pytest
from tests.evaluation_fakes import FakeModel

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.measures import Score, builtin, question_from
from lunagpt.evaluation.quality import QUALITY_METRICS, agree, evaluate_quality

QUESTIONS = [question_from(raw, seed=0) for raw in builtin("perguntas")]
ANSWER_OF = {
    wording: question.answer for question in QUESTIONS for wording in (question.text, *question.rewordings)
}
RIGHT_SENTENCES = {right for group in builtin("pares-minimos").values() for right, _ in group}


def knows(context: str, continuation: str) -> float:
    """Finds right sentences and right answers likelier, per byte."""
    right = continuation.strip() in RIGHT_SENTENCES or any(
        wording in context and continuation.strip() == answer for wording, answer in ANSWER_OF.items()
    )
    return -(1.0 if right else 2.0) * len(continuation.strip().encode())


def answers(message: str, seed: int) -> str:
    """The right answer, as a sentence."""
    return f"A resposta é {ANSWER_OF[message]}."


def test_a_model_that_knows_all_reaches_the_top() -> None:
    scores = evaluate_quality(FakeModel(knows, answers), QUALITY_METRICS)
    assert list(scores) == list(QUALITY_METRICS)
    assert scores["accuracy"] == 1.0
    assert scores["relevance"] == 1.0
    assert scores["consistency"] == 1.0
    assert scores["fluency"] == 1.0
    assert scores["accuracy"].chance == 0.25
    assert scores["relevance"].chance is not None
    assert scores["relevance"].chance < 0.1
    assert scores["accuracy"].low < 1.0  # thirty questions prove no certainty


def test_a_constant_model_gets_nothing_for_it() -> None:
    same = FakeModel(
        lambda context, text: -1.5 * len(text.strip().encode()), lambda message, seed: "Olá! Tudo bem?"
    )
    scores = evaluate_quality(same, ("accuracy", "relevance", "consistency"))
    assert scores["consistency"] == 0.0
    assert scores["consistency"].parts == {"within": 1.0, "between": 1.0}
    assert scores["relevance"] == 0.0
    # the order of the alternatives is drawn, so always taking the first is chance
    assert scores["accuracy"].low <= 0.25 <= scores["accuracy"].high


def test_giving_the_question_back_is_not_relevant() -> None:
    scores = evaluate_quality(FakeModel(reply=lambda message, seed: message), ("relevance",))
    assert scores["relevance"] == 0.0


def test_going_in_circles_costs_fluency() -> None:
    circles = FakeModel(knows, lambda message, seed: "o mar é azul e " * 6)
    fluency = evaluate_quality(circles, ("fluency",))["fluency"]
    assert fluency.parts["minimal_pairs"] == 1.0
    assert fluency == pytest.approx(1 - fluency.parts["repetition"])
    assert fluency < 0.3


def test_perplexity_and_bits_per_byte_of_a_known_distribution(tmp_path: Path) -> None:
    model = FakeModel(lambda context, text: -math.log(8) * len(text.encode()))
    scores = evaluate_quality(model, ("perplexity", "bits_per_byte"))
    assert scores["perplexity"] == pytest.approx(8)
    assert scores["bits_per_byte"] == pytest.approx(3)
    assert scores["perplexity"].n == len(builtin("textos"))
    # a long text weighs more than a short one
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "aaaaaaaaa"}\n{"text": "b"}\n', encoding="utf-8")
    mixed = FakeModel(lambda context, text: -math.log(2) * (9 if "a" in text else 11))
    assert evaluate_quality(mixed, ("bits_per_byte",), path)["bits_per_byte"] == pytest.approx(2)


def test_the_users_own_questions(tmp_path: Path) -> None:
    path = tmp_path / "qualidade.jsonl"
    rows = [
        {
            "question": "Quem cuida da horta?",
            "answer": "Dona Matilde",
            "paraphrases": ["A horta é cuidada por quem?"],
        },
        {"question": "A que horas abre?", "answer": "Às 8h da manhã"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = FakeModel(
        lambda context, text: -float(len(text)),
        lambda message, seed: "Matilde" if "horta" in message else "Às 9h",
    )
    scores = evaluate_quality(model, test_dataset=path)
    assert scores["accuracy"] == 0.0  # neither "Dona Matilde" nor "8h"
    assert scores["relevance"] == 0.5
    assert scores["consistency"] == 1.0
    assert {score.data for score in scores.values()} == {"qualidade.jsonl"}
    assert "A horta é cuidada por quem?" in model.asked
    assert "Tenho uma dúvida. A que horas abre?" in model.asked
    assert f"{scores['relevance']:.4f}" == "0.5000"


def test_questions_with_alternatives_are_chosen_or_written(tmp_path: Path) -> None:
    path = tmp_path / "provas.jsonl"
    row = {"question": "Qual é a capital do Acre?", "choices": ["Manaus", "Rio Branco"], "answer_index": 1}
    path.write_text(json.dumps(row), encoding="utf-8")
    chosen = FakeModel(lambda context, text: 0.0 if "Branco" in text else -9.0)
    assert evaluate_quality(chosen, ("accuracy",), path)["accuracy"] == 1.0
    written = FakeModel(reply=lambda message, seed: "É Rio Branco.")
    assert evaluate_quality(written, ("accuracy",), path)["accuracy"] == 1.0
    both = FakeModel(reply=lambda message, seed: "Manaus ou Rio Branco.")
    assert evaluate_quality(both, ("accuracy",), path)["accuracy"] == 0.0


def test_what_cannot_be_measured_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "só texto"}', encoding="utf-8")
    with pytest.raises(EvaluationError, match="elegância"):
        evaluate_quality(FakeModel(), ("elegância",))
    with pytest.raises(EvaluationError, match="não tem perguntas"):
        evaluate_quality(FakeModel(reply=answers), ("accuracy",), path)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("São sete dias.", "Uma semana tem 7 dias.", True),
        ("São sete dias.", "São oito dias.", False),
        ("A capital é Brasília.", "Brasília é a capital do país.", True),
        ("A capital é Brasília.", "Não sei dizer.", False),
        ("Sim.", "sim.", True),
        ("", "", True),
    ],
)
def test_agreement(first: str, second: str, same: bool) -> None:
    assert agree(first, second) == same
    assert agree(second, first) == same


def test_a_score_is_a_number_with_its_facts() -> None:
    score = Score.mean([1.0, 0.0, 1.0, 1.0], chance=0.5, parts={"a": 1.0}, data="x.jsonl")
    assert score == 0.75
    assert score + 1 == 1.75
    assert score.low < 0.75 < score.high
    copy = pickle.loads(pickle.dumps(score))
    assert (copy, copy.low, copy.n, copy.parts, copy.data) == (score, score.low, 4, {"a": 1.0}, "x.jsonl")
    with pytest.raises(EvaluationError):
        Score.mean([])


def test_the_questions_in_the_package_are_sound() -> None:
    assert len(QUESTIONS) >= 30
    assert len({question.text for question in QUESTIONS}) == len(QUESTIONS)
    for raw in builtin("perguntas"):
        assert len(raw["paraphrases"]) == 2
        assert len(set(raw["choices"])) == 4
    for question in QUESTIONS:
        assert question.choices[question.right] == question.answer
    assert {question.right for question in QUESTIONS} == {0, 1, 2, 3}
    pairs = [pair for group in builtin("pares-minimos").values() for pair in group]
    assert len(pairs) >= 60
    assert all(right != wrong for right, wrong in pairs)
    assert sum(len(text.split()) for text in builtin("textos")) >= 600
