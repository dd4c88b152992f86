"""`luna info`: what a model folder holds, and whether its files are as they were written."""

from __future__ import annotations

from math import prod
from pathlib import Path

from lunagpt.commands import texts
from lunagpt.commands.opening import model_folder
from lunagpt.config import LunaConfig
from lunagpt.errors import missing_extra
from lunagpt.reporting.numbers import in_bytes, in_words


def run_info(chosen: Path | None) -> int:
    """Prints the facts about a model folder.

    Returns:
        0.

    Raises:
        ModelFolderError: there is no such folder, or one of its files is missing, altered or foreign.
        MissingDependencyError: torch is not installed.
    """
    try:
        from lunagpt.models.checkpoint import CONFIG, verify_folder
    except ModuleNotFoundError as error:
        raise missing_extra("torch", "torch", texts.TO_CHECK_MODEL) from error

    folder = model_folder(chosen)
    files = verify_folder(folder)["files"]
    model = LunaConfig.from_file(folder / CONFIG, use_environment=False).model
    rows = (
        (texts.INFO_NAME, model.name),
        (texts.INFO_FOLDER, str(folder)),
        (texts.INFO_PARAMETERS, in_words(sum(map(count_values, folder.rglob("*.safetensors"))))),
        (texts.INFO_SHAPE, texts.INFO_SHAPE_VALUE.format(layers=model.num_layers, width=model.hidden_size)),
        (texts.INFO_VOCABULARY, texts.TOKENS.format(count=model.vocab_size)),
        (texts.INFO_CONTEXT, texts.TOKENS.format(count=model.max_position_embeddings)),
        (texts.INFO_SIZE, in_bytes(sum(entry["size"] for entry in files.values()))),
        (texts.INFO_FILES, texts.INFO_FILES_GOOD.format(count=len(files))),
    )
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        print(f"{label:{width}}  {value}")
    return 0


def count_values(path: Path) -> int:
    """How many numbers a safetensors file holds; reads its header alone."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as tensors:
        return sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
