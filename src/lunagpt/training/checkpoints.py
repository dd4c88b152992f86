"""Checkpoints of a run: folders `step-00001234` with all that is needed to go on as if nothing had happened.

    model.safetensors       weights
    optimizer.safetensors   momenta, by parameter name
    callbacks.safetensors   what callbacks keep, such as a mean of the weights; only if they do
    trainer_state.json      step, place in the data, random states, settings, how the model has grown;
                            SHA-256 of the others

A folder appears whole or not at all. Nothing is pickled: opening a checkpoint runs no code.
"""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lunagpt.errors import LunaError, reason_of
from lunagpt.files import atomic_directory, sha256_file
from lunagpt.models.growth import regrow
from lunagpt.models.luna_model import LunaModel
from lunagpt.models.parameters import unique_state
from lunagpt.training.optim import Optimizers

WEIGHTS, MEMORY, STATE = "model.safetensors", "optimizer.safetensors", "trainer_state.json"
CALLBACKS = "callbacks.safetensors"


class CheckpointError(LunaError):
    """A checkpoint is broken, or belongs to another model."""


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}"


def list_checkpoints(folder: Path) -> list[Path]:
    """All checkpoint folders, oldest first; whether they are sound is not looked at."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if re.fullmatch(r"step-\d{8}", path.name))


def checkpoint_step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizers: Optimizers,
    state: dict[str, Any],
    tensors: dict[str, Tensor] | None = None,
) -> None:
    """Write one checkpoint folder atomically.

    Args:
        path: the folder, see `checkpoint_path`.
        state: values that JSON can hold.
        tensors: what callbacks keep, as ``callback/name``.
    """
    memory, values = optimizers.named_state(model)
    with atomic_directory(path) as folder:
        save_file(_contiguous(unique_state(model)), folder / WEIGHTS)
        save_file(_contiguous(memory), folder / MEMORY)
        if tensors:
            save_file(_contiguous(tensors), folder / CALLBACKS)
        hashes = {path.name: sha256_file(path) for path in folder.iterdir()}
        document = {**state, "optimizer_values": values, "random": random_states(), "files": hashes}
        if isinstance(model, LunaModel):
            document["growth_history"] = model.growth_history
        (folder / STATE).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def read_state(path: Path) -> dict[str, Any]:
    """The state of a checkpoint after a check of its files.

    Raises:
        CheckpointError: something is missing or damaged.
    """
    try:
        state: dict[str, Any] = json.loads((path / STATE).read_text(encoding="utf-8"))
        for name, expected in state["files"].items():
            if sha256_file(path / name) != expected:
                raise CheckpointError(
                    f'O arquivo "{path / name}" está danificado (a soma SHA-256 não confere).'
                )
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f'O ponto de retomada "{path}" está incompleto ou danificado: {reason_of(error)}.'
        ) from error
    return state


def latest_checkpoint(folder: Path, notice: Callable[[str], None]) -> Path | None:
    """The newest sound checkpoint; damaged newer ones are reported to `notice` and passed over."""
    for path in reversed(list_checkpoints(folder)):
        try:
            read_state(path)
        except CheckpointError as error:
            notice(f"{error} Vou usar o anterior.")
            continue
        return path
    return None


def load_checkpoint(path: Path, model: nn.Module, optimizers: Optimizers) -> dict[str, Any]:
    """Fill model, optimizers and random number generators; returns the state that was saved. A model that has
    grown since it began gets its layers first.

    Raises:
        CheckpointError: the folder is damaged, or its weights have other names or shapes than the model's.
    """
    state = read_state(path)
    if isinstance(model, LunaModel):
        for growth in regrow(model, state.get("growth_history", [])):
            optimizers.grow(growth)
    saved, own = load_file(path / WEIGHTS), unique_state(model)
    if {n: t.shape for n, t in saved.items()} != {n: t.shape for n, t in own.items()}:
        differing = sorted(n for n in saved.keys() | own.keys() if n not in saved or n not in own) or sorted(
            n for n in own if saved[n].shape != own[n].shape
        )
        raise CheckpointError(
            f'O ponto de retomada "{path}" é de outro modelo: diferem {", ".join(differing[:3])}. '
            "Use a mesma configuração de modelo ou outra pasta de execução."
        )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(saved[name])
    optimizers.load_named_state(model, load_file(path / MEMORY), state["optimizer_values"])
    restore_random_states(state["random"])
    return state


def load_callback_tensors(path: Path, callback: str) -> dict[str, Tensor]:
    """What a callback kept in a checkpoint beside its state."""
    if not (path / CALLBACKS).exists():
        return {}
    prefix = f"{callback}/"
    saved = load_file(path / CALLBACKS)
    return {name.removeprefix(prefix): saved[name] for name in saved if name.startswith(prefix)}


def prune_checkpoints(folder: Path, keep: int, protected: Iterable[int] = ()) -> None:
    """Delete all but the newest `keep` checkpoints; those of the `protected` steps stay."""
    for path in list_checkpoints(folder)[:-keep]:
        if checkpoint_step(path) not in protected:
            shutil.rmtree(path)


def random_states() -> dict[str, Any]:
    """The states of the global generators of Python, numpy and torch, as JSON values."""
    name, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - foreign code may use it
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), position, has_gauss, gauss],
        "torch": _to_text(torch.get_rng_state()),
    }
    if torch.cuda.is_available():
        states["cuda"] = [_to_text(state) for state in torch.cuda.get_rng_state_all()]
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(_from_text(states["torch"]))
    if "cuda" in states and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([_from_text(state) for state in states["cuda"]])


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def _to_text(state: Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def _from_text(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
