"""What `luna evaluate` prints: it fits the screen and calls nothing clean that is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.test_model import make_model

from lunagpt.commands.evaluate import shown, table
from lunagpt.evaluation import ModelEvaluator
from lunagpt.evaluation.contamination_report import ContaminationReport
from lunagpt.evaluation.evaluation_data import shipped_data
from lunagpt.evaluation.results import METRIC_TITLES, Contamination, Evaluation, Result

RESULT = Result(
    task="prova",
    title="Uma prova de nome bem comprido mesm",
    metric="accuracy",
    value=0.615,
    low=0.55,
    high=0.68,
    n=200,
    chance=0.25,
    constant=0.3,
    prompt_hash="0",
    per_item=[],
    item_ids=[],
    expected=[],
    predictions=[],
)
REPORT = ContaminationReport(13, {}, {})


def evaluation(*results: Result, sources: list[str] | None = None) -> Evaluation:
    model = {"name": "luna-nano", "kind": "luna", "parameters": 14_500_000, "sources": sources}
    return Evaluation(model, list(results))


def test_numbers_are_written_as_in_portuguese() -> None:
    assert shown(RESULT, 0.615) == "61,5 %"
    assert shown(replace(RESULT, metric="pearson"), -0.0314) == "-0,031"
    assert shown(replace(RESULT, metric="bits_per_byte"), 2.5) == "2,500"


@pytest.mark.parametrize("metric", METRIC_TITLES)
@pytest.mark.parametrize(
    "levels", [(0.25, 0.3), (0.6, 0.6), (0.9, 0.95), (0.25, 0.6), (None, None)], ids=lambda pair: str(pair)
)
def test_every_line_fits_the_screen(metric: str, levels: tuple[float | None, float | None]) -> None:
    chance, constant = levels
    text = table(evaluation(replace(RESULT, metric=metric, chance=chance, constant=constant)), None)
    assert max(map(len, text.splitlines())) <= 80
    assert METRIC_TITLES[metric] in text


def test_one_item_is_no_plural() -> None:
    assert "mesm · 1 item\n" in table(evaluation(replace(RESULT, n=1)), None)
    assert "mesm · 200 itens\n" in table(evaluation(RESULT), None)


def test_a_value_inside_chance_is_printed_as_such() -> None:
    line = next(
        x for x in table(evaluation(replace(RESULT, chance=0.6)), None).splitlines() if "acertos" in x
    )
    assert line.split() == [
        "acertos",
        "61,5",
        "%",
        "55,0",
        "a",
        "68,0",
        "60,0",
        "30,0",
        "dentro",
        "do",
        "acaso",
    ]


def test_a_value_on_trained_items_is_not_printed_as_clean() -> None:
    dirty = replace(RESULT, checked=True, contamination=Contamination({"sft/a": 2, "sft/b": 9}, 9, 0.5))
    text = table(evaluation(dirty, sources=["sft/*"]), REPORT)
    assert "61,5 %*" in text
    one_line = " ".join(text.split())
    assert "NÃO É LIMPO: itens que estão nos dados de treino: 9 (sft/b, sft/a). Sem eles: 50,0 %" in one_line
    assert "comparadas com os dados de treino: 1 de 1; sem itens em comum: 0." in one_line
    nothing_left = replace(dirty, contamination=Contamination({"sft/a": 2}, 200, None))
    assert "todos estes itens" in table(evaluation(nothing_left, sources=["sft/*"]), REPORT)


def test_what_was_not_checked_is_not_called_clean() -> None:
    assert "indique com --contamination" in " ".join(table(evaluation(RESULT), None).split())
    assert "o cartão do modelo não diz" in " ".join(table(evaluation(RESULT), REPORT).split())
    checked = replace(RESULT, checked=True)
    other = replace(RESULT, task="outra")
    text = " ".join(table(evaluation(checked, other, sources=["a"]), REPORT).split())
    assert "comparadas com os dados de treino: 1 de 2; sem itens em comum: 1." in text
    text = table(evaluation(other, sources=["a"]), REPORT)
    assert "Nenhuma destas tarefas foi comparada" in text


def test_tasks_left_out_are_listed_by_reason() -> None:
    missing = Evaluation(
        evaluation(RESULT).model, [RESULT], {"a": "falta", "b": "falta", "c": "outro motivo"}
    )
    text = table(missing, None)
    assert "  a, b: falta" in text
    assert "  c: outro motivo" in text


def test_the_evaluator_of_the_specification(tmp_path: Path) -> None:
    evaluator = ModelEvaluator(make_model(seed=5))
    quality = evaluator.evaluate_quality(
        test_dataset=shipped_data() / "perguntas_luna.jsonl", metrics=["perplexity", "accuracy"], limit=4
    )
    assert set(quality) == {"perplexity", "accuracy"}
    assert [f"{score:.4f}" for score in quality.values()]
    found = evaluator.evaluate(shipped_data(), limit=3)
    assert [result.n for result in found.results] == [3, 3]
