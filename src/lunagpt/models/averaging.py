"""The mean of two models of one shape: what a late stage of training learned, without all that it forgot.

Weights of runs that share their beginning lie in one valley of the loss, and a point between them is often
better than both (Wortsman et al., "Model soups", 2022, arXiv 2203.05482).
"""

from __future__ import annotations

import torch

from lunagpt.errors import ConfigError, ModelFolderError
from lunagpt.models.luna_model import LunaModel
from lunagpt.models.parameters import unique_state
from lunagpt.reporting.numbers import decimal

# Settings that say nothing about the weights.
_FREE = ("name", "base_path", "preset", "max_position_embeddings")


@torch.no_grad()
def average(first: LunaModel, second: LunaModel, weight: float = 0.5) -> LunaModel:
    """Moves `first` towards `second`: every weight becomes (1 - weight) · first + weight · second.

    Computed in float32 and kept in the type of `first`.

    Args:
        weight: the part of `second`, from 0 to 1.

    Returns:
        `first`.

    Raises:
        ConfigError: `weight` lies outside.
        ModelFolderError: the models differ in shape or in their vocabulary; says in what.
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"O peso da média é {decimal(weight, 6)}, e deve ficar entre 0 e 1.")
    differing = _differences(first, second)
    if differing:
        raise ModelFolderError(
            f"Não dá para tirar a média destes modelos: diferem em {', '.join(differing[:3])}. A média só "
            "vale entre etapas de um mesmo treino."
        )
    theirs = unique_state(second)
    for name, own in unique_state(first).items():
        if own.is_floating_point():
            own.copy_(torch.lerp(own.float(), theirs[name].to(own.device).float(), weight))
    return first


def _differences(first: LunaModel, second: LunaModel) -> list[str]:
    """Settings, vocabulary, tensors in which two models differ so that they have no mean."""
    one, other = (model.config.model.to_dict() for model in (first, second))
    found = [f"model.{name}" for name in one if name not in _FREE and one[name] != other[name]]
    if first.tokenizer.backend_tokenizer.to_str() != second.tokenizer.backend_tokenizer.to_str():
        found.append("vocabulário")
    if found:
        return found
    mine, theirs = unique_state(first), unique_state(second)
    if mine.keys() != theirs.keys():
        return sorted(mine.keys() ^ theirs.keys())
    return [
        name
        for name, tensor in mine.items()
        if tensor.shape != theirs[name].shape
        or not (tensor.is_floating_point() or torch.equal(tensor, theirs[name].to(tensor.device)))
    ]
