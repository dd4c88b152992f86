"""Several recipes one after the other: pre-training, tuning, … in one command that can be killed anywhere.

Each stage has a run folder of its own and starts from the model that the stage before it wrote. With
`resume` finished stages are passed over (see `RunRecord.finished`) and the first unfinished one goes on from
its newest checkpoint, so the same command is also how a chain is begun.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lunagpt.errors import ConfigError
from lunagpt.training.checkpoints import list_checkpoints
from lunagpt.training.command import train_command
from lunagpt.training.run_record import UNFINISHED, check_origin


def stage_folders(recipes: Sequence[str | Path], run_dir: str | Path) -> list[Path]:
    """The run folder of each stage: `run_dir`/NAME-OF-THE-RECIPE.

    Raises:
        ConfigError: two recipes have one name.
    """
    stems = [Path(recipe).stem for recipe in recipes]
    twice = {stem for stem in stems if stems.count(stem) > 1}
    if twice:
        raise ConfigError(
            f'Duas receitas da sequência se chamam "{min(twice)}", e cada uma precisa de uma pasta com o seu '
            "nome. Mude o nome de uma delas."
        )
    return [Path(run_dir) / stem for stem in stems]


def train_chain(
    recipes: Sequence[str | Path],
    run_dir: str | Path,
    *,
    base_model: str | Path | None = None,
    resume: bool = False,
    max_minutes: float | None = None,
    decay_now: int | None = None,
    notice: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
    **options: Any,
) -> dict[str, Any]:
    """Trains every recipe, each from the model of the one before.

    Args:
        recipes: files, in order.
        run_dir: gets a folder for each, see `stage_folders`.
        base_model: what the first starts from.
        resume: go on where the chain stands; from the beginning if it does not stand anywhere yet.
        max_minutes: of this call, for all stages together.
        decay_now: for the stage that is under way, see `Trainer.train`.
        notice: told which stage begins or is done already.
        options: of each stage, see `train_command`.

    Returns:
        The result of the last stage that trained, see `Trainer.train`; `stop_reason` "finished" if none had
        to.

    Raises:
        LunaError: as `train_command`; or without `resume` some stage has a run already.
    """
    folders = stage_folders(recipes, run_dir)
    begun = [folder for folder in folders if list_checkpoints(folder / "checkpoints")]
    if begun and not resume:
        raise ConfigError(
            f'A pasta "{begun[0]}" já tem um treino. Continue com --resume ou escolha outra em --run-dir.'
        )
    started = time.monotonic()
    result: dict[str, Any] = {"stop_reason": "finished"}
    for number, (recipe, folder) in enumerate(zip(recipes, folders, strict=True), start=1):
        record = check_origin(folder, base_model)
        stage = f"Etapa {number} de {len(recipes)}, {folder.name}"
        if record is not None and record.finished:
            notice(f"{stage}: pronta, {record.steps} passos.")
        else:
            left = None if max_minutes is None else max_minutes - (time.monotonic() - started) / 60
            if left is not None and left <= 0:
                return {**result, "stop_reason": "max_minutes"}
            notice(f"{stage}: começa." if folder not in begun else f"{stage}: continua.")
            result = train_command(
                recipe,
                folder,
                base_model=base_model,
                resume=folder in begun,
                max_minutes=left,
                decay_now=decay_now,
                **options,
            )
            if result["stop_reason"] in UNFINISHED:
                return result
            decay_now = None
        base_model = folder / "model"
    return result
