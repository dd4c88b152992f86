"""`run.json` in the folder of a run: from which model it started, and how it ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lunagpt.errors import ConfigError, reason_of
from lunagpt.files import atomic_write_text
from lunagpt.model_folders import fingerprint, shipped_models

FILE = "run.json"
#: Reasons for which a run stops before its end; with `resume` it goes on.
UNFINISHED = frozenset({"signal", "max_minutes"})


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        recipe: stem of its file.
        base: fingerprint of the model it started from; None for random weights and for a foreign base.
        model: fingerprint of the model it wrote; None until then.
        steps, tokens, seconds, stop_reason: as `Trainer.train` returns them, once it has written a model.
        device: what it ran on.
    """

    recipe: str
    base: str | None = None
    model: str | None = None
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stop_reason: str | None = None
    device: str = ""

    @property
    def finished(self) -> bool:
        """Whether it came to its own end and not to that of somebody's patience."""
        return self.model is not None and self.stop_reason not in UNFINISHED

    def ended(self, result: dict[str, Any], folder: Path, device: str) -> RunRecord:
        """The record of a run that wrote its model, as `result` of `Trainer.train` tells."""
        told = {name: result[name] for name in ("steps", "tokens", "seconds", "stop_reason")}
        return replace(self, model=fingerprint(folder / "model"), device=device, **told)

    def write(self, folder: Path) -> None:
        atomic_write_text(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")


def read_record(folder: Path) -> RunRecord | None:
    """The record in a run's folder; None if there is none.

    Raises:
        ConfigError: the file is no record.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return RunRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f'Não consegui ler "{path}" ({reason_of(error)}). Apague-o para continuar o treino.'
        ) from None


def mark_of(base: str | Path | None) -> str | None:
    """The fingerprint of what a run starts from: a folder or a shipped model; None for anything else."""
    if base is None:
        return None
    path = Path(base).expanduser()
    return fingerprint(path if path.is_dir() else shipped_models().get(str(base), path))


def check_origin(folder: Path, base: str | Path | None) -> RunRecord | None:
    """The record of a run that is to go on from the base it began with.

    Raises:
        ConfigError: it began with another model.
    """
    record, mark = read_record(folder), mark_of(base)
    if record is not None and None not in (record.base, mark) and record.base != mark:
        raise ConfigError(
            f'O treino em "{folder}" partiu de outro modelo, e não do que está agora em "{base}". Apague '
            "essa pasta para refazê-lo a partir do novo, ou escolha outra em --run-dir."
        )
    return record
