"""`luna upcycle`: from a dense model folder to one with experts that answers the same."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lunagpt.commands import texts
from lunagpt.commands.conversion import Conversion
from lunagpt.errors import ConfigError
from lunagpt.reporting.numbers import in_words


def run_upcycle(
    source: Path, output: Path, *, experts: int, per_token: int, layers: str, emotional_routing: bool
) -> int:
    """Writes the model with experts, its weights stored as exactly as those of the original.

    Returns:
        0.

    Raises:
        LunaError: the model cannot be read or converted, or the output exists.
        MissingDependencyError: torch is not installed.
    """
    conversion = Conversion(source, output, texts.TO_UPCYCLE)
    from lunagpt.models.upcycling import upcycle

    model = conversion.model
    grown = upcycle(model, experts, per_token, _layers(layers), emotional_routing=emotional_routing)
    numbers = [i for i in range(len(grown.layers)) if grown.config.model.has_experts(i)]
    told = texts.UPCYCLE_CARD.format(
        source=model.config.model.name,
        experts=experts,
        per_token=per_token,
        layers=", ".join(map(str, numbers)),
    )
    conversion.save(grown, told)
    print(
        texts.UPCYCLE_DONE.format(
            path=conversion.output,
            layers=len(numbers),
            experts=experts,
            per_token=per_token,
            before=in_words(model.num_parameters()),
            after=in_words(grown.num_parameters()),
        )
    )
    return 0


def _layers(value: str) -> Literal["alternate", "all"] | list[int]:
    if value == "alternate":
        return "alternate"
    if value == "all":
        return "all"
    try:
        return [int(number) for number in value.split(",")]
    except ValueError:
        raise ConfigError(texts.UPCYCLE_BAD_LAYERS.format(value=value)) from None
