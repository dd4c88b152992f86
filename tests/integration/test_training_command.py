"""`train_command` from a recipe to a model folder, with the real model, tokenizer and data path."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.unit.train_helpers import one_thread  # noqa: F401 - acts on every test here

from lunagpt import LunaModel, cli
from lunagpt.errors import ConfigError, DataError
from lunagpt.tokenizer import LunaTokenizer
from lunagpt.training.command import train_command
from lunagpt.training.journal import read_journal
from lunagpt.training.recipe import read_recipe

RECIPE = """
model: {preset: test, hidden_size: 32, num_layers: 1}
training:
  sequence_length: 32
  batch_size: 2
  gradient_accumulation_steps: 2
  gradient_workers: 2
  warmup_steps: 2
  eval_interval: 6
  compile: false
  max_steps: 6
  schedule: constant
  log_interval: 1
  validation_batches: 1
  sample_prompts: []
sources:
  - {name: textos, path: textos.jsonl, weight: 2}
  - {name: conversas, path: conversas.jsonl, weight: 1}
validation:
  - {name: textos-valid, path: textos.jsonl}
  - {name: conversas-valid, path: conversas.jsonl}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe and its data; caches go to the same folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    texts = [
        {"text": f"A casa número {i} fica na rua das Flores, perto do rio, e tem {i % 7} janelas azuis."}
        for i in range(60)
    ]
    talks = [
        {
            "messages": [
                {"role": "user", "content": f"Quanto é {i} mais um?"},
                {"role": "assistant", "content": f"{i} mais um é {i + 1}."},
            ]
        }
        for i in range(60)
    ]
    for name, rows in (("textos", texts), ("conversas", talks)):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "receita.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def run(place: Path, name: str = "run", **options: Any) -> dict[str, Any]:
    return train_command(place / "receita.yaml", place / name, data_root=place, **options)


def losses(folder: Path) -> list[tuple[int, float]]:
    return [
        (row["step"], row["loss"]) for row in read_journal(folder / "log.jsonl") if row["kind"] == "train"
    ]


def test_from_recipe_to_model_folder(place: Path) -> None:
    result = run(place, changes=["training.sample_prompts=['Quem é você?']"])
    assert result["steps"] == 6
    assert result["model"] == place / "run" / "model"
    assert set(result["validation"]["groups"]) == {"textos-valid", "conversas-valid"}
    assert result["validation"]["bits_per_byte"] > 0
    names = {path.name for path in (place / "run").iterdir()}
    assert {"config.yaml", "log.jsonl", "samples.txt", "checkpoints", "model"} <= names
    model = LunaModel.from_pretrained(place / "run" / "model")
    assert model.config.model.hidden_size == 32
    assert losses(place / "run")[-1][1] < losses(place / "run")[0][1]
    assert "> Quem é você?" in (place / "run" / "samples.txt").read_text(encoding="utf-8")


def test_a_hypernetwork_is_added_to_a_trained_model_and_trained_alone(place: Path) -> None:
    run(place, "base", max_steps=2)
    changes = ["model.use_hypernet=true", "model.hypernet_size=8", "training.train_only=[hypernet.]"]
    run(place, "style", base_model=place / "base" / "model", changes=changes)
    base, model = (LunaModel.from_pretrained(place / name / "model") for name in ("base", "style"))
    assert model.config.model.hypernet_size == 8
    weights = model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in base.state_dict().items())
    assert weights.keys() > base.state_dict().keys()


def test_a_trained_model_grows_when_the_recipe_says_so_and_goes_on_after_a_restart(place: Path) -> None:
    run(place, "base", max_steps=1)
    options = {
        "base_model": place / "base" / "model",
        "changes": ["model.use_growing=true", "growth.steps=[1]", "growth.method=stack"],
    }
    run(place, "grown", max_steps=2, **options)
    run(place, "grown", max_steps=3, resume=True, **options)
    model = LunaModel.from_pretrained(place / "grown" / "model")
    assert len(model.layers) == 2
    assert [(entry["step"], entry["method"]) for entry in model.growth_history] == [(1, "stack")]
    assert model.config.model.use_growing
    told = [row["text"] for row in read_journal(place / "grown" / "log.jsonl") if row["kind"] == "notice"]
    assert sum("cresceu de 1 para 2 camadas" in text for text in told) == 1


@pytest.mark.parametrize("experts", [False, True])
def test_continued_run_equals_unbroken_one(place: Path, experts: bool) -> None:
    changes = ["model.use_moe=true", "model.moe_layers=all", "model.num_experts=4"] if experts else []
    run(place, "whole", changes=changes)
    run(place, "parts", max_steps=3, changes=changes)
    run(place, "parts", resume=True, changes=changes)
    assert losses(place / "parts") == losses(place / "whole")
    one, two = (LunaModel.from_pretrained(place / name / "model") for name in ("whole", "parts"))
    for (name, left), right in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(left, right), name
    row = read_journal(place / "whole" / "log.jsonl")[0]
    assert ("expert_violation" in row) == ("dead_experts" in row) == experts
    assert bool(one.moe_blocks) == experts
    if experts:
        assert one.moe_blocks[0].balance_bias.any()


def test_the_data_can_be_prepared_ahead(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUNA_TOKEN_CACHE", str(place / "tokens"))
    command = ["train", str(place / "receita.yaml"), "--data-root", str(place)]
    assert cli.main([*command, "--prepare"]) == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines()[1:3]}
    assert rows["textos"][0] == "60"
    # 6 steps of 2 · 2 rows of 32 tokens, two thirds of them from the texts
    slots = int(rows["textos"][1].replace(".", ""))
    assert float(rows["textos"][-1].replace(",", ".")) == pytest.approx(768 * 2 / 3 / slots, abs=0.06)
    assert "Tokens que o treino lê ao todo: 768." in said
    assert not (place / "runs").exists()

    written = {path: path.stat().st_mtime_ns for path in (place / "tokens").rglob("*") if path.is_file()}
    assert written
    train_command(place / "receita.yaml", place / "run", data_root=place)
    assert written == {
        path: path.stat().st_mtime_ns for path in (place / "tokens").rglob("*") if path.is_file()
    }


