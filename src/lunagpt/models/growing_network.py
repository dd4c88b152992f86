"""A network that grows when its loss stops falling.

A `LunaModel` grows inside: new hybrid blocks before the final norm (`lunagpt.models.growth`), so that saving,
generation and training go on as with any other model. To another network, residual blocks that start as the
identity are appended.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.config.growth import GrowthMethod, GrowthPosition
from lunagpt.errors import ConfigError
from lunagpt.models.growth import Growth, History, check_growable, grow, grown_layers, regrow
from lunagpt.models.luna_model import LunaModel


class ResidualBlock(nn.Module):
    """x plus a two-layer network of x whose last layer starts at zero, (…, input_dim) -> (…, output_dim).

    With an unequal output_dim, the channels of x that have a place in the output go through unchanged; those
    the output has in addition start at zero.
    """

    def __init__(self, input_dim: int, hidden_dim: int, output_dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.padding = output_dim - input_dim
        self.body = nn.Sequential(
            nn.Linear(input_dim, hidden_dim), nn.LayerNorm(hidden_dim), nn.GELU(), nn.Dropout(dropout)
        )
        self.output = nn.Linear(hidden_dim, output_dim)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(…, input_dim) -> (…, output_dim); at birth x itself, with zeros behind it."""
        return F.pad(x, (0, self.padding)) + self.output(self.body(x))


