"""The optimizer of a run: Muon for matrices with Adam beside it, or Adam alone; and its state by parameter
name.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from lunagpt.models.growth import Growth
from lunagpt.models.parameters import parameter_groups, stacked_rows
from lunagpt.training.muon import Muon
from lunagpt.training.precision import fastest_dtype
from lunagpt.training.settings import TrainingSettings


class Optimizers:
    """Several optimizers that act as one. Learning rates are set as a factor on each group's `initial_lr`."""

    def __init__(self, parts: Iterable[torch.optim.Optimizer]) -> None:
        self.parts = list(parts)
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [param for group in self.param_groups for param in group["params"]]

    def scale_lr(self, factor: float) -> None:
        for group in self.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def grow(self, growth: Growth) -> None:
        """Follows the growth of a model: a new layer is trained as the one it was made from and has no memory
        yet; a parameter that got more rows keeps the memory of the old ones.
        """
        for part in self.parts:
            for group in part.param_groups:
                members = group["params"]
                known = set(members)
                group["params"] = [growth.resized.get(param, param) for param in members]
                group["params"] += [new for new, old in growth.made_from.items() if old in known]
            for old, new in growth.resized.items():
                if old in part.state:
                    memory = part.state.pop(old)
                    part.state[new] = {key: _rows(value, old, growth) for key, value in memory.items()}
            if isinstance(part, Muon):
                part.blocks |= {
                    new: part.blocks[old] for new, old in growth.made_from.items() if old in part.blocks
                }

    def named_state(self, model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The optimizers' memory, not a copy: tensors and other values, both under `parameter name/key`."""
        names: dict[Tensor, str] = {param: name for name, param in model.named_parameters()}
        tensors: dict[str, Tensor] = {}
        values: dict[str, Any] = {}
        for part in self.parts:
            for param, state in part.state.items():
                for key, value in state.items():
                    (tensors if isinstance(value, Tensor) else values)[f"{names[param]}/{key}"] = value
        return tensors, values

    def load_named_state(self, model: nn.Module, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """The inverse of `named_state`; rates and other settings of the groups stay as they are."""
        names: dict[Tensor, str] = {param: name for name, param in model.named_parameters()}
        memory: dict[str, dict[str, Any]] = {}
        for path, value in itertools.chain(tensors.items(), values.items()):
            name, _, key = path.rpartition("/")
            memory.setdefault(name, {})[key] = value
        for part in self.parts:
            params = [param for group in part.param_groups for param in group["params"]]
            state = {i: memory[names[p]] for i, p in enumerate(params) if names[p] in memory}
            part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})


def _rows(value: Any, old: Tensor, growth: Growth) -> Any:
    """Memory of a parameter with a row per layer, for the grown one: the rows of new layers are zero."""
    if not isinstance(value, Tensor) or value.shape != old.shape:
        return value
    rows = value[growth.origins].clone()
    rows[growth.layers] = 0
    return rows


def build_optimizer(model: nn.Module, settings: TrainingSettings) -> Optimizers:
    """The optimizer that `settings.optimizer` names, over the parameter groups of the model.

    Args:
        model: its matrices go to Muon (each expert on its own), embeddings and small parameters to AdamW;
            norms, biases and the state-space dynamics are never decayed; frozen parameters are left out.
        settings: rates, decay and momenta.
    """
    groups = {
        kind: [(name, param) for name, param in members if param.requires_grad]
        for kind, members in parameter_groups(model).items()
    }
    device = next(model.parameters()).device
    decay = {"matrix": settings.weight_decay, "embedding": settings.embedding_weight_decay, "no_decay": 0.0}
    in_adam = [
        {"params": [param for _, param in members], "weight_decay": decay[kind]}
        for kind, members in groups.items()
        if members and not (kind == "matrix" and settings.optimizer == "muon")
    ]
    adam_class = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    parts: list[torch.optim.Optimizer] = []
    if in_adam:
        parts.append(adam_class(in_adam, lr=settings.learning_rate, betas=settings.betas, fused=True))
    if settings.optimizer == "muon" and groups["matrix"]:
        parts.append(
            Muon(
                [param for _, param in groups["matrix"]],
                lr=settings.muon_learning_rate,
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
                blocks=stacked_rows(model),
                dtype=fastest_dtype(device),
            )
        )
    return Optimizers(parts)
