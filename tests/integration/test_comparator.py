"""Tiny models compared from end to end: the specification's calls, and `luna compare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.synthetic_results import result, right
from tests.unit.test_comparator_reports import check_page

from lunagpt.cli import main
from lunagpt.config import LunaConfig
from lunagpt.errors import EvaluationError
from lunagpt.evaluation import Evaluation, ModelComparator, save_evaluation
from lunagpt.evaluation.comparison import Comparison
from lunagpt.models import LunaModel


@pytest.fixture(scope="module")
def models() -> list[LunaModel]:
    torch.set_num_threads(1)
    return [LunaModel.from_scratch(LunaConfig.preset("test"), seed=seed).eval() for seed in (0, 1)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dados")
    choices = ["um gato", "dois cães", "três aves", "quatro peixes"]
    rows = [
        {
            "id": f"q{i}",
            "task": "multiple_choice",
            "question": f"Quantos bichos há na casa {i}?",
            "choices": choices,
            "answer": choices[i % 4],
            "answer_index": i % 4,
        }
        for i in range(24)
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "bichos.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_the_specification_calls(models: list[LunaModel], data: Path, tmp_path: Path) -> None:
    told: list[str] = []
    comparator = ModelComparator(notify=told.append)
    comparator.add_model("Luna 2.6", models[0])
    comparator.add_model("Luna 2.5", models[1])
    results = comparator.compare(
        test_sets={"general_qa": data / "bichos.jsonl"},
        metrics=["accuracy", "fluency", "relevance", "speed"],
        max_samples_per_set=8,
    )
    by_metric = {task.results[0].metric: task for task in results.tasks}
    assert by_metric["accuracy"].results[0].n == 8
    assert by_metric["accuracy"].title == "general_qa"
    assert {"fluency", "relevance"} <= set(by_metric)
    assert by_metric["accuracy"].duels[0].test is not None
    assert results.speed["Luna 2.5"]["128 tokens × 1"]["tokens_per_second"] > 0
    for sample in results.samples:
        assert "A) um gato" in sample.question
        assert set(sample.scores) == {0.0, 1.0}
    report = comparator.generate_report(results)
    (tmp_path / "benchmark_results.md").write_text(report, encoding="utf-8")
    assert "Luna 2.6" in report
    assert "fluência" in report
    pytest.importorskip("matplotlib")
    paths = comparator.generate_visualizations(
        results, output_dir=tmp_path / "figuras", include_radar_charts=True, include_bar_charts=True
    )
    assert {path.name for path in paths} >= {"barras.png", "barras.svg"}
    assert any("general_qa" in line for line in told)


def test_the_same_model_twice_shows_no_difference(models: list[LunaModel], data: Path) -> None:
    comparator = ModelComparator()
    comparator.add_model("um", models[0])
    comparator.add_model("dois", models[0])
    comparison: Comparison = comparator.compare(data=data)
    for task in comparison.tasks:
        assert task.duels[0].verdict == "empate"
        assert task.duels[0].test is not None
        assert task.duels[0].test.difference == 0
    assert comparison.samples == ()


def test_mistakes(models: list[LunaModel]) -> None:
    comparator = ModelComparator()
    with pytest.raises(EvaluationError, match="Não há modelos"):
        comparator.compare(test_sets={})
    comparator.add_model("um", models[0])
    with pytest.raises(EvaluationError, match="Já há um modelo"):
        comparator.add_model("um", models[1])
    with pytest.raises(EvaluationError, match="Falta dizer em que comparar"):
        comparator.compare()
    with pytest.raises(EvaluationError, match="a medida elegância"):
        comparator.compare(metrics=["accuracy", "elegância"])


def test_a_measure_that_a_set_does_not_allow_is_left_out(models: list[LunaModel], tmp_path: Path) -> None:
    (tmp_path / "textos.jsonl").write_text(json.dumps({"text": "O rio corre para o mar."}), encoding="utf-8")
    comparator = ModelComparator()
    comparator.add_model("um", models[0])
    comparison = comparator.compare({"textos": tmp_path / "textos.jsonl"}, ["accuracy", "relevance"])
    assert [task.results[0].metric for task in comparison.tasks] == ["bits_per_byte"]
    assert "A tarefa textos (relevância) ficou de fora" in " ".join(comparison.notices)


def test_a_missing_model_is_known_before_anything_is_measured(models: list[LunaModel], data: Path) -> None:
    told: list[str] = []
    comparator = ModelComparator(notify=told.append)
    comparator.add_model("um", models[0])
    comparator.add_model("dois", "modelo-que-não-existe")
    with pytest.raises(EvaluationError, match="modelo-que-não-existe"):
        comparator.compare(data=data)
    assert told == []


def stored(folder: Path, name: str, share: float, seed: int) -> Path:
    path = folder / f"{name}.json"
    found = [result("lacunas", right(200, share, seed), title="Lacunas", chance=0.25, model=name)]
    save_evaluation(Evaluation({"name": name, "kind": "luna"}, found), path)
    return path


def test_the_command_compares_stored_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = stored(tmp_path, "boa", 0.6, 0), stored(tmp_path, "fraca", 0.25, 1)
    output = tmp_path / "relatório"
    assert main(["compare", str(first), str(second), "-o", str(output)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("boa é melhor que fraca em 1 tarefa, a única: Lacunas.")
    assert "relatorio.html" in printed
    check_page((output / "relatorio.html").read_text(encoding="utf-8"))
    assert (output / "relatorio.md").read_text(encoding="utf-8").startswith("# Comparação: boa e fraca")
    assert json.loads((output / "comparacao.json").read_text(encoding="utf-8"))["tasks"]
    assert (output / "avaliacao-boa.json").is_file()


def test_the_command_opens_folders_and_knows_the_untrained_model(
    models: list[LunaModel], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models[0].save(tmp_path / "minha")
    output = tmp_path / "saída"
    options = ["--data", str(data), "--limit", "8", "-o", str(output), "--no-speed", "--threads", "1"]
    code = main(["compare", str(tmp_path / "minha"), "aleatorio:test", *options])
    assert code == 0
    assert "Entre minha e test sem treino" in capsys.readouterr().out
    page = (output / "relatorio.html").read_text(encoding="utf-8")
    assert "Velocidade" not in page


def test_the_command_wants_two_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "luna-nano"]) == 2
    assert "dois modelos ou mais" in capsys.readouterr().err