def test_starts_from_a_base_model(place: Path) -> None:
    run(place)
    result = run(place, "tuned", base_model=place / "run" / "model", max_steps=1)
    assert result["loss"] < losses(place / "run")[0][1]


def test_a_run_is_not_overwritten(place: Path) -> None:
    run(place, max_steps=1)
    with pytest.raises(ConfigError, match="--resume"):
        run(place)


def test_settings_on_the_command_line(place: Path) -> None:
    changes = ["training.learning_rate=0.5", "training.momentum=0.8", "model.use_attention=false"]
    recipe = read_recipe(place / "receita.yaml", preset="nano", data_root=place, changes=changes)
    assert recipe.config.training.learning_rate == 0.5
    assert recipe.config.training.batch_size == 2
    assert recipe.loop["momentum"] == 0.8
    assert recipe.loop["log_interval"] == 1
    assert recipe.config.model.preset == "nano"
    assert not recipe.config.model.use_attention


def test_the_environment_wins_over_the_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNA_TRAINING__BATCH_SIZE", "3")
    monkeypatch.setenv("LUNA_TRAINING__SEED", "5")
    recipe = read_recipe(place / "receita.yaml", changes=["training.seed=7"])
    assert recipe.config.training.batch_size == 3
    assert recipe.config.training.seed == 7


def test_a_configuration_with_train_path_is_a_recipe(place: Path) -> None:
    (place / "config.yaml").write_text(
        "model: {preset: test, hidden_size: 32, num_layers: 1}\n"
        "data: {train_path: conversas.jsonl, validation_path: [textos.jsonl], format: auto}\n"
        "training: {sequence_length: 32, batch_size: 2, num_epochs: 3, gradient_workers: 1}\n",
        encoding="utf-8",
    )
    tokenizer = LunaTokenizer.default()
    dataset = read_recipe(place / "config.yaml", data_root=place).train_dataset(tokenizer)
    slots = dataset.sizes()["conversas"]["slots"]
    result = train_command(place / "config.yaml", place / "run", data_root=place)
    assert result["stop_reason"] == "max_steps"
    assert result["steps"] == -(-3 * slots // 64)
    assert list(result["validation"]["groups"]) == ["textos"]


@pytest.mark.parametrize("change", ["learning_rate=1", "training.learning_rate", "training.=2"])
def test_a_malformed_setting_is_explained(place: Path, change: str) -> None:
    with pytest.raises(ConfigError, match=r"seção\.chave=valor"):
        read_recipe(place / "receita.yaml", changes=[change])


def test_a_value_that_is_no_yaml_is_shown(place: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.momentum=\[0"):
        read_recipe(place / "receita.yaml", changes=["training.momentum=[0.9"])


def test_an_unknown_setting_is_named(place: Path) -> None:
    with pytest.raises(ConfigError, match="log_interval"):
        run(place, changes=["training.log_intervall=2"])


def test_a_recipe_without_sources(place: Path) -> None:
    (place / "receita.yaml").write_text("model: {preset: test}\n", encoding="utf-8")
    with pytest.raises(DataError, match="sources"):
        run(place)


@pytest.mark.nightly
def test_a_compiled_run_can_be_continued(place: Path) -> None:
    """The real compiler: losses as without it, up to rounding; after a restart exactly the same."""
    run(place, "plain", max_steps=4)
    compiled = ["training.compile=true"]
    run(place, "whole", max_steps=4, changes=compiled)
    run(place, "parts", max_steps=2, changes=compiled)
    run(place, "parts", max_steps=4, changes=compiled, resume=True)
    notices = [row["text"] for row in read_journal(place / "whole" / "log.jsonl") if row["kind"] == "notice"]
    assert "torch.compile ligado." in notices
    assert losses(place / "parts") == losses(place / "whole")
    for (_, one), (_, two) in zip(losses(place / "plain"), losses(place / "whole"), strict=True):
        assert one == pytest.approx(two, rel=1e-4)


@pytest.mark.nightly
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_run_goes_on_as_if_nothing_had_happened(place: Path) -> None:
    """kill -9 in the middle of training, restart, and the same losses and weights as without."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    base = [sys.executable, "-m", "lunagpt.training", str(place / "receita.yaml"), "--data-root", str(place)]
    base += ["--set", "training.max_steps=60", "--set", "training.checkpoint_interval_minutes=0.005"]
    base += ["--set", "training.precision=float32"]  # which is faster, each process would measure anew

    def command(name: str, *more: str) -> list[str]:
        return [*base, "--run-dir", str(place / name), *more]

    subprocess.run(command("whole"), env=environment, check=True, timeout=300)
    for wanted in (12, 33):
        process = subprocess.Popen(command("parts", "--resume"), env=environment)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            steps = [step for step, _ in losses(place / "parts")]
            if steps and steps[-1] >= wanted:
                break
            time.sleep(0.02)
        assert process.poll() is None, "it ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert list((place / "parts" / "checkpoints").glob("step-*"))
    subprocess.run(command("parts", "--resume"), env=environment, check=True, timeout=300)
    assert losses(place / "parts") == losses(place / "whole")
    one, two = (LunaModel.from_pretrained(place / name / "model") for name in ("whole", "parts"))
    for left, right in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(left, right)
