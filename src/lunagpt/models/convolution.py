"""The short causal convolution of the state-space layers and of the token embeddings.

Letters: B batch, T time, C channels, W kernel width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def causal_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    past: Tensor | None = None,
    starts: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Depthwise convolution over time as a sum of W shifted copies.

    Args:
        x: (B, T, C). weight: (C, W), the last column is that of the position itself. bias: (C,).
        past: (B, W - 1, C) inputs before x; None means zeros.
        starts: (B, T) bool, True where a packed document starts: nothing before it is seen.

    Returns:
        y (B, T, C), and the last W - 1 inputs (B, W - 1, C), which the next call takes as `past`.
    """
    time, reach = x.shape[1], weight.shape[1] - 1
    padded = F.pad(x, (0, 0, reach, 0)) if past is None else torch.cat((past, x), dim=1)
    y = x * weight[:, reach]
    if bias is not None:
        y = y + bias
    if starts is not None:
        document = F.pad(starts.cumsum(dim=1), (reach, 0))
    for distance in range(1, reach + 1):
        shifted = padded[:, reach - distance : reach - distance + time]
        if starts is not None:
            same = document[:, reach - distance : reach - distance + time] == document[:, reach:]
            shifted = shifted * same[..., None]
        y = y + shifted * weight[:, reach - distance]
    return y, padded[:, padded.shape[1] - reach :]


class EmbeddingConvolution(nn.Module):
    """Contextual token embeddings: each embedding plus a learned mixture of its own and the few before it.

    The idea is the "canon" or "smear" layer of recent small models: a piece of a word knows the pieces before
    it from the first layer on. Zero at birth: added to a model, it changes nothing until trained.
    """

    enabled = True  # see `components`

    def __init__(self, hidden_size: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(hidden_size, kernel))

    def forward(
        self, x: Tensor, past: Tensor | None, mask: Tensor | None, starts: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """x (B, T, C) -> the same shape, and the `past` of the next call.

        Args:
            past: what the last call returned, or None at the start.
            mask: (B, T) bool, False at padding on the left, or None. starts: see `causal_convolution`.
        """
        seen = x if mask is None else x * mask[..., None]
        added, past = causal_convolution(seen, self.weight.to(x.dtype), past=past, starts=starts)
        return x + added, past
