"""Growth in training: when it comes, what it does to optimizer and schedule; a restart changes nothing."""

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

from lunagpt.config import LunaConfig
from lunagpt.errors import ConfigError
from lunagpt.models import LunaModel
from lunagpt.models.growth import grow
from lunagpt.training import Trainer
from lunagpt.training.checkpoints import CheckpointError
from lunagpt.training.optim import build_optimizer
from lunagpt.training.settings import TrainingSettings

SIZES = {
    "vocab_size": 272,
    "hidden_size": 16,
    "num_layers": 1,
    "num_heads": 2,
    "num_kv_heads": 1,
    "head_dim": 8,
    "intermediate_size": 16,
    "ssm_inner_size": 16,
    "ssm_num_heads": 2,
    "state_size": 8,
    "hypernet_size": 8,
    "use_growing": True,
}
STILL = {"threshold": 100.0, "smoothing": 0.0, "warmup_steps": 0}  # nothing counts as progress


def tiny(model: dict[str, Any] | None = None, **growth: Any) -> LunaModel:
    config = LunaConfig(model={**SIZES, **(model or {})}, growth={**STILL, **growth})
    return LunaModel.from_scratch(config, seed=0)


def train(model: LunaModel, steps: int, callbacks: Any = (), **options: Any) -> Recorder:
    recorder = Recorder()
    resume = options.pop("resume", False)
    torch.manual_seed(99 if resume else 7)
    settings = {**QUIET, "schedule": "constant", "eval_interval": 2, "validation_batches": 1, **options}
    trainer = Trainer(model, callbacks=[recorder, *callbacks], max_steps=steps, **settings)
    trainer.train(CountingData(), CountingData(seed=1), resume=resume)
    return recorder


def steps_of(model: LunaModel) -> list[int]:
    return [entry["step"] for entry in model.growth_history]


@pytest.mark.parametrize(
    ("optimizer", "growth", "parts"),
    [
        ("muon", {"position": "spread"}, {"use_moe": True, "num_experts": 2, "moe_layers": "all"}),
        ("adamw", {"method": "stack", "warmup_steps": 3}, {"use_hypernet": True}),
    ],
)
def test_a_restart_at_any_step_changes_nothing(
    tmp_path: Path, optimizer: str, growth: dict[str, Any], parts: dict[str, Any]
) -> None:
    """Before a growth, between the evaluation that asks for it and the growth itself, and after it."""
    rule = {"patience": 1, "max_extra_layers": 2, **growth}
    options = {"optimizer": optimizer, "checkpoint_interval_minutes": 1e-9, "keep_checkpoints": 99}
    whole = tiny(parts, **rule)
    losses = train(whole, 12, checkpoint_dir=str(tmp_path), **options).metrics
    assert steps_of(whole) == ([4, 6] if growth.get("method") != "stack" else [4, 10])
    assert len(whole.layers) == 3
    for step in (3, 4, 9):
        model = tiny(parts, **rule)
        rest = train(model, 12, resume=tmp_path / f"step-{step:08d}", **options)
        assert [m["loss"] for m in rest.metrics] == [m["loss"] for m in losses[step:]], step
        assert_same_weights(whole, model)
        assert model.growth_history == whole.growth_history


def test_a_checkpoint_of_a_grown_model_does_not_fit_one_that_grew_otherwise(tmp_path: Path) -> None:
    train(tiny(patience=1, max_extra_layers=1), 6, checkpoint_dir=str(tmp_path))
    other = tiny()
    grow(other, 2)
    with pytest.raises(CheckpointError, match="outro modelo"):
        train(other, 8, checkpoint_dir=str(tmp_path), resume=True)


def test_growth_waits_for_a_standstill_at_the_full_rate() -> None:
    model = tiny(threshold=0.0, patience=2)
    learning = train(model, 12, learning_rate=0.01)
    assert learning.results[-1]["loss"] < learning.results[0]["loss"]
    assert steps_of(model) == []
    model = tiny(patience=2, max_extra_layers=5)
    train(model, 24, warmup_steps=5, schedule="wsd", decay_steps=10)
    # the first loss at the full rate is that of step 6; two more are no better; from 14 on the rate falls
    assert steps_of(model) == [10]


def test_it_grows_after_the_steps_that_the_settings_name(tmp_path: Path) -> None:
    model = tiny(steps=[3, 4, 8], layers_per_growth=2, max_extra_layers=4, warmup_steps=2)
    options = {"checkpoint_dir": str(tmp_path), "schedule": "cosine"}
    recorder = train(model, 10, **options)
    assert steps_of(model) == [3, 4]  # then there is no room
    assert len(model.layers) == 5
    rising = [m["lr_factor"] for m in recorder.metrics]
    cosine = [m["lr_factor"] for m in train(tiny(steps=[99]), 10, schedule="cosine").metrics]
    factors = [mine / plain for mine, plain in zip(rising, cosine, strict=True)]
    assert factors == pytest.approx([1, 1, 1, 0.5, 0.5, 1, 1, 1, 1, 1])
    assert "Passo 3: o modelo cresceu de 1 para 3 camadas" in recorder.notices[0]
    # at its end a run does not grow; a longer one does
    short = tiny(steps=[4])
    train(short, 4, checkpoint_dir=str(tmp_path / "short"))
    assert len(short.layers) == 1
    train(short, 6, checkpoint_dir=str(tmp_path / "short"), resume=True)
    assert steps_of(short) == [4]


