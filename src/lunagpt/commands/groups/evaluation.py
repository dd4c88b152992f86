"""`luna evaluate` and `luna compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lunagpt.commands import help_texts, options, parsing

EvaluatedModels = Annotated[list[str], typer.Argument(metavar="MODELO", help=help_texts.EVALUATE_MODELS)]
EvaluationDataOption = Annotated[
    list[Path] | None, typer.Option("--data", metavar="CAMINHO", help=help_texts.EVALUATE_DATA)
]
SuiteOption = Annotated[str | None, typer.Option("--suite", metavar="NOME", help=help_texts.EVALUATE_SUITE)]
TaskOption = Annotated[
    list[str] | None, typer.Option("--task", metavar="NOME", help=help_texts.EVALUATE_TASK)
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="NÚMERO", parser=parsing.integer(1), help=help_texts.EVALUATE_LIMIT),
]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="ARQUIVO", help=help_texts.EVALUATE_JSON)]
EvaluationSeedOption = Annotated[
    int, typer.Option("--seed", metavar="NÚMERO", parser=parsing.integer(0), help=help_texts.EVALUATE_SEED)
]
ContaminationOption = Annotated[
    Path | None, typer.Option("--contamination", metavar="ARQUIVO", help=help_texts.EVALUATE_CONTAMINATION)
]
JudgeOption = Annotated[
    str | None, typer.Option("--judge", metavar="ENDEREÇO", help=help_texts.EVALUATE_JUDGE_ADDRESS)
]
JudgeModelOption = Annotated[
    str | None, typer.Option("--judge-model", metavar="NOME", help=help_texts.EVALUATE_JUDGE_MODEL)
]
ComparedModels = Annotated[list[str], typer.Argument(metavar="MODELO", help=help_texts.COMPARE_MODELS)]
ComparisonSuiteOption = Annotated[
    str | None, typer.Option("--suite", metavar="NOME", help=help_texts.COMPARE_SUITE)
]
DEFAULT_COMPARISON_FOLDER = Path("comparacao")
ComparisonOutputOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="PASTA",
        help=help_texts.COMPARE_OUTPUT.format(default=DEFAULT_COMPARISON_FOLDER),
    ),
]
NoSpeedOption = Annotated[bool, typer.Option("--no-speed", help=help_texts.COMPARE_NO_SPEED)]


def evaluate(
    models: EvaluatedModels,
    data: EvaluationDataOption = None,
    suite: SuiteOption = None,
    task: TaskOption = None,
    limit: LimitOption = None,
    json: JsonOption = None,
    seed: EvaluationSeedOption = 0,
    contamination: ContaminationOption = None,
    judge: JudgeOption = None,
    judge_model: JudgeModelOption = None,
    threads: options.ThreadsOption = None,
) -> int:
    from lunagpt.commands.evaluate import run_evaluation

    return run_evaluation(
        models,
        data=data or [],
        suite=suite,
        tasks=task or [],
        limit=limit,
        output=json,
        seed=seed,
        contamination=contamination,
        threads=threads,
        judge=judge,
        judge_model=judge_model,
    )


def compare(
    models: ComparedModels,
    suite: ComparisonSuiteOption = None,
    data: EvaluationDataOption = None,
    output: ComparisonOutputOption = DEFAULT_COMPARISON_FOLDER,
    limit: LimitOption = None,
    seed: EvaluationSeedOption = 0,
    no_speed: NoSpeedOption = False,
    contamination: ContaminationOption = None,
    threads: options.ThreadsOption = None,
) -> int:
    from lunagpt.commands.compare import run_compare

    return run_compare(
        models,
        suite=suite,
        data=data or [],
        output=output,
        limit=limit,
        seed=seed,
        speed=not no_speed,
        contamination=contamination,
        threads=threads,
    )
