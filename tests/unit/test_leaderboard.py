"""The page made of stored results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.synthetic_results import result, right

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.leaderboard import grade, leaderboard, read_results
from lunagpt.evaluation.results import Contamination, Evaluation, Result, save_evaluation


def evaluation(name: str, *results: Result, **others: object) -> Evaluation:
    facts = {"name": name, "kind": "luna", "parameters": 14_500_000}
    return Evaluation(facts, list(results), created="2026-11-28T12:00:00", **others)  # type: ignore[arg-type]


@pytest.fixture
def pair() -> list[Evaluation]:
    good = evaluation(
        "boa",
        result("lacunas", right(200, 0.6, 0), title="Lacunas", chance=0.25),
        result("texto", [1.5] * 9, title="Texto", metric="bits_per_byte", chance=None),
    )
    poor = evaluation(
        "fraca",
        result("lacunas", right(200, 0.25, 1), title="Lacunas", chance=0.25),
        result("texto", [2.5] * 9, title="Texto", metric="bits_per_byte", chance=None),
    )
    return [poor, good]


def test_better_models_stand_higher_and_chance_is_in_italics(pair: list[Evaluation]) -> None:
    page = leaderboard(pair, "python x.py")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert rows[2].startswith("| boa | 14,5 M |")
    assert rows[3].startswith("| fraca |")
    gaps = next(row for row in rows if row.startswith("| Lacunas: acertos"))
    assert "| **" in gaps
    assert gaps.rstrip(" |").endswith("*")
    text = next(row for row in rows if row.startswith("| Texto"))
    assert "**1,500 ±0,000**" in text  # fewer bits are better
    assert "python x.py" in page


def test_the_grade_is_the_way_from_chance_to_perfection() -> None:
    column = {("t", "accuracy"): result("t", [1.0] * 40, chance=0.25)}
    value, low, high = grade(column, [column])
    assert (value, low, high) == pytest.approx((100, 100, 100))
    half = {("t", "accuracy"): result("t", [1.0, 0.0] * 40, chance=0.0)}
    value, low, high = grade(half, [half])
    assert value == pytest.approx(50)
    assert low < 45 < 55 < high


def test_other_prompts_do_not_share_a_row(pair: list[Evaluation]) -> None:
    odd = evaluation("outra", result("lacunas", [1.0] * 200, title="Lacunas", prompt_hash="fff"))
    page = leaderboard([*pair, odd], "x")
    assert "outra: medido em outras condições" in page
    row = next(line for line in page.splitlines() if line.startswith("| Lacunas"))
    assert "100,0 %" not in row


def test_contamination_is_marked(pair: list[Evaluation]) -> None:
    dirty = Contamination({"fonte": 7}, 7, 0.4)
    pair[1].results[0] = replace(pair[1].results[0], contamination=dirty)
    page = leaderboard(pair, "x")
    assert "\\*" in page
    assert "boa, Lacunas: 7 de 200 itens no treino; sem eles, 40,0" in page


def test_from_files(pair: list[Evaluation], tmp_path: Path) -> None:
    for entry in pair:
        save_evaluation(entry, tmp_path / f"{entry.model['name']}.json")
    assert leaderboard(read_results(tmp_path), "x") == leaderboard(pair[::-1], "x")
    with pytest.raises(EvaluationError, match="Não há resultados"):
        read_results(tmp_path / "vazia")
