"""What a checkpoint holds of a trainer beside weights and optimizer memory, and how a trainer takes it up."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunagpt.errors import ConfigError
from lunagpt.training import checkpoints
from lunagpt.training.compilation import is_compiled
from lunagpt.training.progress import Progress

if TYPE_CHECKING:
    from lunagpt.training.trainer import Trainer


def state_of(trainer: Trainer) -> dict[str, Any]:
    """The trainer at this moment, as JSON values."""
    return {
        "progress": asdict(trainer.progress),
        "data": trainer.stream.state_dict(),
        "schedule": asdict(trainer.schedule),
        "compute_dtype": str(trainer.compute_dtype).removeprefix("torch."),
        "compiled": is_compiled(trainer.model),
        "gradient_workers": 1 if trainer.workers is None else trainer.workers.num_workers,
        "callbacks": {callback.name: callback.state_dict() for callback in trainer.callbacks},
        "scheduler": None if trainer.scheduler is None else trainer.scheduler.state_dict(),
        "settings": trainer.settings.to_dict(),
    }


def resumed(trainer: Trainer, resume: bool | str | Path) -> dict[str, Any]:
    """Loads the checkpoint that `resume` (see `Trainer.train`) asks for into the trainer.

    Returns:
        The state that was saved; {} for a fresh start.

    Raises:
        ConfigError: there is no folder to look in. CheckpointError: the checkpoint does not fit.
    """
    trainer.progress = Progress()
    if not resume:
        return {}
    if isinstance(resume, bool):
        if trainer.checkpoint_dir is None:
            raise ConfigError("Para continuar um treino, diga a pasta: checkpoint_dir ou run_dir.")
        path = checkpoints.latest_checkpoint(trainer.checkpoint_dir, trainer.notice)
        if path is None:
            trainer.notice("Nenhum ponto de retomada encontrado; começo do início.")
            return {}
    else:
        path = Path(resume)
    saved = checkpoints.load_checkpoint(path, trainer.model, trainer.optimizers)
    trainer.progress = Progress(**saved["progress"])
    trainer.stream.load_state_dict(saved["data"])
    if trainer.scheduler is not None and saved["scheduler"] is not None:
        trainer.scheduler.load_state_dict(saved["scheduler"])
        rates = trainer.scheduler.get_last_lr()
        for group, rate in zip(trainer.optimizers.param_groups, rates, strict=True):
            group["lr"] = rate
    for callback in trainer.callbacks:
        if callback.name in saved["callbacks"]:
            callback.load_state_dict(saved["callbacks"][callback.name])
            callback.load_tensors(checkpoints.load_callback_tensors(path, callback.name))
    trainer.notice(f"Continuo do passo {trainer.progress.step} ({path.name}).")
    return saved
