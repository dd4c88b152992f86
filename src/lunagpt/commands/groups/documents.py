"""`luna index` and `luna ask`: the user's documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lunagpt.commands import help_texts, options
from lunagpt.commands.usage import UsageProblem

DEFAULT_BASE_FOLDER = Path("base")

DocumentsArgument = Annotated[Path, typer.Argument(metavar="PASTA", help=help_texts.DOCUMENTS)]
BaseOutputOption = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="BASE", help=help_texts.BASE_OUTPUT.format(default=DEFAULT_BASE_FOLDER)
    ),
]
FileTypesOption = Annotated[
    list[str] | None, typer.Option("--file-type", metavar="TIPO", help=help_texts.FILE_TYPE)
]
NoVectorsOption = Annotated[bool, typer.Option("--no-vectors", help=help_texts.NO_VECTORS)]
AskQuestionArgument = Annotated[list[str], typer.Argument(metavar="PERGUNTA", help=help_texts.ASK_QUESTION)]
AskBaseOption = Annotated[
    Path | None, typer.Option("--rag", "--knowledge-base", metavar="BASE", help=help_texts.ASK_BASE)
]
AskJsonOption = Annotated[bool, typer.Option("--json", help=help_texts.ASK_JSON)]


def index(
    folder: DocumentsArgument,
    output: BaseOutputOption = DEFAULT_BASE_FOLDER,
    file_types: FileTypesOption = None,
    no_vectors: NoVectorsOption = False,
    config: options.ConfigOption = None,
) -> int:
    from lunagpt.commands.index import run_index

    return run_index(folder, output, file_types=file_types, vectors=not no_vectors, config=config)


def ask(
    question: AskQuestionArgument,
    rag: AskBaseOption = None,
    json: AskJsonOption = False,
    config: options.ConfigOption = None,
    model: options.ModelOption = None,
    show_thinking: options.ShowThinkingOption = False,
    verbose: options.VerboseOption = False,
) -> int:
    from lunagpt.commands.ask import run_ask
    from lunagpt.commands.opening import ChatSettings

    text = " ".join(question)
    if not any(map(str.isalnum, text)):
        raise UsageProblem(help_texts.QUESTION_WITHOUT_WORDS)
    settings = ChatSettings(
        config=config,
        model=model,
        temperature=0.0,
        verbose=verbose,
        knowledge_base=rag,
        show_thinking=show_thinking,
    )
    return run_ask(text, settings, as_json=json)
