"""Standard streams that are closed, full or in another encoding: no traceback, and nothing in English."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="usa o sh")
PROGRAM = f"{sys.executable} {Path(__file__).parent / 'scripted_cli.py'} 0"


def shell(command: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of the shell in which LUNA stands for the program with a scripted engine."""
    variables = os.environ | {"LUNA_HOME": str(home)} | environment
    line = command.replace("LUNA", PROGRAM)
    return subprocess.run(["sh", "-c", line], env=variables, capture_output=True, text=True, encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "code"), [("LUNA chat <&-", 0), ("LUNA chat Olá >&-", 0), ("LUNA chat --nada 2>&-", 2)]
)
def test_closed_streams(tmp_path: Path, command: str, code: int) -> None:
    done = shell(command, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="só no Linux")
@pytest.mark.parametrize("command", ["LUNA --help > /dev/full", "LUNA chat Olá > /dev/full"])
def test_an_output_on_a_full_disk(tmp_path: Path, command: str) -> None:
    done = shell(command, tmp_path)
    assert done.returncode == 1
    assert "não há mais espaço em disco" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_takes_one_line(tmp_path: Path) -> None:
    done = shell("LUNA --help | head -1", tmp_path)
    assert done.stdout.startswith("Uso: luna")
    assert done.stderr == ""


def test_the_plain_locale_changes_nothing(tmp_path: Path) -> None:
    done = shell("LUNA chat 'São 2 pães?'", tmp_path, LC_ALL="C")
    assert done.returncode == 0
    assert "São 2 pães?" in done.stdout
