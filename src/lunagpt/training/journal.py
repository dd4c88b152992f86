"""The local record of a run: `log.jsonl`, one JSON object per line, appended and flushed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunagpt.files import atomic_write_text
from lunagpt.training.callbacks import Callback

if TYPE_CHECKING:
    from lunagpt.training.trainer import Trainer

FILE = "log.jsonl"


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a journal; a last line that a crash cut off is left out. [] if there is no file."""
    rows: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
    return rows


class JournalCallback(Callback):
    """Writes lines of three kinds: "train" (means over `log_interval` steps), "validation" and "notice".

    A resumed run first takes away lines of steps after its checkpoint: those steps are about to happen again.
    """

    name = "journal"

    def __init__(self) -> None:
        self._stream: Any = None
        self._pending: list[dict[str, Any]] = []
        self._early: list[dict[str, Any]] = []

    def on_train_start(self, trainer: Trainer) -> None:
        assert trainer.run_dir is not None
        path = trainer.run_dir / FILE
        kept = [
            row
            for row in read_journal(path)
            if row["step"] <= trainer.progress.step and trainer.progress.step
        ]
        atomic_write_text(path, "".join(_line(row) for row in kept))
        self._stream = path.open("a", encoding="utf-8")
        for row in self._early:
            self._write(row)
        self._early.clear()

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        self._pending.append(metrics)
        if metrics["step"] % trainer.settings.log_interval == 0:
            self._flush()

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        self._flush()
        self._write({"kind": "validation", "tokens_read": trainer.progress.tokens, **results})

    def on_notice(self, trainer: Trainer, text: str) -> None:
        self._write({"kind": "notice", "step": trainer.progress.step, "text": text})

    def on_train_end(self, trainer: Trainer) -> None:
        self._flush()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _flush(self) -> None:
        if not self._pending:
            return
        row = {"kind": "train", **self._pending[-1]}
        for key in ("loss", "bits_per_byte", "gradient_norm", "seconds"):
            values = [metrics[key] for metrics in self._pending if math.isfinite(metrics.get(key, math.nan))]
            if values:
                row[key] = sum(values) / len(values)
        self._pending.clear()
        self._write(row)

    def _write(self, row: dict[str, Any]) -> None:
        if self._stream is None:
            self._early.append(row)
        else:
            self._stream.write(_line(row))
            self._stream.flush()


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
