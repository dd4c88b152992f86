"""The training loop: what a step does, when it stops, what it does with bad numbers."""

import math
import os
import signal
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.train_helpers import (
    VOCABULARY,
    CountingData,
    TinyModel,
    assert_same_weights,
    one_thread,  # noqa: F401 - acts on every test here
    weights,
)
from torch.utils.data import DataLoader

from lunagpt.errors import ConfigError, DataError
from lunagpt.training import Callback, Trainer, TrainingError
from lunagpt.training.batches import as_batch

QUIET: dict[str, Any] = {"compile": False, "precision": "float32", "warmup_steps": 0}


class Recorder(Callback):
    name = "recorder"

    def __init__(self) -> None:
        self.metrics: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self.notices: list[str] = []

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        self.metrics.append(metrics)

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        self.results.append(results)

    def on_notice(self, trainer: Trainer, text: str) -> None:
        self.notices.append(text)


def test_learns() -> None:
    recorder = Recorder()
    trainer = Trainer(TinyModel(), callbacks=[recorder], max_steps=60, **QUIET)
    result = trainer.train(CountingData(), CountingData(seed=1), eval_interval=30, validation_batches=4)
    assert recorder.metrics[0]["loss"] > 2.5
    assert recorder.results[-1]["loss"] < 1.5
    assert [row["step"] for row in recorder.results] == [30, 60]
    assert result["steps"] == 60
    assert result["tokens"] == 60 * 48
    assert result["stop_reason"] == "max_steps"
    assert result["validation"]["loss"] == recorder.results[-1]["loss"]


@pytest.mark.parametrize(("optimizer", "workers"), [("muon", 1), ("adamw", 1), ("adam", 1), ("adamw", 2)])
def test_micro_batches_add_up_to_the_big_batch(optimizer: str, workers: int) -> None:
    """Also when their numbers of targets differ: the loss is a mean over targets, not over micro-batches."""
    data = CountingData(rows=4, masked=0.5)
    parts = [data.batch(i) for i in range(6)]
    parts[0]["labels"][:3] = -100
    wholes = [
        {key: np.concatenate((a[key], b[key])) for key in ("input_ids", "labels", "document_ids")}
        for a, b in zip(parts[::2], parts[1::2], strict=True)
    ]
    options = {"optimizer": optimizer, "max_steps": 3, **QUIET}
    split, whole = TinyModel(dropout=0), TinyModel(dropout=0)
    Trainer(split, gradient_accumulation_steps=2, gradient_workers=workers, **options).train(
        iter_again(parts)
    )
    Trainer(whole, **options).train(iter_again(wholes))
    for left, right in zip(split.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(left, right, atol=1e-6)


class iter_again:
    """A plain iterable that is no sequence."""

    def __init__(self, batches: list[dict[str, Any]]) -> None:
        self.batches = batches

    def __iter__(self) -> Any:
        return iter(self.batches)


def test_clipping_bounds_the_gradient() -> None:
    class Seen(Callback):
        norms: list[float] = []  # noqa: RUF012

    class Watched(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            grads = [p.grad for group in self.param_groups for p in group["params"]]
            Seen.norms.append(float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in grads]))))
            super().step()

    recorder = Recorder()
    model = TinyModel()
    trainer = Trainer(model, optimizer=Watched(model.parameters(), lr=0.1), callbacks=[recorder], **QUIET)
    trainer.train(CountingData(), max_steps=3, gradient_clipping=0.01)
    assert all(metrics["gradient_norm"] > 0.01 for metrics in recorder.metrics)
    assert Seen.norms == pytest.approx([0.01] * 3, rel=1e-3)


def test_the_schedule_reaches_the_optimizer() -> None:
    recorder = Recorder()
    options = {
        **QUIET,
        "warmup_steps": 2,
        "decay_steps": 4,
        "learning_rate": 0.01,
        "min_learning_rate": 0.002,
    }
    Trainer(TinyModel(), callbacks=[recorder], max_steps=8, **options).train(CountingData())
    rates = [metrics["lr"] for metrics in recorder.metrics]
    assert rates == pytest.approx([0.005, 0.01, 0.01, 0.01, 0.01, 0.008, 0.006, 0.004])


