"""Answers, statistics and the probe: known values, and properties that must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.evaluation.probing import pair_features, probe_predictions
from lunagpt.evaluation.scoring import (
    chance_f1,
    exact_match,
    is_refusal,
    last_number,
    normalize_answer,
    without_citations,
    word_f1,
)
from lunagpt.evaluation.statistics import (
    bootstrap_interval,
    chance_macro_f1,
    macro_f1,
    mean_interval,
    pearson,
    weighted_mean,
    wilson_interval,
)

REFUSAL = "Os documentos não trazem essa informação."


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("A Luna, o Sol!", "luna sol"),
        ("  Uma  casa—azul ", "casa azul"),
        ("São Paulo", "são paulo"),
        ("R$ 2,50", "r 2 50"),
        ("", ""),
    ],
)
def test_normalised_answers(text: str, plain: str) -> None:
    assert normalize_answer(text) == plain


def test_accents_tell_words_apart() -> None:
    assert exact_match("avó", ["avô"]) == 0
    assert exact_match("O avô.", ["avô"]) == 1


def test_word_f1_takes_the_best_gold() -> None:
    assert word_f1("a casa azul", ["casa", "casa verde azul"]) == pytest.approx(0.8)
    assert word_f1("nada", ["casa"]) == 0
    assert word_f1("", [""]) == 1
    assert word_f1("sol sol", ["sol"]) == pytest.approx(2 / 3)  # repeating a word earns nothing


@given(st.text(max_size=40))
def test_an_answer_equals_itself(text: str) -> None:
    assert exact_match(text, [text]) == 1
    assert word_f1(text, [text]) == 1


def test_citations_are_no_part_of_an_answer() -> None:
    assert without_citations("Às 20h [2].") == "Às 20h."


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (REFUSAL, True),
        ("Os documentos não trazem isso", True),
        ("", True),
        ("Os documentos dizem que é em Lima.", False),
        ("Lima", False),
    ],
)
def test_refusals(answer: str, refused: bool) -> None:
    assert is_refusal(answer, REFUSAL) is refused


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("São 3 + 4 = 7 laranjas.", 7),
        ("O total é R$ 1.234,50", 1234.5),
        ("Custa 1.500 reais", 1500),
        ("2,5", 2.5),
        ("3.5 km", 3.5),
        ("-4", -4),
        ("nenhum", None),
    ],
)
def test_last_number(text: str, number: float | None) -> None:
    assert last_number(text) == number


def test_chance_f1_is_that_of_a_sentence_drawn_at_random() -> None:
    context = "O gato dorme. A casa azul é nova."
    assert chance_f1(context, ["casa azul"]) == pytest.approx((0 + 2 * 2 / 6) / 2)
    assert chance_f1("", ["x"]) == 0


def test_macro_f1_equals_scikit_learn() -> None:
    from_sklearn = pytest.importorskip("sklearn.metrics").f1_score
    generator = np.random.default_rng(1)
    expected = list(generator.choice(["a", "b", "c"], 60))
    predicted = list(generator.choice(["a", "b", "c"], 60))
    ours = macro_f1(expected, predicted)(np.arange(60))
    assert ours == pytest.approx(from_sklearn(expected, predicted, average="macro"))


def test_macro_f1_by_hand() -> None:
    expected, predicted = ["s", "s", "s", "n"], ["s", "s", "n", "outra"]
    # s: 2 hits, 3 expected, 2 answered -> 4/5; n: 0 hits
    assert macro_f1(expected, predicted)(np.arange(4)) == pytest.approx(0.4)
    assert macro_f1(expected, predicted)(np.array([0, 0])) == 1  # only the class that occurs counts


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=20))
def test_pearson_equals_numpy(values: list[float]) -> None:
    other = [value * value + i for i, value in enumerate(values)]
    ours = pearson(values, other)(np.arange(len(values)))
    if np.std(values) < 1e-6 or np.std(other) < 1e-6:
        return
    assert ours == pytest.approx(float(np.corrcoef(values, other)[0, 1]), abs=1e-9)


def test_pearson_without_variation_is_zero() -> None:
    assert pearson([1.0, 1.0], [0.3, 0.4])(np.arange(2)) == 0


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for seed in range(100):
        scores = (generator.random(80) < 0.7).astype(float)
        low, high = mean_interval(scores, seed=seed)
        covered += low <= 0.7 <= high
    assert 85 <= covered <= 100


def test_both_ways_to_an_interval_agree() -> None:
    scores = list(np.random.default_rng(5).random(50))
    weights = [1.0 + i for i in range(50)]
    fast = mean_interval(scores, weights)
    slow = bootstrap_interval(weighted_mean(scores, weights), 50)
    assert fast == pytest.approx(slow, abs=0.02)


def test_equal_items_are_no_certainty() -> None:
    assert mean_interval([1.0] * 10) == pytest.approx(wilson_interval(10, 10))
    assert mean_interval([0.0] * 10)[1] > 0.2
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_intervals_need_items() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        mean_interval([])


def test_chance_of_balanced_classes() -> None:
    assert chance_macro_f1(["a", "b"] * 200, ["a", "b"]) == pytest.approx(0.5, abs=0.02)
    assert chance_macro_f1(["a"] * 90 + ["b"] * 10, ["a", "b"]) < 0.45


def test_probe_finds_a_line_and_nothing_in_noise() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(200, 30)).astype(np.float32)
    labels = ["sim" if i % 2 else "não" for i in range(200)]
    separable = noise.copy()
    separable[:, 0] += np.array([3.0 if label == "sim" else -3.0 for label in labels])

    def accuracy(features: np.ndarray) -> float:
        return float(
            np.mean([a == b for a, b in zip(probe_predictions(features, labels), labels, strict=True)])
        )

    assert accuracy(separable) > 0.95
    assert 0.3 < accuracy(noise) < 0.7


def test_probe_needs_two_classes() -> None:
    with pytest.raises(ValueError, match="two classes"):
        probe_predictions(np.zeros((10, 2)), ["a"] * 10)


def test_features_of_a_pair_do_not_depend_on_its_order() -> None:
    one, two = np.random.default_rng(0).normal(size=(2, 4, 3))
    assert np.allclose(pair_features(one, two), pair_features(two, one))
    assert pair_features(one, two).shape == (4, 6)
