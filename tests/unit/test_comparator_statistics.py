"""Paired tests: against exact values, and for their error rates."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.synthetic_results import result

from lunagpt.evaluation.comparison import ComparedModel, compare_results
from lunagpt.evaluation.paired import compare_paired, compare_statistics, holm, mcnemar_exact
from lunagpt.evaluation.statistics import pearson


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_two_sided_binomial(wins: int, losses: int) -> None:
    n, k = wins + losses, min(wins, losses)
    exact = min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)
    assert mcnemar_exact(wins, losses) == pytest.approx(exact, rel=1e-9)


def test_mcnemar_of_thousands_of_items_neither_overflows_nor_vanishes_wrongly() -> None:
    assert mcnemar_exact(5000, 5000) == 1.0
    assert 0 < mcnemar_exact(5000, 5200) < 0.06
    assert mcnemar_exact(0, 900) < 1e-200


def test_sign_flips_of_few_items_are_all_tried() -> None:
    a = [0.1, 0.4, 0.2, 0.9, 0.5, 0.3]
    b = [0.3, 0.5, 0.1, 1.0, 0.9, 0.35]
    d = [y - x for x, y in zip(a, b, strict=True)]
    sums = [
        abs(sum(s * v for s, v in zip(signs, d, strict=True)))
        for signs in itertools.product((1, -1), repeat=6)
    ]
    exact = sum(s >= abs(sum(d)) - 1e-12 for s in sums) / len(sums)
    found = compare_paired(a, b)
    assert found.method == "sinais trocados"
    assert found.p == pytest.approx(exact)
    assert (found.wins, found.losses, found.ties) == (5, 1, 0)
    assert found.difference == pytest.approx(sum(d) / 6)


def test_binary_items_go_through_mcnemar_and_equal_models_show_nothing() -> None:
    found = compare_paired([1, 0, 1, 1, 0], [1, 0, 1, 1, 0])
    assert (found.method, found.p, found.difference, found.ties) == ("mcnemar", 1.0, 0.0, 5)
    better = compare_paired([0.0] * 30, [1.0] * 20 + [0.0] * 10)
    assert better.method == "mcnemar"
    assert better.p == pytest.approx(2 * 0.5**20)
    assert better.low > 0.4


def test_weights_make_the_ratio_of_sums() -> None:
    nats_a, nats_b, size = np.array([10.0, 30.0]), np.array([8.0, 33.0]), np.array([5.0, 20.0])
    found = compare_paired(nats_a / size, nats_b / size, size)
    assert found.difference == pytest.approx((nats_b.sum() - nats_a.sum()) / size.sum())


@pytest.mark.parametrize("binary", [True, False])
def test_equally_good_models_are_rarely_told_apart(binary: bool) -> None:
    generator = np.random.default_rng(3)
    rounds, found = 200, 0
    for _ in range(rounds):
        a, b = generator.random((2, 12))  # few items: all patterns are tried, which is quick
        if binary:
            a, b = np.round(a), np.round(b)
        found += compare_paired(a, b).p < 0.05
    assert found <= 0.05 * rounds + 3 * math.sqrt(0.05 * 0.95 * rounds)


def test_the_interval_covers_the_true_difference() -> None:
    generator = np.random.default_rng(4)
    inside = 0
    for _ in range(40):
        common = generator.normal(size=60)
        a, b = common + generator.normal(size=60), common + 0.5 + generator.normal(size=60)
        found = compare_paired(a, b)
        inside += found.low <= 0.5 <= found.high
    assert inside >= 33  # 38 expected of 40


def test_correlations_are_compared_by_bootstrap() -> None:
    generator = np.random.default_rng(5)
    gold = generator.normal(size=150)
    good, poor = gold + 0.5 * generator.normal(size=150), gold + 4 * generator.normal(size=150)
    found = compare_statistics(pearson(gold, poor), pearson(gold, good), 150)
    assert found.method == "bootstrap"
    assert found.low > 0
    assert found.p < 0.01
    assert found.wins is None
    same = compare_statistics(pearson(gold, good), pearson(gold, good), 150)
    assert (same.difference, same.p) == (0.0, 1.0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, math.nan]) == pytest.approx([0.03, 0.06, 0.06, math.nan], nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_raw_and_the_bonferroni_values(p: list[float]) -> None:
    adjusted = holm(p)
    for raw, corrected in zip(p, adjusted, strict=True):
        assert raw <= corrected + 1e-12
        assert corrected <= min(1.0, len(p) * raw) + 1e-12
    order = np.argsort(p)
    assert (np.diff(np.array(adjusted)[order]) >= -1e-12).all()


@pytest.mark.parametrize(
    ("first", "second", "weights"),
    [
        ([], [], None),
        ([1.0], [1.0, 0.0], None),
        ([math.nan], [1.0], None),
        ([1.0], [0.0], [0.0]),
        ([1.0], [0.0], [-1.0]),
    ],
)
def test_what_cannot_be_paired_is_refused(
    first: list[float], second: list[float], weights: list[float] | None
) -> None:
    with pytest.raises(ValueError, match=r"scores|weights"):
        compare_paired(first, second, weights)


def test_items_of_one_id_are_paired_by_their_place() -> None:
    first, second = (
        replace(result("t", scores), item_ids=["x"] * 4) for scores in ([1, 1, 0, 0], [1, 0, 0, 0])
    )
    models = [ComparedModel("um"), ComparedModel("dois")]
    test = compare_results(models, [[first], [second]]).tasks[0].duels[0].test
    assert test is not None
    assert (test.n, test.difference, test.wins, test.losses) == (4, -0.25, 0, 1)
