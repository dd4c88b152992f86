"""What every evaluating command does with a model's name: open it, and name the file of its results."""

from __future__ import annotations

from pathlib import Path

from lunagpt.commands import texts
from lunagpt.commands.opening import set_threads
from lunagpt.errors import missing_extra
from lunagpt.evaluation import open_language_model
from lunagpt.evaluation.language_models import LanguageModel


def opened(model: str, threads: int | None) -> LanguageModel:
    """The model, ready to be asked.

    Raises:
        LunaError: there is no such model.
        MissingDependencyError: torch is not installed.
    """
    try:
        set_threads(threads)
        return open_language_model(model)
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "torch", "torch", texts.TO_EVALUATE) from error


def output_file(output: Path, model: str, many: bool) -> Path:
    """The file for the results of one model: `output` itself, or inside it if it is a folder for many."""
    if not many and not output.is_dir():
        return output
    return output / f"{Path(model).name.removesuffix('.gguf')}.json"
