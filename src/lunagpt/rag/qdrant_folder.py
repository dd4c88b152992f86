"""Bringing a collection on Qdrant up to date with a folder of files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lunagpt.data.loaders import find_files, load_files
from lunagpt.data.loaders.summary import shown_name
from lunagpt.rag.folder_sync import SyncProgress, SyncSummary
from lunagpt.rag.qdrant_filters import all_of, equals, qdrant_filter
from lunagpt.rag.qdrant_points import Points
from lunagpt.rag.qdrant_records import IS_DOCUMENT
from lunagpt.rag.qdrant_writing import QdrantWriter
from lunagpt.rag.writing import Chunking


def sync_folder(
    points: Points,
    chunking: Chunking,
    folder: Path,
    recursive: bool,
    file_types: Sequence[str] | None,
    progress: Callable[[SyncProgress], None] | None,
) -> SyncSummary:
    """Writes new and changed documents of a folder and removes those whose file is gone.

    All files are read: what a file looked like last time is known only where the collection was written.
    A file that cannot be read keeps what is known of it.

    Raises:
        DataError: the folder does not exist or a type is unknown.
    """
    began = time.perf_counter()
    summary = SyncSummary()
    writer = QdrantWriter(points)
    origin = str(folder.resolve())
    of_folder = all_of([IS_DOCUMENT, equals("folder", origin)])
    known = {hit.payload["document_id"] for hit in points.scroll(of_folder)}
    kept: set[str] = set()
    files = list(find_files(folder, recursive, file_types))
    for number, result in enumerate(load_files(files), start=1):
        if result.skipped is not None:
            summary.skipped.append((shown_name(result.id), result.skipped))
        elif result.problem is not None:
            summary.problems.append((shown_name(result.id), result.problem))
            kept |= {name for name in known if name == result.id or name.startswith(f"{result.id}#")}
        else:
            summary.notes += [(shown_name(result.id), note) for note in result.notes]
            names = {document.id for document in result.documents}
            kept |= names
            if writer.write(result.documents, chunking, origin) == 0:
                summary.unchanged += 1
            else:
                summary.documents += len(names)
                summary.changed += bool(names & known)
                summary.added += not names & known
        if progress is not None:
            progress(SyncProgress(number, len(files), result.path))
    gone = sorted(known - kept) if recursive and file_types is None else []
    for start in range(0, len(gone), 64):
        summary.removed += writer.remove(qdrant_filter({"id": gone[start : start + 64]}))
    summary.seconds = time.perf_counter() - began
    return summary
