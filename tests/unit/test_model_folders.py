"""Models by name, and which one answers when nobody says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lunagpt import model_folders
from lunagpt.errors import ModelFolderError
from lunagpt.model_folders import default_model, find_model, fingerprint, shipped_models

NANO = shipped_models()["luna-nano"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with luna-mini in models/."""
    mini = tmp_path / "models" / "luna-mini"
    mini.mkdir(parents=True)
    manifest = {"format": "lunagpt-model-1", "files": {"model.safetensors": {"size": 3, "sha256": "abc"}}}
    (mini / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.setattr(model_folders, "checkout", lambda: tmp_path)
    return tmp_path


def judge(repository: Path, **changes: Any) -> None:
    """Writes the verdicts: luna-mini clearly better, unless changed."""
    nano = {"model": fingerprint(NANO), "suite": "comportamentos", "n": 428, "value": 0.03, "low": 0.01}
    mini = {**nano, "model": fingerprint(repository / "models/luna-mini"), "value": 0.5, "low": 0.45}
    verdicts = {"luna-nano": nano, "luna-mini": mini | changes}
    (repository / "models" / "comportamentos.json").write_text(json.dumps(verdicts), encoding="utf-8")


def test_a_path_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_model(tmp_path) == tmp_path
    monkeypatch.chdir(tmp_path)
    (tmp_path / "luna-nano").mkdir()
    assert find_model("luna-nano") == Path("luna-nano")


def test_a_name_is_found_in_the_package_and_in_the_repository(repository: Path) -> None:
    assert find_model("luna-nano") == NANO
    assert find_model("luna-mini") == repository / "models" / "luna-mini"
    assert sorted(shipped_models()) == ["luna-mini", "luna-nano"]


def test_the_packages_own_model_keeps_its_name(repository: Path) -> None:
    shutil.copytree(repository / "models" / "luna-mini", repository / "models" / "luna-nano")
    assert find_model("luna-nano") == NANO


def test_elsewhere_a_larger_model_is_said_to_be_in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folders, "checkout", lambda: None)
    with pytest.raises(ModelFolderError, match=r"models/ do repositório.*luna-nano"):
        find_model("luna-mini")


def test_a_path_that_leads_nowhere_is_said_so(repository: Path) -> None:
    for given in ("luna-maxi", repository / "luna-mini", "outra"):
        with pytest.raises(ModelFolderError, match="Não há pasta de modelo em"):
            find_model(given)


def test_a_model_is_the_default_once_its_dialogues_are_better_beyond_doubt(repository: Path) -> None:
    assert default_model() == NANO
    judge(repository)
    assert default_model() == repository / "models" / "luna-mini"


@pytest.mark.parametrize(
    "changes",
    [{"low": 0.03}, {"n": 40}, {"suite": "outra"}, {"model": "other weights"}],
    ids=["within the interval", "other dialogues", "other suite", "other weights"],
)
def test_a_doubtful_verdict_changes_nothing(repository: Path, changes: dict[str, Any]) -> None:
    judge(repository, **changes)
    assert default_model() == NANO


def test_without_the_embedded_models_own_verdict_it_stays(repository: Path) -> None:
    judge(repository)
    path = repository / "models" / "comportamentos.json"
    verdicts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({"luna-mini": verdicts["luna-mini"]}), encoding="utf-8")
    assert default_model() == NANO
    path.write_text("{estragado", encoding="utf-8")
    assert default_model() == NANO


def test_the_fingerprint_is_of_the_weights_and_not_of_the_card(tmp_path: Path) -> None:
    def write(**files: str) -> str | None:
        entries = {name: {"size": 1, "sha256": value} for name, value in files.items()}
        (tmp_path / "manifest.json").write_text(json.dumps({"files": entries}), encoding="utf-8")
        return fingerprint(tmp_path)

    first = write(**{"model.safetensors": "a", "README.md": "b"})
    assert first == write(**{"model.safetensors": "a", "README.md": "c"})
    assert first != write(**{"model.safetensors": "d", "README.md": "b"})
    (tmp_path / "manifest.json").unlink()
    assert fingerprint(tmp_path) is None


def test_the_real_default_is_a_shipped_model() -> None:
    assert default_model() in shipped_models().values()
