"""Bringing a base up to date with a folder, reading only what changed.

What a file looked like (size, time of change, SHA-256) is written in the transaction that writes its
documents. A run that is killed has therefore done some files wholly and the others not at all, and the next
run goes on.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lunagpt.data.documents import Document
from lunagpt.errors import reason_of
from lunagpt.files import sha256_file
from lunagpt.rag.schema import Database
from lunagpt.rag.writing import Chunking, DocumentWriter, PreparedDocument, storable
from lunagpt.reporting.numbers import counted, number

if TYPE_CHECKING:
    from lunagpt.data.loaders import FoundFile

_BATCH_CHARACTERS = 1 << 20
_BATCH_FILES = 64
_SHOWN = 20
_NAMES = 3
_NEW_FILE = -1  # no document in the base belongs to it


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a run is: files looked at of all files, and the one at hand."""

    done: int
    total: int
    path: Path


@dataclass(slots=True)
class SyncSummary:
    """What a run did; `str()` tells it to the user.

    Attributes:
        added, changed, unchanged, removed: numbers of files.
        documents: documents read from new and changed files.
        problems: (name, Portuguese phrase) of each file that could not be read. If an earlier version of it
            is in the base, that version stays. Names are relative to the folder and safe to print.
        skipped: (name, Portuguese phrase) of what nobody tried to read (other formats, links).
        notes: (name, Portuguese phrase) about files that were read, e.g. only in part.
        seconds: how long it took.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    documents: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def files(self) -> int:
        """Files that the base now knows of this folder."""
        return self.added + self.changed + self.unchanged

    def __str__(self) -> str:
        counts = (
            (self.added, "novo", "novos"),
            (self.changed, "alterado", "alterados"),
            (self.unchanged, "sem mudança", "sem mudança"),
            (self.removed, "removido", "removidos"),
        )
        found = [entry for entry in counts if entry[0]]
        parts = [counted(*entry) for entry in found]
        if found:  # "2 arquivos novos, 1 removido"
            amount, one, many = found[0]
            parts[0] = counted(amount, f"arquivo {one}", f"arquivos {many}")
            read = counted(self.documents, "documento lido", "documentos lidos")
            lines = [f"{', '.join(parts)} ({read} em {number(self.seconds, 1)} s)."]
        else:
            lines = ["Nenhum arquivo foi lido."]
        lines += _listed(self.problems, "arquivo não pôde ser lido", "arquivos não puderam ser lidos")
        lines += _listed(self.notes, "aviso", "avisos")
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.skipped:
            by_reason.setdefault(reason, []).append(name)
        if self.skipped:
            lines.append(f"{counted(len(self.skipped), 'arquivo pulado', 'arquivos pulados')}:")
        for reason, names in by_reason.items():
            some = ", ".join(names[:_NAMES]) + (", …" if len(names) > _NAMES else "")
            lines.append(f"  {reason}: {some}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Known:
    """A file as the base knows it."""

    id: int
    size: int
    modified_ns: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A file that was read and waits to be written."""

    file: FoundFile
    sha256: bytes
    known: _Known | None
    documents: tuple[Document, ...]


