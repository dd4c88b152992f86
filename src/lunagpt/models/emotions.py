"""What a model with emotional routing reads in a text, and what the reading does to the choice of experts.

Letters: T time, E experts, L layers with experts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from lunagpt.data.traits import EMOTIONS
from lunagpt.errors import ConfigError
from lunagpt.models.moe import MoEBlock

if TYPE_CHECKING:
    from lunagpt.models.experts import Choice
    from lunagpt.models.luna_model import LunaModel


@dataclass(frozen=True)
class EmotionReading:
    """What was read at the end of a text.

    Attributes:
        probabilities: of the eight emotions of `lunagpt.data.traits.EMOTIONS`, by name, summing to 1: the
            softmax of the layers' mean scores.
        layers: numbers of the layers with experts, (L).
        by_layer: (L, 8) what each of them read.
        influence: (L, E) by how much the readings along the text changed each expert's share of the gates
            there, what the layer was given being equal; rows sum to 0.
    """

    probabilities: dict[str, float]
    layers: list[int]
    by_layer: np.ndarray
    influence: np.ndarray

    @property
    def strongest(self) -> str:
        """The most probable emotion."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


@torch.no_grad()
def read_emotions(model: LunaModel, text: str | list[dict[str, str]]) -> EmotionReading:
    """Reads the emotion of a text as the model does when it is about to answer it.

    Args:
        text: a user's message, or a dialogue.

    Raises:
        ConfigError: the model has no emotional routing.
    """
    layers = expert_layers(model)
    if not model.config.model.emotional_routing:
        raise ConfigError(
            'Este modelo não tem roteamento emocional: não lê emoções. Crie um com "luna upcycle MODELO '
            'SAÍDA --emotional-routing" e treine-o com dados que tragam a coluna emotion.'
        )
    messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
    ids = model.tokenizer.encode_dialog(messages, add_generation_prompt=True)
    inputs = expert_inputs(model, torch.tensor([ids], device=model.device))
    scores, influence = [], []
    for i, block in layers.items():
        moved, _, read = block.route(inputs[i])
        assert read is not None
        plain = block.choose(block.router_logits(inputs[i][0]))
        scores.append(read[0, -1])
        influence.append(_shares(moved, block) - _shares(plain, block))
    stacked = torch.stack(scores)
    probabilities = stacked.mean(0).softmax(-1).tolist()
    return EmotionReading(
        dict(zip(EMOTIONS, probabilities, strict=True)),
        list(layers),
        stacked.softmax(-1).cpu().numpy(),
        torch.stack(influence).cpu().numpy(),
    )


def expert_layers(model: LunaModel) -> dict[int, MoEBlock]:
    """The mixtures of experts, by the number of their layer."""
    return {i: layer.moe for i, layer in enumerate(model.layers) if isinstance(layer.moe, MoEBlock)}


@torch.no_grad()
def expert_inputs(model: LunaModel, input_ids: Tensor) -> dict[int, Tensor]:
    """What each layer's mixture of experts is given, by the layer's number: (B, T) -> (B, T, D) each.

    The model is read as in use, without dropout, whatever its mode.
    """
    inputs: dict[int, Tensor] = {}

    def keeper(index: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def keep(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            inputs[index] = arguments[0]

        return keep

    handles = [block.register_forward_pre_hook(keeper(i)) for i, block in expert_layers(model).items()]
    training = model.training
    model.eval()
    try:
        model.hidden_states(input_ids)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return inputs


def _shares(choice: Choice, block: MoEBlock) -> Tensor:
    """(E,) each expert's share of the gates, summing to 1."""
    total = choice.gates.new_zeros(block.num_experts)
    total.index_add_(0, choice.experts.flatten(), choice.gates.flatten())
    return total / len(choice.experts)
