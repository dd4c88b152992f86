"""What the user sees and what is written down when something goes wrong."""

from __future__ import annotations

import logging
import platform
import sys
import traceback
from datetime import datetime
from pathlib import Path

import lunagpt
from lunagpt.commands import texts
from lunagpt.commands.places import log_folder, private_file
from lunagpt.errors import LunaError, system_reason


def complain(message: str) -> None:
    """Writes an error to the standard error output."""
    print(texts.ERROR.format(message=message), file=sys.stderr, flush=True)


def report(error: Exception, *, verbose: bool) -> None:
    """Tells the user about an error: its own words if it is a `LunaError`, the reason if the system refused
    something (no space, no permission), else where the details are."""
    if isinstance(error, LunaError):
        complain(str(error))
    elif (reason := system_reason(error)) is not None:
        file = getattr(error, "filename", None)
        text = texts.SYSTEM_REFUSED if file is None else texts.SYSTEM_REFUSED_FILE
        complain(text.format(path=file, reason=reason))
    else:
        path = _write_down(error)
        text = texts.UNEXPECTED_NO_LOG if path is None else texts.UNEXPECTED
        complain(text.format(kind=type(error).__name__, path=path))
    if verbose:
        traceback.print_exception(error)


def _write_down(error: Exception) -> Path | None:
    """Appends the traceback to today's error log; None if that cannot be written."""
    now = datetime.now().astimezone()
    try:
        path = private_file(log_folder("errors") / f"{now:%Y-%m-%d}.log")
        with path.open("a", encoding="utf-8") as log:
            log.write(
                f"=== {now.isoformat(timespec='seconds')} LunaGPT {lunagpt.__version__}, "
                f"Python {platform.python_version()}, {platform.platform()}\n"
            )
            log.write("".join(traceback.format_exception(error)).encode("utf-8", "replace").decode())
    except OSError:
        return None
    return path


class _Handler(logging.Handler):
    """Warnings and, if asked for, the steps of a turn on whatever standard error output is now."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.levelno >= logging.WARNING:
            message = texts.WARNING.format(message=message)
        print(message, file=sys.stderr, flush=True)


def show_log(*, verbose: bool) -> None:
    """Sends the log of the package to the standard error output: warnings, with `verbose` everything."""
    logger = logging.getLogger("lunagpt")
    logger.handlers = [_Handler()]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
