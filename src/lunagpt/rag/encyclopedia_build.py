"""Builds the encyclopaedia that ships with LunaGPT from its JSON Lines files.

The result is one SQLite database, compressed: `assets/enciclopedia/enciclopedia.db.gz`. Articles of one
    title are joined. A tenth of the questions is held out, chosen by hash, so that what the encyclopaedia
    answers can be measured on questions that it has never seen.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lunagpt.errors import DataError, reason_of
from lunagpt.files import atomic_write_bytes
from lunagpt.rag.lexical import fold, tokens

FORMAT = 1
_HELD_OUT = 10  # one question in so many

_TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE articles(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    area TEXT NOT NULL,
    aliases TEXT NOT NULL,
    see TEXT NOT NULL,
    text TEXT NOT NULL,
    questions TEXT NOT NULL
);
CREATE VIRTUAL TABLE words USING fts5(title, aliases, questions, body, content='', tokenize='ascii');
"""


@dataclass(slots=True)
class Article:
    """An article as it is stored."""

    name: str
    title: str
    areas: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    see: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    questions: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n\n".join(self.texts)


def is_held_out(article: str, question: str) -> bool:
    """Whether a question is kept for measuring."""
    digest = hashlib.sha1(f"enciclopedia:{article}:{question}".encode()).digest()
    return digest[0] * 256 + digest[1] < 65536 // _HELD_OUT


def read_rows(source: Path) -> Iterator[dict[str, Any]]:
    """The articles of a folder of .jsonl files, in the order of the files' names.

    Raises:
        DataError: there are none, or a line is no article.
    """
    paths = sorted(source.glob("*.jsonl"))
    if not paths:
        raise DataError(f'Não há arquivos .jsonl em "{source}". Indique a pasta da enciclopédia.')
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                yield {key: row[key] for key in ("id", "title", "aliases", "area", "text", "qa", "see")}
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f'A linha {number} de "{path.name}" não é um verbete: {reason_of(error)}.'
                ) from error


def join_articles(
    rows: Iterable[dict[str, Any]], left_out: Callable[[str, str], bool] = is_held_out
) -> list[Article]:
    """Articles, those with the same title joined, without the questions that `left_out(id, question)`
    names."""
    joined: dict[str, Article] = {}
    for row in rows:
        title = row["title"].strip()
        article = joined.setdefault(fold(title), Article(row["id"], title))
        _add(article.areas, [row["area"]])
        _add(article.aliases, [alias for alias in row["aliases"] if fold(alias) != fold(title)])
        _add(article.see, row["see"])
        _add(article.texts, [row["text"].strip()])
        for pair in row["qa"]:
            question, answer = pair["q"].strip(), pair["a"].strip()
            if question and answer and not left_out(row["id"], question):
                article.questions.append((question, answer))
    return list(joined.values())


def _add(present: list[str], new: Iterable[str]) -> None:
    present.extend(item for item in new if item not in present)


def build(source: Path, target: Path) -> tuple[int, int]:
    """Builds the asset.

    Args:
        source: folder of the .jsonl files.
        target: file to write.

    Returns:
        The number of articles, and that of questions stored with them.

    Raises:
        DataError: the source is not an encyclopaedia.
        OSError: the target cannot be written.
    """
    articles = join_articles(read_rows(source))
    atomic_write_bytes(target, gzip.compress(database_of(articles), 9, mtime=0))
    return len(articles), sum(len(article.questions) for article in articles)


def database_of(articles: Sequence[Article]) -> bytes:
    """The SQLite database of some articles."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(_TABLES)
    with connection:
        connection.execute("INSERT INTO meta VALUES('format', ?)", (str(FORMAT),))
        for number, article in enumerate(articles, 1):
            connection.execute(
                "INSERT INTO articles VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    article.name,
                    article.title,
                    ", ".join(article.areas),
                    json.dumps(article.aliases, ensure_ascii=False),
                    json.dumps(article.see, ensure_ascii=False),
                    article.text,
                    json.dumps(article.questions, ensure_ascii=False),
                ),
            )
            fields = (
                article.title,
                "\n".join(article.aliases),
                "\n".join(question for question, _ in article.questions),
                "\n".join([article.text, *(answer for _, answer in article.questions)]),
            )
            connection.execute(
                "INSERT INTO words(rowid, title, aliases, questions, body) VALUES(?, ?, ?, ?, ?)",
                (number, *(" ".join(tokens(field)) for field in fields)),
            )
        connection.execute("INSERT INTO words(words) VALUES('optimize')")
    connection.execute("VACUUM")
    try:
        return connection.serialize()
    finally:
        connection.close()
