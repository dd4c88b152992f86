"""Sums over what was read so far, for what a hypernetwork and emotional routing know of a text.

Letters: B batch, T time, D width.
"""

import torch
from torch import Tensor


def running_sum(x: Tensor, starts: Tensor | None = None) -> Tensor:
    """The sum of each token and those before it in its document, (B, T, D) -> (B, T, D).

    Args:
        starts: (B, T) bool, True where a packed document starts; None: a row is one document.
    """
    sums = x.cumsum(dim=1)
    if starts is None:
        return sums
    here = torch.arange(x.shape[1], device=x.device)
    first = torch.where(starts, here, 0).cummax(dim=1).values
    return sums - (sums - x).gather(1, first[..., None].expand_as(sums))
