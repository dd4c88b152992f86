"""The GPU benchmark runs as one command; without a GPU it can be rehearsed on the CPU."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
SMALL = "--device cpu --preset test --tokens 128 --rows 1 --conversations 2 --answer 2 --repeats 1"


@pytest.mark.nightly
def test_every_table_is_measured_on_the_cpu(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    results = tmp_path / "gpu.md"
    command = [sys.executable, str(SCRIPT), *SMALL.split(), "--no-compile", "--output", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    text = results.read_text(encoding="utf-8")
    tables = (
        "passo de treino",
        "varredura de uma camada",
        "camada de especialistas",
        "conversas ao mesmo tempo",
    )
    for table in tables:
        assert f"| {table} |" in text
    assert "um ensaio, não uma medida" in text
