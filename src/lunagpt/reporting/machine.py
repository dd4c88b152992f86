"""What a report says about the machine that it was made on."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from lunagpt.reporting.numbers import count, number


def describe_machine() -> dict[str, str]:
    """Portuguese names and values: processor, cores, memory, system, Python, torch (if loaded), load."""
    facts = {"Processador": _processor(), "Núcleos": str(_usable_cores())}
    if memory := _memory_bytes():
        facts["Memória"] = f"{number(memory / 1e9, 1)} GB"
    facts["Sistema"] = f"{platform.system()} {platform.machine()}"
    facts["Python"] = platform.python_version()
    torch = sys.modules.get("torch")
    if torch is not None:
        threads = count(torch.get_num_threads(), "linha", "linhas")
        facts["PyTorch"] = f"{torch.__version__}, {threads} de execução"
        if torch.cuda.is_available():
            facts["GPU"] = torch.cuda.get_device_name()
    if hasattr(os, "getloadavg"):
        facts["Carga"] = f"{number(os.getloadavg()[0], 1)} (média do último minuto)"
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine() or "desconhecido"


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return None
