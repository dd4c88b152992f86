"""Low-rank changes of linear maps, and how tokens with different changes share a batch.

    y[n] = W x[n] + up[g] (down[g] x[n])        g: the group of token n, none for tokens without a change

Letters: B batch, T time, N = B T tokens, G groups, R rank, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class TokenGroups:
    """Which tokens of a batch share a change.

    Attributes:
        ids: (N,) int64, -1 for tokens without one.
        order: the tokens that have one, sorted by group. sizes: how many of them each group has. Both are
            missing on a GPU, where all groups are computed in one product.
    """

    ids: Tensor
    order: Tensor | None = None
    sizes: list[int] | None = None

    @classmethod
    def of(cls, ids: Tensor, num_groups: int) -> TokenGroups:
        """ids: (B, T) int64 from -1 to num_groups - 1."""
        flat = ids.flatten()
        if flat.is_cuda:
            return cls(flat)
        none, *sizes = torch.bincount(flat + 1, minlength=num_groups + 1).tolist()
        return cls(flat, flat.argsort(stable=True)[none:], sizes)


@dataclass(frozen=True)
class LowRank:
    """The changes of one linear map, one per group.

    Attributes:
        down: (G, R, I). up: (G, O, R). tokens: who gets which; None gives the first to all.
    """

    down: Tensor
    up: Tensor
    tokens: TokenGroups | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """What is added to the output of the map, (B, T, I) -> (B, T, O)."""
        down, up = self.down.to(x.dtype), self.up.to(x.dtype)
        if self.tokens is None:
            return F.linear(F.linear(x, down[0]), up[0])
        flat = x.flatten(0, -2)
        evaluate = all_groups if self.tokens.order is None else by_group
        return evaluate(flat, down, up, self.tokens).unflatten(0, x.shape[:-1])

    def matrix(self, group: int = 0) -> Tensor:
        """The change as a matrix (O, I), to be added to the weight."""
        return self.up[group] @ self.down[group]


def all_groups(x: Tensor, down: Tensor, up: Tensor, tokens: TokenGroups) -> Tensor:
    """The definition: every change of every token, those of other groups set to zero; (N, I) -> (N, O)."""
    groups, rank, inputs = down.shape
    inner = F.linear(x, down.reshape(groups * rank, inputs)).view(-1, groups, rank)
    own = tokens.ids[:, None] == torch.arange(groups, device=x.device)
    inner = (inner * own[..., None]).flatten(1)
    return F.linear(inner, up.transpose(0, 1).reshape(-1, groups * rank))


def by_group(x: Tensor, down: Tensor, up: Tensor, tokens: TokenGroups) -> Tensor:
    """As `all_groups`, each group's tokens gathered: the cost does not grow with the number of groups."""
    assert tokens.order is not None
    assert tokens.sizes is not None
    parts = [
        F.linear(F.linear(part, group_down), group_up)
        for part, group_down, group_up in zip(
            x[tokens.order].split(tokens.sizes), down.unbind(), up.unbind(), strict=True
        )
        if len(part)
    ]
    changes = x.new_zeros(len(x), up.shape[1])
    return changes.index_copy(0, tokens.order, torch.cat(parts)) if parts else changes


#: The changes of one layer by the name of the linear map ("q_proj", …).
Changes = Mapping[str, LowRank]
UNCHANGED: Changes = {}


@dataclass(frozen=True)
class Adapters:
    """The changes of all layers under one or several conditions: a value that a conversation owns.

    Attributes:
        layers: for each layer its changes.
        groups: (B, T) or (B, 1) int64, the condition of each token, -1 for none; None gives the first to all.
    """

    layers: list[dict[str, LowRank]]
    groups: Tensor | None = None

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Adapters:
        """The same with `change` applied to the conditions of the rows, batch first."""
        return self if self.groups is None else replace(self, groups=change(self.groups))

    def of_tokens(self, batch: int, time: int) -> list[dict[str, LowRank]]:
        """The changes of each layer for a pass over (B, T) tokens."""
        if self.groups is None:
            return self.layers
        sample = next(low_rank for layer in self.layers for low_rank in layer.values())
        tokens = TokenGroups.of(self.groups.expand(batch, time), len(sample.down))
        return [
            {name: replace(low_rank, tokens=tokens) for name, low_rank in layer.items()}
            for layer in self.layers
        ]
