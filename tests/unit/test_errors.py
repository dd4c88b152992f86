"""Why a file cannot be read or written, told in Portuguese."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from safetensors import SafetensorError, safe_open

from lunagpt.errors import reason_of, system_reason


def failure(act: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the library raises
        act()
    return caught.value


def test_reasons_are_portuguese(tmp_path: Path) -> None:
    folder, file = tmp_path / "pasta", tmp_path / "arquivo"
    folder.mkdir()
    file.write_bytes("{ação".encode("cp1252"))
    assert reason_of(failure((tmp_path / "nada").read_bytes)) == "não existe"
    assert reason_of(failure(folder.read_bytes)) == "é uma pasta, não um arquivo"
    assert (
        reason_of(failure((file / "x").read_bytes))
        == "o caminho passa por um arquivo como se fosse uma pasta"
    )
    assert reason_of(failure(lambda: file.read_text("utf-8"))) == "não está em UTF-8 (byte 2)"
    assert reason_of(failure(lambda: json.loads("{\n1}"))) == "JSON mal escrito na linha 2, coluna 1"
    assert reason_of(failure(lambda: json.loads("[" * 100_000))) == "há grupos demais uns dentro dos outros"
    assert reason_of(failure(lambda: yaml.safe_load("a: [1\nb: 2"))).startswith("YAML mal escrito na linha 2")
    assert reason_of(KeyError("modelo")) == "'modelo'"


def test_reasons_of_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("CREATE TABLE t(x)")
    writer.execute("BEGIN EXCLUSIVE")
    other = sqlite3.connect(path, timeout=0)
    assert reason_of(failure(lambda: other.execute("SELECT * FROM t"))) == "está em uso por outro programa"
    writer.execute("COMMIT")
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert reason_of(failure(lambda: reader.execute("DROP TABLE t"))) == "falta permissão de escrita"
    for connection in (writer, other, reader):
        connection.close()


def test_reasons_of_the_system_from_a_library_in_rust() -> None:
    error = failure(lambda: safe_open("/nada/disto", framework="numpy").__enter__())
    assert system_reason(error) == "não existe" or isinstance(error, FileNotFoundError)
    assert system_reason(SafetensorError("I/O error: No space left on device (os error 28)")) == (
        "não há mais espaço em disco"
    )
    assert system_reason(ValueError("um erro do programa")) is None
