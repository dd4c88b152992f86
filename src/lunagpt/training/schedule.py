"""The learning rate over a run: warm-up, then constant, then decay; another warm-up after the model grew.

WSD ("warm-up, stable, decay": Hu et al., MiniCPM, 2024) is the default because its constant part needs no
end: a run may be stopped by the clock, continued for longer, and annealed from any of its checkpoints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from lunagpt.training.settings import TrainingSettings


@dataclass(frozen=True)
class Schedule:
    """A function of the step (from 0) to a factor in [0, 1] on every learning rate.

    `max_steps` None means that the end is not known: the rate stays constant after the warm-up. Changing
    `max_steps` between two parts of a WSD run moves the decay, so the constant part becomes longer or
    shorter and nothing before the decay changes. A cosine depends on its end from the first step: change it
    only knowingly.
    """

    kind: str = "wsd"  # wsd | cosine | linear | constant
    warmup_steps: int = 0
    max_steps: int | None = None
    decay_steps: int = 0
    decay_shape: str = "linear"  # linear | sqrt
    min_ratio: float = 0.0
    ordered: bool = False  # a decay that was ordered during the run; it outlives a restart
    rewarm_start: int | None = None  # the step before which the model grew last
    rewarm_steps: int = 0

    @property
    def decay_start(self) -> int | None:
        """The first step of the decay; None without one."""
        if self.max_steps is None or self.kind != "wsd":
            return None
        return max(self.max_steps - self.decay_steps, 0) if self.decay_steps else None

    def multiplier(self, step: int) -> float:
        """The factor for the update number `step`, counted from 0; above 0 for every step before
        `max_steps`.
        """
        return self._warmup(step) * self._decay(step)

    def rewarmed(self, start: int, steps: int) -> Schedule:
        """The same with the rate rising once more, from 0 over `steps` steps from `start` on."""
        return replace(self, rewarm_start=start, rewarm_steps=steps)

    def _warmup(self, step: int) -> float:
        factor = _rise(step, self.warmup_steps)
        if self.rewarm_start is not None:
            factor *= _rise(step - self.rewarm_start, self.rewarm_steps)
        return factor

    def _decay(self, step: int) -> float:
        if self.kind == "constant" or self.max_steps is None:
            return 1.0
        if self.kind == "wsd":
            if self.decay_start is None:
                return 1.0
            done = _fraction(step, self.decay_start, self.max_steps)
            # 1 - sqrt: Hägele et al., "Scaling Laws ... Beyond Fixed Training Durations", 2024.
            left = 1 - math.sqrt(done) if self.decay_shape == "sqrt" else 1 - done
        else:
            done = _fraction(step, self.warmup_steps, self.max_steps)
            left = 0.5 * (1 + math.cos(math.pi * done)) if self.kind == "cosine" else 1 - done
        return self.min_ratio + (1 - self.min_ratio) * left


def _rise(step: int, steps: int) -> float:
    return min((step + 1) / steps, 1.0) if steps else 1.0


def _fraction(step: int, start: int, end: int) -> float:
    return min(max((step - start) / max(end - start, 1), 0.0), 1.0)


def plan_schedule(
    settings: TrainingSettings,
    step: int,
    max_steps: int | None,
    decay_now: int | None = None,
    begun: dict[str, Any] | None = None,
) -> Schedule:
    """The schedule for a run that stands at `step`.

    Args:
        settings: kind, warm-up, decay and floor.
        max_steps: the end, None if unknown.
        decay_now: decay over so many steps from here and end there, whatever the settings say. Meant for
            runs at a constant rate: a cosine or linear schedule would jump up first.
        begun: fields of the schedule that the resumed run had; a decay ordered by `decay_now` is carried on.
    """
    if decay_now is None and begun is not None and begun.get("ordered"):
        return Schedule(**begun)
    decay_steps = settings.decay_steps
    if decay_now is not None:
        max_steps, decay_steps = step + decay_now, decay_now
    elif decay_steps is None:
        decay_steps = round((max_steps or 0) * settings.decay_fraction)
    return Schedule(
        kind="wsd" if decay_now is not None else settings.schedule,
        warmup_steps=settings.warmup_steps,
        max_steps=max_steps,
        decay_steps=decay_steps,
        decay_shape=settings.decay_shape,
        min_ratio=settings.min_learning_rate_ratio,
        ordered=decay_now is not None,
    )
