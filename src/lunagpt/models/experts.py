"""What experts compute, once as a definition and twice as fast evaluations of it.

An expert is the gated feed-forward network of `layers.FeedForward` (or the same with another activation, for
experts copied from another family). Token n gets

    y[n] = sum over its chosen experts e of gate[n, e] * down_e(silu(gate_e x[n]) * (up_e x[n]))

Letters: N tokens, D model width, E experts, F expert width, C experts chosen per token.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Backend = Literal["auto", "reference", "loop", "grouped"]
Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}


@dataclass(frozen=True)
class Choice:
    """Which experts a token goes to.

    Attributes:
        experts: (N, C) int64, all different within a row.
        gates: (N, C) float32, how much each counts; rows sum to 1.
    """

    experts: Tensor
    gates: Tensor


def mix_experts(
    x: Tensor,
    choice: Choice,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
    dropout: float = 0.0,
    backend: Backend = "auto",
    activation: str = "silu",
) -> Tensor:
    """The experts' answers, mixed: (N, D) -> (N, D).

    Args:
        x: (N, D).
        gate, up: (E, F, D). down: (E, D, F). In the dtype of `x`.
        dropout: share of the inner values that is dropped.
        backend: "reference" computes every expert on every token; "loop" sorts the tokens by expert and gives
            each expert its own; "grouped" does the same in one kernel; "auto" takes "grouped" on a GPU in
            bfloat16 and "loop" elsewhere. They agree up to rounding (and draw dropout differently).
        activation: nonlinearity of the gate, a name of ACTIVATIONS.
    """
    act = ACTIVATIONS[activation]
    if backend == "auto":
        backend = "grouped" if x.is_cuda and x.dtype == torch.bfloat16 else "loop"
    if backend == "reference":
        return _reference(x, choice, gate, up, down, dropout, act)
    num_experts, per_token = len(gate), choice.experts.shape[1]
    order = choice.experts.flatten().argsort(stable=True)
    token = order // per_token
    load = torch.bincount(choice.experts.flatten(), minlength=num_experts)
    sorted_x = x[token]
    if backend == "grouped":
        ends = load.cumsum(0).to(torch.int32)
        inner = act(_grouped(sorted_x, gate, ends)) * _grouped(sorted_x, up, ends)
        answers = _grouped(F.dropout(inner, dropout, dropout > 0), down, ends)
    else:
        # `unbind`, not indices: the derivative of an index fills a tensor of all experts with zeros
        weights = zip(gate.unbind(), up.unbind(), down.unbind(), strict=True)
        answers = torch.cat(
            [
                _expert(piece, *of_expert, dropout, act)
                for piece, of_expert in zip(sorted_x.split(load.tolist()), weights, strict=True)
                if len(piece)
            ]
        )
    answers = answers * choice.gates.flatten()[order, None].to(x.dtype)
    return torch.zeros_like(x).index_add(0, token, answers)


def _reference(
    x: Tensor, choice: Choice, gate: Tensor, up: Tensor, down: Tensor, dropout: float, act: Activation
) -> Tensor:
    weights = x.new_zeros(len(x), len(gate)).scatter(1, choice.experts, choice.gates.to(x.dtype))
    answers = [_expert(x, gate[e], up[e], down[e], dropout, act) for e in range(len(gate))]
    return torch.stack([weights[:, e, None] * answer for e, answer in enumerate(answers)]).sum(0)


def _expert(x: Tensor, gate: Tensor, up: Tensor, down: Tensor, dropout: float, act: Activation) -> Tensor:
    inner = act(F.linear(x, gate)) * F.linear(x, up)
    return F.linear(F.dropout(inner, dropout, dropout > 0), down)


def _grouped(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    """Rows of x (N, in), sorted by expert, times their expert's weight (E, out, in)."""
    return F.grouped_mm(x, weight.transpose(-1, -2), offs=ends)
