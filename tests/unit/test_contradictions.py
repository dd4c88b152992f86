"""Who asks for the greatest of a kind is not answered with a comparison of two."""

import pytest

from lunagpt.chat.grounding.contradictions import only_compares

QUESTION = "Qual é o maior planeta do sistema solar?"


@pytest.mark.parametrize(
    "sentence",
    [
        "Mercúrio, pouco maior que a nossa Lua.",
        "Tem massa maior do que a da Terra.",
        "É maior em peso do que ela.",
    ],
)
def test_a_comparison_is_no_answer(sentence: str) -> None:
    assert only_compares(QUESTION, sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Júpiter é o maior de todos.",
        "Maior que todos os outros planetas juntos, Júpiter tem faixas coloridas.",
        "É o maior planeta, maior que Saturno.",
        "Marte tem o maior vulcão que se conhece.",
        "Saturno tem anéis.",
    ],
)
def test_other_sentences_are_left_to_the_ranking(sentence: str) -> None:
    assert not only_compares(QUESTION, sentence)


@pytest.mark.parametrize("question", ["Mercúrio é maior que a Lua?", "Qual planeta é maior do que a Terra?"])
def test_a_question_that_compares_may_be_answered_so(question: str) -> None:
    assert not only_compares(question, "Mercúrio, pouco maior que a nossa Lua.")
