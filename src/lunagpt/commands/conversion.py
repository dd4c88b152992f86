"""What the commands that make one model folder of another share: `luna upcycle`, `luna grow`, `luna average`,
`luna pack`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lunagpt.commands import texts
from lunagpt.commands.opening import model_folder
from lunagpt.config import LunaConfig
from lunagpt.errors import ModelFolderError, missing_extra

if TYPE_CHECKING:
    import torch

    from lunagpt.models import LunaModel


class Conversion:
    """The original, opened, and the folder of what is made of it.

    Args:
        source: a model's folder, or the name of a shipped model. output: a folder that does not exist yet.
        purpose: what torch is needed for.

    Attributes:
        model: the original, its weights in the type of the file.

    Raises:
        LunaError: the original cannot be read, or the output exists.
        MissingDependencyError: torch is not installed.
    """

    def __init__(self, source: Path, output: Path, purpose: str) -> None:
        try:
            from lunagpt.models.checkpoint import load_model
        except ModuleNotFoundError as error:
            raise missing_extra(error.name or "torch", "torch", purpose) from error
        self.output = output.expanduser()
        if self.output.exists():
            raise ModelFolderError(texts.OUTPUT_EXISTS.format(path=self.output))
        config = LunaConfig.from_environment()
        self._folder = model_folder(source, config)
        self.model: LunaModel = load_model(self._folder, config, keep_dtype=True, to_answer=False)

    def save(self, made: LunaModel, told: str, dtype: torch.dtype | None = None) -> None:
        """Writes what was made, with `told` below the old card.

        Args:
            dtype: of the stored weights; default is that of the original.
        """
        from lunagpt.models.checkpoint import CARD

        card = self._folder / CARD
        text = card.read_text(encoding="utf-8") if card.is_file() else ""
        written = f"{text.rstrip()}{told}" if text and told else text or told.lstrip()
        stored = dtype or self.model.embedding.weight.dtype
        made.save(self.output, dtype=stored, model_card=written or None)
