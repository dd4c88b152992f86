"""The guide on bases keeps its word: its Python runs from top to bottom and prints what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.guides import DOCS, python_blocks

from lunagpt.rag import model_holder

GUIDE = DOCS / "base.md"


def test_the_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_holder, "open_embedder", lambda *_: None)  # as where it is not installed
    names: dict[str, object] = {}
    for block in python_blocks(GUIDE.read_text(encoding="utf-8")):
        exec(compile(block, str(GUIDE), "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Edital 7 As inscrições vão até 30 de junho. 0.")
    assert said[1:] == [
        "edital-3",
        "1 removido",
        "0 removidos",
        "0 trechos com vetor",
        "0 de 2",
        "2 documentos",
    ]
