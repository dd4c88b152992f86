"""Number format and compilation are chosen by measurement, and a failing compiler is no obstacle."""

from typing import Any

import pytest
import torch
from tests.unit.test_training_loop import Recorder
from tests.unit.train_helpers import (
    CountingData,
    TinyModel,
    one_thread,  # noqa: F401 - acts on every test here
)
from torch import nn

from lunagpt.training import Trainer, compilation, precision
from lunagpt.training.compilation import compile_if_faster, is_compiled
from lunagpt.training.precision import choose_compute_dtype, fastest_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({torch.float32: 4.0, torch.bfloat16: 1.0}, torch.bfloat16),
        ({torch.float32: 1.2, torch.bfloat16: 1.0}, torch.float32),
    ],
)
def test_bfloat16_only_where_it_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, seconds: dict[torch.dtype, float], expected: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "matmul_seconds", lambda dtype, *shape: seconds[dtype])
    precision.bfloat16_gain.cache_clear()
    assert fastest_dtype(CPU) == expected
    assert choose_compute_dtype(TinyModel(), "auto", CPU) == expected
    precision.bfloat16_gain.cache_clear()


def test_the_measurement_measures_and_leaves_the_random_state() -> None:
    before = torch.get_rng_state()
    precision.bfloat16_gain.cache_clear()
    assert precision.bfloat16_gain(CPU, 16, 16, 16) > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_request_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "matmul_seconds", lambda *_: pytest.fail("measured"))
    assert choose_compute_dtype(nn.Linear(2, 2), "bfloat16", CPU) == torch.bfloat16
    assert choose_compute_dtype(nn.Linear(2, 2), "float32", CPU) == torch.float32


def traced_only(model: nn.Module) -> None:
    """As `compile_layers`, without the slow C++ compiler."""
    for layer in model.layers:
        layer.compile(backend="eager")


def no_compiler(model: nn.Module) -> None:
    raise RuntimeError("No working C++ compiler found\nlong trace")


def test_without_a_compiler_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "compile_layers", no_compiler)
    monkeypatch.setattr(compilation, "WORTH_COMPILING", 0)
    recorder = Recorder()
    trainer = Trainer(TinyModel(), callbacks=[recorder], max_steps=2, precision="float32")
    assert trainer.train(CountingData())["steps"] == 2
    assert any("No working C++ compiler found);" in text for text in recorder.notices)


@pytest.mark.parametrize(
    ("mode", "gain", "kept"), [("auto", 2.0, True), ("auto", 0.9, False), ("on", 0.9, True)]
)
def test_compiled_only_if_faster(monkeypatch: pytest.MonkeyPatch, mode: str, gain: float, kept: bool) -> None:
    model = TinyModel()
    monkeypatch.setattr(compilation, "compile_layers", traced_only)
    monkeypatch.setattr(compilation, "_seconds", lambda run: 1.0 / gain if is_compiled(model) else 1.0)
    notices: list[str] = []
    compile_if_faster(model, mode, lambda: None, notices.append)
    assert is_compiled(model) == kept
    assert len(notices) == 2


@pytest.mark.parametrize("bounds", [{"num_runs": 10}, {"max_seconds": 60}])
def test_a_short_run_is_not_compiled(monkeypatch: pytest.MonkeyPatch, bounds: dict[str, float]) -> None:
    monkeypatch.setattr(compilation, "_seconds", lambda run: 1.0)
    monkeypatch.setattr(compilation, "compile_layers", lambda model: pytest.fail("compiled"))
    compile_if_faster(TinyModel(), "auto", lambda: None, lambda text: None, **bounds)


def test_the_trial_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying out compilation changes neither the first steps nor what a checkpoint would say of the data."""

    monkeypatch.setattr(compilation, "compile_layers", traced_only)
    monkeypatch.setattr(compilation, "WORTH_COMPILING", 0)
    losses = []
    for mode in ("auto", False):
        recorder = Recorder()
        torch.manual_seed(1)
        options: dict[str, Any] = {"compile": mode, "precision": "float32", "max_steps": 3}
        data = CountingData()
        model = TinyModel()
        Trainer(model, callbacks=[recorder], gradient_accumulation_steps=2, **options).train(data)
        losses.append([metrics["loss"] for metrics in recorder.metrics])
        assert data.position == 6
        assert not is_compiled(model)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
