"""docs/comparacao.md keeps its word: its Python runs, its commands and options exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from lunagpt.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "comparacao.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_python(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    row = {"task": "multiple_choice", "question": "Qual?", "choices": ["isto", "aquilo"], "answer_index": 0}
    (tmp_path / "perguntas.jsonl").write_text("\n".join([json.dumps(row)] * 4), encoding="utf-8")
    exec(compile(EXAMPLES[number], f"docs/comparacao.md, exemplo {number + 1}", "exec"), {})
    written = [path.name for path in tmp_path.iterdir() if path.name != "perguntas.jsonl"]
    assert written or capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command)
    if words[0] == "python":
        assert (ROOT / words[1]).is_file()
        return
    assert words[0] == "luna"
    assert main([words[1], "--help"]) == 0
    help_page = capsys.readouterr().out
    for option in (word for word in words if word.startswith("-")):
        assert option in help_page
