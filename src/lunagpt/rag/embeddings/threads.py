"""How many threads embedding may take from the machine."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
_LOW_PRIORITY = 10  # of 19, as `nice` counts


def default_threads() -> int:
    """Physical cores of this process less one, so that the conversation keeps one; at least one."""
    return max(1, physical_cores() - 1)


def physical_cores() -> int:
    """Physical cores this process may run on; the logical ones where the system does not tell."""
    try:
        allowed = os.sched_getaffinity(0)
        return len({Path(_TOPOLOGY.format(cpu)).read_text().strip() for cpu in allowed}) or 1
    except (OSError, AttributeError):
        return os.cpu_count() or 1


def lower_this_threads_priority() -> None:
    """Lets everything else go first; only Linux gives each thread a priority of its own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