def test_a_grown_model_is_saved_loaded_and_speaks(tmp_path: Path) -> None:
    config = LunaConfig.preset("test").replaced(
        model={"use_growing": True, "hidden_size": 32, "num_layers": 1}, growth={"steps": [1]}
    )
    model = LunaModel.from_scratch(config, seed=0)
    train(model, 3)
    loaded = LunaModel.from_pretrained(model.save(tmp_path / "modelo"))
    assert loaded.config.model.use_growing
    assert loaded.growth_history == model.growth_history
    assert loaded.growth_history[0]["step"] == 1
    ids = torch.arange(300, 312)[None]
    model.eval()
    assert torch.equal(
        *(m.generate(ids, max_new_tokens=4, temperature=0.0, stop_token_ids=()) for m in (model, loaded))
    )


def test_old_layers_keep_their_memory_and_new_ones_begin_without() -> None:
    model = tiny({"use_moe": True, "num_experts": 2, "moe_layers": "all", "use_hypernet": True})
    for name in ("muon", "adamw"):
        optimizers = build_optimizer(model, TrainingSettings(optimizer=name))
        for parameter in optimizers.parameters:
            parameter.grad = torch.ones_like(parameter)
        optimizers.step()
        optimizers.zero_grad()
        before, _ = optimizers.named_state(model)
        before = {key: value.clone() for key, value in before.items()}
        group_of = {
            param: (number, group["weight_decay"])
            for number, part in enumerate(optimizers.parts)
            for group in part.param_groups
            for param in group["params"]
        }
        growth = grow(model, 1)
        optimizers.grow(growth)
        after, _ = optimizers.named_state(model)
        assert set(optimizers.parameters) == set(model.parameters())
        assert len(optimizers.parameters) == len(list(model.parameters()))
        assert not any(key.startswith(f"layers.{growth.layers[0]}.") for key in after)
        for key, value in before.items():
            if value.shape == after[key].shape:
                assert torch.equal(after[key], value), key
            else:
                assert key.startswith(("hypernet.layer_embedding/", "hypernet.layer_gain/"))
                assert torch.equal(after[key][:-1], value)
                assert not after[key][-1].any()
        for number, part in enumerate(optimizers.parts):
            for group in part.param_groups:
                for param in group["params"]:
                    if param in growth.made_from:
                        assert group_of[growth.made_from[param]] == (number, group["weight_decay"])
        for parameter in optimizers.parameters:  # it goes on: experts are orthogonalised one by one
            parameter.grad = torch.ones_like(parameter)
        optimizers.step()
        if name == "muon":
            assert model.layers[-1].moe.up_proj.weight in optimizers.parts[1].blocks


def test_the_specifications_training_script() -> None:
    """A foreign optimizer and scheduler, and the callback by its name."""
    model = tiny({"use_growing": False}, patience=1, max_extra_layers=1)
    model.config.model.use_growing = True
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    callbacks = ["growing_network_callback" if model.config.use_growing else None]
    trainer = Trainer(
        model=model,
        config=model.config,
        optimizer=optimizer,
        scheduler=scheduler,
        callbacks=[callback for callback in callbacks if callback],
        **QUIET,
    )
    trainer.train(
        train_dataset=CountingData(), validation_dataset=CountingData(seed=1), max_steps=8, eval_interval=2
    )
    assert steps_of(model) == [4]
    new = list(model.layers[1].parameters())
    assert {id(p) for p in new} <= {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert any(p in optimizer.state for p in new)


def test_early_stopping_waits_for_the_grown_model() -> None:
    model = tiny(patience=2, max_extra_layers=1)
    options = {"learning_rate": 1e-12, "muon_learning_rate": 1e-12, "weight_decay": 0.0}
    recorder = train(model, 40, early_stopping_patience=3, **options)
    assert steps_of(model) == [6]
    assert recorder.metrics[-1]["step"] == 14  # the first loss of the grown model, at 8, and three more


def test_what_can_never_grow_is_refused_at_once() -> None:
    for options, message in (
        ({"schedule": "cosine"}, "growth.steps"),
        ({"train_only": ["embedding."]}, "train_only"),
    ):
        with pytest.raises(ConfigError, match=message):
            train(tiny(), 4, **options)
    with pytest.raises(ConfigError, match="validação"):
        Trainer(tiny(), **QUIET).train(CountingData(), max_steps=2)
    with pytest.raises(ConfigError, match="LunaModel"):
        Trainer(TinyModel(), callbacks=["growing_network_callback"], **QUIET).train(
            CountingData(), CountingData(1), max_steps=1
        )
    full = tiny(max_extra_layers=1, steps=[1])
    grow(full, 1)
    recorder = train(full, 2)
    assert "já ganhou: 1." in recorder.notices[0]
    assert len(full.layers) == 2
