"""How much memory this process takes: now, and at its peak since a moment of our choice."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lunagpt.errors import LunaError

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc_pid_clear_refs(5): the peak falls to what is resident now


@dataclass
class MemoryUse:
    """Resident bytes of the process around a block of code.

    Attributes:
        before: when the block began. peak: the most at any moment of the block.
        exact: the peak belongs to this block alone; False where the system only keeps one for the whole life
            of the process, which is then an upper bound.
    """

    before: int = 0
    peak: int = 0
    exact: bool = True


@contextmanager
def watch_memory() -> Iterator[MemoryUse]:
    """Measures the block; free memory that the C library holds back is first given to the system.

    Raises:
        LunaError: this system does not tell.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # only glibc has it
            ctypes.CDLL(None).malloc_trim(0)
    use = MemoryUse(before=resident_bytes(), exact=_reset_peak())
    yield use
    use.peak = max(use.before, _peak_bytes())


def resident_bytes() -> int:
    """Bytes of this process that are in memory now; where only the peak is known, that."""
    return _status_bytes("VmRSS") or _lifetime_peak()


def _peak_bytes() -> int:
    return _status_bytes("VmHWM") or _lifetime_peak()


def _reset_peak() -> bool:
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _status_bytes(field: str) -> int | None:
    """A field of /proc/self/status, in bytes; None where there is no such file or field."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)


def _lifetime_peak() -> int:
    try:
        import resource
    except ModuleNotFoundError:
        raise LunaError(
            "Este sistema não informa quanta memória o processo usa. Meça no Linux ou no macOS."
        ) from None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
