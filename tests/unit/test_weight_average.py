"""The mean of the weights at the end of a training: of which steps, and that a restart changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.unit.test_training_loop import QUIET, Recorder
from tests.unit.train_helpers import (
    CountingData,
    TinyModel,
    assert_same_weights,
    one_thread,  # noqa: F401 - acts on every test here
)

from lunagpt.errors import ConfigError
from lunagpt.training import Trainer
from lunagpt.training.callbacks import Callback

SETTINGS: dict[str, Any] = {
    **QUIET,
    "schedule": "constant",
    "average_fraction": 0.5,
    "average_interval": 2,
    "max_steps": 12,
}


class Weights(Callback):
    """Keeps the weights after every step, and interrupts after a given one."""

    name = "weights"

    def __init__(self, interrupt: int | None = None) -> None:
        self.interrupt = interrupt
        self.after: dict[int, dict[str, torch.Tensor]] = {}

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        state = trainer.model.state_dict()
        self.after[metrics["step"]] = {name: tensor.clone() for name, tensor in state.items()}
        if metrics["step"] == self.interrupt:
            trainer.stop("signal")


def train(folder: Path, *callbacks: Callback, resume: bool = False, **options: Any) -> tuple[TinyModel, Any]:
    torch.manual_seed(7)
    model = TinyModel()
    trainer = Trainer(model, callbacks=list(callbacks), checkpoint_dir=str(folder), **{**SETTINGS, **options})
    return model, trainer.train(CountingData(), resume=resume)


def test_the_model_is_the_mean_of_the_last_part(tmp_path: Path) -> None:
    weights = Weights()
    model, _ = train(tmp_path, weights)
    for name, tensor in model.state_dict().items():
        mean = torch.stack([weights.after[step][name] for step in (6, 8, 10, 12)]).mean(0)
        torch.testing.assert_close(tensor, mean)
    assert not torch.equal(model.embedding.weight, weights.after[12]["embedding.weight"])


@pytest.mark.parametrize("interrupt", [3, 6, 8, 9])
def test_a_restart_changes_nothing(tmp_path: Path, interrupt: int) -> None:
    whole, _ = train(tmp_path / "whole")
    weights = Weights(interrupt)
    stopped, _ = train(tmp_path / "parts", weights)
    assert torch.equal(stopped.embedding.weight, weights.after[interrupt]["embedding.weight"])
    model, _ = train(tmp_path / "parts", resume=True)
    assert_same_weights(whole, model)


def test_the_mean_is_validated(tmp_path: Path) -> None:
    torch.manual_seed(7)
    recorder = Recorder()
    trainer = Trainer(TinyModel(), callbacks=[recorder], **SETTINGS)
    result = trainer.train(CountingData(), CountingData(seed=1))
    assert result["validation"]["loss"] == trainer.evaluate()["loss"]


def test_without_an_end_there_is_no_last_part(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_steps"):
        train(tmp_path, max_steps=None)


def test_off_by_default(tmp_path: Path) -> None:
    weights = Weights()
    model, _ = train(tmp_path, weights, average_fraction=0.0)
    assert torch.equal(model.embedding.weight, weights.after[12]["embedding.weight"])
    assert not list(tmp_path.glob("*/callbacks.safetensors"))
