"""`Sandbox`: a child process that reads one file after another under limits, replaced whenever it dies."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lunagpt
from lunagpt.data.documents import Document
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.limits import Limits
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.errors import DataError, LunaError, reason_of
from lunagpt.reporting.numbers import decimal

# A child that has served this many files is replaced: what libraries leak does not add up.
_FILES_PER_CHILD = 2_000
_ANSWER_BYTES = 1 << 30
_START_SECONDS = 60.0
# The path of the package comes last, so that nothing beside it hides a module of Python's own.
_PROGRAM = """import sys
sys.path.append(sys.argv[1])
from lunagpt.data.loaders.worker import main
main()"""


class SandboxError(LunaError):
    """The reading process does not start on this machine."""


class Sandbox:
    """Reads files in a child process; one at a time.

    Args:
        limits: what a file may cost; see `Limits`. Memory and processor time are bounded where the system
            can do so, the time on the clock everywhere.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._served = 0

    def parse(
        self, path: str | os.PathLike[str], identity: str, kind: str, follow_link: bool = True
    ) -> tuple[list[Document], list[str]]:
        """Like `parsing.parse_file`.

        Raises:
            FileProblem: the file cannot be read, or broke a limit, or the child.
            SandboxError: no child can be started.
        """
        child = self._running_child()
        request = {
            "path": os.fsencode(path).decode("latin-1"),
            "id": identity,
            "kind": kind,
            "follow_link": follow_link,
        }
        late = threading.Event()
        timer = threading.Timer(self.limits.wall_seconds, _stop, (child, late))
        timer.daemon = True
        timer.start()
        try:
            _write_line(child, request)
            answer = _read_answer(child)
        except (OSError, EOFError, ValueError) as error:
            timer.cancel()
            self._end_child()
            raise self._problem(child, late) from error
        except BaseException:  # Ctrl-C: the answer still in the pipe must not be taken for another file's
            self._end_child()
            raise
        finally:
            timer.cancel()
        self._served += 1
        if self._served >= _FILES_PER_CHILD or answer.get("problem") == problems.MEMORY or late.is_set():
            self._end_child()
        if "problem" in answer:
            raise FileProblem(str(answer["problem"]))
        try:
            documents = [Document.from_any(row, identity) for row in answer["documents"]]
            notes = [str(note) for note in answer["notes"]]
        except (DataError, KeyError, TypeError) as error:
            self._end_child()
            raise FileProblem(problems.CRASHED) from error
        return documents, notes

    def close(self) -> None:
        """End the child."""
        self._end_child()

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():  # after a fork, the pipes belong to the other process
            self._child, self._owner = None, os.getpid()
        if self._child is not None and self._child.poll() is not None:
            self._end_child()
        if self._child is None:
            self._child = _start(self.limits)
            self._served = 0
        return self._child

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            _end(child)

    def _problem(self, child: subprocess.Popen[bytes], late: threading.Event) -> FileProblem:
        """Why the child did not answer."""
        code = child.returncode
        if late.is_set():
            return FileProblem(problems.TIME.format(limit=decimal(self.limits.wall_seconds)))
        if code is not None and -code == _signal_number("SIGXCPU"):
            return FileProblem(problems.TIME.format(limit=self.limits.cpu_seconds))
        return FileProblem(problems.CRASHED)


_idle: list[Sandbox] = []
_idle_lock = threading.Lock()


@contextmanager
def borrowed_sandbox(limits: Limits) -> Iterator[Sandbox]:
    """A sandbox for a while. The last one is kept running, so that single files need no start each."""
    with _idle_lock:
        place = next((i for i, sandbox in enumerate(_idle) if sandbox.limits == limits), None)
        sandbox = _idle.pop(place) if place is not None else Sandbox(limits)
    try:
        yield sandbox
    finally:
        with _idle_lock:
            surplus = list(_idle)
            _idle[:] = [sandbox]
        for other in surplus:
            other.close()


@atexit.register
def close_idle_sandboxes() -> None:
    """End the child that is kept for the next file."""
    with _idle_lock:
        sandboxes = list(_idle)
        _idle.clear()
    for sandbox in sandboxes:
        sandbox.close()


def _start(limits: Limits) -> subprocess.Popen[bytes]:
    """A child that has said it is ready."""
    environment = {
        **os.environ,
        # Libraries with thread pools reserve memory for every thread.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUTF8": "1",
    }
    root = str(Path(lunagpt.__file__).resolve().parents[1])
    with tempfile.TemporaryFile() as errors:
        try:
            # -P: the current folder, which may hold the user's documents, is no place for modules.
            child = subprocess.Popen(
                [sys.executable, "-P", "-B", "-c", _PROGRAM, root],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                bufsize=-1,
                start_new_session=os.name == "posix",  # Ctrl-C is for the parent, which ends the child itself
            )
        except OSError as error:
            raise SandboxError(
                f"Não consegui iniciar o processo que lê os documentos: {reason_of(error)}. "
                "Confira se o Python está instalado por inteiro e se há memória livre."
            ) from error
        late = threading.Event()
        timer = threading.Timer(_START_SECONDS, _stop, (child, late))
        timer.daemon = True
        timer.start()
        try:
            _read_answer(child)
            _write_line(child, asdict(limits))
        except (OSError, EOFError, ValueError) as error:
            _end(child)
            errors.seek(0)
            lines = errors.read().decode("utf-8", errors="replace").strip().splitlines()
            detail = (
                "demorou demais" if late.is_set() else (lines[-1] if lines else f"código {child.returncode}")
            )
            raise SandboxError(
                f"O processo que lê os documentos não começou ({detail}). "
                "Reinstale o LunaGPT e tente de novo."
            ) from error
        finally:
            timer.cancel()
    return child


def _stop(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        child.kill()


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child: at once if it is busy; its input closed, an idle one would end by itself as well."""
    with suppress(OSError):
        child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _write_line(child: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert child.stdin is not None
    child.stdin.write(json.dumps(message).encode("ascii") + b"\n")
    child.stdin.flush()


def _read_answer(child: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The next answer.

    Raises:
        EOFError: the child has ended.
        ValueError: what it wrote is no answer.
    """
    size = int.from_bytes(_read_exactly(child, 8), "big")
    if size > _ANSWER_BYTES:
        raise ValueError("answer too long")
    answer = json.loads(_read_exactly(child, size))
    if not isinstance(answer, dict):
        raise ValueError("not an answer")
    return answer


def _read_exactly(child: subprocess.Popen[bytes], size: int) -> bytes:
    assert child.stdout is not None
    data = child.stdout.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _signal_number(name: str) -> int:
    import signal

    return int(getattr(signal, name, 0))
