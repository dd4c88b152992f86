"""Model folders: what is saved comes back equal, and a broken folder says what is wrong with it."""

import json
from pathlib import Path

import pytest
import torch
from tests.unit.test_model import make_model

from lunagpt.config import LunaConfig
from lunagpt.errors import ModelFolderError
from lunagpt.files import sha256_file
from lunagpt.models import LunaModel, verify_folder

IDS = torch.randint(16, 16384, (1, 30), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_model().save(tmp_path / "modelo", model_card="# Cartão\n")


@torch.no_grad()
@pytest.mark.parametrize(
    "changes", [{}, {"use_state_space": False}, {"use_attention": False}, {"tie_embeddings": False}]
)
def test_save_and_load_give_equal_logits(tmp_path, changes):
    model = make_model(**changes)
    loaded = LunaModel.from_pretrained(model.save(tmp_path / "m"))
    assert torch.equal(loaded(IDS).logits, model(IDS).logits)
    assert loaded.tokenizer.encode("Olá, mundo") == model.tokenizer.encode("Olá, mundo")


def test_the_layout(folder):
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert names >= {
        "model.safetensors",
        "components/ssl/model.safetensors",
        "config/config.json",
        "tokenizer/tokenizer.json",
        "tokenizer/special_tokens.json",
        "manifest.json",
        "README.md",
    }
    manifest = verify_folder(folder)
    assert manifest["files"]["model.safetensors"]["sha256"] == sha256_file(folder / "model.safetensors")
    assert set(manifest["files"]) == names - {"manifest.json"}


@torch.no_grad()
def test_sixteen_bits_on_disk(tmp_path):
    model = make_model()
    wide, narrow = model.save(tmp_path / "a"), model.save(tmp_path / "b", dtype=torch.float16)
    assert (narrow / "model.safetensors").stat().st_size < 0.6 * (wide / "model.safetensors").stat().st_size
    loaded = LunaModel.from_pretrained(narrow)
    light = LunaModel.from_pretrained(narrow, use_lightweight=True)
    assert loaded.embedding.weight.dtype == torch.float32
    assert light.embedding.weight.dtype == torch.float16
    assert (loaded(IDS).logits - model(IDS).logits).abs().max() < 0.01
    assert torch.allclose(light(IDS).logits, loaded(IDS).logits, atol=1e-4)


def test_settings_outside_the_model_can_be_given(folder):
    config = LunaConfig().replaced(rag={"k_retrieval": 9}, model={"hidden_size": 999})
    loaded = LunaModel.from_pretrained(folder, config)
    assert loaded.config.rag.k_retrieval == 9
    assert loaded.config.model.hidden_size == 64
    assert LunaModel.from_config(loaded.config).config.model == loaded.config.model


def test_saving_again_replaces_the_folder(folder):
    make_model(seed=9).save(folder)
    assert not (folder / "README.md").exists()
    assert sorted(p.name for p in folder.parent.iterdir()) == ["modelo"]
    verify_folder(folder)


def test_a_failed_save_leaves_the_old_folder(folder, monkeypatch):
    before = sha256_file(folder / "model.safetensors")
    monkeypatch.setattr("lunagpt.models.checkpoint.write_manifest", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_model(seed=9).save(folder)
    assert sha256_file(folder / "model.safetensors") == before
    assert sorted(p.name for p in folder.parent.iterdir()) == ["modelo"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "components/ssl/model.safetensors",
        "config/config.json",
        "tokenizer/tokenizer.json",
    ],
)
@pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink])
def test_damage_is_named(folder, name, damage):
    damage(folder / name)
    with pytest.raises(ModelFolderError, match=name.replace(".", r"\.")):
        LunaModel.from_pretrained(folder)


def test_a_folder_that_is_none_or_not_ours(tmp_path):
    with pytest.raises(ModelFolderError, match="Não há pasta"):
        LunaModel.from_pretrained(tmp_path / "nada")
    with pytest.raises(ModelFolderError, match=r"manifest\.json"):
        LunaModel.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelFolderError, match="transformers"):
        LunaModel.from_pretrained(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ModelFolderError, match="estragado"):
        LunaModel.from_pretrained(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": "outro"}')
    with pytest.raises(ModelFolderError, match="formato"):
        LunaModel.from_pretrained(tmp_path)


def test_the_folder_of_a_training_points_at_its_model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").touch()
    with pytest.raises(ModelFolderError, match=r'é a de um treino. O modelo dele está em ".*model"'):
        verify_folder(tmp_path)


def test_a_base_of_documents_says_how_it_is_asked(tmp_path):
    (tmp_path / "luna.db").touch()
    with pytest.raises(ModelFolderError, match=r"base de documentos.*luna ask --rag"):
        verify_folder(tmp_path)


def test_weights_that_do_not_fit_the_config(folder):
    path = folder / "config/config.json"
    settings = json.loads(path.read_text())
    settings["model"]["num_layers"] = 3
    path.write_text(json.dumps(settings))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["config/config.json"] = {"size": path.stat().st_size, "sha256": sha256_file(path)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFolderError, match="não combinam"):
        LunaModel.from_pretrained(folder)
