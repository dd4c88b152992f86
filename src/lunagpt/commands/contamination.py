"""`python -m lunagpt.evaluation.contamination`: what training and evaluation files have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lunagpt.commands import help_texts, parsing, texts
from lunagpt.commands.usage import LunaCommand
from lunagpt.errors import DataError, reason_of
from lunagpt.evaluation.contamination import NGRAM, find_contamination
from lunagpt.files import atomic_write_text, check_writable

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(cls=LunaCommand, help=help_texts.CONTAMINATION_HELP)
def contamination(
    training: Annotated[list[str], typer.Argument(metavar="TREINO", help=help_texts.CONTAMINATION_TRAINING)],
    evaluation: Annotated[
        list[str], typer.Option("--eval", metavar="CAMINHO", help=help_texts.CONTAMINATION_EVALUATION)
    ],
    data_root: Annotated[
        Path | None, typer.Option("--data-root", metavar="PASTA", help=help_texts.CONTAMINATION_ROOT)
    ] = None,
    ngram: Annotated[
        int,
        typer.Option(
            "--ngram", metavar="NÚMERO", parser=parsing.integer(2), help=help_texts.CONTAMINATION_NGRAM
        ),
    ] = NGRAM,
    output: Annotated[
        Path | None,
        typer.Option("--saida", "-o", metavar="ARQUIVO", help=help_texts.CONTAMINATION_OUTPUT),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="ARQUIVO", help=help_texts.CONTAMINATION_MARKDOWN)
    ] = None,
) -> int:
    for path in filter(None, (output, markdown)):
        try:
            check_writable(path)
        except OSError as error:
            raise DataError(texts.FILE_UNWRITABLE.format(path=path, reason=reason_of(error))) from error
    report = find_contamination(training, evaluation, ngram, data_root)
    if output is not None:
        atomic_write_text(output, json.dumps(report.to_dict(), ensure_ascii=False, indent=1) + "\n")
    if markdown is not None:
        atomic_write_text(markdown, report.to_markdown())
    print(report.to_markdown(), end="")
    return 0