class GrowingNetwork(nn.Module):
    """A network with the rule that says when it grows, and its growth. `state_dict` holds all of it: loading
    one makes the network grow as the saved one had.

    Args:
        base_model: a `LunaModel`, or a network whose output (or first output of a tuple) is a tensor
            (…, width).
        max_extra_layers: how many layers may be added in all; those that a LunaModel has got before count.
        growth_threshold: fall of the loss that counts as progress, in the loss's own unit.
        plateau_patience: losses in a row without progress that ask for growth.
        hidden_expansion: inner width of a block after another network, over its input's width. The new layers
            of a LunaModel have the sizes of its others.
        smoothing: weight of the past in the moving average of the losses by which the rule goes.
        method, position, layers_per_growth: for a LunaModel, see `lunagpt.models.growth.grow`.

    Attributes:
        best_loss, plateau_counter, smoothed_loss: what the rule goes by.

    Raises:
        ConfigError: a LunaModel that cannot grow.
    """

    def __init__(
        self,
        base_model: nn.Module,
        max_extra_layers: int = 3,
        growth_threshold: float = 0.001,
        plateau_patience: int = 5,
        hidden_expansion: float = 2.0,
        *,
        smoothing: float = 0.0,
        method: GrowthMethod = "identity",
        position: GrowthPosition = "end",
        layers_per_growth: int = 1,
    ) -> None:
        super().__init__()
        if isinstance(base_model, LunaModel):
            check_growable(base_model)
        self.base_model = base_model
        self.max_extra_layers = max_extra_layers
        self.growth_threshold = growth_threshold
        self.plateau_patience = plateau_patience
        self.hidden_expansion = hidden_expansion
        self.smoothing = smoothing
        self.method: GrowthMethod = method
        self.position: GrowthPosition = position
        self.layers_per_growth = layers_per_growth
        self.blocks = nn.ModuleList()  # those after another network than a LunaModel
        self._history: History = []
        self.best_loss = math.inf
        self.plateau_counter = 0
        self.smoothed_loss: float | None = None

    def forward(self, x: Tensor, **kwargs: Any) -> Any:
        """The output of the base model, with the blocks after it (a LunaModel has its own inside).

        Args:
            kwargs: go to the base model.
        """
        outputs = self.base_model(x, **kwargs)
        if not isinstance(outputs, tuple):
            return self._through_blocks(outputs)
        return (self._through_blocks(outputs[0]), *outputs[1:])

    def _through_blocks(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return x

    @property
    def extra_layers(self) -> Sequence[nn.Module]:
        """The layers that were added, in the order in which they came."""
        if not isinstance(self.base_model, LunaModel):
            return list(self.blocks)
        return [self.base_model.layers[i] for i in grown_layers(self.growth_history)]

    @property
    def growth_history(self) -> History:
        """One entry per growth; that of a LunaModel is the model's own, saved with it."""
        return self.base_model.growth_history if isinstance(self.base_model, LunaModel) else self._history

    @property
    def room(self) -> int:
        """How many more layers may be added."""
        return max(self.max_extra_layers - len(self.extra_layers), 0)

    # -- the rule ------------------------------------------------------------------------------------------

    def should_grow(self, current_loss: float) -> bool:
        """Takes note of a loss and says whether it is time to grow.

        Small steps add up: progress is a fall by the threshold since the last progress, in however many
        steps. Give it validation losses at a constant learning rate: a falling rate lowers the loss of a
        network that has stopped learning. A loss that is no number is passed over.
        """
        if not math.isfinite(current_loss):
            return False
        past = current_loss if self.smoothed_loss is None else self.smoothed_loss
        self.smoothed_loss = self.smoothing * past + (1 - self.smoothing) * current_loss
        if self.smoothed_loss < self.best_loss - self.growth_threshold:
            self.best_loss, self.plateau_counter = self.smoothed_loss, 0
            return False
        self.plateau_counter += 1
        if self.plateau_counter < self.plateau_patience or not self.room:
            return False
        self.plateau_counter = 0
        return True

    # -- growth --------------------------------------------------------------------------------------------

    def add_layer(self, input_dim: int | None = None, output_dim: int | None = None, **facts: Any) -> int:
        """Adds a block; a LunaModel gets `layers_per_growth` of them, as far as there is room.

        Args:
            input_dim: width that the block reads; of a LunaModel it is known.
            output_dim: default is input_dim, and a LunaModel knows no other.
            facts: what the history should say beside the best loss, as JSON values (`epoch`, `step`, …).

        Returns:
            The place of the (last) new block in `extra_layers`.

        Raises:
            ConfigError: there is no room left, or the widths do not fit.
        """
        if not isinstance(self.base_model, LunaModel):
            if input_dim is None:
                raise ConfigError("Diga input_dim, a largura da saída da rede de base.")
            self._check_room()
            hidden_dim = int(input_dim * self.hidden_expansion)
            sizes = {"input_dim": input_dim, "hidden_dim": hidden_dim, "output_dim": output_dim or input_dim}
            self._append_block(**sizes)
            self._history.append(self._facts(facts) | sizes)
            return len(self.blocks) - 1
        width = self.base_model.config.model.hidden_size
        if {input_dim or width, output_dim or width} != {width}:
            raise ConfigError(f"As camadas deste modelo têm largura {width}; não peça outra.")
        self.grow_model(**facts)
        return len(self.extra_layers) - 1

    def grow_model(self, *, seed: int = 0, **facts: Any) -> Growth:
        """Lets a LunaModel grow, as `add_layer`, and says what that did.

        Args:
            seed: of the weights of identity blocks.
        """
        assert isinstance(self.base_model, LunaModel)
        self._check_room()
        num_new = min(self.layers_per_growth, self.room)
        facts = self._facts(facts)
        growth = grow(self.base_model, num_new, self.method, self.position, seed=seed, **facts)
        if self.method == "stack":
            # copies raise the loss at first; the old one is no measure for them
            self.best_loss, self.plateau_counter, self.smoothed_loss = math.inf, 0, None
        return growth

    def _check_room(self) -> None:
        if not self.room:
            raise ConfigError(
                f"Camadas que a rede já ganhou: {len(self.extra_layers)}. max_extra_layers não deixa pôr "
                "mais."
            )

    def _facts(self, facts: dict[str, Any]) -> dict[str, Any]:
        return {**facts, "loss_before_growth": self.best_loss if math.isfinite(self.best_loss) else None}

    def _append_block(self, input_dim: int, hidden_dim: int, output_dim: int) -> None:
        block = ResidualBlock(input_dim, hidden_dim, output_dim)
        like = next(self.base_model.parameters(), None)
        if like is not None:
            block.to(like.device, like.dtype)
        self.blocks.append(block.train(self.training))

    # -- keeping -------------------------------------------------------------------------------------------

    def memory(self) -> dict[str, Any]:
        """History and rule as JSON values."""
        return {
            "growth_history": self.growth_history,
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "plateau_counter": self.plateau_counter,
            "smoothed_loss": self.smoothed_loss,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Takes over what `memory` gave, and grows as that network had; the weights are to be loaded."""
        best = memory["best_loss"]
        self.best_loss = math.inf if best is None else best
        self.plateau_counter, self.smoothed_loss = memory["plateau_counter"], memory["smoothed_loss"]
        if isinstance(self.base_model, LunaModel):
            regrow(self.base_model, memory["growth_history"])
            return
        for entry in memory["growth_history"][len(self._history) :]:
            self._append_block(*(entry[name] for name in ("input_dim", "hidden_dim", "output_dim")))
            self._history.append(entry)

    def get_extra_state(self) -> Tensor:
        """`memory` as bytes, because files of tensors hold nothing else."""
        return torch.frombuffer(bytearray(json.dumps(self.memory()).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Called by `load_state_dict` before it fills the weights."""
        self.recall(json.loads(bytes(state.tolist())))
