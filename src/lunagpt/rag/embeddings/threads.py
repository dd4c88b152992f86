"""How many threads embedding may take from the machine."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from lunagpt.utils.hardware import physical_cores

_LOW_PRIORITY = 10  # of 19, as `nice` counts


def default_threads() -> int:
    """Physical cores of this process less one, so that the conversation keeps one; at least one."""
    return max(1, physical_cores() - 1)


def lower_this_threads_priority() -> None:
    """Lets everything else go first; only Linux gives each thread a priority of its own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
