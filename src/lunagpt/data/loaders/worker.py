"""The child process that reads files: takes requests from its input and answers on its output.

A request is a line of JSON; an answer is its length (8 bytes, big-endian) and JSON. Answers are data, never
code (no pickle): the parent need not trust a child that a hostile file has taken over.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any, BinaryIO

from lunagpt.data.loaders import problems
from lunagpt.data.loaders.limits import Limits
from lunagpt.data.loaders.parsing import parse_file
from lunagpt.data.loaders.problems import FileProblem

READY = {"ready": True}


def main() -> None:
    """Answer requests until the input ends."""
    requests = sys.stdin.buffer
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.setrecursionlimit(1000)
    _send(answers, READY)
    limits = Limits(**json.loads(requests.readline()))
    limit_process(limits.memory_bytes)
    for line in requests:
        request = json.loads(line)
        _limit_cpu(limits.cpu_seconds)
        path = os.fsdecode(request["path"].encode("latin-1"))
        _send(answers, answer(path, request["id"], request["kind"], limits, request["follow_link"]))


def answer(path: str, identity: str, kind: str, limits: Limits, follow_link: bool = True) -> dict[str, Any]:
    """The documents of a file with notices, or the problem with it, as values that fit in JSON."""
    try:
        documents, notes = parse_file(path, identity, kind, limits, follow_link)
        return {"documents": [document.to_dict() for document in documents], "notes": notes}
    except FileProblem as problem:
        return {"problem": str(problem)}
    except MemoryError:
        return {"problem": problems.MEMORY}
    except Exception as error:  # one bad file must not stop a folder, whatever a library makes of it
        return {"problem": problems.UNEXPECTED.format(kind=type(error).__name__)}


def _send(stream: BinaryIO, message: dict[str, Any]) -> None:
    try:
        data = json.dumps(message, ensure_ascii=False).encode("utf-8", errors="replace")
    except MemoryError:
        data = json.dumps({"problem": problems.MEMORY}).encode()
    stream.write(len(data).to_bytes(8, "big"))
    stream.write(data)
    stream.flush()


def limit_process(memory_bytes: int) -> None:
    """Bound this process: memory above what it has now, no core dumps, no writing to files."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows: the clock of the parent and the checks of sizes remain
        return
    # A system may refuse (macOS does not bound the address space); the other limits hold.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory_bytes,) * 2)
    for name in ("RLIMIT_CORE", "RLIMIT_FSIZE"):
        with suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (0, 0))


def _limit_cpu(seconds: int) -> None:
    """Give the next file this much processor time; the system ends the process after it."""
    try:
        import resource
    except ModuleNotFoundError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _address_space() -> int:
    """Bytes of address space in use (Linux), else a guess."""
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:
            return int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 512 << 20
