"""The guide to the parts of the model keeps its word: the code blocks of each section run in their order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.guides import DOCS, python_blocks, run_blocks

GUIDE = DOCS / "modelo.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", GUIDE.read_text(encoding="utf-8"), re.M | re.S))
BLOCKS = {title: python_blocks(text) for title, text in SECTIONS.items()}


@pytest.mark.parametrize("title", [title for title, blocks in BLOCKS.items() if blocks])
def test_the_code_of_a_section_runs(title: str, tmp_path: Path) -> None:
    run_blocks(BLOCKS[title], tmp_path)
