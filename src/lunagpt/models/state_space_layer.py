"""The state-space mixer: a Mamba-2 layer in the form Falcon-H1 uses (no norm on the gate).

Letters: B batch, T time, D model width, H heads, K head width, G groups, N state size, W convolution kernel.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.config import ModelConfig
from lunagpt.models.convolution import causal_convolution
from lunagpt.models.decoding_state import LayerState
from lunagpt.models.layers import Linear
from lunagpt.models.low_rank import UNCHANGED, Changes
from lunagpt.models.scan import scan_chunked, scan_sequential, scan_step

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}


class StateSpaceLayer(nn.Module):
    """Linear-time sequence mixer with a recurrent state, (B, T, D) -> (B, T, D).

    One definition (`lunagpt.models.scan`), three exact evaluations: chunked (training and prefill), one step
    (decoding) and sequential (reference). The state is a `LayerState` that the caller passes in; only the
    convenience call `forward(x, use_cache=True)` keeps one on the layer, for a single user.

    Args:
        hidden_size: D.
        state_size: N, numbers remembered per channel. Default D / 4.
        activation: nonlinearity of the gate that multiplies the output: a name of ACTIVATIONS or a module.
        initializer: "orthogonal" or "normal", for the two projections; None draws nothing at all.
        inner_size: channels of the recurrence, default 2 D. num_heads: H, default inner_size / 32 or fewer.
        num_groups: G, heads of a group share B and C. conv_kernel: W. chunk_size: Q, changes speed only.

    Initial decay as in Mamba-2: rates A uniform in [1, 16], step sizes log-uniform in [0.001, 0.1].
    """

    enabled = True  # see `components`

    def __init__(
        self,
        hidden_size: int,
        state_size: int | None = None,
        activation: str | nn.Module | None = None,
        initializer: str | None = "orthogonal",
        *,
        inner_size: int | None = None,
        num_heads: int | None = None,
        num_groups: int = 1,
        conv_kernel: int = 4,
        chunk_size: int = 64,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.state_size = state_size or max(1, hidden_size // 4)
        self.inner_size = inner_size or 2 * hidden_size
        self.num_heads = num_heads or math.gcd(self.inner_size, max(1, self.inner_size // 32))
        self.num_groups = num_groups
        self.conv_kernel = conv_kernel
        self.chunk_size = chunk_size
        if self.inner_size % self.num_heads or self.num_heads % num_groups:
            raise ValueError("num_heads must divide inner_size, and num_groups must divide num_heads")
        self.head_dim = self.inner_size // self.num_heads
        self.conv_size = self.inner_size + 2 * num_groups * self.state_size

        # rows of in_proj: gate z, then x, B, C (through the convolution), then dt
        self.in_proj = Linear(hidden_size, self.inner_size + self.conv_size + self.num_heads)
        self.conv_weight = nn.Parameter(torch.empty(self.conv_size, conv_kernel))
        self.conv_bias = nn.Parameter(torch.zeros(self.conv_size))
        self.dt_bias = nn.Parameter(torch.empty(self.num_heads))
        self.A_log = nn.Parameter(torch.empty(self.num_heads))
        self.D = nn.Parameter(torch.ones(self.num_heads))
        self.out_proj = Linear(self.inner_size, hidden_size)
        if isinstance(activation, nn.Module):
            self.activation = activation
        else:
            self.activation = ACTIVATIONS[activation or "silu"]()
        self._cached: LayerState | None = None
        if initializer is not None:
            self.reset_parameters(initializer)

    @classmethod
    def of(cls, config: ModelConfig) -> StateSpaceLayer:
        """The state space of a layer of the model that `config` describes, its weights not drawn yet."""
        return cls(
            config.hidden_size,
            config.state_size,
            initializer=None,
            inner_size=config.ssm_inner_size,
            num_heads=config.ssm_num_heads,
            num_groups=config.ssm_num_groups,
            conv_kernel=config.conv_kernel,
            chunk_size=config.chunk_size,
        )

    @torch.no_grad()
    def reset_parameters(self, initializer: str = "normal", std: float = 0.02) -> None:
        """Draws all parameters anew; `std` is that of the projections under "normal"."""
        for projection in (self.in_proj, self.out_proj):
            if initializer == "orthogonal":
                nn.init.orthogonal_(projection.weight)
            elif initializer == "normal":
                nn.init.normal_(projection.weight, std=std)
            else:
                raise ValueError(f"unknown initializer {initializer!r}: use 'orthogonal' or 'normal'")
        bound = 1.0 / math.sqrt(self.conv_kernel)
        self.conv_weight.uniform_(-bound, bound)
        self.conv_bias.zero_()
        self.A_log.uniform_(1.0, 16.0).log_()
        step = torch.empty_like(self.dt_bias).uniform_(math.log(1e-3), math.log(1e-1)).exp_()
        self.dt_bias.copy_(step + torch.log(-torch.expm1(-step)))  # inverse of softplus
        self.D.fill_(1.0)

    def mix(
        self,
        x: Tensor,
        state: LayerState | None = None,
        mask: Tensor | None = None,
        starts: Tensor | None = None,
        sequential: bool = False,
        changes: Changes = UNCHANGED,
    ) -> Tensor:
        """The layer with an explicit state.

        Args:
            x: (B, T, D).
            state: memory of the tokens before x; brought up to date in place.
            mask: (B, T) bool, False at padding, which must stand on the left.
            starts: (B, T) bool, True where a packed document starts.
            changes: of the linear maps, see `lunagpt.models.low_rank`.
            sequential: use the reference evaluation of the recurrence.
        """
        batch, time, _ = x.shape
        if mask is not None:
            x = x * mask[..., None]
        weight = self.in_proj.weight.to(x.dtype)
        wide = (
            self.inner_size + self.conv_size
        )  # dt apart: it stays float32, and the large product keeps a round width
        projected, dt = F.linear(x, weight[:wide]), F.linear(x, weight[wide:])
        if "in_proj" in changes:
            change = changes["in_proj"](x)
            projected, dt = projected + change[..., :wide], dt + change[..., wide:]
        gate, mixed = projected.split((self.inner_size, self.conv_size), dim=-1)
        dt = F.softplus(dt.float() + self.dt_bias)
        past = None if state is None else state.convolution
        kernel, bias = self.conv_weight.to(x.dtype), self.conv_bias.to(x.dtype)
        mixed, past = causal_convolution(mixed, kernel, bias, past, starts)
        mixed = F.silu(mixed)
        if state is not None:
            state.convolution = past
        if mask is not None:
            mixed = mixed * mask[..., None]  # the bias of the convolution must not enter through padding
        u, B, C = mixed.split((self.inner_size, *[self.num_groups * self.state_size] * 2), dim=-1)
        u = u.view(batch, time, self.num_heads, self.head_dim)
        B = B.view(batch, time, self.num_groups, self.state_size)
        C = C.view(batch, time, self.num_groups, self.state_size)
        A = -torch.exp(self.A_log)
        carried = None if state is None else state.recurrent

        if sequential:
            y, carried = scan_sequential(u, dt, A, B, C, self.D, carried, starts)
        elif time == 1 and carried is not None:
            y, carried = scan_step(u[:, 0], dt[:, 0], A, B[:, 0], C[:, 0], self.D, carried)
        else:
            y, carried = scan_chunked(u, dt, A, B, C, self.D, carried, starts, self.chunk_size)
        if state is not None:
            state.recurrent = carried
        y = y.reshape(batch, time, self.inner_size) * self.activation(gate)
        return self.out_proj(y, changes.get("out_proj"))

    def forward(self, x: Tensor, use_cache: bool = False) -> Tensor:
        """(B, T, D) -> (B, T, D). With `use_cache` the layer goes on where the last such call ended."""
        if not use_cache:
            return self.mix(x)
        if self._cached is None:
            self._cached = LayerState()
        y = self.mix(x, self._cached)
        self._cached.recurrent = self._cached.recurrent.detach()  # type: ignore[union-attr]
        self._cached.convolution = self._cached.convolution.detach()  # type: ignore[union-attr]
        return y

    def parallel_forward(self, x: Tensor) -> Tensor:
        """The chunked evaluation, (B, T, D) -> (B, T, D)."""
        return self.mix(x)

    def sequential_forward(self, x: Tensor) -> Tensor:
        """The reference evaluation, one position after the other, (B, T, D) -> (B, T, D)."""
        return self.mix(x, sequential=True)

    def adapt_to_hardware(self, available_memory_mb: float) -> int:
        """Chooses how many tokens the chunked evaluation takes at once, 32 below 2,000 MB and 64 else: memory
        changes, the result does not. The state keeps the size its weights were trained with. Returns the
        number.
        """
        self.chunk_size = 32 if available_memory_mb < 2000 else 64
        return self.chunk_size

    @property
    def has_cached_state(self) -> bool:
        """Whether a call with `use_cache=True` left a state on the layer."""
        return self._cached is not None

    def reset_cache(self) -> None:
        """Forgets the state kept by `forward(x, use_cache=True)`."""
        self._cached = None
