"""Writing files so that a crash leaves either the old content or the new one, never a mixture."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

_HASH_BLOCK_BYTES = 1 << 20


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream whose bytes take the place of `path` in one step when the block ends well.

    They go to a temporary sibling, reach the disk (fsync) and only then take the name; missing parent folders
    are created. A symbolic link is followed: the file it points to is replaced. Permissions of an existing
    file are kept.

    Raises:
        OSError: the folder cannot be written; the previous content of `path` is untouched.
    """
    target = Path(os.path.realpath(path))
    with _blamed_on(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, _permissions_for(target))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


@contextmanager
def atomic_text_writer(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Like `atomic_writer`, for UTF-8 text; newlines are written as given."""
    with atomic_writer(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            text.detach()  # flushes, and leaves the stream open


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the content of `path` by `data` in one step; see `atomic_writer`."""
    with atomic_writer(path) as stream:
        stream.write(data)


def atomic_write_text(path: str | os.PathLike[str], text: str) -> None:
    """Like `atomic_write_bytes`, for UTF-8 text; newlines are written as given."""
    atomic_write_bytes(path, text.encode("utf-8"))


@contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Fill a folder in one step: yields an empty temporary sibling that takes the name `path` on success.

    If the block raises, the temporary folder is removed and whatever was at `path` stays as it was.
    A previous folder at `path` is moved aside, replaced and then deleted, so a reader finds the old
    folder or the new one; between two renames it may for an instant find none.

    Raises:
        NotADirectoryError: `path` exists and is a file.
        OSError: the parent folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f'"{target}" já existe e não é uma pasta. Escolha outro nome.')
    with _blamed_on(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    fresh, previous = workspace / "new", workspace / "old"
    fresh.mkdir()
    try:
        yield fresh
        for folder, _, names in os.walk(fresh):
            for name in names:
                _sync_file(Path(folder, name))
            _sync_folder(Path(folder))
        if target.exists():
            os.replace(target, previous)
        try:
            os.replace(fresh, target)
        except OSError:
            if previous.exists():
                os.replace(previous, target)
            raise
        _sync_folder(target.parent)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Finds out before long work whether its result can be written to the file `path` afterwards.

    Missing parent folders are created; a file that is there stays as it is.

    Raises:
        OSError: it cannot: there is a folder of that name, or its folder takes no new files.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    check_writable_folder(target.parent)


def check_writable_folder(folder: Path) -> None:
    """Like `check_writable`, for files in a folder, which is made if it is missing.

    Raises:
        OSError: there can be no new files in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file, read in blocks so that large weights do not fill the memory."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _blamed_on(target: Path) -> Iterator[None]:
    """Errors within name `target`, not the temporary file beside it that nobody has heard of."""
    try:
        yield
    except OSError as error:
        error.filename = str(target)
        raise


def _permissions_for(target: Path) -> int:
    if target.exists():
        return target.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_file(path: Path) -> None:
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())


def _sync_folder(path: Path) -> None:
    # Some systems cannot open a folder for fsync (Windows) or refuse it (network shares): the rename
    # is still atomic there, only its durability over a power cut is not forced.
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
