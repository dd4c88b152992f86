"""What a model remembers of the tokens it has read: an explicit value, owned by the conversation.

Letters: B batch, H heads, K head width, S slots of the attention cache, N state size, W convolution kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from lunagpt.models.low_rank import Adapters

_SLOTTED = {"key", "value"}  # caches with a slot per token and room to spare


@dataclass
class LayerState:
    """Memory of one layer. Entries stay None until the layer has read something (or lacks that branch)."""

    key: Tensor | None = None  # (B, KV heads, S, K): slots `first` to `DecodingState.length`, then room
    value: Tensor | None = None
    first: int = 0  # number of the oldest slot kept; above 0 only in layers with a sliding window
    convolution: Tensor | None = None  # (B, W - 1, channels): last inputs of the causal convolution
    recurrent: Tensor | None = None  # (B, H, N, K), float32
    emotion: Tensor | None = (
        None  # (B, 9): summed emotion scores and number of tokens, see `EmotionalRouting`
    )

    def tensors(self) -> dict[str, Tensor]:
        """What is remembered so far, by name."""
        return _tensors(self)

    def append_attention(
        self, key: Tensor, value: Tensor, length: int, window: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Stores keys and values (B, KV heads, T, K) after `length` slots; returns all that the new ones see.

        With a window these are the T new ones and at most window - 1 before, and no more than two windows are
        kept, however long the text.
        """
        end = length + key.shape[2]
        if window is not None:
            return self._append_within(key, value, length, window)
        if self.key is None or self.value is None or self.key.shape[2] < end:
            self.key, self.value = (
                _grown(old, new, length, end) for old, new in ((self.key, key), (self.value, value))
            )
        self.key[:, :, length:end] = key
        self.value[:, :, length:end] = value
        return self.key[:, :, :end], self.value[:, :, :end]

    def _append_within(self, key: Tensor, value: Tensor, length: int, window: int) -> tuple[Tensor, Tensor]:
        begin = max(0, length - window + 1)  # the oldest slot that a new token sees
        end = length + key.shape[2]
        if self.key is not None and self.value is not None:
            if key.shape[2] == 1 and end - self.first <= self.key.shape[2]:
                self.key[:, :, length - self.first] = key[:, :, 0]
                self.value[:, :, length - self.first] = value[:, :, 0]
                seen = slice(begin - self.first, end - self.first)
                return self.key[:, :, seen], self.value[:, :, seen]
            old = slice(begin - self.first, length - self.first)
            key = torch.cat((self.key[:, :, old], key), dim=2)
            value = torch.cat((self.value[:, :, old], value), dim=2)
        # kept: what the next token still sees, with room for some more: moving them stays a small part
        self.first = max(0, end - window + 1)
        kept = end - self.first
        room = min(window, max(64, kept))
        self.key, self.value = (_with_room(t[:, :, self.first - begin :], kept + room) for t in (key, value))
        return key, value


def _with_room(kept: Tensor, capacity: int) -> Tensor:
    """A copy of `kept` (B, KV heads, S, K) with slots up to `capacity`."""
    wider = kept.new_empty(kept.shape[0], kept.shape[1], capacity, kept.shape[3])
    wider[:, :, : kept.shape[2]] = kept
    return wider


def _tensors(state: "LayerState | DecodingState") -> dict[str, Tensor]:
    entries = {field.name: getattr(state, field.name) for field in fields(state)}
    return {name: entry for name, entry in entries.items() if isinstance(entry, Tensor)}


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
        switches: `LunaModel.switches` when it was first filled.
        embeddings: (B, W - 1, D): last inputs of the convolution over the embeddings, or None.
    """

    layers: list[LayerState]
    length: int = 0
    positions: Tensor | None = None
    mask: Tensor | None = None
    adapters: Adapters | None = None
    embeddings: Tensor | None = None
    switches: int | None = None

    @classmethod
    def empty(cls, num_layers: int, adapters: Adapters | None = None) -> "DecodingState":
        return cls(layers=[LayerState() for _ in range(num_layers)], adapters=adapters)

    def advance(self, positions: Tensor, mask: Tensor | None) -> None:
        """Takes note of a pass that has filled the layers.

        Args:
            positions: (B, T) of the tokens read. mask: (B, length + T), see `extend_mask`.
        """
        self.length += positions.shape[1]
        self.mask = mask
        self.positions = positions[:, -1] + (1 if mask is None else mask[:, -1].long())

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "DecodingState":
        """The state with `change` applied to each of its tensors, batch first; empty slots are left out."""

        def changed(layer: LayerState) -> LayerState:
            tensors: dict[str, Any] = layer.tensors()
            for name in _SLOTTED & tensors.keys():
                tensors[name] = tensors[name][:, :, : self.length - layer.first]
            for name, tensor in tensors.items():
                tensors[name] = change(tensor)
            return replace(layer, **tensors)

        shared: dict[str, Any] = {name: change(tensor) for name, tensor in _tensors(self).items()}
        if self.adapters is not None:
            shared["adapters"] = self.adapters.mapped(change)
        return replace(self, layers=[changed(layer) for layer in self.layers], **shared)

    def clone(self) -> "DecodingState":
        """An independent copy: the recurrent state cannot be rolled back, so a turn boundary is kept this
        way."""
        return self.mapped(Tensor.clone)

    def num_bytes(self) -> int:
        """Bytes held by all tensors."""
        tensors = list(_tensors(self).values())
        for layer in self.layers:
            tensors += layer.tensors().values()
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
