"""`luna tokenizer train`: hands the command line to `lunagpt.tokenizer` and shows how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lunagpt.commands.progress import ProgressLine


def run_tokenizer_training(
    paths: Sequence[Path],
    *,
    vocab_size: int,
    output: Path,
    recipe: Path | None,
    held_out: Sequence[Path],
) -> int:
    """Trains a vocabulary and writes its folder.

    Returns:
        0.

    Raises:
        LunaError: the data or the recipe cannot be used.
    """
    from lunagpt.tokenizer.command import run_training

    progress = ProgressLine()
    summary = run_training(
        paths, vocab_size, output, recipe=recipe, held_out=held_out, progress=progress.show
    )
    progress.finish()
    print(summary.message)
    return 0
