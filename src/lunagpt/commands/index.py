"""`luna index`: a folder of documents → a base that can be asked."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lunagpt.commands import failures, texts
from lunagpt.commands.progress import ProgressLine
from lunagpt.config import LunaConfig
from lunagpt.data.loaders.summary import shown_name
from lunagpt.errors import DataError
from lunagpt.reporting.numbers import counted, decimal

if TYPE_CHECKING:
    from lunagpt.rag import RAGSystem
    from lunagpt.rag.embeddings import EmbeddingProgress
    from lunagpt.rag.folder_sync import SyncProgress

_POLL_SECONDS = 0.2


def run_index(
    folder: Path,
    output: Path,
    *,
    file_types: Sequence[str] | None = None,
    vectors: bool = True,
    config: Path | None = None,
) -> int:
    """Brings a base up to date with a folder of documents.

    The documents can be asked by their words as soon as they are read; the vectors follow, and Ctrl-C among
    them leaves a base that the next run completes.

    Args:
        folder: the documents.
        output: the base's folder, made if it is missing.
        file_types: endings such as "pdf"; None takes all that are known.
        vectors: compute vectors too, if there is a model for them.
        config: the user's configuration file.

    Returns:
        0, also if single files could not be read (they are listed), or 1 if nothing could; then no new
        base is left behind.

    Raises:
        DataError: there is no such folder.
        StoreError: the base cannot be written.
    """
    from lunagpt.rag import RAGSystem, is_base

    failures.show_log(verbose=False)
    if not folder.is_dir():
        problem = texts.INDEX_A_FILE if folder.exists() else texts.INDEX_NO_FOLDER
        raise DataError(problem.format(path=folder))
    if output.resolve() == folder.resolve():
        raise DataError(texts.INDEX_INTO_ITSELF)
    settings = LunaConfig.from_environment() if config is None else LunaConfig.from_file(config)
    rag = settings.rag.model_copy(update={"knowledge_base_path": str(output)})
    is_new, stood_before = not is_base(output), output.is_dir()
    system = RAGSystem(settings.model_copy(update={"rag": rag}), embedding_model=None if vectors else False)
    try:
        line = ProgressLine(stages=False)
        try:
            summary = system.index_directory(
                folder,
                file_types=file_types,
                progress=lambda state: line.show(_reading(state)),
                embed="later",
            )
        except KeyboardInterrupt:
            line.clear()
            print(texts.INDEX_STOPPED)
            raise
        line.clear()
        print(summary)
        store = system.document_store
        store.words_only = not vectors
        if not len(store):
            if is_new:
                system.close()
                shutil.rmtree(output)  # a new base is only begun in an empty folder
                if stood_before:
                    output.mkdir()
            problem = texts.INDEX_NOTHING if is_new else texts.INDEX_EMPTIED
            print(problem.format(folder=folder, base=output))
            return 1
        documents = counted(len(store), *texts.DOCUMENTS)
        chunks = counted(store.chunk_count, *texts.PASSAGES)
        print(texts.INDEX_DONE.format(base=output, documents=documents, chunks=chunks))
        print(texts.INDEX_TRY.format(base=shlex.quote(str(output))))
        if vectors:
            _embed(system, line)
    finally:
        system.close()
    return 0


def _embed(system: RAGSystem, line: ProgressLine) -> None:
    """Computes the missing vectors, with progress; Ctrl-C stops it in good order."""
    if not system.start_embedding():
        return
    sys.stdout.flush()
    progress = system.embedding_progress
    try:
        while progress.state in ("idle", "running"):
            time.sleep(_POLL_SECONDS)
            progress = system.embedding_progress
            if progress.total:
                line.show(_embedding(progress))
    except KeyboardInterrupt:
        system.stop_embedding()
        line.clear()
        print(texts.INDEX_VECTORS_STOPPED.format(done=progress.done, total=progress.total))
        return
    line.clear()
    if progress.state == "done":
        print(texts.INDEX_VECTORS_DONE)


def _reading(state: SyncProgress) -> str:
    return texts.INDEX_READING.format(done=state.done, total=state.total, name=shown_name(state.path.name))


def _embedding(progress: EmbeddingProgress) -> str:
    rate = decimal(progress.per_second or 0.0, 1)
    return texts.INDEX_VECTORS.format(done=progress.done, total=progress.total, rate=rate)