class FolderSync:
    """One run over one folder."""

    def __init__(self, database: Database, writer: DocumentWriter, chunking: Chunking) -> None:
        self._database = database
        self._writer = writer
        self._chunking = chunking
        self._chunker = chunking.chunker()
        self._summary = SyncSummary()

    def run(
        self,
        folder: Path,
        recursive: bool,
        file_types: Sequence[str] | None,
        progress: Callable[[SyncProgress], None] | None,
    ) -> SyncSummary:
        """See `DocumentStore.add_documents_from_directory`."""
        # The readers of many formats are needed by nothing else here.
        from lunagpt.data.loaders import find_files, load_files
        from lunagpt.data.loaders.summary import shown_name

        began = time.perf_counter()
        folder = folder.resolve()
        root = folder.as_posix()
        self._adopt_moved_folder(folder)
        known = self._known_files(root)
        own = self._database.path.parent.resolve()  # the base may lie among the documents
        found = [file for file in find_files(folder, recursive, file_types) if own not in file.path.parents]
        files = [file for file in found if file.skipped is None]
        self._summary.skipped = [
            (shown_name(file.id), file.skipped) for file in found if file.skipped is not None
        ]
        different = {
            file.id: sha256 for file in files if (sha256 := self._new_hash(file, known.get(file.id)))
        }
        to_read = [file for file in files if file.id in different]
        done = len(files) - len(to_read)
        waiting: list[_Fresh] = []
        for file, result in zip(to_read, load_files(to_read), strict=True):
            if result.problem is None:
                documents = tuple(map(storable, result.documents))
                waiting.append(_Fresh(file, different[file.id], known.get(file.id), documents))
                self._summary.notes += [(shown_name(file.id), note) for note in result.notes]
            else:
                self._fail(file, result.problem, known.get(file.id))
            if len(waiting) >= _BATCH_FILES or _characters(waiting) > _BATCH_CHARACTERS:
                self._write(root, waiting)
                waiting = []
            done += 1
            if progress is not None:
                progress(SyncProgress(done, len(files), file.path))
        self._write(root, waiting)
        self._remove(root, _gone(known, found, recursive, file_types))
        self._summary.seconds = time.perf_counter() - began
        return self._summary

    def _known_files(self, root: str) -> dict[str, _Known]:
        rows = self._database.connection.execute(
            "SELECT path, id, size, modified_ns, sha256 FROM files WHERE root = ?", (root,)
        )
        return {path: _Known(*columns) for path, *columns in rows}

    def _adopt_moved_folder(self, folder: Path) -> None:
        """If a folder of the same name was indexed at a place that no longer exists, it has moved here."""
        roots = [root for (root,) in self._database.connection.execute("SELECT DISTINCT root FROM files")]
        if folder.as_posix() in roots:
            return
        moved = [root for root in roots if Path(root).name == folder.name and not Path(root).exists()]
        if len(moved) == 1:
            with self._database.write() as connection:
                connection.execute("UPDATE files SET root = ? WHERE root = ?", (folder.as_posix(), moved[0]))

    def _new_hash(self, file: FoundFile, known: _Known | None) -> bytes | None:
        """The hash of a file that has to be read; None if the base has it as it is."""
        if known and (known.size, known.modified_ns) == (file.size, file.modified):
            self._summary.unchanged += 1
            return None
        try:
            sha256 = bytes.fromhex(sha256_file(file.path))
        except OSError as error:
            self._fail(file, f"não pôde ser lido ({reason_of(error)})", known)
            return None
        if known and known.sha256 == sha256:
            self._touch(known, file)
            self._summary.unchanged += 1
            return None
        return sha256

    def _fail(self, file: FoundFile, problem: str, known: _Known | None) -> None:
        from lunagpt.data.loaders.summary import shown_name

        if known:
            problem += "; a versão anterior continua na base"
            self._summary.unchanged += 1
        self._summary.problems.append((shown_name(file.id), problem))

    def _touch(self, known: _Known, file: FoundFile) -> None:
        with self._database.write() as connection:
            connection.execute(
                "UPDATE files SET size = ?, modified_ns = ? WHERE id = ?",
                (file.size, file.modified, known.id),
            )

    def _write(self, root: str, files: Sequence[_Fresh]) -> None:
        """Write files with their documents in one transaction."""
        if not files:
            return
        prepared = [self._prepare(file) for file in files]
        with self._database.write() as connection:
            for file, documents in zip(files, prepared, strict=True):
                self._write_file(connection, root, file, documents)
        for file in files:
            self._summary.added += file.known is None
            self._summary.changed += file.known is not None
            self._summary.documents += len(file.documents)

    def _prepare(self, file: _Fresh) -> list[PreparedDocument | None]:
        owner = file.known.id if file.known else _NEW_FILE
        return [
            self._writer.prepare(document, self._chunking, self._chunker, owner)
            for document in file.documents
        ]

    def _write_file(
        self,
        connection: sqlite3.Connection,
        root: str,
        fresh: _Fresh,
        prepared: Sequence[PreparedDocument | None],
    ) -> None:
        connection.execute(
            "INSERT INTO files(root, path, size, modified_ns, sha256) VALUES(?, ?, ?, ?, ?) "
            "ON CONFLICT(root, path) DO UPDATE SET size = excluded.size, modified_ns = excluded.modified_ns, "
            "sha256 = excluded.sha256",
            (root, fresh.file.id, fresh.file.size, fresh.file.modified, fresh.sha256),
        )
        (file_id,) = connection.execute(
            "SELECT id FROM files WHERE root = ? AND path = ?", (root, fresh.file.id)
        ).fetchone()
        old = dict(connection.execute("SELECT id, key FROM documents WHERE file = ?", (file_id,)))
        kept: set[str] = set()
        for document, row in zip(fresh.documents, prepared, strict=True):
            name = document.id
            if row is not None:
                name = _free_id(connection, row.document.id, file_id, Path(root).name, kept)
                renamed = replace(row, document=replace(row.document, id=name), file_id=file_id)
                self._writer.replace(connection, renamed)
            kept.add(name)
        self._writer.remove(connection, [key for identity, key in old.items() if identity not in kept])

    def _remove(self, root: str, gone: Sequence[str]) -> None:
        """Remove files that are no longer in the folder, with their documents."""
        for start in range(0, len(gone), _BATCH_FILES):
            with self._database.write() as connection:
                for relative in gone[start : start + _BATCH_FILES]:
                    (file_id,) = connection.execute(
                        "SELECT id FROM files WHERE root = ? AND path = ?", (root, relative)
                    ).fetchone()
                    keys = connection.execute("SELECT key FROM documents WHERE file = ?", (file_id,))
                    self._writer.remove(connection, [key for (key,) in keys.fetchall()])
                    connection.execute("DELETE FROM files WHERE id = ?", (file_id,))
        self._summary.removed += len(gone)


