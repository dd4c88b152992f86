"""The built-in encyclopaedia: what Luna can look up before anybody has given her a document.

    python -m lunagpt.rag.encyclopedia build --source PASTA

builds the asset anew. At run time it is decompressed into memory and only read.
"""

from __future__ import annotations

import gzip
import json
import math
import sqlite3
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

from lunagpt.errors import StoreError
from lunagpt.rag.lexical import STOP_WORDS, query_tokens, stem, tokens, words
from lunagpt.rag.passages import Passage

NAME = "Enciclopédia Luna"
ASSET = "enciclopedia.db.gz"
_FORMAT = "1"
# Weights of title, aliases, stored questions and text in the first search; the rest is decided by `_relevance`.
_FIELD_WEIGHTS = "8.0, 6.0, 2.0, 1.0"
_CANDIDATES = 40
_MOST_TERMS = 24


@dataclass(frozen=True, slots=True)
class _Found:
    """An article that shares words with a query, and how well it fits, 0 to 1."""

    number: int
    relevance: float
    question: int | None


class Encyclopedia:
    """The built-in encyclopaedia as a search engine: `retrieve` and `augment_context` like any other.

    Safe to use from several threads.
    """

    def __init__(self, database: bytes) -> None:
        """
        Args:
            database: the SQLite database, not compressed.

        Raises:
            StoreError: it is not an encyclopaedia of this version.
        """
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._lock = threading.Lock()
        try:
            self._connection.deserialize(database)
            self._connection.execute("PRAGMA query_only = 1")
            (found,) = self._connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
            (self.count,) = self._connection.execute("SELECT count(*) FROM articles").fetchone()
        except (sqlite3.Error, TypeError) as error:
            raise StoreError("A enciclopédia que vem com o LunaGPT está danificada. Reinstale-o.") from error
        if found != _FORMAT:
            raise StoreError("A enciclopédia é de outra versão do LunaGPT. Reinstale-o.")

    @classmethod
    def from_file(cls, path: Path) -> Encyclopedia:
        """Opens a compressed encyclopaedia.

        Raises:
            StoreError: the file is missing or damaged.
        """
        try:
            return cls(gzip.decompress(path.read_bytes()))
        except (OSError, EOFError, zlib.error) as error:
            raise StoreError(
                f'Não consegui abrir a enciclopédia em "{path}". Reinstale o LunaGPT.'
            ) from error

    def retrieve(self, query: str, k: int = 5, threshold: float = 0.0) -> list[Passage]:
        """The articles that fit a query best, the best first.

        Args:
            query: a question that can be understood by itself.
            k: how many at most.
            threshold: least relevance, 0 to 1.
        """
        with self._lock:
            found = self._search(query)
            return [
                replace(self._passage(entry.number), score=entry.relevance, lexical_score=entry.relevance)
                for entry in found[:k]
                if entry.relevance >= threshold
            ]

    def augment_context(self, query: str, context: str | None = None) -> str:
        """`context` with the articles that fit a query before it."""
        passages = self.retrieve(query, 3, 0.5)
        text = "\n\n".join(f"[{n}] {p.title}: {p.content}" for n, p in enumerate(passages, 1))
        return "\n\n".join(part for part in (text, context or "") if part)

    def close(self) -> None:
        """Frees the memory."""
        self._connection.close()

    def _search(self, query: str) -> list[_Found]:
        terms = query_tokens(query)[:_MOST_TERMS]
        if not terms:
            return []
        expression = " OR ".join(f'"{term}"' for term in terms)
        rows = self._connection.execute(
            f"SELECT rowid, bm25(words, {_FIELD_WEIGHTS}) FROM words WHERE words MATCH ? ORDER BY 2 LIMIT ?",
            (expression, _CANDIDATES),
        ).fetchall()
        weights = {term: self._weight(term) for term in terms}
        best = min((score for _, score in rows), default=-1.0)
        found = [self._judge(number, score / best, query, weights) for number, score in rows]
        return sorted(found, key=lambda entry: -entry.relevance)

    def _weight(self, term: str) -> float:
        (having,) = self._connection.execute(
            "SELECT count(*) FROM words WHERE words MATCH ?", (f'"{term}"',)
        ).fetchone()
        return math.log(1 + (self.count - having + 0.5) / (having + 0.5))

    def _judge(self, number: int, share: float, query: str, weights: dict[str, float]) -> _Found:
        title, aliases, text, questions = self._connection.execute(
            "SELECT title, aliases, text, questions FROM articles WHERE id = ?", (number,)
        ).fetchone()
        pairs = json.loads(questions)
        names = [title, *json.loads(aliases)]
        features = _features(query, weights, names, text, pairs, share)
        return _Found(number, _relevance(features), None)

    def _passage(self, number: int) -> Passage:
        name, title, area, aliases, text, questions = self._connection.execute(
            "SELECT name, title, area, aliases, text, questions FROM articles WHERE id = ?", (number,)
        ).fetchone()
        pairs = [f"{question} {answer}" for question, answer in json.loads(questions)]
        content = "\n\n".join([text, *pairs])
        metadata = {"source": NAME, "built_in": True, "area": area, "aliases": json.loads(aliases)}
        return Passage(content, title, name, number, 0, len(content), metadata=metadata)


