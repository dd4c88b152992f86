"""A folder → the files in it that are read, and those that are not, with the reason."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from lunagpt.data.loaders import problems
from lunagpt.data.loaders.formats import kind_of, wanted_kinds
from lunagpt.errors import DataError

_MAX_FOLDER_DEPTH = 64
# What systems and editors leave lying about.
_TEMPORARY_PREFIXES = ("~$", ".~")
_TEMPORARY_SUFFIXES = ("~", ".tmp", ".part", ".crdownload", ".swp")
_IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a folder.

    Attributes:
        path: where it is.
        id: its path relative to the folder, with "/"; bytes that are no text are written as ``\\xff``.
        kind: how it is read, one of `SUPPORTED`; "" if it is not.
        skipped: why it is not read; None if it is.
        size, modified: bytes, and nanoseconds since 1970, to tell whether it has changed.
    """

    path: Path
    id: str
    kind: str = ""
    skipped: str | None = None
    size: int = 0
    modified: int = 0


def find_files(
    folder: str | os.PathLike[str], recursive: bool = True, file_types: Iterable[str] | None = None
) -> list[FoundFile]:
    """Files of a folder in the order of their paths, also those that will be skipped.

    Hidden files and folders (".git") are left out without a word, as are other formats if `file_types` is
    given. Symbolic links are not followed: they may lead out of the folder, or in circles.

    Raises:
        DataError: there is no such folder, or a type of `file_types` is not read.
    """
    root = Path(folder).expanduser()
    kinds = wanted_kinds(file_types)
    if root.is_file():
        raise DataError(f'"{root}" é um arquivo, e não uma pasta. Para ler um arquivo só, use load_file.')
    if not root.is_dir():
        raise DataError(f'Não encontrei a pasta "{root}". Confira o caminho.')
    found: list[FoundFile] = []
    open_folders = [(os.path.realpath(root), "", 0)]
    while open_folders:
        path, prefix, depth = open_folders.pop()
        try:
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            found.append(FoundFile(Path(path), prefix or ".", skipped=problems.SKIPPED_FOLDER))
            continue
        for entry in listed:
            name = entry.name
            if name.startswith(".") or name.lower() in _IGNORED_NAMES:
                continue
            identity = f"{prefix}{plain_name(name)}"
            if not entry.is_symlink() and entry.is_dir(follow_symlinks=False):
                if recursive and depth >= _MAX_FOLDER_DEPTH:
                    found.append(FoundFile(Path(entry.path), identity, skipped=problems.SKIPPED_DEEP_FOLDER))
                elif recursive:
                    open_folders.append((entry.path, f"{identity}/", depth + 1))
                continue
            file = _look_at(entry, identity)
            if file_types is None or kind_of(PurePath(name)) in kinds:
                found.append(file)
    return sorted(found, key=lambda file: file.id)


def plain_name(name: str) -> str:
    """A file name as text: bytes that are not UTF-8 become ``\\xff`` and the like."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _look_at(entry: os.DirEntry[str], identity: str) -> FoundFile:
    path = Path(entry.path)
    if entry.is_symlink():
        return FoundFile(path, identity, skipped=problems.SKIPPED_LINK)
    lowered = entry.name.lower()
    if lowered.startswith(_TEMPORARY_PREFIXES) or lowered.endswith(_TEMPORARY_SUFFIXES):
        return FoundFile(path, identity, skipped=problems.SKIPPED_TEMPORARY)
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return FoundFile(path, identity, skipped=problems.SKIPPED_SPECIAL)
    if not stat.S_ISREG(status.st_mode):
        return FoundFile(path, identity, skipped=problems.SKIPPED_SPECIAL)
    kind = kind_of(PurePath(entry.name))
    if kind is None:
        suffix = PurePath(plain_name(entry.name)).suffix
        reason = problems.SKIPPED_FORMAT.format(suffix=suffix) if suffix else problems.SKIPPED_NO_SUFFIX
        return FoundFile(path, identity, skipped=reason, size=status.st_size, modified=status.st_mtime_ns)
    return FoundFile(path, identity, kind, size=status.st_size, modified=status.st_mtime_ns)
