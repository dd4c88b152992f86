"""Weights in shards: what is written comes back, file by file below the limit, and damage is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.unit.test_model import make_model

from lunagpt.errors import ModelFolderError
from lunagpt.files import sha256_file
from lunagpt.models import LunaModel, verify_folder
from lunagpt.models.checkpoint import save_model
from lunagpt.models.weight_files import read_weights, write_weights

LIMIT = 150_000  # bytes; of the test model only the token table is larger


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {f"w{i}": torch.randn(20, 10 + i, generator=generator) for i in range(6)}


def test_a_small_set_is_one_file_without_an_index(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    assert write_weights(tmp_path / "a" / "model.safetensors", tensors) == [tmp_path / "a/model.safetensors"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["model.safetensors"]


def test_shards_stay_below_the_limit_and_come_back_whole(
    tmp_path: Path, tensors: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / "model.safetensors"
    files = write_weights(path, tensors, max_bytes=2_500)
    assert [file.name for file in files[:2]] == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2)]
    assert not path.exists()
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in tensors.values())
    assert index["weight_map"].keys() == tensors.keys()
    read = read_weights(path)
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
    assert read.keys() == tensors.keys()


def test_a_tensor_larger_than_the_limit_has_a_file_of_its_own(
    tmp_path: Path, tensors: dict[str, torch.Tensor]
) -> None:
    files = write_weights(tmp_path / "model.safetensors", tensors, max_bytes=1)
    assert len(files) == len(tensors) + 1
    assert read_weights(tmp_path / "model.safetensors").keys() == tensors.keys()


def test_a_missing_shard_and_a_wrong_index_are_told(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "model.safetensors"
    first, second, *_, index = write_weights(path, tensors, max_bytes=2_500)
    second.replace(first)
    with pytest.raises(ModelFolderError, match="não combina com"):
        read_weights(path)
    first.unlink()
    with pytest.raises(ModelFolderError, match="Copie a pasta de novo"):
        read_weights(path)
    index.write_text("[]", encoding="utf-8")
    with pytest.raises(ModelFolderError, match=r"index\.json"):
        read_weights(path)


@torch.no_grad()
def test_a_model_in_shards_is_the_same_model(tmp_path: Path) -> None:
    model = make_model()
    folder = save_model(model, tmp_path / "m", max_shard_bytes=LIMIT)
    weights = sorted(folder.rglob("*.safetensors"))
    assert len(weights) > 3
    sizes = sorted(path.stat().st_size for path in weights)
    assert sizes[-2] < LIMIT + 2_000 < model.embedding.weight.nbytes < sizes[-1]
    verify_folder(folder)
    loaded = LunaModel.from_pretrained(folder)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    # saved whole again it is the same folder as if it never had been in shards
    again, whole = loaded.save(tmp_path / "again"), model.save(tmp_path / "whole")
    for path in whole.rglob("*.safetensors"):
        assert sha256_file(again / path.relative_to(whole)) == sha256_file(path)


def test_an_altered_shard_is_refused(tmp_path: Path) -> None:
    folder = save_model(make_model(), tmp_path / "m", max_shard_bytes=LIMIT)
    shard = min(folder.glob("model-*.safetensors"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(ModelFolderError, match=shard.name):
        LunaModel.from_pretrained(folder)


def test_a_save_in_shards_that_fails_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_model(make_model(), tmp_path / "m", max_shard_bytes=LIMIT)
    before = {path: sha256_file(path) for path in folder.rglob("*") if path.is_file()}
    calls = iter(range(100))

    def failing(*args: object, **kwargs: object) -> None:
        if next(calls) == 2:
            raise OSError("disco cheio")

    monkeypatch.setattr("lunagpt.models.weight_files.save_file", failing)
    with pytest.raises(OSError, match="disco cheio"):
        save_model(make_model(seed=5), folder, max_shard_bytes=LIMIT)
    assert before == {path: sha256_file(path) for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@torch.no_grad()
def test_bfloat16_on_disk_is_exact_on_any_processor(tmp_path: Path) -> None:
    """What is stored is computed with: widening bfloat16 to float32 loses nothing."""
    model = make_model()
    folder = model.save(tmp_path / "m", dtype=torch.bfloat16)
    loaded = LunaModel.from_pretrained(folder)
    for name, tensor in model.state_dict().items():
        expected = tensor.bfloat16().float() if tensor.dim() > 1 else tensor
        assert torch.equal(loaded.state_dict()[name], expected), name
    again = loaded.save(tmp_path / "again", dtype=torch.bfloat16)
    for path in folder.rglob("*.safetensors"):
        assert sha256_file(again / path.relative_to(folder)) == sha256_file(path)
