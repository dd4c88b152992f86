"""The guide on preparing data keeps its word: its code runs, in its order, and prints what it says."""

from __future__ import annotations

from pathlib import Path

from tests.guides import DOCS, python_blocks, run_blocks

GUIDE = DOCS / "dados.md"


def test_the_code_of_the_guide_runs(tmp_path: Path) -> None:
    blocks = python_blocks(GUIDE.read_text(encoding="utf-8"))
    assert len(blocks) >= 8
    printed = run_blocks(blocks, tmp_path)
    for line in (
        "vou de o rio a a bahia em uma manha de marco.",
        '"Vale mesmo?", perguntou o Sr. J. P. Lima.',
        "3 trechos gravados",
        '1 registro gravado em "processados/perguntas.jsonl".',
    ):
        assert line in printed.splitlines(), printed