def _features(
    query: str,
    weights: dict[str, float],
    names: Sequence[str],
    text: str,
    pairs: Sequence[Sequence[str]],
    share: float,
) -> tuple[float, ...]:
    """What tells whether an article answers a query.

    Returns:
        The share of the query's weight that the article has, and that its names have; how much of its best
        fitting name the query has; how much the most similar stored question equals the query; the article's
        share of the best first-search score; the constant 1.
    """
    total = sum(weights.values()) or 1.0
    asked = set(weights)
    body = set(tokens(" ".join([*names, text, *(f"{q} {a}" for q, a in pairs)])))
    everything = sum(weights[term] for term in asked & body) / total
    named, whole = 0.0, 0.0
    for name in names:
        parts = {stem(word) for word in words(name) if word not in STOP_WORDS}
        common = asked & parts
        if parts and common:
            named = max(named, sum(weights[term] for term in common) / total)
            whole = max(whole, len(common) / len(parts) if len(common) == len(parts) else 0.0)
    similar = 0.0
    for question, _ in pairs:
        stored = set(query_tokens(question))
        common = asked & stored
        if common:
            here = sum(weights[term] for term in common) / total
            similar = max(similar, here * len(common) / len(stored))
    return (everything, named, whole, similar, share, 1.0)


# Fitted by `benchmarks/encyclopedia_fit.py` on the stored questions against small talk and questions on other texts.
_WEIGHTS = (5.0, 2.0, 1.5, 4.0, 1.5, -7.0)


def _relevance(features: Sequence[float]) -> float:
    value = sum(weight * feature for weight, feature in zip(_WEIGHTS, features, strict=True))
    return 1 / (1 + math.exp(-max(min(value, 30.0), -30.0)))


@lru_cache(maxsize=1)
def built_in() -> Encyclopedia:
    """The encyclopaedia inside the package, opened once per process.

    Raises:
        StoreError: this installation has none, or it is damaged.
    """
    with resources.as_file(resources.files("lunagpt") / "assets" / "enciclopedia" / ASSET) as path:
        return Encyclopedia.from_file(path)


def main() -> None:
    """The command that builds the asset."""
    import argparse

    from lunagpt.rag.encyclopedia_build import build

    parser = argparse.ArgumentParser(prog="python -m lunagpt.rag.encyclopedia")
    commands = parser.add_subparsers(required=True)
    builder = commands.add_parser("build", help="gera a enciclopédia do pacote")
    builder.add_argument("--source", type=Path, required=True, help="pasta com os arquivos .jsonl")
    default = Path(str(resources.files("lunagpt") / "assets" / "enciclopedia" / ASSET))
    builder.add_argument("--output", type=Path, default=default, help="arquivo a gravar; padrão: o do pacote")
    arguments = parser.parse_args()
    articles, questions = build(arguments.source, arguments.output)
    print(f"{articles} verbetes e {questions} perguntas em {arguments.output}")


if __name__ == "__main__":
    main()
