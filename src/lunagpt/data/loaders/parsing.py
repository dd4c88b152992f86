"""One file → documents, in this process. Whoever calls this for files of strangers does so in a sandbox."""

from __future__ import annotations

import errno
import os
import stat

from lunagpt.data.documents import Document
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.formats import reader_of
from lunagpt.data.loaders.limits import Limits
from lunagpt.data.loaders.problems import FileProblem, megabytes
from lunagpt.data.loaders.reading import Reading
from lunagpt.errors import reason_of


def parse_file(
    path: str, identity: str, kind: str, limits: Limits, follow_link: bool = True
) -> tuple[list[Document], list[str]]:
    """Documents of a file, and notices about how it was read.

    Args:
        path: the file.
        identity: see `Reading.id`.
        kind: see `Reading.kind`.
        limits: see `Limits`.
        follow_link: whether `path` may be a symbolic link, where the system can tell.

    Raises:
        FileProblem: it cannot be read; the message says why.
    """
    data = read_regular_file(path, limits, follow_link)
    if not data:
        raise FileProblem(problems.EMPTY)
    return parse_bytes(data, identity, kind, limits)


def parse_bytes(data: bytes, identity: str, kind: str, limits: Limits) -> tuple[list[Document], list[str]]:
    """Like `parse_file`, for the content of a file."""
    reading = Reading(identity, kind, data, limits)
    try:
        documents = reader_of(kind)(reading)
    except RecursionError as error:
        raise FileProblem(problems.TOO_DEEP.format(limit=limits.depth)) from error
    return documents, list(dict.fromkeys(reading.notes))


def read_regular_file(path: str, limits: Limits, follow_link: bool = True) -> bytes:
    """Bytes of a regular file; never waits on a pipe or a device, nor reads more than it may.

    Raises:
        FileProblem: there is no such file, it is another kind of file, or too large.
    """
    # Without O_NONBLOCK, opening a named pipe waits for a writer that may never come.
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    )
    if not follow_link:  # a file may have been replaced by a link since the folder was listed
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise _open_problem(error) from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileProblem(problems.NOT_REGULAR)
        try:
            data = stream.read(limits.file_bytes + 1)
        except OSError as error:
            raise _open_problem(error) from error
    if len(data) > limits.file_bytes:
        size = max(status.st_size, len(data))
        raise FileProblem(problems.TOO_LARGE.format(size=megabytes(size), limit=megabytes(limits.file_bytes)))
    return data


def _open_problem(error: OSError) -> FileProblem:
    if isinstance(error, FileNotFoundError):
        return FileProblem(problems.MISSING)
    if isinstance(error, PermissionError) and error.errno in (errno.EACCES, errno.EPERM):
        return FileProblem(problems.FORBIDDEN)
    if isinstance(error, IsADirectoryError) or error.errno in (errno.ENXIO, errno.ELOOP):
        return FileProblem(problems.NOT_REGULAR)
    return FileProblem(problems.UNREADABLE.format(reason=reason_of(error)))
