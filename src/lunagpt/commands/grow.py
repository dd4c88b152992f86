"""`luna grow`: from a model folder to one with more layers."""

from __future__ import annotations

from pathlib import Path

from lunagpt.commands import texts
from lunagpt.commands.numbers import in_words
from lunagpt.commands.opening import model_folder
from lunagpt.config import LunaConfig
from lunagpt.errors import ModelFolderError, missing_extra


def run_grow(source: Path, output: Path, *, layers: int, method: str, position: str) -> int:
    """Writes the grown model, its weights stored as exactly as those of the original.

    Returns:
        0.

    Raises:
        LunaError: the model cannot be read or cannot grow, or the output exists.
        MissingDependencyError: torch is not installed.
    """
    try:
        from lunagpt.models import LunaModel
        from lunagpt.models.checkpoint import CARD
        from lunagpt.models.growth import grow
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "torch", "torch", texts.TO_GROW) from error
    output = output.expanduser()
    if output.exists():
        raise ModelFolderError(texts.OUTPUT_EXISTS.format(path=output))
    config = LunaConfig.from_environment()
    folder = model_folder(source, config)
    model = LunaModel.from_pretrained(folder, config, use_lightweight=True)  # in the type of the file
    before = (len(model.layers), model.num_parameters())
    growth = grow(model, layers, method, position)  # type: ignore[arg-type]
    card = folder / CARD
    told = texts.GROW_CARD.format(
        source=model.config.model.name,
        numbers=", ".join(map(str, growth.layers)),
        kind=texts.GROW_KINDS[method],
    )
    written = card.read_text(encoding="utf-8").rstrip() + told if card.is_file() else told.lstrip()
    model.save(output, dtype=model.embedding.weight.dtype, model_card=written)
    print(
        texts.GROW_DONE.format(
            path=output,
            before=before[0],
            after=len(model.layers),
            parameters_before=in_words(before[1]),
            parameters_after=in_words(model.num_parameters()),
            answers=texts.GROW_ANSWERS[method],
        )
    )
    return 0
