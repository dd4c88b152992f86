"""Checkpoints: what comes after a restart is what would have come without one."""

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.test_training_loop import QUIET, Recorder, iter_again
from tests.unit.train_helpers import (
    CountingData,
    TinyModel,
    assert_same_weights,
    one_thread,  # noqa: F401 - acts on every test here
)
from torch import nn

from lunagpt.training import Trainer
from lunagpt.training.batches import batch_stream
from lunagpt.training.checkpoints import CheckpointError, list_checkpoints, save_checkpoint
from lunagpt.training.optim import Optimizers


def run(
    folder: Path, steps: int, resume: Any = False, data: Any = None, **options: Any
) -> tuple[TinyModel, list[float]]:
    """A new process in small: new model, new trainer, other random state."""
    model, recorder = TinyModel(), Recorder()
    if resume:
        torch.manual_seed(999)
        nn.init.zeros_(model.embedding.weight)
    else:
        torch.manual_seed(7)
    trainer = Trainer(model, callbacks=[recorder], checkpoint_dir=str(folder), **{**QUIET, **options})
    trainer.train(
        data or CountingData(), CountingData(seed=1), max_steps=steps, resume=resume, eval_interval=3
    )
    return model, [metrics["loss"] for metrics in recorder.metrics]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_resumed_equals_unbroken_bit_by_bit(tmp_path: Path, optimizer: str) -> None:
    options = {
        "optimizer": optimizer,
        "gradient_accumulation_steps": 2,
        "warmup_steps": 4,
        "schedule": "constant",
    }
    whole, losses = run(tmp_path / "whole", 12, **options)
    _, first = run(tmp_path / "parts", 5, **options)
    model, rest = run(tmp_path / "parts", 12, resume=True, **options)
    assert first + rest == losses
    assert_same_weights(whole, model)


@pytest.mark.parametrize("kind", ["examples", "replayed"])
def test_resumed_equals_unbroken_with_data_that_keep_no_position(tmp_path: Path, kind: str) -> None:
    def data() -> Any:
        examples = [{"input_ids": np.arange(3 + i) % 32} for i in range(10)]
        return examples if kind == "examples" else iter_again([CountingData().batch(i) for i in range(4)])

    whole, losses = run(tmp_path / "whole", 11, data=data(), batch_size=3, schedule="constant")
    _, first = run(tmp_path / "parts", 6, data=data(), batch_size=3, schedule="constant")
    model, rest = run(tmp_path / "parts", 11, resume=True, data=data(), batch_size=3, schedule="constant")
    assert first + rest == losses
    assert_same_weights(whole, model)


def test_a_replayed_stream_draws_the_same_shuffle() -> None:
    class Shuffled:
        def __iter__(self) -> Any:
            return iter(torch.randperm(8).tolist())

    torch.manual_seed(3)
    stream = batch_stream(Shuffled(), 1, 0)
    seen = list(itertools.islice(iter(stream), 11))
    state, random_state = stream.state_dict(), torch.get_rng_state()
    continued = batch_stream(Shuffled(), 1, 0)
    torch.manual_seed(44)
    continued.load_state_dict(json.loads(json.dumps(state)))
    torch.set_rng_state(random_state)
    rest = list(itertools.islice(iter(continued), 5))
    assert sorted(seen[8:11] + rest) == list(range(8))
    assert torch.equal(torch.get_rng_state(), random_state)


def test_all_random_generators_continue(tmp_path: Path) -> None:
    class Draws(Recorder):
        def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
            numbers = [random.random(), np.random.rand(), torch.rand(()).item()]  # noqa: NPY002
            metrics["draws"] = numbers
            super().on_step_end(trainer, metrics)

    def draw(steps: int, resume: bool, folder: Path) -> list[Any]:
        recorder = Draws()
        trainer = Trainer(TinyModel(), callbacks=[recorder], checkpoint_dir=str(folder), **QUIET)
        trainer.train(CountingData(), max_steps=steps, resume=resume)
        return [metrics["draws"] for metrics in recorder.metrics]

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    whole = draw(6, False, tmp_path / "whole")
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    first = draw(3, False, tmp_path / "parts")
    assert first + draw(6, True, tmp_path / "parts") == whole


