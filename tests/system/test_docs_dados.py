"""The guide on preparing data keeps its word: its code runs, in its order, and prints what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "dados.md"


def test_the_code_of_the_guide_runs(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "vou de o rio a a bahia em uma manha de marco.",
        '"Vale mesmo?", perguntou o Sr. J. P. Lima.',
        "3 trechos gravados",
        '1 registro gravado em "processados/perguntas.jsonl".',
    ):
        assert line in done.stdout.splitlines(), done.stdout


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (GUIDE.parent / link).exists()] == []
