"""Thinking before an answer: whether a model does it, and the pieces that carry it. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lunagpt.errors import GenerationError
from lunagpt.generation.sampling import SamplingParams

if TYPE_CHECKING:
    from lunagpt.models import LunaModel

SegmentKind = Literal["thinking", "answer"]


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of thinking on its way to the user.

    No string on purpose: whoever joins the pieces of an answer cannot take one for a part of it by mistake.
    """

    text: str


def settle_thinking(params: SamplingParams, model: LunaModel) -> SamplingParams:
    """`params` with the thinking mode that applies to a model: "auto" needs one that was trained to decide,
    and means "off" for all others.

    Raises:
        GenerationError: "on", and the model's template has no place for thinking.
    """
    if params.thinking == "off":
        return params
    possible = model.tokenizer.thinking_token_id is not None
    if params.thinking == "on" and not possible:
        raise GenerationError(
            f"O modelo {model.config.model.name} usa um formato de conversa sem lugar para o pensamento. "
            "Desligue o pensamento, ou use um modelo Luna."
        )
    if params.thinking == "auto" and not (possible and model.config.model.decides_to_think):
        return replace(params, thinking="off")
    return params
