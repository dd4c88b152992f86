"""Positions as relations: learned values for the distance between two tokens.

Letters: B batch, T time, S slots looked at, H heads, L the longest distance told apart.
"""

import math

import torch
from torch import Tensor, nn


class RelationalPositionalEmbedding(nn.Module):
    """Learned vectors of positions and of the distances between them.

    In the model (`model.positions: "relative"`) the vector of a distance holds one number per head, which is
    added to the attention scores (T5, Raffel et al. 2020, section 2.1): `by_distance`. Both tables start at
    zero, so that the embedding changes nothing until trained.

    Args:
        max_seq_len: L; from L - 1 on, all distances have one vector.
        hidden_dim: width of a vector.
        num_buckets: None keeps a vector for each distance from -(L - 1) to L - 1. A number keeps so many, for
            distances into the past: half of them for one distance each, the others for logarithmic ranges.
        absolute: also keep a vector for each of L positions, which `forward` adds.
    """

    def __init__(
        self, max_seq_len: int, hidden_dim: int, *, num_buckets: int | None = None, absolute: bool = True
    ) -> None:
        super().__init__()
        if num_buckets is not None and not 2 <= num_buckets <= 2 * max_seq_len:
            raise ValueError("num_buckets must lie between 2 and 2 * max_seq_len")
        self.max_seq_len = max_seq_len
        self.hidden_dim = hidden_dim
        self.num_buckets = num_buckets
        self.absolute_embeddings = _table(max_seq_len, hidden_dim) if absolute else None
        self.relative_distance_embeddings = _table(num_buckets or 2 * max_seq_len - 1, hidden_dim)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """x (B, T, hidden_dim) of the positions `start` to start + T - 1, plus their vectors.

        Raises:
            ValueError: a position beyond `max_seq_len`, or built with absolute=False.
        """
        if self.absolute_embeddings is None:
            raise ValueError("this embedding has no absolute positions: it was built with absolute=False")
        if start + x.shape[1] > self.max_seq_len:
            raise ValueError(f"positions end at {self.max_seq_len}, asked for {start + x.shape[1]}")
        return x + self.absolute_embeddings.weight[start : start + x.shape[1]].to(x.dtype)

    def relations(self, time: int) -> Tensor:
        """(T, T, hidden_dim): entry [i, j] is the vector of the distance i - j."""
        positions = torch.arange(time, device=self.relative_distance_embeddings.weight.device)
        return self.relative_distance_embeddings(self._rows(positions[:, None] - positions))

    def by_distance(self, count: int) -> Tensor:
        """(hidden_dim, count): the vectors of the distances 0 to count - 1 into the past."""
        distances = torch.arange(count, device=self.relative_distance_embeddings.weight.device)
        return self.relative_distance_embeddings(self._rows(distances)).T

    def _rows(self, distances: Tensor) -> Tensor:
        """The table's rows of these distances (position of the query less that of the key)."""
        farthest = self.max_seq_len - 1
        if self.num_buckets is None:
            return distances.clamp(-farthest, farthest) + farthest
        exact = self.num_buckets // 2
        past = distances.clamp(0, farthest)
        span = math.log(self.max_seq_len / exact)
        coarse = (past.double().clamp(min=exact) / exact).log() / span * (self.num_buckets - exact)
        return torch.where(past < exact, past, exact + coarse.long()).clamp(max=self.num_buckets - 1)


def _table(rows: int, width: int) -> nn.Embedding:
    return nn.Embedding(rows, width, _weight=torch.zeros(rows, width))


def by_offset(values: Tensor, rows: int, columns: int, offset: int) -> Tensor:
    """(H, distances) -> (H, rows, columns): entry [h, i, j] is the value of the distance offset + i - j.

    Negative distances, which causality hides, get the value of 0. A matrix constant along its diagonals is a
    sliding view of one vector: neither indices nor a gather of that size is made, forward or backward.
    """
    line = offset + rows - 1 - torch.arange(rows + columns - 1, device=values.device)
    return values[:, line.clamp(min=0)].unfold(-1, columns, 1).flip(-2)
