"""`luna train`: a recipe and a run folder in, a model folder out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from lunagpt.errors import ConfigError
from lunagpt.training.checkpoints import list_checkpoints
from lunagpt.training.parallel import keep_freed_memory
from lunagpt.training.recipe import read_recipe
from lunagpt.training.run_record import RunRecord, check_origin, mark_of
from lunagpt.training.trainer import Trainer

DEFAULT_PROMPTS = [
    "Oi! Tudo bem?",
    "Quem é você?",
    "Qual é a capital do Brasil?",
    "Conte uma história curta sobre um gato.",
]


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)}"


def train_command(
    recipe_path: str | Path,
    run_dir: str | Path,
    *,
    preset: str | None = None,
    data_root: str | Path | None = None,
    base_model: str | Path | None = None,
    resume: bool | str | Path = False,
    max_steps: int | None = None,
    max_minutes: float | None = None,
    decay_now: int | None = None,
    threads: int | None = None,
    changes: Sequence[str] = (),
) -> dict[str, Any]:
    """Train a model as a recipe says.

    The run folder gets `config.yaml`, `run.json`, `log.jsonl`, `curves.png`, `samples.txt`, `checkpoints/`
    and, when training ends other than by a signal, the finished model in `model/`.

    Args:
        recipe_path: see `lunagpt.training.recipe`. preset, data_root, changes: see `read_recipe`.
        run_dir: the run's folder; must not hold another run unless `resume` is given.
        base_model: what to start from: a model folder, or a causal model of transformers (its folder, or its
            name in the local Hugging Face cache), which gets the parts that the recipe switches on.
        resume, decay_now: see `Trainer.train`.
        max_steps, max_minutes: where to stop, over the recipe's.
        threads: CPU threads; default is torch's choice.

    Returns:
        The result of `Trainer.train`; `model` is the folder of the model, if one was written.

    Raises:
        LunaError: settings, data or folders that do not fit; the message says what to do.
    """
    from lunagpt.models import LunaModel

    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    run_dir = Path(run_dir)
    recipe = read_recipe(recipe_path, preset, data_root, changes)
    if not resume and list_checkpoints(run_dir / "checkpoints"):
        raise ConfigError(
            f'A pasta "{run_dir}" já tem um treino. Continue-o com --resume ou escolha outra em --run-dir.'
        )
    base = base_model or recipe.base_model
    if list_checkpoints(run_dir / "checkpoints"):
        check_origin(run_dir, base)
    if base is None:
        model = LunaModel.from_scratch(recipe.config, seed=recipe.config.training.seed)
    else:
        model = LunaModel.from_base(base, recipe.config, seed=recipe.config.training.seed)
    model.config.model.use_growing = recipe.config.model.use_growing
    model.to(recipe.config.device)
    model.config.model.decides_to_think |= recipe.teaches_when_to_think
    recipe.config.save(run_dir / "config.yaml")
    record = RunRecord(Path(recipe_path).stem, mark_of(base))
    record.write(run_dir)

    tokenizer = model.tokenizer
    dataset = recipe.train_dataset(tokenizer)
    options = {"sample_prompts": DEFAULT_PROMPTS, "run_name": run_dir.name, **recipe.loop}
    trainer = Trainer(
        model, recipe.config, run_dir=str(run_dir), max_steps=recipe.num_steps(dataset), **options
    )
    settings = trainer.settings
    validation_tokens = settings.validation_batches * settings.batch_size * settings.sequence_length
    result = trainer.train(
        dataset,
        recipe.validation_set(tokenizer, validation_tokens),
        resume=resume,
        decay_now=decay_now,
        max_steps=max_steps,
        max_minutes=max_minutes,
    )
    if result["stop_reason"] != "signal":
        model.save(run_dir / "model")
        record.ended(result, run_dir, _device_name(model.device)).write(run_dir)
        result["model"] = run_dir / "model"
    return result
