"""`luna train`: checks what the command line says and hands it to `lunagpt.training`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunagpt.commands import help_texts, texts
from lunagpt.commands.usage import UsageProblem
from lunagpt.errors import missing_extra
from lunagpt.reporting.numbers import in_words, number

if TYPE_CHECKING:
    from lunagpt.training.preparation import PreparedSource


def run_train(
    recipes: Sequence[Path],
    *,
    run_dir: Path | None,
    preset: str | None,
    data_root: Path | None,
    base_model: Path | None,
    resume: bool,
    resume_from: Path | None,
    max_steps: int | None,
    max_minutes: float | None,
    decay_now: int | None,
    threads: int | None,
    changes: list[str],
    prepare: bool = False,
) -> int:
    """Trains; without `run_dir` in `runs/` under the recipe's name. Several recipes make a chain, see
    `lunagpt.training.chain`. With `prepare`, reads the data only.

    Returns:
        0, or 130 if a signal ended the training (it can be resumed).

    Raises:
        LunaError: the recipe, the data or the folders do not fit.
        UsageProblem: a checkpoint was named for several recipes.
        MissingDependencyError: torch is not installed.
    """
    try:
        from lunagpt.training.chain import train_chain
        from lunagpt.training.command import train_command
        from lunagpt.training.preparation import prepare as prepare_data
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "torch", "train", texts.TO_TRAIN) from error

    if prepare:
        for recipe in recipes:
            sources, planned = prepare_data(
                recipe,
                preset=preset,
                data_root=data_root,
                base_model=base_model,
                max_steps=max_steps,
                changes=changes,
            )
            if len(recipes) > 1:
                print(texts.PREPARE_STAGE.format(recipe=recipe))
            print(_mixture(sources, planned))
        return 0
    options: dict[str, Any] = {
        "preset": preset,
        "data_root": data_root,
        "base_model": base_model,
        "max_steps": max_steps,
        "max_minutes": max_minutes,
        "decay_now": decay_now,
        "threads": threads,
        "changes": changes,
    }
    if len(recipes) == 1:
        folder = run_dir or Path("runs") / recipes[0].stem
        result = train_command(recipes[0], folder, resume=resume_from or resume, **options)
    elif resume_from is not None:
        raise UsageProblem(help_texts.RESUME_FROM_ONE)
    else:
        result = train_chain(recipes, run_dir or Path("runs"), resume=resume, **options)
    if "model" in result:
        text = texts.TRAIN_PAUSED if result["stop_reason"] == "max_minutes" else texts.TRAIN_DONE
        print(text.format(model=shlex.quote(str(result["model"]))))
    return 130 if result["stop_reason"] == "signal" else 0


def _mixture(sources: Sequence[PreparedSource], planned: int | None) -> str:
    """A line for every source, and what the numbers mean."""
    name, examples, tokens, share, passes = texts.PREPARE_COLUMNS
    width = max(len(name), *(len(source.name) for source in sources))
    lines = [f"{name:{width}}  {examples:>9}  {tokens:>12}  {share:>7}  {passes:>7}"]
    for source in sources:
        read = "" if source.passes is None else number(source.passes, 1)
        part = f"{number(100 * source.share, 1)} %"
        amounts = f"{number(source.examples, 0):>9}  {number(source.tokens, 0):>12}"
        lines.append(f"{source.name:{width}}  {amounts}  {part:>7}  {read:>7}".rstrip())
    total = in_words(sum(source.tokens for source in sources))
    lines += ["", texts.PREPARED.format(tokens=total)]
    if planned is not None:
        lines.append(texts.PREPARE_PLANNED.format(tokens=in_words(planned)))
    dropped = [source for source in sources if source.dropped]
    if dropped:
        named = ", ".join(f"{number(source.dropped, 0)} de {source.name}" for source in dropped)
        lines.append(texts.PREPARE_DROPPED.format(named=named))
    return "\n".join(lines)
