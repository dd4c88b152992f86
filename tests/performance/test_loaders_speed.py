"""A folder of a thousand small files costs milliseconds of processor time a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.loader_samples import samples

from lunagpt.data.loaders import find_files, load_files
from lunagpt.data.loaders.sandbox import close_idle_sandboxes

FILES = 1_000
# On one core of 2.4 GHz the mean over all formats is 4 ms; a process start per file would cost 100 ms.
MOST_MILLISECONDS = 15.0


@pytest.mark.performance
def test_a_thousand_small_files(tmp_path: Path) -> None:
    made = list(samples().items())
    for number in range(FILES):
        kind, data = made[number % len(made)]
        (tmp_path / f"{number}.{kind}").write_bytes(data)
    close_idle_sandboxes()
    start = _processor_seconds()
    results = list(load_files(find_files(tmp_path)))
    close_idle_sandboxes()
    milliseconds = (_processor_seconds() - start) / FILES * 1e3
    print(f"{milliseconds:.2f} ms de processador por arquivo")
    assert len(results) == FILES
    assert all(result.documents for result in results)
    assert milliseconds < MOST_MILLISECONDS


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
