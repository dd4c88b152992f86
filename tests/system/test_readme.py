"""The READMEs keep their word: their commands exist and their Python runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", ROOT / "README.en.md"]


def blocks(path: Path, language: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)


def commands(path: Path) -> list[str]:
    return [line for block in blocks(path, "bash") for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("path", READMES, ids=lambda p: p.name)
def test_make_targets_and_luna_commands_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = 0
    for command in commands(path):
        words = shlex.split(command.rpartition("|")[2])
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), command
        elif words[0] == ".venv/bin/luna":
            done = run("-m", "lunagpt.cli", words[1], "--help")
            assert done.returncode == 0, done.stderr
            for option in (word for word in words if word.startswith("--")):
                assert option in done.stdout, command
        else:
            assert words[0] == ".venv/bin/pip", command
        known += 1
    assert known >= 3


def test_the_python_example_runs() -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    done = run("-c", example)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
