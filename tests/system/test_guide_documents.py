"""The guide on documents keeps its word: its commands and its Python run, and say what it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.guides import DOCS

GUIDE = DOCS / "documentos.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(arguments: list[str], folder: Path, stdin: str = "") -> str:
    done = subprocess.run(
        arguments, cwd=folder, input=stdin, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def shell(block: str, folder: Path) -> str:
    """Runs the lines of a block and returns what the last one said; `luna` is this interpreter's, and vectors
    are left out."""
    said = ""
    document = re.search(r"cat > (\S+) <<'FIM'\n(.*?)^FIM$", block, re.MULTILINE | re.DOTALL)
    if document is not None:
        (folder / document[1]).parent.mkdir(exist_ok=True)
        (folder / document[1]).write_text(document[2], encoding="utf-8")
        return said
    for line in block.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "luna"
        extra = ["--no-vectors"] if arguments[0] == "index" else []
        said = run([sys.executable, "-m", "lunagpt.cli", *arguments, *extra], folder, "oi\n/sair\n")
    return said


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guia")


def test_the_guide_runs_from_top_to_bottom(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNA_HOME", str(home / "luna"))
    said = ""
    seen = {"bash": 0, "text": 0, "python": 0}
    for language, block in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        seen[language] += 1
        if language == "bash":
            said = shell(block, home)
        elif language == "text":
            assert in_one_line(block) == in_one_line(said)
        else:
            said = run([sys.executable, "-c", block], home)
            assert said.strip()
    assert seen["bash"] >= 5
    assert seen["text"] >= 3
    assert seen["python"] >= 3
