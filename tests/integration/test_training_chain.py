"""`train_chain`: several recipes in one command, killed and resumed anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.integration.test_training_command import losses, place  # noqa: F401 - a fixture
from tests.unit.train_helpers import one_thread  # noqa: F401 - acts on every test here

from lunagpt import LunaModel, cli
from lunagpt.errors import ConfigError
from lunagpt.model_folders import fingerprint
from lunagpt.training.chain import train_chain
from lunagpt.training.command import train_command
from lunagpt.training.run_record import read_record
from lunagpt.training.trainer import Trainer

CHANGES = ["training.checkpoint_interval_minutes=0.000001", "training.eval_interval=100"]
STAGES = ("pretreino", "ajuste")


@pytest.fixture
def recipes(place: Path) -> list[Path]:  # noqa: F811
    """Two recipes; only the first says what model it is."""
    text = (place / "receita.yaml").read_text(encoding="utf-8")
    tuning = "\n".join(line for line in text.splitlines() if not line.startswith("model:"))
    paths = [place / f"{stage}.yaml" for stage in STAGES]
    for path, content in zip(paths, (text, tuning), strict=True):
        path.write_text(content.replace("max_steps: 6", "max_steps: 4"), encoding="utf-8")
    return paths


def chain(recipes: list[Path], name: str = "all", **options: Any) -> dict[str, Any]:
    folder = recipes[0].parent
    return train_chain(recipes, folder / name, data_root=folder, changes=CHANGES, **options)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return LunaModel.from_pretrained(folder / "model").state_dict()


def assert_equal(one: Path, other: Path) -> None:
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name]), name


def test_each_stage_starts_from_the_model_of_the_one_before(
    recipes: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = recipes[0].parent
    assert chain(recipes)["stop_reason"] == "max_steps"
    options: dict[str, Any] = {"data_root": root, "changes": CHANGES}
    train_command(recipes[0], root / "one", **options)
    train_command(recipes[1], root / "two", base_model=root / "one" / "model", **options)
    for stage, by_hand in zip(STAGES, ("one", "two"), strict=True):
        assert losses(root / "all" / stage) == losses(root / by_hand)
    assert_equal(root / "all" / "ajuste", root / "two")

    first, second = (read_record(root / "all" / stage) for stage in STAGES)
    assert first is not None
    assert second is not None
    assert (first.base, first.steps, first.tokens) == (None, 4, 512)
    assert second.base == first.model == fingerprint(root / "all" / "pretreino" / "model")

    capsys.readouterr()
    assert chain(recipes, resume=True) == {"stop_reason": "finished"}
    assert "Etapa 2 de 2, ajuste: pronta, 4 passos." in capsys.readouterr().err


@pytest.mark.nightly
@pytest.mark.parametrize("crash", [(0, 2), (1, 0), (1, 2), (1, 4)], ids=str)
def test_a_crash_anywhere_loses_nothing(
    recipes: list[Path], monkeypatch: pytest.MonkeyPatch, crash: tuple[int, int]
) -> None:
    """At a step of a stage; step 4 is after the training and before its model is written."""
    stage, step = crash
    calls = {"steps": 0, "saves": 0}
    real_step, real_save = Trainer._step, LunaModel.save

    def stepping(self: Trainer, batches: Any) -> Any:
        if calls["steps"] == 4 * stage + step:
            raise RuntimeError("queda de luz")
        calls["steps"] += 1
        return real_step(self, batches)

    def saving(self: LunaModel, *args: Any, **options: Any) -> Path:
        calls["saves"] += 1
        if calls["saves"] == stage + 1 and step == 4:
            raise RuntimeError("queda de luz")
        return real_save(self, *args, **options)

    root = recipes[0].parent
    chain(recipes, "whole")
    with monkeypatch.context() as patches:
        patches.setattr(Trainer, "_step", stepping)
        patches.setattr(LunaModel, "save", saving)
        with pytest.raises(RuntimeError, match="queda de luz"):
            chain(recipes, "parts", resume=True)
    chain(recipes, "parts", resume=True)
    for name in STAGES:
        assert losses(root / "parts" / name) == losses(root / "whole" / name)
        assert_equal(root / "parts" / name, root / "whole" / name)


def test_the_minutes_are_of_the_whole_chain(recipes: list[Path]) -> None:
    root = recipes[0].parent
    assert chain(recipes, max_minutes=1e-6)["stop_reason"] == "max_minutes"
    record = read_record(root / "all" / "pretreino")
    assert record is not None
    assert not record.finished
    assert not (root / "all" / "ajuste").exists()
    assert chain(recipes, resume=True)["stop_reason"] == "max_steps"
    records = [read_record(root / "all" / stage) for stage in STAGES]
    assert [record and record.steps for record in records] == [4, 4]


def test_a_chain_that_has_begun_is_not_overwritten(recipes: list[Path]) -> None:
    root = recipes[0].parent
    train_command(recipes[1], root / "all" / "ajuste", data_root=root, max_steps=1)
    with pytest.raises(ConfigError, match=r"ajuste.*--resume"):
        chain(recipes)
    assert not (root / "all" / "pretreino").exists()


def test_a_stage_that_began_with_another_model_is_not_continued(recipes: list[Path]) -> None:
    root = recipes[0].parent
    chain(recipes)
    train_command(
        recipes[0], root / "all/pretreino", data_root=root, changes=CHANGES, resume=True, max_steps=5
    )
    with pytest.raises(ConfigError, match="partiu de outro modelo"):
        chain(recipes, resume=True)


def test_the_command_line(recipes: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    root = recipes[0].parent
    command = ["train", *map(str, recipes), "--data-root", str(root), "--run-dir", str(root / "cli")]
    assert cli.main([*command, "--prepare"]) == 0
    said = capsys.readouterr().out
    assert f"{recipes[1]}:" in said
    assert said.count("Tokens guardados") == 2
    assert cli.main([*command, "--resume-from", "ponto"]) == 2
    assert cli.main([*command, "--max-steps", "1"]) == 0
    assert (root / "cli" / "ajuste" / "model" / "manifest.json").exists()
    assert cli.main(["train", str(recipes[0]), str(recipes[0])]) == 1
    assert 'se chamam "pretreino"' in capsys.readouterr().err
