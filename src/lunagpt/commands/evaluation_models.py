"""What every evaluating command does with the words that name its models: open them, call them, and name the
files of their results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lunagpt.commands import texts
from lunagpt.commands.opening import set_threads
from lunagpt.errors import DataError, missing_extra, reason_of
from lunagpt.evaluation import open_language_model
from lunagpt.evaluation.language_models import LanguageModel
from lunagpt.evaluation.results import load_evaluation
from lunagpt.files import check_writable_folder

RANDOM = "aleatorio"  # stands for a model without training; "aleatorio:mini" for one of another size
_RANDOM_SEED = 0


def opened(model: str, name: str, threads: int | None) -> LanguageModel:
    """The model, ready to be asked.

    Args:
        model: as the user wrote it. name: what tables call it.

    Raises:
        LunaError: there is no such model.
        MissingDependencyError: torch is not installed.
    """
    try:
        set_threads(threads)
        return open_language_model(meant(model), name)
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "torch", "torch", texts.TO_EVALUATE) from error


def meant(model: str) -> Any:
    """What `open_language_model` takes for a word of the command line.

    Raises:
        ConfigError: there is no such size of an untrained model.
    """
    kind, _, preset = model.partition(":")
    if kind != RANDOM or Path(model).exists():
        return model
    from lunagpt import LunaConfig, LunaModel

    return LunaModel.from_scratch(LunaConfig.preset(preset or "nano"), seed=_RANDOM_SEED).eval()


def is_stored(model: str) -> bool:
    """Whether the word is a file of results."""
    return model.endswith(".json") and Path(model).is_file()


def distinct_names(models: Sequence[str]) -> list[str]:
    """A short name for each model; equal ones are told apart by their folders, then by a number."""
    short = [_short_name(model) for model in models]
    names: list[str] = []
    for model, name in zip(models, short, strict=True):
        if short.count(name) > 1 and Path(model).parent.name:
            name = f"{Path(model).parent.name}/{name}"
        number, unique = 1, name
        while unique in names:
            number += 1
            unique = f"{name} ({number})"
        names.append(unique)
    return names


def require_writable(folder: Path) -> None:
    """Makes a folder for results ready before anything is measured, which takes minutes.

    Raises:
        DataError: nothing can be written there.
    """
    try:
        check_writable_folder(folder)
    except OSError as error:
        raise DataError(texts.FILE_UNWRITABLE.format(path=folder, reason=reason_of(error))) from error


def output_file(output: Path, name: str, many: bool) -> Path:
    """The file for the results of the model of this name: `output` itself, or inside it if it is a folder for
    many."""
    return output / f"{file_stem(name)}.json" if many or output.is_dir() else output


def file_stem(name: str) -> str:
    """The name of a model as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def _short_name(model: str) -> str:
    kind, _, preset = model.partition(":")
    if kind == RANDOM and not Path(model).exists():
        return texts.RANDOM_MODEL_NAME.format(preset=preset or "nano")
    if is_stored(model):
        return str(load_evaluation(model).model.get("name") or Path(model).stem)
    return Path(model).expanduser().resolve().name.removesuffix(".gguf") or model
