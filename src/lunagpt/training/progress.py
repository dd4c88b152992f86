"""Where a run stands, and how fast it goes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """Saved with every checkpoint.

    Attributes:
        step: optimizer steps done.
        tokens: input tokens read.
        seconds: time spent in training, over all sessions.
        skipped_steps: steps without an update because loss or gradient were no numbers.
        bad_in_a_row: how many of them came last, without a good one between.
        validation: newest results of `Trainer.evaluate`, with their `step`.
        best_loss: lowest validation loss so far, reached at `best_step`.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    skipped_steps: int = 0
    bad_in_a_row: int = 0
    validation: dict[str, Any] = field(default_factory=dict)
    best_loss: float | None = None
    best_step: int = 0


class Session:
    """One call of `Trainer.train`: its clock and what was done in it."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._started = time.perf_counter()
        self._steps, self._tokens, self._seconds = progress.step, progress.tokens, progress.seconds

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def advance_clock(self) -> None:
        """Bring `progress.seconds` up to now."""
        self.progress.seconds = self._seconds + self.seconds

    @property
    def tokens_per_second(self) -> float:
        """Mean of the session, with everything that happens between the steps."""
        return (self.progress.tokens - self._tokens) / max(self.seconds, 1e-9)

    def seconds_left(self, max_steps: int | None, max_minutes: float | None) -> float | None:
        """Until the limit that comes first, at the pace so far; None if there is none or no pace yet."""
        limits = []
        if max_minutes is not None:
            limits.append(60 * max_minutes - self.seconds)
        steps = self.progress.step - self._steps
        if max_steps is not None and steps:
            limits.append((max_steps - self.progress.step) * self.seconds / steps)
        return max(min(limits), 0.0) if limits else None
