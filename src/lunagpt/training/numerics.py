"""In which number format, with how many workers and whether compiled a training runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lunagpt.training.compilation import compile_if_faster
from lunagpt.training.parallel import GradientWorkers
from lunagpt.training.precision import choose_compute_dtype

if TYPE_CHECKING:
    from lunagpt.training.trainer import Trainer


def choose_numerics(
    trainer: Trainer, batches: Iterator[Mapping[str, Any]], saved: dict[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Number format, workers, compilation: as set, else measured; a resumed run keeps what it had.

    Args:
        batches: those of the training. saved: the state that a run is resumed from; {} for a fresh start.

    Returns:
        The batches, none of them missing.
    """
    settings = trainer.settings
    precision, mode, workers = settings.precision, settings.compile_mode, settings.gradient_workers
    if precision == "auto" and trainer.config is not None and not trainer.config.hardware.mixed_precision:
        precision = "float32"
    if saved:
        precision = saved["compute_dtype"] if precision == "auto" else precision
        mode = ("on" if saved["compiled"] else "off") if mode == "auto" else mode
        workers = workers or saved["gradient_workers"]
    trainer.compute_dtype = choose_compute_dtype(trainer.model, precision, trainer.device)
    if hasattr(trainer.model, "compute_dtype"):
        trainer.model.compute_dtype = trainer.compute_dtype
    if workers is None:
        side_by_side = trainer.device.type == "cpu" and not drops_at_random(trainer.model)
        workers = torch.get_num_threads() if side_by_side else 1
    if (workers := min(workers, settings.gradient_accumulation_steps)) > 1:
        trainer.workers = GradientWorkers(workers)
    return batches if mode == "off" else _compile(trainer, mode, batches)


def drops_at_random(model: nn.Module) -> bool:
    """Whether micro-batches side by side would race for torch's random numbers: such a run would not be
    repeatable."""
    section = getattr(getattr(model, "config", None), "model", None)
    return bool(getattr(section, "drops_at_random", False))


def _compile(
    trainer: Trainer, mode: str, batches: Iterator[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Tries compiled layers on the first step's batches, which are given back."""
    first = list(itertools.islice(batches, trainer.settings.gradient_accumulation_steps))
    if not first:
        return batches

    def run() -> None:
        with torch.random.fork_rng():
            trainer.add_gradients([trainer.prepare(raw) for raw in first])
        trainer.optimizers.zero_grad()

    trainer.model.train()
    last, minutes = trainer.schedule.max_steps, trainer.settings.max_minutes
    compile_if_faster(
        trainer.model,
        mode,
        run,
        trainer.notice,
        num_runs=math.inf if last is None else last - trainer.progress.step,
        max_seconds=math.inf if minutes is None else 60 * minutes,
    )
    return itertools.chain(first, batches)
