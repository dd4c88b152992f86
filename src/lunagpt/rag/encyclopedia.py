"""The built-in encyclopaedia: what Luna can look up before anybody has given her a document.

    python -m lunagpt.rag.encyclopedia build --source PASTA

builds the asset anew. At run time it is decompressed into memory and only read.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import sqlite3
import threading
import zlib
from collections.abc import Mapping, Sequence
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
# Weights of title, aliases, stored questions and text in the first search; the rest is decided by `_WEIGHTS`.
_FIELD_WEIGHTS = "8.0, 6.0, 2.0, 1.0"
_CANDIDATES = 20
_MOST_TERMS = 24
_SENTENCE_END = re.compile(r"(?<=[.;!?])\s+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An article that shares words with a query.

    Attributes:
        number: its row.
        features: what `candidate_features` tells about it.
        similar: how much its name or most similar stored question equals the query, 0 to 1.
    """

    number: int
    features: tuple[float, ...]
    similar: float

    @property
    def relevance(self) -> float:
        """How well it fits, 0 to 1."""
        value = sum(weight * feature for weight, feature in zip(_WEIGHTS, self.features, strict=True))
        return max(1 / (1 + math.exp(-max(min(value, 30.0), -30.0))), self.similar)


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
            found = self.candidates(query)
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

    def candidates(self, query: str) -> list[Candidate]:
        """The articles that share most with a query, the most relevant first."""
        terms = query_tokens(query)[:_MOST_TERMS]
        if not terms:
            return []
        rows = self._connection.execute(
            f"SELECT rowid, bm25(words, {_FIELD_WEIGHTS}) FROM words WHERE words MATCH ? ORDER BY 2 LIMIT ?",
            (" OR ".join(f'"{term}"' for term in terms), _CANDIDATES),
        ).fetchall()
        weights = {term: self._weight(term) for term in terms}
        best = min((score for _, score in rows), default=-1.0)
        found = []
        for number, score in rows:
            title, aliases, text, questions = self._connection.execute(
                "SELECT title, aliases, text, questions FROM articles WHERE id = ?", (number,)
            ).fetchone()
            pairs = json.loads(questions)
            names = [title, *json.loads(aliases)]
            features = candidate_features(weights, names, text, pairs, score / best)
            similar = max(_likeness(weights, known) for known in [*names, *(asked for asked, _ in pairs)])
            found.append(Candidate(number, features, similar))
        return sorted(found, key=lambda entry: -entry.relevance)

    def title(self, number: int) -> str:
        """The title of the article in a row."""
        found = self._connection.execute("SELECT title FROM articles WHERE id = ?", (number,)).fetchone()
        return str(found[0])

    def texts(self, count: int) -> list[str]:
        """The texts of so many articles, evenly spread over all."""
        every = max(1, self.count // count)
        found = self._connection.execute(
            "SELECT text FROM articles WHERE id % ? = 0 ORDER BY id LIMIT ?", (every, count)
        )
        return [str(text) for (text,) in found]

    def _weight(self, term: str) -> float:
        (having,) = self._connection.execute(
            "SELECT count(*) FROM words WHERE words MATCH ?", (f'"{term}"',)
        ).fetchone()
        return math.log(1 + (self.count - having + 0.5) / (having + 0.5))

    def _passage(self, number: int) -> Passage:
        name, title, area, aliases, text, questions = self._connection.execute(
            "SELECT name, title, area, aliases, text, questions FROM articles WHERE id = ?", (number,)
        ).fetchone()
        pairs = [f"{question} {answer}" for question, answer in json.loads(questions)]
        content = "\n\n".join([text, *pairs])
        metadata = {"source": NAME, "built_in": True, "area": area, "aliases": json.loads(aliases)}
        return Passage(content, title, name, number, 0, len(content), metadata=metadata)


def candidate_features(
    weights: Mapping[str, float],
    names: Sequence[str],
    text: str,
    pairs: Sequence[Sequence[str]],
    share: float,
) -> tuple[float, ...]:
    """What tells whether an article answers a query; all between 0 and 1.

    Args:
        weights: tokens of the query and what each is worth (its inverse document frequency).
        names: the article's title and aliases.
        text: its text.
        pairs: its stored questions and answers.
        share: its part of the best score in the first search.

    Returns:
        The shares of the query's weight in the article, in its names, and in its best sentence (names counted
        in); whether a name is in the query as a whole; the weight of the rarest word that is missing;
        `share`; whether the query is but one word; the constant 1.
    """
    total = sum(weights.values()) or 1.0
    asked = set(weights)

    def part(found: set[str]) -> float:
        return sum(weights[term] for term in found) / total

    title: set[str] = set()
    named = whole = 0.0
    for name in names:
        parts = {stem(word) for word in words(name) if word not in STOP_WORDS}
        title |= parts & asked
        named = max(named, part(parts & asked))
        if parts and parts <= asked:
            whole = 1.0
    body = set(title)
    sentence = 0.0
    for piece in _SENTENCE_END.split(text):
        here = asked.intersection(tokens(piece))
        body |= here
        sentence = max(sentence, part(here | title))
    for question, answer in pairs:
        body |= asked.intersection(tokens(f"{question} {answer}"))
    missing = max((weights[term] for term in asked - body), default=0.0) / total
    alone = 1.0 if len(asked) == 1 else 0.0
    return (part(body), named, sentence, whole, missing, share, alone, 1.0)


def _likeness(weights: Mapping[str, float], known: str) -> float:
    """How much a name or stored question equals a query: 1 for the same words, 0 for none in common."""
    stored = set(query_tokens(known))
    common = stored & weights.keys()
    if not common:
        return 0.0
    return sum(weights[term] for term in common) / (sum(weights.values()) or 1.0) * len(common) / len(stored)


# Fitted by `benchmarks/encyclopedia_fit.py` on questions left out of the articles, and on small talk.
_WEIGHTS = (1.04, -0.70, 5.23, 2.26, 2.36, 7.17, -0.78, -13.53)


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
