"""The tables of a base, and connections to them.

A base is a folder: ``luna.db`` (SQLite, the only source of truth) and ``indexes/`` (derived, may be deleted
at any time). Every change is one transaction in a write-ahead log: after a crash at any instruction the base
holds all of a change or nothing of it.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from lunagpt.errors import StoreError, reason_of

DATABASE_NAME = "luna.db"
INDEX_FOLDER = "indexes"
SCHEMA_VERSION = 1
APPLICATION_ID = 0x4C554E41  # "LUNA", so that a stranger's SQLite file is not taken for a base

_BUSY_MS = 30_000
_CACHE_KIB = 32_768
_MMAP_BYTES = 1 << 30

_TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;

-- A file that was indexed from a folder: how it looked then.
CREATE TABLE files(
    id INTEGER PRIMARY KEY,
    root TEXT NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    UNIQUE(root, path)
);

-- content is zlib-compressed UTF-8; sha256 is over everything that the document says.
CREATE TABLE documents(
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    content BLOB NOT NULL,
    metadata TEXT NOT NULL,
    headings TEXT NOT NULL,
    pages TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    chunking TEXT NOT NULL,
    file INTEGER REFERENCES files(id) ON DELETE SET NULL
);
CREATE INDEX documents_by_file ON documents(file);

-- text is content[start:end] of the document; sha256 is over what is embedded (title and headings too).
-- Ids are never given twice, so that derived indexes can tell deleted chunks from living ones.
CREATE TABLE chunks(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents(key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    text TEXT NOT NULL,
    heading_path TEXT NOT NULL,
    page INTEGER,
    sha256 BLOB NOT NULL
);
CREATE INDEX chunks_by_document ON chunks(document, position);
CREATE INDEX chunks_by_sha256 ON chunks(sha256);

CREATE TABLE models(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dimension INTEGER NOT NULL);

-- vector is little-endian float32. Keyed by the text, so that equal chunks share it and an unchanged chunk of
-- a changed document keeps it. Rows of texts that no chunk has any more are deleted with the last such chunk.
CREATE TABLE vectors(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 BLOB NOT NULL,
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    vector BLOB NOT NULL,
    UNIQUE(sha256, model)
);

-- `lexical.tokens` separated by spaces; rowid is chunks.id. The tokens are not stored: they follow from the
-- chunk and are computed again to delete a row.
CREATE VIRTUAL TABLE words USING fts5(context, body, content='', tokenize='ascii');
"""

Kind = Literal["text", "vectors"]


def is_base(path: str | Path) -> bool:
    """Whether a folder holds a base."""
    return Path(path, DATABASE_NAME).is_file()


class Database:
    """The SQLite file of a base: one connection per thread, one writer at a time.

    Args:
        folder: the base's folder.
        create: make the folder and the tables if they are missing.
        read_only: never write, not even the log that SQLite keeps beside the file; for bases on read-only
            media. Nobody may change the file meanwhile.

    Raises:
        StoreError: there is no base, or the file is not one, is damaged or too new.
    """

    def __init__(self, folder: Path, *, create: bool = True, read_only: bool = False) -> None:
        self.path = folder / DATABASE_NAME
        self.read_only = read_only
        self._local = threading.local()
        self._connections: dict[threading.Thread, sqlite3.Connection] = {}
        self._registry_lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._closed = False
        if not self.path.exists():
            if read_only or not create:
                raise StoreError(
                    f'Não há uma base de documentos em "{folder}". '
                    f'Crie uma com: luna index PASTA -o "{folder}"'
                )
            folder.mkdir(parents=True, exist_ok=True)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self.close()
            raise StoreError(
                f'Não consegui abrir a base "{self.path}": {reason_of(error)}. Se o arquivo estiver '
                "danificado, apague a pasta da base e indexe os documentos de novo."
            ) from error
        except StoreError:
            self.close()
            raise

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, for reading; each statement sees the last commit.

        Raises:
            StoreError: the base was closed.
        """
        if self._closed:
            raise StoreError("A base de documentos já foi fechada. Abra-a de novo.")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            with self._registry_lock:
                for thread in [thread for thread in self._connections if not thread.is_alive()]:
                    self._connections.pop(thread).close()
                self._connections[threading.current_thread()] = connection
        return connection

    @contextmanager
    def write(self, kind: Kind = "text") -> Iterator[sqlite3.Connection]:
        """One transaction: everything in the block is kept, or nothing if it raises.

        Args:
            kind: what changes. `version(kind)` grows by one, which tells caches to look again.

        Raises:
            StoreError: the base is read-only, the disk is full or another process holds the base for long.
        """
        if self.read_only:
            raise StoreError(
                f'A base "{self.path.parent}" está aberta só para leitura. Copie-a para outra pasta '
                "para mudá-la."
            )
        with self._write_lock:
            connection = self.connection
            if connection.in_transaction:  # a block inside a block belongs to the outer transaction
                yield connection
                return
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute(
                        "UPDATE meta SET value = value + 1 WHERE key = ?", (f"{kind}_version",)
                    )
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f'Não consegui gravar na base "{self.path}": {reason_of(error)}. Verifique o espaço em '
                    "disco e se outro programa está usando a base."
                ) from error

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Reads that belong together: all of them see the base as it is at the first one."""
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    def version(self, kind: Kind) -> int:
        """A number that grows with every change of the documents ("text") or of the vectors."""
        return int(self.meta(f"{kind}_version") or 0)

    def meta(self, key: str) -> str | int | None:
        """A remembered value of the base."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def set_meta(self, key: str, value: str | int) -> None:
        """Remember a value with the base."""
        with self.write() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, value))

    def checkpoint(self) -> None:
        """Move what is in the log into the file itself."""
        if not self.read_only:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, folder: Path) -> None:
        """Write a consistent copy of the base's file into a folder, while others may go on writing."""
        target = sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)
        try:
            self.connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE").fetchall()
        finally:
            target.close()

    def close(self) -> None:
        """Close every connection; harmless when done twice."""
        self._closed = True
        with self._registry_lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()

    def _connect(self) -> sqlite3.Connection:
        # Connections are made for one thread each, but `close` is called from another one.
        if self.read_only:
            uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        else:
            connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000
            )
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            # Survives the death of the process; a power cut may lose the last commits, never the base.
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA mmap_size = {_MMAP_BYTES}")
        return connection

    def _prepare(self) -> None:
        connection = self.connection
        if not self._has_tables(connection) and not self.read_only:
            self._create_tables(connection)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if application != APPLICATION_ID:
            raise StoreError(
                f'O arquivo "{self.path}" não é uma base de documentos do LunaGPT. Escolha outra pasta.'
            )
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                f'A base "{self.path.parent}" foi feita por uma versão mais nova do LunaGPT '
                f"(formato {version}; esta instalação conhece até o {SCHEMA_VERSION}). Atualize o LunaGPT."
            )

    @staticmethod
    def _has_tables(connection: sqlite3.Connection) -> bool:
        return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._has_tables(connection):  # another process may have been faster
                for statement in _statements(_TABLES):
                    connection.execute(statement)
                connection.executemany(
                    "INSERT INTO meta VALUES(?, ?)",
                    [("id", uuid.uuid4().hex), ("text_version", 0), ("vectors_version", 0)],
                )
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one; `executescript` would commit between them."""
    statement = ""
    for line in script.splitlines():
        if line.startswith("--"):
            continue
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
