"""What a model remembers of the tokens it has read: an explicit value, owned by the conversation.

Letters: B batch, H heads, K head width, S slots of the attention cache, N state size, W convolution kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lunagpt.models.low_rank import Adapters

_SLOTTED = {"key", "value"}  # caches that grow by a slot per token, with room to spare


@dataclass
class LayerState:
    """Memory of one layer. Entries stay None until the layer has read something (or lacks that branch)."""

    key: Tensor | None = None  # (B, KV heads, S, K), the first `DecodingState.length` slots are filled
    value: Tensor | None = None
    convolution: Tensor | None = None  # (B, W - 1, channels): last inputs of the causal convolution
    recurrent: Tensor | None = None  # (B, H, N, K), float32
    emotion: Tensor | None = (
        None  # (B, 9): summed emotion scores and number of tokens, see `EmotionalRouting`
    )

    def tensors(self) -> dict[str, Tensor]:
        """What is remembered so far, by name."""
        entries = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in entries.items() if tensor is not None}

    def append_attention(self, key: Tensor, value: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Stores keys and values (B, KV heads, T, K) after `length` filled slots; returns the filled ones."""
        end = length + key.shape[2]
        if self.key is None or self.value is None or self.key.shape[2] < end:
            self.key, self.value = (
                _grown(old, new, length, end) for old, new in ((self.key, key), (self.value, value))
            )
        self.key[:, :, length:end] = key
        self.value[:, :, length:end] = value
        return self.key[:, :, :end], self.value[:, :, :end]


def _grown(old: Tensor | None, new: Tensor, length: int, needed: int) -> Tensor:
    """A cache with room for `needed` slots that keeps the filled ones; grows by half, to stay linear."""
    capacity = max(64, needed + needed // 2)
    grown = new.new_empty(new.shape[0], new.shape[1], capacity, new.shape[3])
    if old is not None:
        grown[:, :, :length] = old[:, :, :length]
    return grown


@dataclass
class DecodingState:
    """Memory of all layers.

    Attributes:
        layers: one `LayerState` per layer.
        length: filled slots of the attention caches (padding included).
        positions: (B,) real tokens read so far, i.e. the position of the next token; None at the start.
        mask: (B, length) bool of the slots that hold real tokens; None when there is no padding.
        adapters: what the conversation's condition changes in the model; None if it has none.
    """

    layers: list[LayerState]
    length: int = 0
    positions: Tensor | None = None
    mask: Tensor | None = None
    adapters: Adapters | None = None

    @classmethod
    def empty(cls, num_layers: int, adapters: Adapters | None = None) -> "DecodingState":
        return cls(layers=[LayerState() for _ in range(num_layers)], adapters=adapters)

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "DecodingState":
        """The state with `change` applied to each of its tensors, batch first; empty slots are left out."""

        def changed(layer: LayerState) -> LayerState:
            tensors = layer.tensors()
            for name in _SLOTTED & tensors.keys():
                tensors[name] = tensors[name][:, :, : self.length]
            return LayerState(**{name: change(tensor) for name, tensor in tensors.items()})

        positions = None if self.positions is None else change(self.positions)
        mask = None if self.mask is None else change(self.mask)
        adapters = None if self.adapters is None else self.adapters.mapped(change)
        layers = [changed(layer) for layer in self.layers]
        return DecodingState(layers, self.length, positions, mask, adapters)

    def clone(self) -> "DecodingState":
        """An independent copy: the recurrent state cannot be rolled back, so a turn boundary is kept this
        way."""
        return self.mapped(Tensor.clone)

    def num_bytes(self) -> int:
        """Bytes held by all tensors."""
        tensors = [tensor for layer in self.layers for tensor in layer.tensors().values()]
        return sum(t.numel() * t.element_size() for t in tensors)


def extend_mask(state: DecodingState | None, mask: Tensor | None, batch: int, time: int) -> Tensor | None:
    """The mask over all slots after `time` more tokens: (B, length + T) bool, or None without padding."""
    before = None if state is None else state.mask
    if mask is None and before is None:
        return None
    device = mask.device if mask is not None else before.device  # type: ignore[union-attr]
    length = 0 if state is None else state.length
    if before is None:
        before = torch.ones(batch, length, dtype=torch.bool, device=device)
    if mask is None:
        mask = torch.ones(batch, time, dtype=torch.bool, device=device)
    return torch.cat((before, mask.bool()), dim=1)
