"""`python -m lunagpt.utils.index_documents --dir PASTA --output BASE`: the same as `luna index`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lunagpt.commands import help_texts, options
from lunagpt.commands.groups import documents
from lunagpt.commands.usage import LunaCommand

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(cls=LunaCommand, help=help_texts.INDEX_HELP)
def index_documents(
    folder: Annotated[Path, typer.Option("--dir", metavar="PASTA", help=help_texts.DOCUMENTS)],
    output: documents.BaseOutputOption = documents.DEFAULT_BASE_FOLDER,
    file_types: documents.FileTypesOption = None,
    no_vectors: documents.NoVectorsOption = False,
    config: options.ConfigOption = None,
) -> int:
    from lunagpt.commands.index import run_index

    return run_index(folder, output, file_types=file_types, vectors=not no_vectors, config=config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit code (see `program.run`)."""
    from lunagpt.commands.program import run

    return run(app, "python -m lunagpt.utils.index_documents", arguments)


if __name__ == "__main__":
    sys.exit(main())
