"""Broken files of every format: the loaders report them or read them, and never crash, hang or lie."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.loader_fuzz import mutate
from tests.unit.loader_samples import report_docx_trimmed, report_pdf_plain, samples

from lunagpt.data.documents import Document
from lunagpt.data.loaders import SUPPORTED, Limits
from lunagpt.data.loaders import problems as texts
from lunagpt.data.loaders.cleaning import clean_text
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.sandbox import Sandbox

SAMPLES = samples()
SEEDS = {"pdf": [SAMPLES["pdf"], report_pdf_plain()], "docx": [report_docx_trimmed()]}
# Problems that a file may not cause: they would be mistakes of ours, or of a library.
MISTAKES = tuple(text.split("{")[0] for text in (texts.UNEXPECTED, texts.CRASHED, texts.MEMORY, texts.TIME))
LIMITS = Limits(cpu_seconds=10, wall_seconds=60)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(LIMITS)
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("kind", SUPPORTED)
def test_broken_files(kind: str, sandbox: Sandbox, tmp_path: Path) -> None:
    fuzz(kind, 60, sandbox, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", SUPPORTED)
def test_thousands_of_broken_files(kind: str, sandbox: Sandbox, tmp_path: Path) -> None:
    fuzz(kind, 2_000, sandbox, tmp_path)


def fuzz(kind: str, count: int, sandbox: Sandbox, folder: Path) -> None:
    """Read `count` broken files of a kind, the same ones every time."""
    seeds = SEEDS.get(kind, [SAMPLES[kind]])
    path = folder / f"arquivo.{kind}"
    outcomes: Counter[str] = Counter()
    for number in range(count):
        chance = random.Random(zlib.crc32(f"{kind} {number}".encode()))
        path.write_bytes(mutate(chance.choice(seeds), kind, chance))
        try:
            documents, notes = sandbox.parse(path, path.name, kind)
        except FileProblem as problem:
            text = str(problem)
            assert not text.startswith(MISTAKES), f"{kind} {number}: {text}"
            outcomes["problem"] += 1
            continue
        assert documents
        for document in documents:
            check(document)
        outcomes["notes" if notes else "read"] += 1
    # Were all files refused, or none ever damaged, the test would say nothing.
    assert outcomes["read"] > 0, outcomes
    assert outcomes["problem"] + outcomes["notes"] > 0, outcomes


def check(document: Document) -> None:
    """What holds of every document, whatever the file."""
    assert document.content.strip()
    assert document.id
    assert document.title
    assert clean_text(document.content) == document.content
    json.dumps(document.to_dict(), allow_nan=False)
    for offsets in ([heading.offset for heading in document.headings], document.pages):
        assert list(offsets) == sorted(offsets)
        assert all(0 <= offset <= len(document.content) for offset in offsets)
    assert all(heading.level >= 1 and heading.text for heading in document.headings)
