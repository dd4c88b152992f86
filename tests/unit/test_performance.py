"""Stopwatch, memory and energy: what they report of a tiny model and of made-up counters."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import pytest
import torch

from lunagpt.config import LunaConfig
from lunagpt.errors import LunaError
from lunagpt.evaluation.energy import watch_energy
from lunagpt.evaluation.performance import PerformanceBenchmark, percentile
from lunagpt.evaluation.performance_report import performance_report
from lunagpt.evaluation.process_memory import resident_bytes, watch_memory
from lunagpt.evaluation.token_reader import token_reader
from lunagpt.models import LunaModel


@pytest.fixture(scope="module")
def model() -> LunaModel:
    torch.set_num_threads(1)
    return LunaModel.from_scratch(LunaConfig.preset("test"), seed=0).eval()


def test_the_specification_calls(model: LunaModel) -> None:
    benchmark = PerformanceBenchmark(model)
    latency = benchmark.measure_latency(
        sequence_lengths=[16, 8], batch_sizes=[1, 2], iterations=2, new_tokens=2
    )
    assert list(latency) == ["8 tokens × 1", "8 tokens × 2", "16 tokens × 1", "16 tokens × 2"]
    for values in latency.values():
        assert values["mean_latency_ms"] > 0
        assert values["std_latency_ms"] >= 0
        assert values["p50_latency_ms"] <= values["p95_latency_ms"]
        assert values["mean_token_ms"] > 0
        # written tokens of all rows over the time of the steps
        assert values["tokens_per_second"] == pytest.approx(
            1000 * values["batch_size"] / values["mean_token_ms"]
        )
        assert values["prompt_tokens_per_second"] == pytest.approx(
            1000 * values["batch_size"] * values["sequence_length"] / values["mean_latency_ms"]
        )
    memory = benchmark.measure_memory_usage(sequence_lengths=[8], include_forward_pass=True)
    (values,) = memory.values()
    assert values["peak_memory_mb"] >= values["before_mb"] > values["model_mb"] > 0
    assert values["growth_mb"] == pytest.approx(values["peak_memory_mb"] - values["before_mb"])
    assert values["device_peak_mb"] == 0
    energy = benchmark.measure_energy(sequence_length=8, new_tokens=2, iterations=1)
    report = benchmark.generate_report(latency, memory, energy)
    assert report.count("\n| 8 tokens × 1 |") == 2
    assert "## Energia" in report
    assert "## Máquina" in report


def test_a_report_says_what_limits_its_numbers() -> None:
    names = ("mean", "std", "p50", "p95")
    slow = {f"{name}_{what}_ms": 1.5 for name in names for what in ("latency", "token")}
    slow |= {
        "tokens_per_second": 2.0,
        "prompt_tokens_per_second": 3.0,
        "cpu_share": 0.2,
        "beyond_context": 1.0,
    }
    text = performance_report("m", {"9 tokens × 1": slow}, energy={"joules_per_token": 0.5, "watts": 9.0})
    assert "9 tokens × 1\\*" in text
    assert "Além do contexto" in text
    assert "estava ocupada com outra coisa em 9 tokens × 1" in text
    assert "0,5 J por token escrito, a 9 W" in text


def test_lengths_beyond_the_context_are_marked(model: LunaModel) -> None:
    context = model.config.model.max_position_embeddings
    shape = PerformanceBenchmark(model)._shape
    assert shape(context, 1)["beyond_context"] == 0
    assert shape(context + 1, 1)["beyond_context"] == 1


def test_the_timed_path_is_that_of_decoding(model: LunaModel) -> None:
    """What is timed computes what the model computes."""
    reader = token_reader(model)
    ids = torch.randint(16, 200, (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        reader.start(ids[:, :-1])
        stepwise = reader.step(ids[:, -1:])
        whole = model(ids, logits_to_keep=1).logits[:, -1]
    torch.testing.assert_close(stepwise, whole, atol=1e-4, rtol=1e-4)


def test_transformers_models_are_read_with_their_cache() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=32,
    )
    network = transformers.LlamaForCausalLM(config).eval()
    reader = token_reader(network)
    ids = torch.randint(0, 64, (1, 6), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        reader.start(ids[:, :-1])
        torch.testing.assert_close(reader.step(ids[:, -1:]), network(ids).logits[:, -1], atol=1e-4, rtol=1e-4)
    assert reader.context == 32


def test_anything_else_is_refused() -> None:
    with pytest.raises(LunaError, match="Não sei medir a velocidade de dict"):
        PerformanceBenchmark({})


@pytest.mark.parametrize("wrong", [{"sequence_lengths": [0]}, {"batch_sizes": []}, {"iterations": 0}])
def test_numbers_that_make_no_sense(model: LunaModel, wrong: dict[str, object]) -> None:
    with pytest.raises(LunaError, match="a partir de 1"):
        PerformanceBenchmark(model).measure_latency(**wrong)  # type: ignore[arg-type]


def test_percentile_is_that_of_the_standard_library() -> None:
    values = sorted([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    assert percentile(values, 0.95) == pytest.approx(cuts[18])
    assert percentile(values, 0.5) == statistics.median(values)
    assert percentile([7.0], 0.95) == 7.0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_is_seen_though_it_is_over_at_the_end() -> None:
    size = 48 << 20
    with watch_memory() as use:
        block = bytearray(size)
        block[::4096] = b"x" * len(block[::4096])  # touched, or the system would not give the pages
        del block
    assert use.peak - use.before > 0.8 * size
    assert use.before > 0
    if use.exact:
        with watch_memory() as later:
            pass
        assert later.peak - later.before < 0.5 * size
    assert resident_bytes() > 0


def counter(folder: Path, microjoules: int) -> Path:
    zone = folder / "intel-rapl:0"
    zone.mkdir(exist_ok=True)
    (folder / "intel-rapl:0:0").mkdir(exist_ok=True)  # a part of the package: must not be added
    (folder / "intel-rapl:0:0" / "energy_uj").write_text("999")
    (zone / "energy_uj").write_text(str(microjoules))
    (zone / "max_energy_range_uj").write_text("1000000")
    return zone


@pytest.mark.parametrize(("before", "after", "joules"), [(100, 250_100, 0.25), (900_000, 150_000, 0.25)])
def test_energy_also_across_the_end_of_the_counter(
    tmp_path: Path, before: int, after: int, joules: float
) -> None:
    zone = counter(tmp_path, before)
    with watch_energy(tmp_path) as use:
        (zone / "energy_uj").write_text(str(after))
    assert use.joules == pytest.approx(joules)
    assert use.problem == ""


def test_a_machine_that_does_not_tell_says_so(tmp_path: Path, model: LunaModel) -> None:
    with watch_energy(tmp_path) as use:
        pass
    assert use.joules is None
    assert "não informa o consumo" in use.problem
    (tmp_path / "intel-rapl:0").mkdir()
    with watch_energy(tmp_path) as use:
        pass
    assert "não podem ser lidos" in use.problem
