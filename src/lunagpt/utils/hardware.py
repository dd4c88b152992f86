"""What the machine can do."""

from __future__ import annotations

import os
from pathlib import Path

_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def physical_cores() -> int:
    """Cores that this process may use; a second thread per core would only take bandwidth from the first.

    Logical cores where the system does not tell.
    """
    try:
        allowed = os.sched_getaffinity(0)
        return len({Path(_TOPOLOGY.format(cpu)).read_text().strip() for cpu in allowed}) or 1
    except (OSError, AttributeError):
        return os.cpu_count() or 1


def usable_threads() -> int:
    """Threads for numerical work: the physical cores, or OMP_NUM_THREADS where that is set to fewer."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    cores = physical_cores()
    return min(cores, max(1, int(limit))) if limit.isdecimal() else cores
