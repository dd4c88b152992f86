"""`load_file`, `load_files`, `load_folder`: files → documents; no file stops the others."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from lunagpt.data.documents import Document
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.folder import FoundFile, find_files, plain_name
from lunagpt.data.loaders.formats import SUPPORTED, kind_of
from lunagpt.data.loaders.limits import DEFAULT_LIMITS, Limits
from lunagpt.data.loaders.parsing import parse_file
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.sandbox import Sandbox, borrowed_sandbox
from lunagpt.errors import DataError

# A second process pays for its start only with so many files.
_FILES_PER_WORKER = 32
_MAX_WORKERS = 4
_FILES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file.

    Attributes:
        path: where it is.
        id: its path relative to the folder, with "/"; documents of rows have ids of their own.
        documents: what was read; empty after a problem.
        problem: why it could not be read, a Portuguese phrase; None if it was.
        skipped: why nobody tried; None if somebody did.
        notes: notices about a file that was read ("lidas só as primeiras 2000 páginas…").
    """

    path: Path
    id: str
    documents: tuple[Document, ...] = ()
    problem: str | None = None
    skipped: str | None = None
    notes: tuple[str, ...] = ()


def load_file(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    sandboxed: bool = True,
) -> list[Document]:
    """Documents of one file: one for a text, one a row for files of texts (see `rows`).

    Args:
        path: the file; a symbolic link is followed.
        root: folder that ids are relative to; that of the file if None.
        limits: see `Limits`.
        sandboxed: read in a child process under limits of memory and time. Without it a hostile file can
            take this process along.

    Raises:
        DataError: the file cannot be read; the message says why and what to do.
        SandboxError: no child process can be started.
    """
    path = Path(path).expanduser()
    kind = kind_of(path)
    try:
        if kind is None:
            raise FileProblem(problems.UNKNOWN_FORMAT.format(formats=", ".join(SUPPORTED)))
        if sandboxed:
            with borrowed_sandbox(limits) as sandbox:
                documents, _ = sandbox.parse(path, identity_of(path, root), kind)
        else:
            documents, _ = parse_file(str(path), identity_of(path, root), kind, limits)
    except FileProblem as problem:
        raise DataError(f'O arquivo "{plain_name(str(path))}" {problem}.') from problem
    return documents


def load_folder(
    folder: str | os.PathLike[str],
    recursive: bool = True,
    file_types: Iterable[str] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    workers: int | None = None,
) -> Iterator[FileResult]:
    """Yield a result for every file of a folder, in the order of their paths; see `find_files`, `load_files`.

    Raises:
        DataError: there is no such folder, or a type of `file_types` is not read.
        SandboxError: no child process can be started.
    """
    return load_files(find_files(folder, recursive, file_types), limits=limits, workers=workers)


def load_files(
    files: Iterable[FoundFile], *, limits: Limits = DEFAULT_LIMITS, workers: int | None = None
) -> Iterator[FileResult]:
    """Yield a result for every file, in their order. Child processes read ahead while results are used.

    Args:
        files: see `find_files`.
        limits: see `Limits`.
        workers: child processes; by the number of files and cores if None.

    Raises:
        SandboxError: no child process can be started.
    """
    files = list(files)
    if workers is None:
        to_read = sum(file.skipped is None for file in files)
        workers = max(1, min(_MAX_WORKERS, os.cpu_count() or 1, to_read // _FILES_PER_WORKER))
    return _load_in_order(files, limits, workers)


def identity_of(path: Path, root: str | os.PathLike[str] | None) -> str:
    """The path relative to `root`, with "/"; the name alone if it does not lie in there."""
    if root is not None:
        absolute, base = Path(os.path.abspath(path)), Path(os.path.abspath(Path(root).expanduser()))
        if absolute != base and absolute.is_relative_to(base):
            return plain_name(absolute.relative_to(base).as_posix())
    return plain_name(path.name)


def _load_in_order(files: list[FoundFile], limits: Limits, workers: int) -> Iterator[FileResult]:
    with borrowed_sandbox(limits) as first, ThreadPoolExecutor(workers, "luna-leitura") as pool:
        sandboxes = [first, *(Sandbox(limits) for _ in range(workers - 1))]
        free: SimpleQueue[Sandbox] = SimpleQueue()
        for sandbox in sandboxes:
            free.put(sandbox)
        pending: deque[Future[FileResult]] = deque()
        try:
            for file in files:
                pending.append(pool.submit(_load, file, free))
                if len(pending) > workers + _FILES_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:  # also when the reader of the results has had enough
            for future in pending:
                future.cancel()
            for sandbox in sandboxes[1:] if not pending else sandboxes:
                sandbox.close()


def _load(file: FoundFile, free: SimpleQueue[Sandbox]) -> FileResult:
    if file.skipped is not None:
        return FileResult(file.path, file.id, skipped=file.skipped)
    sandbox = free.get()
    try:
        documents, notes = sandbox.parse(file.path, file.id, file.kind, follow_link=False)
    except FileProblem as problem:
        return FileResult(file.path, file.id, problem=str(problem))
    finally:
        free.put(sandbox)
    return FileResult(file.path, file.id, tuple(documents), notes=tuple(notes))
