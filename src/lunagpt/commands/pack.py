"""`luna pack`: from a trained model folder to the copy that is handed out."""

from __future__ import annotations

from pathlib import Path

from lunagpt.commands import texts
from lunagpt.commands.conversion import Conversion
from lunagpt.reporting.numbers import decimal, in_words


def run_pack(source: Path, output: Path, *, dtype: str) -> int:
    """Writes the model with its matrices in `dtype`, in files of at most 95 MB.

    Returns:
        0.

    Raises:
        LunaError: the model cannot be read, or the output exists.
        MissingDependencyError: torch is not installed.
    """
    conversion = Conversion(source, output, texts.TO_PACK)
    import torch

    conversion.save(conversion.model, "", dtype=getattr(torch, dtype))
    weights = list(conversion.output.rglob("*.safetensors"))
    print(
        texts.PACK_DONE.format(
            path=conversion.output,
            parameters=in_words(conversion.model.num_parameters(), "parâmetros"),
            megabytes=decimal(sum(path.stat().st_size for path in weights) / 1e6, 1),
            files=len(weights),
        )
    )
    return 0