class Poisoned(TinyModel):
    """Gives no number as loss at the given calls."""

    def __init__(self, bad: set[int]) -> None:
        super().__init__()
        self.bad, self.calls = bad, 0

    def loss(self, *args: Any) -> Any:
        self.calls += 1
        total, count = super().loss(*args)
        return (total * math.nan if self.calls in self.bad else total), count


def test_a_bad_step_changes_nothing_and_is_counted() -> None:
    recorder = Recorder()
    model = Poisoned({2})
    before: list[Any] = []

    class Keep(Callback):
        name = "keep"

        def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
            before.append(weights(model))

    result = Trainer(model, callbacks=[recorder, Keep()], max_steps=3, **QUIET).train(CountingData())
    assert result["skipped_steps"] == 1
    assert all(torch.equal(before[0][name], before[1][name]) for name in before[0])
    assert not torch.equal(before[1]["embedding.weight"], before[2]["embedding.weight"])
    assert any("passo ignorado" in text for text in recorder.notices)


def test_gives_up_after_several_bad_steps() -> None:
    trainer = Trainer(Poisoned(set(range(3, 99))), max_steps=50, max_bad_steps=4, **QUIET)
    with pytest.raises(TrainingError, match="divergiu: 4 passos seguidos"):
        trainer.train(CountingData())
    assert trainer.progress.step == 5  # two good ones and three counted bad ones


def test_bits_per_byte_by_hand() -> None:
    """A uniform guess over 32 tokens costs 5 bits; with 3 bytes per token, 5 / 3 bits per byte."""
    model = TinyModel(dropout=0)
    torch.nn.init.zeros_(model.embedding.weight)
    results = Trainer(model, **QUIET).evaluate(CountingData(), max_batches=2)
    assert results["loss"] == pytest.approx(math.log(32))
    assert results["perplexity"] == pytest.approx(32)
    assert results["bits_per_byte"] == pytest.approx(5 / 3)
    data = CountingData()
    assert results["tokens"] == sum(int((data.batch(i)["labels"] != -100).sum()) for i in (1, 2))


def test_evaluation_by_group_changes_nothing() -> None:
    model = TinyModel()
    model.train()
    data = CountingData(seed=3)
    trainer = Trainer(model, validation_dataset={"a": data, "b": CountingData(seed=4)}, **QUIET)
    random = torch.get_rng_state()
    results = trainer.evaluate()
    assert set(results["groups"]) == {"a", "b"}
    tokens = [results["groups"][name]["tokens"] for name in "ab"]
    mean = sum(results["groups"][name]["loss"] * n for name, n in zip("ab", tokens, strict=True)) / sum(
        tokens
    )
    assert results["loss"] == pytest.approx(mean)
    assert trainer.evaluate() == results
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training
    assert data.position == 0


def test_examples_as_in_transformers() -> None:
    """Examples without `document_ids` have labels that stand on their own token; the loss shifts them."""
    batch = as_batch({"input_ids": [[5, 6, 7]], "labels": [[5, 6, 7]]}, torch.device("cpu"))
    assert batch["labels"].tolist() == [[6, 7, -100]]
    masked = as_batch({"input_ids": [[5, 6, 0]], "attention_mask": [[1, 1, 0]]}, torch.device("cpu"))
    assert masked["labels"].tolist() == [[6, -100, -100]]


