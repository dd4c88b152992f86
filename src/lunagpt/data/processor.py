"""`DataProcessor`: documents from files and folders, divided, and saved as JSON Lines."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lunagpt.data.chunk import DocumentChunker
from lunagpt.data.documents import Document
from lunagpt.data.loaders import LoadSummary, load_file, load_folder
from lunagpt.data.normalize import TextNormalizer
from lunagpt.data.row_writing import write_rows
from lunagpt.errors import DataError

logger = logging.getLogger(__name__)


class DataProcessor:
    """Loads, divides and saves documents.

    Attributes:
        summary: what the last folder gave, files read and not read, and why; `print` tells it.
    """

    def __init__(self) -> None:
        self.summary: LoadSummary | None = None

    def load_documents(
        self,
        source: str | os.PathLike[str],
        recursive: bool = True,
        file_types: Iterable[str] | None = None,
    ) -> list[Document]:
        """The documents of a file or of all files of a folder.

        A file of a folder that cannot be read stops nothing: it is in `summary`, and a warning is logged.

        Args:
            source: a file or a folder.
            recursive: whether folders inside the folder are read too.
            file_types: only these, such as ``["pdf", "txt", "md"]``.

        Raises:
            DataError: there is no such file or folder, or the single file cannot be read.
        """
        path = Path(source).expanduser()
        if not path.exists():
            raise DataError(f'Não encontrei "{path}". Confira o caminho.')
        self.summary = None
        if not path.is_dir():
            return load_file(path)
        self.summary = LoadSummary()
        documents: list[Document] = []
        for result in load_folder(path, recursive, file_types):
            self.summary.add(result)
            documents += result.documents
        if self.summary.problems:
            logger.warning("%s", self.summary)
        return documents

    def chunk_documents(
        self,
        documents: Iterable[Document],
        chunker: DocumentChunker | None = None,
        normalizer: TextNormalizer | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yields the chunks of documents as rows ``id``, ``parent_id``, ``title``, ``content``, ``metadata``.

        The metadata are those of the document with ``sequence`` (from 1) and ``total_chunks``, ``start`` and
        ``end`` in the text, and ``headings`` and ``page`` if there are any. A normalised text has other
        offsets than the file, so ``start``, ``end`` and ``page`` are left out then.
        """
        chunker = chunker or DocumentChunker()
        for document in documents:
            if normalizer:
                text = normalizer.normalize(document.content)
                document = replace(document, content=text, headings=(), pages=())
            chunks = chunker.chunk_document(document)
            for number, chunk in enumerate(chunks, start=1):
                metadata = {**document.metadata, "sequence": number, "total_chunks": len(chunks)}
                if not normalizer:
                    metadata |= {"start": chunk.start, "end": chunk.end}
                if chunk.heading_path:
                    metadata["headings"] = list(chunk.heading_path)
                if chunk.page is not None:
                    metadata["page"] = chunk.page
                yield {
                    "id": f"{document.id}_chunk_{number}",
                    "parent_id": document.id,
                    "title": f"{document.title} - Parte {number}",
                    "content": chunk.text,
                    "metadata": metadata,
                }

    def save_documents(
        self, documents: Iterable[Document | Mapping[str, Any]], path: str | os.PathLike[str]
    ) -> int:
        """Writes documents or rows as JSON Lines, or as JSON if `path` ends in ``.json``; returns how many.

        The file appears complete or not at all; its folder is created.

        Raises:
            DataError: an item is neither a document nor a mapping, or has a value that JSON does not know.
            OSError: the folder cannot be written.
        """
        file_format = "json" if Path(path).suffix.lower() == ".json" else "jsonl"
        return write_rows(path, file_format, map(_as_row, documents))


def _as_row(item: Document | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(item, Document):
        return item.to_dict()
    if isinstance(item, Mapping):
        return item
    raise DataError(
        f"Não sei gravar um {type(item).__name__} como documento. Use objetos Document ou dicionários."
    )
