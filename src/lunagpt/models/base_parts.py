"""What Luna adds inside a layer of another family: a state space beside the attention, experts in the place
of the feed-forward network, low-rank changes of the linear maps.

The layers belong to transformers and run as they are; the parts act where their modules are called. Whatever
a part needs of the pass under way (padding, documents, memory) it finds in `current_pass`, because a foreign
layer cannot be made to hand it on. That variable is local to the thread and is set for one pass only.

Letters: B batch, T time, D model width.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lunagpt.config import ModelConfig
from lunagpt.errors import ConfigError
from lunagpt.models.decoding_state import DecodingState, LayerState
from lunagpt.models.hybrid_block import Traits
from lunagpt.models.low_rank import Changes
from lunagpt.models.moe import MoEBlock
from lunagpt.models.state_space_layer import StateSpaceLayer
from lunagpt.models.upcycling import ROUTER_STD

ATTENTION_NAMES = ("self_attn", "attn", "attention", "self_attention")
FEED_FORWARD_NAMES = ("mlp", "feed_forward", "ffn")
GATED_MAPS = ("gate_proj", "up_proj", "down_proj")

#: Class of transformers' activation -> name in `lunagpt.models.experts.ACTIVATIONS`.
_ACTIVATIONS = {
    "SiLU": "silu",
    "SiLUActivation": "silu",
    "GELU": "gelu",
    "GELUActivation": "gelu",
    "GELUTanh": "gelu_tanh",
    "NewGELUActivation": "gelu_tanh",
    "ReLU": "relu",
}


@dataclass(frozen=True)
class Pass:
    """One pass over (B, T) tokens.

    Attributes:
        dtype: in which the parts compute.
        mask: (B, T) bool, False at padding, or None. starts: (B, T) bool, True where a packed document
            starts.
        state: memory of the conversation, or None.
        losses: receives what the parts want minimised, or None. traits: of the documents, see `Context`.
        changes: for each layer the changes of its linear maps; empty without any.
    """

    dtype: torch.dtype
    mask: Tensor | None = None
    starts: Tensor | None = None
    state: DecodingState | None = None
    losses: list[Tensor] | None = None
    traits: Traits | None = None
    changes: Sequence[Changes] = ()

    def memory(self, layer: int) -> LayerState | None:
        """What the conversation remembers in a layer."""
        return None if self.state is None else self.state.layers[layer]


current_pass: ContextVar[Pass] = ContextVar("current_pass")


class LunaParts(nn.Module):
    """The parts of one layer.

    Args:
        config: which parts, and their sizes. index: the layer's number, from 0.
        layer: the layer of transformers; it is changed in place.

    Raises:
        ConfigError: the layer lacks what a part needs.
    """

    def __init__(self, config: ModelConfig, index: int, layer: nn.Module) -> None:
        super().__init__()
        self.index = index
        self._layer = [layer]  # in a list: not a submodule, its weights belong to the base
        self.state_space: StateSpaceLayer | None = None
        self.moe: MoEBlock | None = None
        if config.use_state_space:
            self.state_space = StateSpaceLayer.of(config)
            attention = _attention_of(layer)
            attention.register_forward_hook(self._beside_attention, with_kwargs=True)
        if config.has_experts(index):
            self.add_experts(config)
        if config.use_hypernet:
            self.attach_changes(config)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draws the state space's weights, with an output of exactly zero. (Experts begin as copies.)"""
        if self.state_space is not None:
            self.state_space.reset_parameters("normal", self.state_space.hidden_size**-0.5)
            self.state_space.out_proj.weight.zero_()

    def linear_maps(self) -> list[tuple[str, nn.Module]]:
        """The maps that a hypernetwork may change, by name."""
        inside = [] if self.state_space is None else list(self.state_space.named_children())
        return [*_linear_maps(self._layer[0]), *(pair for pair in inside if hasattr(pair[1], "weight"))]

    # -- state space ---------------------------------------------------------------------------------------

    def _beside_attention(self, module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
        """Adds the state space's reading of the attention's input to the attention's output."""
        assert self.state_space is not None
        if not self.state_space.enabled:
            return output
        reading = current_pass.get()
        x = args[0] if args else kwargs["hidden_states"]
        state = reading.memory(self.index)
        changes = reading.changes[self.index] if reading.changes else {}
        with torch.autocast(x.device.type, enabled=False):
            added = self.state_space.mix(
                x.to(reading.dtype), state, reading.mask, reading.starts, changes=changes
            )
        if isinstance(output, tuple):
            return (output[0] + added.to(output[0].dtype), *output[1:])
        return output + added.to(output.dtype)

    # -- experts -------------------------------------------------------------------------------------------

    def add_experts(self, config: ModelConfig) -> None:
        """Puts experts in the place of the feed-forward network, copies of it.

        Raises:
            ConfigError: there is no such network.
        """
        layer = self._layer[0]
        name = next((name for name in FEED_FORWARD_NAMES if hasattr(layer, name)), None)
        dense = None if name is None else getattr(layer, name)
        activation = _ACTIVATIONS.get(type(getattr(dense, "act_fn", None)).__name__)
        maps: list[Any] = [getattr(dense, part, None) for part in GATED_MAPS]
        if name is None or activation is None or not all(_plain(linear) for linear in maps):
            raise ConfigError(
                f"use_moe: a camada {self.index} desta base não tem um feed-forward com gate_proj, up_proj e "
                f"down_proj sem viés ({type(dense).__name__}), e os especialistas nascem como cópias dele. "
                "Deixe use_moe desligado com esta família, ou escolha outras camadas em moe_layers."
            )
        self.moe = MoEBlock.of(config, activation=activation)
        setattr(layer, name, _InPlaceOf(self))
        if self.moe.router.is_meta:  # loading brings the weights
            return
        with torch.no_grad():
            for part, linear in zip(GATED_MAPS, maps, strict=True):
                own = getattr(self.moe, part).weight
                own.data = linear.weight.detach().to(own.dtype).repeat(config.num_experts, 1)
            self.moe.router.mul_(ROUTER_STD * config.hidden_size**0.5)

    def experts(self, x: Tensor) -> Tensor:
        """The experts' answer, (B, T, D) -> (B, T, D)."""
        assert self.moe is not None
        reading = current_pass.get()
        with torch.autocast(x.device.type, enabled=False):
            answer: Tensor = self.moe(
                x.to(reading.dtype),
                reading.losses,
                mask=reading.mask,
                starts=reading.starts,
                state=reading.memory(self.index),
                emotions=None if reading.traits is None else reading.traits.get("emotion"),
            )
        return answer.to(x.dtype)

    # -- low-rank changes ----------------------------------------------------------------------------------

    def attach_changes(self, config: ModelConfig) -> None:
        """Lets a hypernetwork change the linear maps of the layer.

        Raises:
            ConfigError: the layer lacks one of them.
        """
        found = dict(_linear_maps(self._layer[0]))
        inside = {"in_proj", "out_proj"} if config.use_state_space else set()
        experts = set(GATED_MAPS) if self.moe is not None else set()
        for name, (inputs, outputs) in config.hypernet_shapes.items():
            if name in inside | experts:
                continue
            linear = found.get(name)
            if linear is None or tuple(linear.weight.shape) != (outputs, inputs):
                raise ConfigError(
                    f'use_hypernet: a camada {self.index} desta base não tem um mapa linear "{name}" de '
                    f"{inputs} para {outputs}. Escolha em hypernet_maps só mapas que ela tem, como o_proj, "
                    "ou deixe use_hypernet desligado com esta família."
                )
            linear.register_forward_hook(partial(self._changed, name))

    def _changed(self, name: str, module: nn.Module, args: Any, output: Tensor) -> Tensor:
        reading = current_pass.get()
        change = reading.changes[self.index].get(name) if reading.changes else None
        return output if change is None else output + change(args[0]).to(output.dtype)


class _InPlaceOf(nn.Module):
    """Stands where the feed-forward network stood; the experts belong to `LunaParts`."""

    def __init__(self, parts: LunaParts) -> None:
        super().__init__()
        self._parts = [parts]

    def forward(self, x: Tensor) -> Tensor:
        return self._parts[0].experts(x)


def _linear_maps(layer: nn.Module) -> list[tuple[str, nn.Linear]]:
    return [
        (name.rpartition(".")[2], module)
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear)
    ]


def _attention_of(layer: nn.Module) -> nn.Module:
    for name in ATTENTION_NAMES:
        attention = getattr(layer, name, None)
        if isinstance(attention, nn.Module):
            return attention
    raise ConfigError(
        f"Não encontrei a atenção nas camadas desta base ({type(layer).__name__}), e o espaço de estados "
        "fica ao lado dela. Use uma base das famílias Llama, Qwen, Gemma, Mistral, GPT-2 ou Falcon-H1."
    )


def count_base(core: nn.Module) -> int:
    """Weights of the base that are left beside Luna's parts; shared ones count once."""
    return sum(parameter.numel() for parameter in core.parameters())


def _plain(linear: Any) -> bool:
    return isinstance(linear, nn.Linear) and linear.bias is None