def _free_id(connection: sqlite3.Connection, wanted: str, file_id: int, folder: str, taken: set[str]) -> str:
    """`wanted`, or a longer id if a document of another file has that one.

    Documents that came from no file give way.
    """
    candidate, number = wanted, 1
    while True:
        owner = connection.execute("SELECT file FROM documents WHERE id = ?", (candidate,)).fetchone()
        if candidate not in taken and (owner is None or owner[0] in (None, file_id)):
            return candidate
        candidate = f"{folder}/{wanted}" if number == 1 else f"{folder}/{wanted} ({number})"
        number += 1


def _characters(files: Sequence[_Fresh]) -> int:
    return sum(len(document.content) for file in files for document in file.documents)


def _gone(
    known: Iterable[str], found: Sequence[FoundFile], recursive: bool, file_types: Sequence[str] | None
) -> list[str]:
    """Known files that the folder no longer has.

    What this run was not to look at, or could not (a folder without permission), is not gone.
    """
    present = {file.id for file in found}
    closed = tuple("" if file.id == "." else f"{file.id}/" for file in found if file.skipped is not None)
    endings = None if file_types is None else {ending.lower().lstrip(".") for ending in file_types}
    return [
        name
        for name in known
        if name not in present
        and not name.startswith(closed)
        and (recursive or "/" not in name)
        and (endings is None or PurePosixPath(name).suffix.lower().lstrip(".") in endings)
    ]


def _listed(entries: Sequence[tuple[str, str]], one: str, many: str) -> list[str]:
    if not entries:
        return []
    lines = [f"{counted(len(entries), one, many)}:"]
    lines += [f"  {name} {phrase}" for name, phrase in entries[:_SHOWN]]
    if len(entries) > _SHOWN:
        lines.append(f"  … e mais {len(entries) - _SHOWN}")
    return lines
