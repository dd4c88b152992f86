"""The evaluation examples of the specification, call by call: its names, its arguments, its keys, on models
and tables small enough for a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lunagpt import LunaConfig, LunaModel
from lunagpt.evaluation import ModelComparator, ModelEvaluator, PerformanceBenchmark

SKILLS = ["reasoning", "knowledge", "instruction_following", "creativity"]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def questions(n: int) -> list[dict[str, Any]]:
    return [
        {"question": f"Quanto é {i} + 1?", "choices": [str(i), str(i + 1), str(i + 2)], "answer_index": 1}
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of three models."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("luna-2.6", "luna-2.5", "luna-2.6-int8")):
        LunaModel.from_scratch(LunaConfig.preset("test"), seed=seed).eval().save(folder / name)
    return folder


def test_quality_and_skills(models: Path, tmp_path: Path) -> None:
    evaluator = ModelEvaluator(LunaModel.from_pretrained(str(models / "luna-2.6")))
    metrics = ["perplexity", "accuracy", "relevance", "consistency"]
    quality = evaluator.evaluate_quality(
        test_dataset=write(tmp_path / "quality_test.jsonl", questions(3)), metrics=metrics
    )
    assert list(quality) == metrics
    rows = [{"skill": skill, **row} for skill in SKILLS[:2] for row in questions(3)]
    rows.append({"skill": "creativity", "prompt": "Escreva sobre o mar.", "required": "mar"})
    found = evaluator.evaluate_skills(
        skills=SKILLS, test_dataset=write(tmp_path / "skills_test.jsonl", rows), limit=2
    )
    assert list(found) == SKILLS
    for score in (*quality.values(), *found.values()):
        assert float(f"{score:.4f}") == pytest.approx(score, abs=1e-4)
        assert score.low <= score <= score.high
    assert found["reasoning"].n == 2
    assert found["reasoning"].data == "skills_test.jsonl"


def test_performance(models: Path) -> None:
    benchmark = PerformanceBenchmark(LunaModel.from_pretrained(str(models / "luna-2.6")))
    latency = benchmark.measure_latency(sequence_lengths=[8, 16], batch_sizes=[1, 2], iterations=2)
    assert len(latency) == 4
    for result in latency.values():
        assert result["mean_latency_ms"] > 0
        assert result["std_latency_ms"] >= 0
        assert result["tokens_per_second"] > 0
    memory = benchmark.measure_memory_usage(sequence_lengths=[8, 16], include_forward_pass=True)
    assert len(memory) == 2
    assert all(result["peak_memory_mb"] > 1 for result in memory.values())


def test_comparison(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    comparator = ModelComparator()
    for name, folder in (
        ("Luna 2.6", "luna-2.6"),
        ("Luna 2.5", "luna-2.5"),
        ("Luna 2.6 (8-bit)", "luna-2.6-int8"),
    ):
        comparator.add_model(name, LunaModel.from_pretrained(str(models / folder)))
    sets = ("general_qa", "reasoning", "portuguese_specific", "long_context")
    results = comparator.compare(
        test_sets={name: write(tmp_path / f"{name}.jsonl", questions(4)) for name in sets},
        metrics=["accuracy", "fluency", "relevance", "speed"],
        max_samples_per_set=2,
    )
    assert {task.title for task in results.tasks} == set(sets)
    assert set(results.speed) == {"Luna 2.6", "Luna 2.5", "Luna 2.6 (8-bit)"}
    report = comparator.generate_report(results)
    with open("benchmark_results.md", "w", encoding="utf-8") as file:
        file.write(report)
    assert "Luna 2.6 (8-bit)" in report
    comparator.generate_visualizations(
        results, output_dir="./benchmark_results/", include_radar_charts=True, include_bar_charts=True
    )
    written = {path.name for path in (tmp_path / "benchmark_results").iterdir()}
    assert written == {"barras.png", "barras.svg", "radar.png", "radar.svg"}
