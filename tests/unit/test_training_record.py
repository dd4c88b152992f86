"""What a run leaves behind and shows: journal, curves, screen, samples."""

import io
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from tests.unit.test_training_loop import QUIET, Poisoned, Recorder
from tests.unit.train_helpers import (
    CountingData,
    TinyModel,
    one_thread,  # noqa: F401 - acts on every test here
)

from lunagpt.errors import LunaError
from lunagpt.training import Trainer
from lunagpt.training.curves import draw_curves, smoothed
from lunagpt.training.journal import read_journal
from lunagpt.training.screen import ScreenCallback, duration


class TalkingModel(TinyModel):
    def generate_text(self, prompt: str, **settings: Any) -> str:
        if prompt == "quebra":
            raise RuntimeError("sem voz")
        return f"resposta a {prompt}"


def train(folder: Path, steps: int, **options: Any) -> Trainer:
    settings = {**QUIET, "log_interval": 2, "eval_interval": 4, "validation_batches": 2, **options}
    trainer = Trainer(TalkingModel(), run_dir=str(folder), **settings)
    resume = options.pop("resume", False)
    trainer.train(CountingData(), CountingData(seed=1), max_steps=steps, resume=resume)
    return trainer


def test_journal_has_means_and_evaluations(tmp_path: Path) -> None:
    recorder = Recorder()
    trainer = Trainer(TinyModel(), run_dir=str(tmp_path), callbacks=[recorder], log_interval=3, **QUIET)
    trainer.train(CountingData(), CountingData(seed=1), max_steps=7, eval_interval=6)
    rows = read_journal(tmp_path / "log.jsonl")
    train_rows = [row for row in rows if row["kind"] == "train"]
    assert [row["step"] for row in train_rows] == [3, 6, 7]
    losses = [metrics["loss"] for metrics in recorder.metrics]
    assert train_rows[0]["loss"] == pytest.approx(sum(losses[:3]) / 3)
    assert train_rows[1]["loss"] == pytest.approx(sum(losses[3:6]) / 3)
    assert [row["step"] for row in rows if row["kind"] == "validation"] == [6, 7]


def test_a_resumed_run_writes_no_step_twice(tmp_path: Path) -> None:
    trainer = Trainer(TinyModel(), run_dir=str(tmp_path), log_interval=1, **QUIET)
    trainer.train(CountingData(), max_steps=4, schedule="constant")
    journal = tmp_path / "log.jsonl"
    # As if the process had been killed two steps after its checkpoint, in the middle of a line.
    lines = journal.read_text().splitlines()
    later = [json.dumps({"kind": "train", "step": step, "loss": 9.9}) for step in (5, 6)]
    journal.write_text("\n".join([*lines, *later]) + '\n{"kind": "tr')
    trainer = Trainer(TinyModel(), run_dir=str(tmp_path), log_interval=1, **QUIET)
    trainer.train(CountingData(), max_steps=6, schedule="constant", resume=True)
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    steps = [row for row in rows if row["kind"] == "train"]
    assert [row["step"] for row in steps] == [1, 2, 3, 4, 5, 6]
    assert all(row["loss"] != 9.9 for row in steps)


def test_a_fresh_run_begins_a_fresh_journal(tmp_path: Path) -> None:
    for _ in range(2):
        trainer = Trainer(TinyModel(), run_dir=str(tmp_path), log_interval=1, **QUIET)
        trainer.train(CountingData(), max_steps=2)
    assert [row["step"] for row in read_journal(tmp_path / "log.jsonl")] == [1, 2]


def test_curves_are_drawn_at_the_end(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    train(tmp_path, 8)
    picture = Image.open(tmp_path / "curves.png")
    assert picture.format == "PNG"
    colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)} <= colours


def test_no_curves_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def test_steps_without_a_number_are_no_obstacle(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    trainer = Trainer(Poisoned({2, 5, 6}), run_dir=str(tmp_path), log_interval=2, **QUIET)
    trainer.train(CountingData(), max_steps=8)
    values = [row["loss"] for row in read_journal(tmp_path / "log.jsonl") if row["kind"] == "train"]
    assert [math.isfinite(value) for value in values] == [True, True, False, True]
    assert (tmp_path / "curves.png").exists()


def test_without_matplotlib_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    train(tmp_path, 4)
    notices = [row["text"] for row in read_journal(tmp_path / "log.jsonl") if row["kind"] == "notice"]
    assert any("lunagpt[train]" in text for text in notices)


def test_smoothing_keeps_a_constant_and_narrows_noise() -> None:
    assert smoothed([2.0] * 300) == pytest.approx([2.0] * 300)
    noisy = smoothed([float(i % 2) for i in range(1000)])[200:]
    assert max(noisy) - min(noisy) < 0.1


def test_samples(tmp_path: Path) -> None:
    train(tmp_path, 4, sample_prompts=["oi"])
    assert "> oi\nresposta a oi" in (tmp_path / "samples.txt").read_text(encoding="utf-8")


def test_a_failing_sample_does_not_end_training(tmp_path: Path) -> None:
    trainer = train(tmp_path, 5, sample_prompts=["quebra"])
    assert trainer.progress.step == 5
    assert trainer.model.training
    assert any("sem voz" in row.get("text", "") for row in read_journal(tmp_path / "log.jsonl"))


@pytest.mark.parametrize("terminal", [True, False])
def test_screen(terminal: bool) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=120)
    trainer = Trainer(TinyModel(), callbacks=[ScreenCallback(console)], **QUIET)
    trainer.train(
        CountingData(), {"a": CountingData(1), "b": CountingData(2)}, max_steps=3, validation_batches=1
    )
    text = output.getvalue()
    assert "passo 3/3" in text
    assert "bits/byte" in text
    assert "tokens/s" in text
    assert "passo 3 · validação: perda" in text
    assert "    a: perda" in text
    assert ("\x1b[" in text) == terminal


def test_times_as_they_count_down() -> None:
    assert [duration(s) for s in (12, 303, 7500)] == ["12 s", "5 min 03 s", "2 h 05 min"]


class FakeWandb(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(run=None, logged=[], started=[])

    def init(self, **options: Any) -> None:
        self.started.append(options)
        self.run = object()

    def log(self, values: dict[str, Any], step: int) -> None:
        self.logged.append((step, values))


def test_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    options = {**QUIET, "use_wandb": True, "run_name": "teste", "log_interval": 2}
    Trainer(TinyModel(), **options).train(CountingData(), CountingData(1), max_steps=4)
    assert fake.started[0]["name"] == "teste"
    assert [step for step, values in fake.logged if "treino/loss" in values] == [2, 4]
    assert [step for step, values in fake.logged if "validação/loss" in values] == [4]


def test_wandb_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(LunaError, match="pip install wandb"):
        Trainer(TinyModel(), use_wandb=True, **QUIET).train(CountingData(), max_steps=1)
