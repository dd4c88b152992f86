"""Ctrl-C while the program is still being loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WAYS_IN = {
    "luna": ["-c", "import sys; from lunagpt.cli import main; sys.exit(main())"],  # what pip installs
    "python -m lunagpt.cli": ["-m", "lunagpt.cli"],
    "python -m lunagpt": ["-m", "lunagpt"],
}


@pytest.mark.parametrize("way", WAYS_IN)
@pytest.mark.parametrize("module", ["typer", "lunagpt.commands.groups"])
def test_it_ends_without_a_word(tmp_path: Path, way: str, module: str) -> None:
    """The interrupt comes at a known place: in the midst of importing a module."""
    site = tmp_path / "sitecustomize.py"
    site.write_text(
        f"""
import sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
""",
        encoding="utf-8",
    )
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, *WAYS_IN[way], "chat", "--help"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\n")
