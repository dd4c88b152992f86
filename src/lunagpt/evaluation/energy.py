"""Energy from the processor's own counters (RAPL), where the machine has them and lets us read them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ZONES = Path("/sys/class/powercap")


@dataclass
class EnergyUse:
    """Joules that the processor packages took during a block of code, everything on the machine included.

    Attributes:
        joules: None if it could not be measured. problem: why not, a Portuguese sentence, or "".
    """

    joules: float | None = None
    seconds: float = 0.0
    problem: str = ""


@contextmanager
def watch_energy(zones: Path = _ZONES) -> Iterator[EnergyUse]:
    """Measures the block with the counters of Intel's and AMD's processors; says why if that is impossible.

    The counters wrap around after some minutes of full load; a block must be shorter than that.
    """
    use = EnergyUse()
    # Only whole packages ("intel-rapl:0"): their parts ("intel-rapl:0:1") are contained in them.
    packages = sorted(p for p in zones.glob("intel-rapl:*") if p.name.count(":") == 1)
    if not packages:
        use.problem = "Esta máquina não informa o consumo de energia (não há contadores RAPL)."
    try:
        before = [_microjoules(p) for p in packages]
    except PermissionError:
        packages, before = [], []
        use.problem = (
            "A máquina mede o consumo de energia, mas só o administrador pode ler os contadores "
            f"({zones}/intel-rapl:*/energy_uj)."
        )
    except (OSError, ValueError):
        packages, before = [], []
        use.problem = "Os contadores de energia desta máquina não podem ser lidos."
    started = time.perf_counter()
    yield use
    use.seconds = time.perf_counter() - started
    if packages:
        after = [_microjoules(p) for p in packages]
        spans = [int((p / "max_energy_range_uj").read_text()) for p in packages]
        differences = [
            a - b if a >= b else a - b + span for a, b, span in zip(after, before, spans, strict=True)
        ]
        use.joules = sum(differences) / 1e6


def _microjoules(package: Path) -> int:
    return int((package / "energy_uj").read_text())
