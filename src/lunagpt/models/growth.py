"""Making a model deeper.

By identity blocks: fresh layers whose maps into the residual stream are zero, so that the model says exactly
what it said before. By stacking: copies of layers the model has, which changes what it says at first
(G_stack: Du et al. 2024, arXiv 2405.15319, who find that growth need not preserve the function to pay).

Old layers stay the same objects, so that optimizers go on knowing their parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lunagpt.config import LunaConfig
from lunagpt.config.growth import GrowthMethod, GrowthPosition
from lunagpt.errors import ConfigError
from lunagpt.models.hybrid_block import HybridBlock
from lunagpt.models.luna_model import LunaModel
from lunagpt.models.parameters import initialise

History = list[dict[str, Any]]


@dataclass(frozen=True)
class Growth:
    """What a growth did.

    Attributes:
        origins: for each layer of the grown model, the number of the old layer that it is or was made from;
            the first layer of an origin is the old one.
        made_from: each parameter of a new layer -> that of the old one.
        resized: parameters with a row per layer, as they were -> as they are now.
    """

    origins: list[int]
    made_from: dict[nn.Parameter, nn.Parameter]
    resized: dict[nn.Parameter, nn.Parameter]

    @property
    def layers(self) -> list[int]:
        """Numbers of the new layers."""
        return new_layers(self.origins)


def new_layers(origins: Sequence[int]) -> list[int]:
    """The layers that `origins` (see `Growth`) adds."""
    return [i for i, origin in enumerate(origins) if origin in origins[:i]]


def grown_layers(history: History) -> list[int]:
    """Present numbers of all layers that a model has got by growing, in the order in which it got them."""
    grown: list[int] = []
    for entry in history:
        grown = [entry["origins"].index(layer) for layer in grown] + new_layers(entry["origins"])
    return grown


def plan_origins(num_layers: int, num_new: int, position: GrowthPosition = "end") -> list[int]:
    """Where new layers go and which old ones they are made from (see `Growth`).

    "end" puts them after the last layer, made from the last ones in their order: as many new as old gives the
    whole stack twice. "spread" puts each right behind the layer it is made from, at even distances.

    Raises:
        ConfigError: fewer than one new layer.
    """
    if num_new < 1:
        raise ConfigError(f"O modelo cresce de uma camada em diante; foram pedidas {num_new}.")
    old = list(range(num_layers))
    if position == "end":
        return old + [(i - num_new) % num_layers for i in range(num_new)]
    return sorted(old + [-(-(k + 1) * num_layers // num_new) - 1 for k in range(num_new)])


def check_growable(model: LunaModel) -> None:
    """
    Raises:
        ConfigError: the core of the model is not made of Luna's layers.
    """
    if type(model) is not LunaModel:
        raise ConfigError("Só um modelo feito de camadas Luna cresce; este tem por núcleo um modelo de fora.")


def grow(
    model: LunaModel,
    num_new: int = 1,
    method: GrowthMethod = "identity",
    position: GrowthPosition = "end",
    *,
    seed: int = 0,
    **facts: Any,
) -> Growth:
    """Adds layers to a model, in place, and an entry to its `growth_history`.

    Each new layer has the parts (experts, window) of the layer it is made from. Conditions of a hypernetwork
    leave it alone until it has learned what to do with them. What was read before has to be read again.

    Args:
        num_new, position: see `plan_origins`.
        method: "identity" leaves the output as it is; "stack" copies weights and changes it.
        seed: of the weights of identity blocks.
        facts: what else the history should say, as JSON values.

    Raises:
        ConfigError: fewer than one new layer, or a model of another kind.
    """
    check_growable(model)
    growth = _insert(model, plan_origins(len(model.layers), num_new, position), method, seed)
    model.growth_history.append({**facts, "method": method, "origins": growth.origins})
    return growth


def regrow(model: LunaModel, history: History) -> list[Growth]:
    """Gives a model the layers of a saved history that it has not got yet; their weights are to be loaded.

    A model that has grown otherwise is left alone: its weights will not fit.
    """
    done = len(model.growth_history)
    if model.growth_history != history[:done]:
        return []
    growths = [_insert(model, entry["origins"], "identity", seed=0) for entry in history[done:]]
    model.growth_history = copy.deepcopy(history)
    return growths


@torch.no_grad()
def _insert(model: LunaModel, origins: list[int], method: GrowthMethod, seed: int) -> Growth:
    """Gives a model the layers that `origins` (see `Growth`) describes; the history is left alone."""
    config = _grown_config(model.config, origins)
    added = new_layers(origins)
    old_layers = list(model.layers)
    layers = [old_layers[origin] for origin in origins]
    made_from: dict[nn.Parameter, nn.Parameter] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for i in added:
            source = layers[i]
            layers[i] = copy.deepcopy(source) if method == "stack" else _identity_block(config, i, source)
            layers[i].requires_grad_().train(model.training)
            made_from |= dict(zip(layers[i].parameters(), source.parameters(), strict=True))
    model.layers = nn.ModuleList(layers)
    model.config = config
    model.switches += 1  # states made before do not fit
    resized: dict[nn.Parameter, nn.Parameter] = {}
    if model.hypernet is not None:
        before = dict(model.hypernet.named_parameters())
        model.hypernet.insert_layers(origins)
        now = dict(model.hypernet.named_parameters())
        resized = {old: now[name] for name, old in before.items() if now[name] is not old}
    return Growth(origins, made_from, resized)


def _identity_block(config: LunaConfig, number: int, like: nn.Module) -> nn.Module:
    """A fresh layer that changes nothing, with the number types and on the device of another."""
    layer = HybridBlock(config.model, number)
    initialise(layer, config.model.hidden_size)
    for fresh, old in zip(layer.parameters(), like.parameters(), strict=True):
        fresh.data = fresh.data.to(old.device, old.dtype)
    for fresh_buffer, old_buffer in zip(layer.buffers(), like.buffers(), strict=True):
        fresh_buffer.data = fresh_buffer.data.to(old_buffer.device, old_buffer.dtype)
    return layer


def _grown_config(config: LunaConfig, origins: list[int]) -> LunaConfig:
    """The configuration of the grown model; every layer keeps its kind under its new number.

    A pattern ("alternate", "inner") that no longer tells the kinds gives way to the list of the layers.
    """
    section = config.model
    changes: dict[str, Any] = {"num_layers": len(origins)}
    grown = config.replaced(model=changes).model
    for field in ("moe_layers", "window_layers"):
        if isinstance(named := getattr(section, field), list):
            changes[field] = [i for i, origin in enumerate(origins) if origin in named]
    numbers = range(len(origins))
    if [grown.has_experts(i) for i in numbers] != [section.has_experts(origin) for origin in origins]:
        changes["moe_layers"] = [i for i in numbers if section.has_experts(origins[i])]
    if [grown.has_window(i) for i in numbers] != [section.has_window(origin) for origin in origins]:
        changes["window_layers"] = [i for i in numbers if section.has_window(origins[i])]
    return config.replaced(model=changes)
