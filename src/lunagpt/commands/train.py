"""`luna train`: checks what the command line says and hands it to `lunagpt.training`."""

from __future__ import annotations

from pathlib import Path

from lunagpt.commands import texts
from lunagpt.errors import missing_extra


def run_train(
    recipe: Path,
    *,
    run_dir: Path | None,
    preset: str | None,
    data_root: Path | None,
    base_model: Path | None,
    resume: bool,
    resume_from: Path | None,
    max_steps: int | None,
    max_minutes: float | None,
    decay_now: int | None,
    threads: int | None,
    changes: list[str],
) -> int:
    """Trains; without `run_dir` in `runs/` under the recipe's name.

    Returns:
        0, or 130 if a signal ended the training (it can be resumed).

    Raises:
        LunaError: the recipe, the data or the folders do not fit.
        MissingDependencyError: torch is not installed.
    """
    try:
        from lunagpt.training.command import train_command
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "torch", "train", texts.TO_TRAIN) from error

    result = train_command(
        recipe,
        run_dir or Path("runs") / recipe.stem,
        preset=preset,
        data_root=data_root,
        base_model=base_model,
        resume=resume_from or resume,
        max_steps=max_steps,
        max_minutes=max_minutes,
        decay_now=decay_now,
        threads=threads,
        changes=changes,
    )
    return 130 if result["stop_reason"] == "signal" else 0
