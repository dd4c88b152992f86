"""The small parts every block uses: linear maps, normalisation, rotary positions, the feed-forward network.

One dtype rule: parameters are stored in float32; `Linear` casts its weight to the dtype of its input, so the
compute dtype of the model is decided once, where the embedding is read.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.models.low_rank import UNCHANGED, Changes


class Linear(nn.Module):
    """A linear map without bias whose weight (out, in) follows the dtype of the input.

    The weight is not drawn here: `lunagpt.models.parameters.initialise` draws all, loading draws none.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))

    def forward(self, x: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """(…, in) -> (…, out); `change`: what a hypernetwork adds, see `lunagpt.models.low_rank`."""
        y = F.linear(x, self.weight.to(x.dtype))
        return y if change is None else y + change(x)


class RMSNorm(nn.Module):
    """Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019), computed in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (wide * scale * self.weight).to(x.dtype)


class FeedForward(nn.Module):
    """SiLU-gated feed-forward network (Shazeer 2020), (B, T, D) -> (B, T, D)."""

    def __init__(self, hidden_size: int, intermediate_size: int) -> None:
        super().__init__()
        self.gate_proj = Linear(hidden_size, intermediate_size)
        self.up_proj = Linear(hidden_size, intermediate_size)
        self.down_proj = Linear(intermediate_size, hidden_size)

    def forward(self, x: Tensor, changes: Changes = UNCHANGED) -> Tensor:
        gate = self.gate_proj(x, changes.get("gate_proj"))
        up = self.up_proj(x, changes.get("up_proj"))
        return self.down_proj(F.silu(gate) * up, changes.get("down_proj"))


class RotaryPositions(nn.Module):
    """Rotary position tables (Su et al. 2021), in the half-split layout of Llama and Falcon-H1."""

    inverse_frequencies: Tensor

    def __init__(self, head_dim: int, theta: float) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.theta = theta
        self.register_buffer("inverse_frequencies", torch.empty(head_dim // 2), persistent=False)
        self.reset_buffers()

    def reset_buffers(self) -> None:
        """Computes the tables; called again after a model was built on the meta device."""
        exponents = torch.arange(0, self.head_dim, 2, dtype=torch.float32) / self.head_dim
        self.inverse_frequencies = 1.0 / self.theta**exponents

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """positions (B, T) int -> cosine and sine tables (B, 1, T, K), float32."""
        angles = positions[..., None].float() * self.inverse_frequencies
        angles = torch.cat((angles, angles), dim=-1)[:, None]
        return angles.cos(), angles.sin()


def rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Rotates x (B, H, T, K) by the tables of `RotaryPositions`."""
    cosine, sine = (table.to(x.dtype) for table in tables)
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine
