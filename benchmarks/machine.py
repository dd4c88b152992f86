"""What every benchmark says about the machine it ran on, and how it writes and keeps its table."""

import os
import platform
import shlex
import sys
from datetime import date
from pathlib import Path

import torch

from lunagpt.reporting.numbers import count, number


def describe_machine() -> str:
    """One line: processor, cores, number formats it multiplies natively, torch version."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        flags = next(line for line in lines if line.startswith("flags"))
        name += "".join(
            f", {flag}" for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {flag}" in flags
        )
    except (OSError, StopIteration):
        pass
    threads = count(torch.get_num_threads(), "linha", "linhas")
    return f"{name}; {os.cpu_count()} núcleos, {threads} de execução; torch {torch.__version__}"


def table_row(*cells: str) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def with_interval(mean: float, low: float, high: float, digits: int) -> str:
    """A difference and its interval: "+0,012 [−0,003; +0,027]"."""
    shown = [number(value, digits, signed=True) for value in (mean, low, high)]
    return f"{shown[0]} [{shown[1]}; {shown[2]}]"


def command_line() -> str:
    """How this benchmark was started; of absolute paths only the last part, the rest is the machine's."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def write_table(path: Path, title: str, lines: list[str]) -> None:
    """Prints a Markdown section and appends it, dated and with the command, to the results file."""
    head = [f"## {title}, {date.today().isoformat()}", "", f"`{command_line()}`", ""]
    section = "\n".join([*head, *lines]) + "\n"
    print(section)
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(section + "\n")
