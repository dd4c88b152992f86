"""`luna train` and `luna tokenizer train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lunagpt.commands import help_texts, options, parsing

DEFAULT_VOCAB_SIZE = 16_384  # that of all Luna models
DEFAULT_TOKENIZER_FOLDER = Path("tokenizer")

RecipesArgument = Annotated[list[Path], typer.Argument(metavar="RECEITA", help=help_texts.RECIPE)]
RunDirOption = Annotated[Path | None, typer.Option("--run-dir", metavar="PASTA", help=help_texts.RUN_DIR)]
PresetOption = Annotated[str | None, typer.Option("--preset", metavar="NOME", help=help_texts.PRESET)]
DataRootOption = Annotated[
    Path | None, typer.Option("--data-root", metavar="PASTA", help=help_texts.DATA_ROOT)
]
BaseModelOption = Annotated[
    Path | None, typer.Option("--base-model", metavar="PASTA", help=help_texts.BASE_MODEL)
]
PrepareOption = Annotated[bool, typer.Option("--prepare", help=help_texts.PREPARE)]
ResumeOption = Annotated[bool, typer.Option("--resume", help=help_texts.RESUME)]
ResumeFromOption = Annotated[
    Path | None, typer.Option("--resume-from", metavar="PASTA", help=help_texts.RESUME_FROM)
]
MaxStepsOption = Annotated[
    int | None,
    typer.Option("--max-steps", metavar="NÚMERO", parser=parsing.integer(1), help=help_texts.MAX_STEPS),
]
MaxMinutesOption = Annotated[
    float | None,
    typer.Option("--max-minutes", metavar="NÚMERO", parser=parsing.minutes, help=help_texts.MAX_MINUTES),
]
DecayNowOption = Annotated[
    int | None,
    typer.Option("--decay-now", metavar="PASSOS", parser=parsing.integer(1), help=help_texts.DECAY_NOW),
]
ChangeOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="SEÇÃO.CHAVE=VALOR", help=help_texts.CHANGE)
]
DataArgument = Annotated[list[Path], typer.Argument(metavar="DADOS", help=help_texts.DATA)]
VocabSizeOption = Annotated[
    int,
    typer.Option(
        "--vocab-size",
        metavar="NÚMERO",
        parser=parsing.integer(1),
        help=help_texts.VOCAB_SIZE.format(default=DEFAULT_VOCAB_SIZE),
    ),
]
TokenizerOutputOption = Annotated[
    Path,
    typer.Option(
        "--output", metavar="PASTA", help=help_texts.TOKENIZER_OUTPUT.format(default=DEFAULT_TOKENIZER_FOLDER)
    ),
]
TokenizerRecipeOption = Annotated[
    Path | None, typer.Option("--recipe", metavar="ARQUIVO", help=help_texts.TOKENIZER_RECIPE)
]
HeldOutOption = Annotated[
    list[Path] | None, typer.Option("--held-out", metavar="ARQUIVO", help=help_texts.HELD_OUT)
]


def train(
    recipes: RecipesArgument,
    run_dir: RunDirOption = None,
    preset: PresetOption = None,
    data_root: DataRootOption = None,
    base_model: BaseModelOption = None,
    prepare: PrepareOption = False,
    resume: ResumeOption = False,
    resume_from: ResumeFromOption = None,
    max_steps: MaxStepsOption = None,
    max_minutes: MaxMinutesOption = None,
    decay_now: DecayNowOption = None,
    threads: options.ThreadsOption = None,
    changes: ChangeOption = None,
) -> int:
    from lunagpt.commands.train import run_train

    return run_train(
        recipes,
        run_dir=run_dir,
        preset=preset,
        data_root=data_root,
        base_model=base_model,
        resume=resume,
        resume_from=resume_from,
        max_steps=max_steps,
        max_minutes=max_minutes,
        decay_now=decay_now,
        threads=threads,
        changes=changes or [],
        prepare=prepare,
    )


def train_tokenizer(
    paths: DataArgument,
    vocab_size: VocabSizeOption = DEFAULT_VOCAB_SIZE,
    output: TokenizerOutputOption = DEFAULT_TOKENIZER_FOLDER,
    recipe: TokenizerRecipeOption = None,
    held_out: HeldOutOption = None,
) -> int:
    from lunagpt.commands.tokenizer import run_tokenizer_training

    return run_tokenizer_training(
        paths, vocab_size=vocab_size, output=output, recipe=recipe, held_out=held_out or []
    )
