"""`luna grow`: from a model folder to one with more layers."""

from __future__ import annotations

from pathlib import Path

from lunagpt.commands import texts
from lunagpt.commands.conversion import Conversion
from lunagpt.reporting.numbers import in_words


def run_grow(source: Path, output: Path, *, layers: int, method: str, position: str) -> int:
    """Writes the grown model, its weights stored as exactly as those of the original.

    Returns:
        0.

    Raises:
        LunaError: the model cannot be read or cannot grow, or the output exists.
        MissingDependencyError: torch is not installed.
    """
    conversion = Conversion(source, output, texts.TO_GROW)
    from lunagpt.models.growth import grow

    model = conversion.model
    before = (len(model.layers), model.num_parameters())
    growth = grow(model, layers, method, position)  # type: ignore[arg-type]
    told = texts.GROW_CARD.format(
        source=model.config.model.name,
        numbers=", ".join(map(str, growth.layers)),
        kind=texts.GROW_KINDS[method],
    )
    conversion.save(model, told)
    print(
        texts.GROW_DONE.format(
            path=conversion.output,
            before=before[0],
            after=len(model.layers),
            parameters_before=in_words(before[1]),
            parameters_after=in_words(model.num_parameters()),
            answers=texts.GROW_ANSWERS[method],
        )
    )
    return 0