def test_epochs_over_a_data_loader_of_unequal_examples() -> None:
    """The form that the documentation shows for feedback: ids of shape (1, T), labels equal to them."""
    examples = [
        {"input_ids": torch.arange(n)[None] % VOCABULARY, "labels": torch.arange(n)[None] % VOCABULARY}
        for n in range(3, 12)
    ]
    recorder = Recorder()
    trainer = Trainer(
        model=TinyModel(),
        train_dataloader=DataLoader(examples, batch_size=2, shuffle=True),  # type: ignore[arg-type]
        learning_rate=5e-5,
        num_epochs=3,
        gradient_accumulation_steps=4,
        callbacks=[recorder],
        **QUIET,
    )
    result = trainer.train()
    assert result["steps"] == 4  # 9 examples: 5 batches an epoch, 15 in all
    assert trainer.schedule.max_steps == 4
    assert recorder.metrics[-1]["epoch"] == 3


def test_the_documented_form_with_adam_and_cosine(tmp_path: Any) -> None:
    model = TinyModel()
    config = model.config.replaced(
        training={"checkpoint_dir": str(tmp_path), "num_epochs": 4, "learning_rate": 0.01, "compile": False}
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=config.training.learning_rate)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4, eta_min=0.001)
    recorder = Recorder()
    callbacks = ["checkpoint_callback", "early_stopping_callback", "lr_scheduler_callback", recorder]
    trainer = Trainer(
        model=model, config=config, optimizer=optimizer, scheduler=scheduler, callbacks=callbacks
    )
    examples = [{"input_ids": torch.arange(6)} for _ in range(8)]
    trainer.train(
        train_dataset=examples,
        validation_dataset=examples,
        num_epochs=config.training.num_epochs,
        batch_size=4,
        gradient_accumulation_steps=config.training.gradient_accumulation_steps,
        checkpoint_dir=config.training.checkpoint_dir,
    )
    rates = [metrics["lr"] for metrics in recorder.metrics]
    cosine = [0.001 + 0.009 * 0.5 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)]
    assert rates == pytest.approx([rate for rate in cosine for _ in range(2)])
    assert (tmp_path / "step-00000008").is_dir()


def test_early_stopping() -> None:
    model = TinyModel(dropout=0)
    options = {**QUIET, "learning_rate": 1e-12, "muon_learning_rate": 1e-12, "weight_decay": 0.0}
    trainer = Trainer(model, early_stopping_patience=2, eval_interval=1, max_steps=50, **options)
    trainer.train(CountingData(), [{"input_ids": np.arange(8)}])
    assert trainer.stop_reason == "early_stopping"
    assert trainer.progress.step < 10


def test_stops_by_the_clock() -> None:
    result = Trainer(TinyModel(), max_minutes=0.2 / 60, **QUIET).train(CountingData())
    assert result["stop_reason"] == "max_minutes"
    assert result["steps"] > 0
    assert 0.2 <= result["seconds"] < 5


def test_sigterm_finishes_the_step_and_saves(tmp_path: Any) -> None:
    class Terminate(Callback):
        name = "terminate"

        def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
            if metrics["step"] == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    previous = signal.getsignal(signal.SIGTERM)
    recorder = Recorder()
    trainer = Trainer(TinyModel(), callbacks=[Terminate(), recorder], checkpoint_dir=str(tmp_path), **QUIET)
    result = trainer.train(CountingData(), max_steps=100)
    assert result["stop_reason"] == "signal"
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003"]
    assert "Interrompido no passo 3" in recorder.notices[-1]
    assert signal.getsignal(signal.SIGTERM) == previous


def test_same_seed_same_weights() -> None:
    runs = [TinyModel(), TinyModel()]
    for model in runs:
        torch.manual_seed(5)
        Trainer(model, max_steps=5, **QUIET).train(CountingData())
    assert_same_weights(*runs)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match="learning_rate"):
        Trainer(TinyModel(), learning_rat=1)
    with pytest.raises(ConfigError, match="callback"):
        Trainer(TinyModel(), callbacks=["tracking_callback"], max_steps=1).train(CountingData())
    with pytest.raises(ConfigError, match="dados de treino"):
        Trainer(TinyModel()).train()
    with pytest.raises(DataError, match="vazios"):
        Trainer(TinyModel(), **QUIET).train([])
    with pytest.raises(DataError, match="int"):
        Trainer(TinyModel(), **QUIET).train(3)
