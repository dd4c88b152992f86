"""Atomic writes: after any failure the old content is there, whole, and nothing else."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt import files
from lunagpt.files import (
    atomic_directory,
    atomic_text_writer,
    atomic_write_bytes,
    atomic_write_text,
    sha256_file,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "texto.txt"
    atomic_write_text(path, "olá\r\n")
    assert path.read_bytes() == "olá\r\n".encode()
    atomic_write_bytes(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert names(path.parent) == ["texto.txt"]


def test_a_stream_takes_the_name_only_when_it_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "linhas.txt"
    with atomic_text_writer(path) as stream:
        stream.write("um\n")
        assert not path.exists()
        stream.write("dois é\n")
    assert path.read_bytes() == "um\ndois é\n".encode()
    with pytest.raises(TypeError), atomic_text_writer(path) as stream:
        stream.writelines(["outra coisa", 3])
    assert path.read_bytes() == "um\ndois é\n".encode()
    assert names(tmp_path) == ["linhas.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_failed_write_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "texto.txt"
    atomic_write_text(path, "antigo")

    def fail(*_: object) -> None:
        raise OSError("sem espaço")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(OSError, match="sem espaço"):
        atomic_write_text(path, "novo")
    assert path.read_text() == "antigo"
    assert names(tmp_path) == ["texto.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_permissions_are_kept_and_new_files_follow_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "segredo.txt"
    atomic_write_text(path, "a")
    (tmp_path / "comum.txt").write_text("a")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "comum.txt").stat().st_mode)
    path.chmod(0o600)
    atomic_write_text(path, "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "alvo.txt", tmp_path / "atalho.txt"
    target.write_text("a")
    link.symlink_to(target)
    atomic_write_text(link, "b")
    assert link.is_symlink()
    assert target.read_text() == "b"


def test_directory_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "modelos" / "luna"
    with atomic_directory(path) as folder:
        (folder / "config").mkdir()
        (folder / "config" / "a.json").write_text("1")
        assert not path.exists()
        assert folder.parent.parent == path.parent
    assert (path / "config" / "a.json").read_text() == "1"
    with atomic_directory(path) as folder:
        assert not list(folder.iterdir())
        (folder / "b.json").write_text("2")
        assert names(path) == ["config"]
    assert names(path) == ["b.json"]
    assert names(path.parent) == ["luna"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_directory_stays_as_it_was_when_the_block_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "luna"
    path.mkdir()
    (path / "a.json").write_text("1")

    def write_and_fail() -> None:
        with atomic_directory(path) as folder:
            (folder / "a.json").write_text("2")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert (path / "a.json").read_text() == "1"
    assert names(tmp_path) == ["luna"]


def test_old_directory_returns_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "luna"
    path.mkdir()
    (path / "a.json").write_text("1")
    replace = os.replace

    def fail_for_new(source: Path, target: Path) -> None:
        if Path(source).name == "new":
            raise OSError("disco")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", fail_for_new)
    with pytest.raises(OSError, match="disco"), atomic_directory(path) as folder:
        (folder / "a.json").write_text("2")
    assert (path / "a.json").read_text() == "1"
    assert names(tmp_path) == ["luna"]


def test_directory_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "luna").write_text("arquivo")
    with pytest.raises(NotADirectoryError, match="não é uma pasta"), atomic_directory(tmp_path / "luna"):
        pass
    assert (tmp_path / "luna").read_text() == "arquivo"


def test_a_killed_process_leaves_the_old_content(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.txt", tmp_path / "luna"
    file.write_text("antigo")
    folder.mkdir()
    (folder / "a.json").write_text("1")
    code = f"""
import os
from lunagpt import files
with files.atomic_directory({str(folder)!r}) as new:
    (new / "a.json").write_text("2")
    files.os.replace = lambda *_: os._exit(9)
    files.atomic_write_text({str(file)!r}, "novo")
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert file.read_text() == "antigo"
    assert (folder / "a.json").read_text() == "1"
    atomic_write_text(file, "novo")
    with atomic_directory(folder) as new:
        (new / "b.json").write_text("3")
    assert (file.read_text(), names(folder)) == ("novo", ["b.json"])


@given(st.binary(max_size=4096), st.integers(1, 512))
def test_hash_equals_hashlib_whatever_the_block(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, block: int
) -> None:
    path = tmp_path_factory.mktemp("hash") / "dados"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_HASH_BLOCK_BYTES", block)
        assert sha256_file(path) == hashlib.sha256(data).hexdigest()
