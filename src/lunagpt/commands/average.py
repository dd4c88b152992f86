"""`luna average`: from two stages of a training to the mean of their weights."""

from __future__ import annotations

from pathlib import Path

from lunagpt.commands import texts
from lunagpt.commands.conversion import Conversion
from lunagpt.commands.opening import model_folder
from lunagpt.config import LunaConfig
from lunagpt.reporting.numbers import decimal


def run_average(first: Path, second: Path, output: Path, *, weight: float) -> int:
    """Writes (1 - weight) · first + weight · second, its weights stored as exactly as those of the first.

    Returns:
        0.

    Raises:
        LunaError: a model cannot be read, the two are not of one shape, or the output exists.
        MissingDependencyError: torch is not installed.
    """
    conversion = Conversion(first, output, texts.TO_AVERAGE)
    from lunagpt.models import LunaModel
    from lunagpt.models.averaging import average

    folder = model_folder(second)
    other = LunaModel.from_pretrained(folder, LunaConfig.from_environment(), use_lightweight=True)
    average(conversion.model, other, weight)
    parts = {
        "first_part": decimal(100 * (1 - weight), 1),
        "second_part": decimal(100 * weight, 1),
    }
    conversion.save(conversion.model, texts.AVERAGE_CARD.format(first=first, second=second, **parts))
    print(texts.AVERAGE_DONE.format(path=conversion.output, first=first, second=second, **parts))
    return 0
