"""From one feed-forward network to experts, without changing what the model says.

Source: Komatsuzaki et al. 2022, "Sparse Upcycling". Every expert begins as a copy of the network it replaces
and the gates of a token sum to 1, so the output is that of the dense model; a nearly blank router lets the
copies drift apart in training.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch

from lunagpt.config import LunaConfig
from lunagpt.errors import ConfigError
from lunagpt.models.luna_model import LunaModel
from lunagpt.models.moe import MoEBlock

ROUTER_STD = 0.02


@torch.no_grad()
def upcycle(
    model: LunaModel,
    num_experts: int = 8,
    experts_per_token: int = 2,
    layers: Literal["alternate", "all"] | list[int] = "alternate",
    seed: int = 0,
    *,
    emotional_routing: bool = False,
) -> LunaModel:
    """A copy of a dense model with experts in the place of feed-forward networks.

    Each expert is as wide as the network it copies: a token costs `experts_per_token` times as much there.

    Args:
        layers: which, as `model.moe_layers` of the configuration.
        seed: of the router's weights.
        emotional_routing: with `EmotionalRouting`, which changes nothing until it has been trained.

    Raises:
        ConfigError: the model has experts already, or the numbers do not fit.
    """
    if model.config.use_moe:
        raise ConfigError("Este modelo já tem especialistas; só um modelo denso pode ser convertido.")
    sizes = {
        "use_moe": True,
        "moe_layers": layers,
        "num_experts": num_experts,
        "experts_per_token": experts_per_token,
        "expert_size": model.config.model.intermediate_size,
        "emotional_routing": emotional_routing,
    }
    config = model.config.replaced(model=sizes)
    if model.hypernet is not None and config.model.hypernet_shapes != model.config.model.hypernet_shapes:
        raise ConfigError(
            "A hiper-rede deste modelo muda mapas que deixariam de existir em todas as camadas. Converta só "
            'parte delas, como layers="alternate".'
        )
    if model.on_base:
        return _upcycle_base(model, config, seed)
    grown = LunaModel.from_scratch(config, seed=seed, tokenizer=model.tokenizer)
    grown.load_state_dict(model.state_dict(), strict=False)
    for old, new in zip(model.layers, grown.layers, strict=True):
        experts = new.moe
        if not isinstance(experts, MoEBlock):
            continue
        for name in ("gate_proj", "up_proj", "down_proj"):
            weight = getattr(old.feed_forward, name).weight
            getattr(experts, name).weight.copy_(weight.repeat(num_experts, 1))
        experts.router.mul_(ROUTER_STD * model.config.model.hidden_size**0.5)
    grown.compute_dtype = model.compute_dtype
    grown.growth_history = list(model.growth_history)
    return grown.to(model.device).train(model.training)


def _upcycle_base(model: LunaModel, config: LunaConfig, seed: int) -> LunaModel:
    """The same where the network belongs to a base of another family."""
    from lunagpt.models.base_parts import count_base

    grown = copy.deepcopy(model, {id(model.tokenizer): model.tokenizer})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for i, parts in enumerate(grown.layers):
            if config.model.has_experts(i):
                parts.add_experts(config.model)  # type: ignore[operator]
    core: Any = grown.core
    grown.config = config.replaced(model={"base_parameters": count_base(core)})
    return grown.to(model.device).train(model.training)
