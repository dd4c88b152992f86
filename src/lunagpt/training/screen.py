"""Progress on the screen: a live line in a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lunagpt.reporting.numbers import number
from lunagpt.training.callbacks import Callback

if TYPE_CHECKING:
    from lunagpt.training.trainer import Trainer

SECONDS_BETWEEN_LINES = 15.0
SMOOTHING = 0.95


class ScreenCallback(Callback):
    """Step, smoothed loss, bits per byte, speed and time left, in Portuguese."""

    name = "screen"

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.live: Live | None = None
        self.printed_at = 0.0
        self.loss: float | None = None
        self.bits: float | None = None

    def on_train_start(self, trainer: Trainer) -> None:
        if self.console.is_terminal:
            self.live = Live(console=self.console, refresh_per_second=4, transient=False)
            self.live.start()

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        self.loss = _smooth(self.loss, metrics["loss"])
        self.bits = _smooth(self.bits, metrics.get("bits_per_byte"))
        if self.live is not None:
            self.live.update(Text(self._line(trainer)))
        elif time.perf_counter() - self.printed_at >= SECONDS_BETWEEN_LINES:
            self._print(self._line(trainer))
            self.printed_at = time.perf_counter()

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        self._print(f"passo {results['step']} · validação: {describe(results)}")
        groups = results.get("groups", {})
        if len(groups) > 1:
            for name, metrics in groups.items():
                self._print(f"    {name}: {describe(metrics)}")

    def on_notice(self, trainer: Trainer, text: str) -> None:
        self._print(text)

    def on_train_end(self, trainer: Trainer) -> None:
        if self.loss is not None:
            self._print(self._line(trainer))

    def close(self) -> None:
        if self.live is not None:
            self.live.update(Text(""))
            self.live.stop()
            self.live = None

    def _print(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)

    def _line(self, trainer: Trainer) -> str:
        last = trainer.schedule.max_steps
        parts = [f"passo {trainer.progress.step}" + (f"/{last}" if last else "")]
        if self.loss is not None:
            parts.append(f"perda {number(self.loss, 3)}")
        if self.bits is not None:
            parts.append(f"{number(self.bits, 3)} bits/byte")
        parts.append(f"{number(trainer.session.tokens_per_second, 0)} tokens/s")
        left = trainer.session.seconds_left(last, trainer.settings.max_minutes)
        if left is not None:
            parts.append(f"falta {duration(left)}")
        return " · ".join(parts)


def describe(metrics: dict[str, Any]) -> str:
    parts = [f"perda {number(metrics['loss'], 4)}", f"perplexidade {number(metrics['perplexity'], 2)}"]
    if "bits_per_byte" in metrics:
        parts.append(f"{number(metrics['bits_per_byte'], 4)} bits/byte")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """ "2 h 05 min", "5 min 03 s" or "12 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _smooth(old: float | None, new: float | None) -> float | None:
    if new is None or new != new:
        return old
    return new if old is None else SMOOTHING * old + (1 - SMOOTHING) * new
