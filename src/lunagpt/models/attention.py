"""Causal self-attention with grouped key and value heads, whole or within a sliding window."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.models.decoding_state import LayerState
from lunagpt.models.layers import Linear, rotate
from lunagpt.models.low_rank import UNCHANGED, Changes
from lunagpt.models.visibility import Tile, Visibility

_NORM_EPS = 1e-6


class Attention(nn.Module):
    """Grouped-query attention (Ainslie et al. 2023), (B, T, D) -> (B, T, D).

    Args:
        window: tokens that a query sees, itself included (Beltagy et al. 2020); None for all.
        temperature: bring queries and keys to length sqrt(K) (QK-norm, Henry et al. 2020) and multiply the
            scores by a number per head that the token decides; it is 1 at birth.
    """

    enabled = True  # see `components`

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        num_kv_heads: int,
        head_dim: int,
        window: int | None = None,
        temperature: bool = False,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.head_dim = head_dim
        self.window = window
        self.q_proj = Linear(hidden_size, num_heads * head_dim)
        self.k_proj = Linear(hidden_size, num_kv_heads * head_dim)
        self.v_proj = Linear(hidden_size, num_kv_heads * head_dim)
        self.o_proj = Linear(num_heads * head_dim, hidden_size)
        self.temperature = Temperature(hidden_size, num_heads) if temperature else None

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        visible: Visibility,
        state: LayerState | None = None,
        changes: Changes = UNCHANGED,
    ) -> Tensor:
        """
        Args:
            x: (B, T, D).
            rotary: tables of the positions of x, see `RotaryPositions`; None leaves queries and keys as they
                are.
            visible: what x looks at, made by `look` for this layer's window.
            state: cache that receives the new keys and values.
            changes: of the linear maps, see `lunagpt.models.low_rank`.
        """
        batch, time, _ = x.shape
        query = self._heads(self.q_proj(x, changes.get("q_proj")))
        key = self._heads(self.k_proj(x, changes.get("k_proj")))
        value = self._heads(self.v_proj(x, changes.get("v_proj")))
        if self.temperature is not None:
            query, key = (F.rms_norm(t, t.shape[-1:], eps=_NORM_EPS) for t in (query, key))
            query = query * self.temperature(x)
        if rotary is not None:
            query, key = rotate(query, rotary), rotate(key, rotary)
        if state is not None:
            key, value = state.append_attention(key, value, visible.length, self.window)
        shared = self.num_heads // self.num_kv_heads
        mask = visible.mask
        if time == 1:
            # the heads that share a key are the rows of one query: nothing is copied while decoding
            query = query.view(batch, self.num_kv_heads, shared, self.head_dim)
            if mask is not None and mask.shape[1] > 1:
                mask = mask.view(mask.shape[0], self.num_kv_heads, shared, mask.shape[3])
        elif shared > 1:
            key, value = (t.repeat_interleave(shared, dim=1) for t in (key, value))
        if visible.tiles is not None:
            mixed = tiled_attention(query, key, value, visible.tiles)
        else:
            causal = mask is None and time > 1
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal)
        mixed = mixed.reshape(batch, self.num_heads, time, self.head_dim)
        mixed = mixed.transpose(1, 2).reshape(batch, time, self.num_heads * self.head_dim)
        return self.o_proj(mixed, changes.get("o_proj"))

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, heads * K) -> (B, heads, T, K)."""
        return x.view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)


class Temperature(nn.Module):
    """What a token multiplies its attention scores by, (B, T, D) -> (B, H, T, 1); always positive.

    Above 1 a head looks at few tokens, below 1 at many. Zero weights at birth make it 1.
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_heads, hidden_size))
        self.bias = nn.Parameter(torch.zeros(num_heads))

    def forward(self, x: Tensor) -> Tensor:
        logarithm = F.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))
        return logarithm.exp().transpose(1, 2)[..., None]


def tiled_attention(query: Tensor, key: Tensor, value: Tensor, tiles: list[Tile]) -> Tensor:
    """Scaled dot-product attention over tiles, (B, H, T, K) and (B, H, S, K) twice -> (B, H, T, K)."""
    query = query * query.shape[-1] ** -0.5
    mixed = []
    for tile in tiles:
        columns = slice(tile.column, tile.column + tile.hidden.shape[-1])
        scores = query[:, :, tile.row : tile.end] @ key[:, :, columns].transpose(-1, -2)
        if tile.bias is not None:
            scores = scores + tile.bias
        scores = scores.masked_fill(tile.hidden, -torch.inf)
        mixed.append(torch.softmax(scores, dim=-1) @ value[:, :, columns])
    return torch.cat(mixed, dim=2)