def test_a_later_end_extends_the_constant_part(tmp_path: Path) -> None:
    """Stopped before its decay and continued towards a later end, a run equals one that knew that end."""
    whole, losses = run(tmp_path / "whole", 20, decay_steps=5)
    _, first = run(tmp_path / "parts", 10, decay_steps=5)
    kept = [path.name for path in list_checkpoints(tmp_path / "parts")]
    assert kept == ["step-00000005", "step-00000010"]  # where the decay began, and the end
    model, rest = run(tmp_path / "parts", 20, resume=tmp_path / "parts" / kept[0], decay_steps=5)
    assert first[:5] + rest == losses
    assert_same_weights(whole, model)


class StopAt(Recorder):
    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        super().on_step_end(trainer, metrics)
        if metrics["step"] == self.step:
            trainer.stop("test")


def test_a_decay_can_be_ordered_and_outlives_a_restart(tmp_path: Path) -> None:
    def factors(stop: int, **options: Any) -> list[float]:
        recorder = StopAt(stop)
        trainer = Trainer(TinyModel(), callbacks=[recorder], checkpoint_dir=str(tmp_path), **QUIET)
        trainer.train(CountingData(), max_minutes=9, **options)
        return [metrics["lr_factor"] for metrics in recorder.metrics]

    assert factors(5) == [1.0] * 5
    assert factors(7, resume=True, decay_now=4) == [1.0, 0.75]
    assert factors(99, resume=True) == [0.5, 0.25]
    assert factors(99, resume=True) == []  # it is over, and nothing else was asked for
    # Where it began is kept, to go on at the full rate from there.
    assert factors(8, resume=tmp_path / "step-00000005") == [1.0] * 3


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    run(tmp_path, 4, schedule="constant")
    run(tmp_path, 8, resume=True, schedule="constant")
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000004", "step-00000008"]
    broken = tmp_path / "step-00000008" / "model.safetensors"
    content = bytearray(broken.read_bytes())
    content[-3] ^= 1
    broken.write_bytes(bytes(content))
    recorder = Recorder()
    trainer = Trainer(TinyModel(), callbacks=[recorder], checkpoint_dir=str(tmp_path), **QUIET)
    trainer.train(CountingData(), max_steps=5, resume=True)
    assert "danificado" in recorder.notices[0]
    assert "passo 4" in recorder.notices[1]
    assert len(recorder.metrics) == 1


@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_state_that_cannot_be_read_is_an_error_when_asked_for(tmp_path: Path, damage: str) -> None:
    run(tmp_path, 2)
    path = tmp_path / "step-00000002" / "trainer_state.json"
    if damage == "missing":
        path.unlink()
    else:
        path.write_text(path.read_text()[:50])
    with pytest.raises(CheckpointError, match="incompleto ou danificado"):
        run(tmp_path, 4, resume=path.parent)


def test_another_model_is_refused(tmp_path: Path) -> None:
    run(tmp_path, 2)
    trainer = Trainer(TinyModel(width=8), checkpoint_dir=str(tmp_path), **QUIET)
    with pytest.raises(CheckpointError, match="outro modelo"):
        trainer.train(CountingData(), max_steps=4, resume=True)


def test_old_checkpoints_go(tmp_path: Path) -> None:
    run(tmp_path, 9, checkpoint_interval_minutes=1e-9, keep_checkpoints=3, schedule="constant")
    assert [path.name for path in list_checkpoints(tmp_path)] == [f"step-0000000{i}" for i in (7, 8, 9)]


def test_tied_weights_are_saved_once(tmp_path: Path) -> None:
    model = TinyModel()
    model.head = nn.Linear(16, 32, bias=False)
    model.head.weight = model.embedding.weight
    save_checkpoint(
        tmp_path / "step-00000001", model, Optimizers([torch.optim.AdamW(model.parameters())]), {}
    )
    from safetensors import safe_open

    with safe_open(tmp_path / "step-00000001" / "model.safetensors", "pt") as file:
        assert sorted(file.keys()) == sorted(name for name, _ in model.named_parameters())


def test_nothing_to_resume_starts_afresh(tmp_path: Path) -> None:
    _, losses = run(tmp_path / "empty", 3, resume=True)
    assert len(losses) == 3
