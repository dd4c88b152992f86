"""Causal self-attention with grouped key and value heads and rotary positions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.models.decoding_state import LayerState
from lunagpt.models.layers import Linear, rotate
from lunagpt.models.low_rank import UNCHANGED, Changes


class Attention(nn.Module):
    """Grouped-query attention (Ainslie et al. 2023), (B, T, D) -> (B, T, D)."""

    def __init__(self, hidden_size: int, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.head_dim = head_dim
        self.q_proj = Linear(hidden_size, num_heads * head_dim)
        self.k_proj = Linear(hidden_size, num_kv_heads * head_dim)
        self.v_proj = Linear(hidden_size, num_kv_heads * head_dim)
        self.o_proj = Linear(num_heads * head_dim, hidden_size)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Tensor | None = None,
        state: LayerState | None = None,
        length: int = 0,
        blocks: list[tuple[int, int, int]] | None = None,
        changes: Changes = UNCHANGED,
    ) -> Tensor:
        """
        Args:
            x: (B, T, D).
            rotary: tables of the positions of x, see `RotaryPositions`.
            mask: (B or 1, 1, T, S) bool over the S = length + T visible slots; None means plainly causal with
                nothing before x (or a single new token that sees everything).
            state: cache that receives the new keys and values. length: slots it holds so far.
            changes: of the linear maps, see `lunagpt.models.low_rank`.
            blocks: tiles of the mask that hold all visible pairs, see `visible_blocks`; only without a state.
        """
        batch, time, _ = x.shape
        query = (
            self.q_proj(x, changes.get("q_proj"))
            .view(batch, time, self.num_heads, self.head_dim)
            .transpose(1, 2)
        )
        key = (
            self.k_proj(x, changes.get("k_proj"))
            .view(batch, time, self.num_kv_heads, self.head_dim)
            .transpose(1, 2)
        )
        value = (
            self.v_proj(x, changes.get("v_proj"))
            .view(batch, time, self.num_kv_heads, self.head_dim)
            .transpose(1, 2)
        )
        query, key = rotate(query, rotary), rotate(key, rotary)
        if state is not None:
            key, value = state.append_attention(key, value, length)
        shared = self.num_heads // self.num_kv_heads
        if time == 1:
            # the heads that share a key are the rows of one query: nothing is copied while decoding
            query = query.view(batch, self.num_kv_heads, shared, self.head_dim)
        elif shared > 1:
            key, value = (t.repeat_interleave(shared, dim=1) for t in (key, value))
        if blocks is not None and mask is not None and time > 1:
            mixed = blockwise_attention(query, key, value, mask, blocks)
        else:
            causal = mask is None and time > 1
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal)
        mixed = mixed.reshape(batch, self.num_heads, time, self.head_dim)
        mixed = mixed.transpose(1, 2).reshape(batch, time, self.num_heads * self.head_dim)
        return self.o_proj(mixed, changes.get("o_proj"))


BLOCK = 128  # rows of a tile: smaller ones make thin matrix products, larger ones cover more hidden pairs


def visible_blocks(document_ids: Tensor) -> list[tuple[int, int, int]]:
    """Tiles (first row, end row, first column) that hold every pair inside one document.

    Columns end where the rows end. Packed rows of short documents leave most of the (T, T) square empty, and
    what is outside the tiles is never computed.

    Args:
        document_ids: (B, T) int, rising along T.
    """
    time = document_ids.shape[1]
    first = torch.searchsorted(
        document_ids.contiguous(), document_ids.contiguous()
    )  # (B, T) start of the document
    return [(row, min(row + BLOCK, time), int(first[:, row].min())) for row in range(0, time, BLOCK)]


def blockwise_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, blocks: list[tuple[int, int, int]]
) -> Tensor:
    """Scaled dot-product attention over the tiles of `visible_blocks`, (B, H, T, K) -> (B, H, T, K)."""
    query = query * query.shape[-1] ** -0.5
    mixed = []
    for row, end, column in blocks:
        scores = query[:, :, row:end] @ key[:, :, column:end].transpose(-1, -2)
        scores = scores.masked_fill(~mask[:, :, row:end, column:end], -torch.inf)
        mixed.append(torch.softmax(scores, dim=-1) @ value[:, :, column:end])
    return torch.cat(mixed, dim=2)
