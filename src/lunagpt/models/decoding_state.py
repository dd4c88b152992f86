"""What a model remembers of the tokens it has read: an explicit value, owned by the conversation.

Letters: B batch, H heads, K head width, S slots of the attention cache, N state size, W convolution kernel.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class LayerState:
    """Memory of one layer. Entries stay None until the layer has read something (or lacks that branch)."""

    key: Tensor | None = None  # (B, KV heads, S, K), the first `DecodingState.length` slots are filled
    value: Tensor | None = None
    convolution: Tensor | None = None  # (B, W - 1, channels): last inputs of the causal convolution
    recurrent: Tensor | None = None  # (B, H, N, K), float32

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
    """

    layers: list[LayerState]
    length: int = 0
    positions: Tensor | None = None
    mask: Tensor | None = None

    @classmethod
    def empty(cls, num_layers: int) -> "DecodingState":
        return cls(layers=[LayerState() for _ in range(num_layers)])

    def clone(self) -> "DecodingState":
        """An independent copy: the recurrent state cannot be rolled back, so a turn boundary is kept this
        way."""

        def copy(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.clone()

        def filled(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[:, :, : self.length].clone()

        layers = [
            LayerState(filled(s.key), filled(s.value), copy(s.convolution), copy(s.recurrent))
            for s in self.layers
        ]
        return DecodingState(layers, self.length, copy(self.positions), copy(self.mask))

    def num_bytes(self) -> int:
        """Bytes held by all tensors."""
        tensors = [
            t for s in self.layers for t in (s.key, s.value, s.convolution, s.recurrent) if t is not None
        ]
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
