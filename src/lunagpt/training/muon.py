"""Muon: momentum whose update is orthogonalised, for the weight matrices inside the network.

Source: Keller Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
`torch.optim.Muon` is the same rule, one matrix after the other and always in bfloat16; here all matrices of
one shape go through the Newton–Schulz iteration in one batch and in the number format in which the machine
multiplies fastest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

# A quintic that pushes all singular values into about [0.7, 1.2] in five steps; from the source above.
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonalize(matrices: Tensor, steps: int = 5, dtype: torch.dtype = torch.float32) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly: same singular vectors, singular values near 1.

    Args:
        matrices: (n, rows, columns).
        steps: Newton–Schulz iterations.
        dtype: format of the matrix products.

    Returns:
        (n, rows, columns) in `dtype`.
    """
    x = matrices.to(dtype)
    tall = x.size(-2) > x.size(-1)
    if tall:
        x = x.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    for _ in range(steps):
        gram = torch.bmm(x, x.mT)
        polynomial = torch.baddbmm(gram, gram, gram, beta=B, alpha=C)
        x = torch.baddbmm(x, polynomial, x, beta=A)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with decoupled weight decay.

    The step of a matrix with r rows and c columns is `lr * max(1, r / c) ** 0.5` times its orthogonalised
    momentum.

    Args:
        params: matrices, or parameter groups of matrices.
        lr: learning rate; the step's spectral norm is about this.
        momentum: decay of the running mean of gradients.
        weight_decay: each step multiplies the weights by `1 - lr * weight_decay`.
        blocks: row slices of a parameter that are orthogonalised each on its own, for stacked projections; a
            parameter that is not listed is one block.
        dtype: format of the Newton–Schulz products.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        blocks: Mapping[Tensor, list[slice]] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.blocks = dict(blocks or {})
        self.dtype = dtype
        if any(p.ndim != 2 for group in self.param_groups for p in group["params"]):
            raise ValueError("Muon takes matrices only; give other parameters to Adam.")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            momentum, shrink = group["momentum"], 1 - group["lr"] * group["weight_decay"]
            same_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if not state:
                    state["momentum"] = torch.zeros_like(param)
                state["momentum"].lerp_(param.grad, 1 - momentum)
                update = param.grad.lerp(state["momentum"], momentum)  # Nesterov
                param.mul_(shrink)
                for rows in self.blocks.get(param, [slice(None)]):
                    same_shape[update[rows].shape].append((param[rows], update[rows]))
            for (height, width), pairs in same_shape.items():
                directions = orthogonalize(torch.stack([update for _, update in pairs]), dtype=self.dtype)
                step = -group["lr"] * max(1.0, height / width) ** 0.5
                for (target, _), direction in zip(pairs, directions, strict=True):
                    target.add_(direction, alpha=step)
