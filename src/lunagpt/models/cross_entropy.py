"""Cross-entropy over a large vocabulary without keeping the logits.

The logits of a training step (tokens x vocabulary) are the largest tensor of a small model. Here they exist
for one slice of tokens at a time, and their gradient is formed in the same pass, while the slice is in the
cache: three matrix products per slice and nothing to recompute (the idea of Liger's fused linear
cross-entropy, arXiv 2410.10989).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

IGNORED = -100
SLICE = 1024  # tokens; larger slices leave the cache, smaller ones make thin matrix products


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        total = torch.zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32))
        grad_hidden = torch.empty_like(hidden) if hidden.requires_grad or weight.requires_grad else None
        grad_weight = None  # of a frozen weight it costs a third of the work, and nobody asks for it
        if weight.requires_grad:
            grad_weight = torch.zeros(weight.shape, dtype=total.dtype, device=weight.device)
        cast = weight.to(hidden.dtype)
        for start in range(0, hidden.shape[0], SLICE):
            h, target = hidden[start : start + SLICE], labels[start : start + SLICE, None]
            logits = (h @ cast.t()).to(total.dtype)
            logits -= logits.amax(dim=1, keepdim=True)
            picked = logits.gather(1, target)
            logits.exp_()
            normaliser = logits.sum(dim=1, keepdim=True)
            total += (normaliser.log() - picked).sum()
            if grad_hidden is not None:
                probabilities = logits.div_(normaliser)
                probabilities.scatter_add_(1, target, -torch.ones_like(picked))
                narrow = probabilities.to(hidden.dtype)
                torch.mm(narrow, cast, out=grad_hidden[start : start + SLICE])
                if grad_weight is None:
                    continue
                if narrow.dtype == grad_weight.dtype:
                    grad_weight.addmm_(narrow.t(), h)
                else:
                    grad_weight += narrow.t() @ h
        if grad_hidden is not None:
            ctx.save_for_backward(grad_hidden, None if grad_weight is None else grad_weight.to(weight.dtype))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        return (
            grad_hidden * grads[0].to(grad_hidden.dtype),
            None if grad_weight is None else grad_weight * grads[0].to(grad_weight.dtype),
            None,
        )


def linear_cross_entropy(hidden: Tensor, weight: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Sum over tokens of the cross-entropy between softmax(hidden weight^T) and labels, in nats.

    Args:
        hidden: (..., D). weight: (V, D). labels: (...) int64, IGNORED (-100) where nothing is to be learned:
            such positions cost nothing.

    Returns:
        the sum (scalar, with gradient; first derivatives only) and the number of labels that counted.
    """
    labels = labels.reshape(-1)
    learned = (labels != IGNORED).nonzero().squeeze(1)
    hidden = hidden.reshape(-1, hidden.shape[-1])
    if len(learned) < len(labels):
        hidden, labels = hidden.index_select(0, learned), labels.index_select(0, learned)
    return _LinearCrossEntropy.apply(hidden, weight, labels), len(labels)
