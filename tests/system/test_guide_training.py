"""The guide to training: its code runs, its recipe and the shipped ones can be read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.guides import DOCS, python_blocks

from lunagpt.errors import ConfigError
from lunagpt.training.recipe import read_recipe

GUIDE = DOCS / "treino.md"
RECIPES = sorted((DOCS.parent / "configs" / "treino").glob("*.yaml"))


def test_its_code_trains_and_saves_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNA_TOKEN_CACHE", str(tmp_path / "tokens"))
    code = "\n".join(python_blocks(GUIDE.read_text(encoding="utf-8")))
    command = [sys.executable, "-X", "utf8", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "4 512"
    assert (tmp_path / "meu-modelo" / "manifest.json").exists()


def test_its_recipe_can_be_read(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    [whole] = [block for block in blocks if "sources:" in block]
    (tmp_path / "receita.yaml").write_text(whole, encoding="utf-8")
    recipe = read_recipe(tmp_path / "receita.yaml")
    assert (recipe.config.model.preset, len(recipe.sources)) == ("nano", 2)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_can_be_read(path: Path) -> None:
    recipe = read_recipe(path)
    assert all(source["weight"] > 0 for source in recipe.sources)
    assert recipe.config.training.max_steps
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["validation"]


@pytest.mark.parametrize(
    ("name", "message"), [("nada.yaml", "há exemplos em configs/treino"), (".", "é uma pasta")]
)
def test_what_is_no_recipe(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_recipe(tmp_path / name)
