"""The options that several groups of commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lunagpt.commands import help_texts, parsing

ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="ARQUIVO", help=help_texts.CONFIG)]
ModelOption = Annotated[Path | None, typer.Option("--model", metavar="PASTA", help=help_texts.MODEL)]
ShowThinkingOption = Annotated[bool, typer.Option("--show-thinking", help=help_texts.SHOW_THINKING)]
VerboseOption = Annotated[bool, typer.Option("--verbose", help=help_texts.VERBOSE)]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", metavar="NÚMERO", parser=parsing.integer(1), help=help_texts.THREADS),
]
