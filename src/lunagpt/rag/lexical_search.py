"""Search by words: BM25 over the base's word index, fast also when a question is full of common words.

SQLite scores every row that has any word of the query, at about 1 µs each. In a million passages a common
word alone matches a hundred thousand. Rows are therefore *found* by the rarest words only, as many of them as
a budget of matches allows, and the best of these are then *scored* by all words of the query, from their
text.
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lunagpt.rag.filters import Condition
from lunagpt.rag.lexical import query_tokens, tokens
from lunagpt.rag.passages import Passage, context_line
from lunagpt.rag.schema import Database

# Words of the title and the headings count like those of the passage. On 800 questions about encyclopaedia
# articles, MRR@10 was 0.775 with a weight of a half, 0.797 with 1, 0.816 with 2; but often a title is only
# the name of a file.
_CONTEXT_WEIGHT = 1.0
_BM25_K1, _BM25_B = 1.2, 0.75  # those of SQLite's own bm25()
_MATCH_BUDGET = 12_000
_RESCORED = 100
_LEAST_TOTAL = 1000
_MAX_QUERY_TOKENS = 32  # a pasted page is searched by its rarest words


@dataclass(frozen=True, slots=True)
class QueryStatistics:
    """The words of a query and what each is worth.

    Attributes:
        idf: token → inverse document frequency ln(1 + (N - n + ½)/(n + ½)); the rarest of the words that the
            base has come first. A word that it does not have counts like one that it has once, and a base of
            less than a thousand passages like one of a thousand: in a few texts about one matter, its words
            are not common words.
        frequency: token → number n of passages with it.
        total: number N of passages that the idf assumes.
    """

    idf: dict[str, float]
    frequency: dict[str, int]
    total: int

    @property
    def mass(self) -> float:
        """Sum of all idf."""
        return sum(self.idf.values())


class LexicalSearch:
    """Search by words in one base; may be used from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._version = -1
        self._total = 0
        self._frequency: dict[str, int] = {}

    def statistics(self, query: str, stop_words: frozenset[str]) -> QueryStatistics:
        """What the words of a query are worth in this base."""
        connection = self._database.connection
        version = self._database.version("text")
        with self._lock:
            if version != self._version:
                self._version, self._frequency = version, {}
                self._total = connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
            frequency = {
                token: self._known_frequency(connection, token) for token in query_tokens(query, stop_words)
            }
            total = max(self._total, _LEAST_TOTAL)
        # Words that the base has come first: in a long text full of names only they find anything.
        rarest = sorted(frequency, key=lambda token: (frequency[token] == 0, frequency[token], token))
        rarest = rarest[:_MAX_QUERY_TOKENS]
        idf = {token: _idf(max(frequency[token], 1), total) for token in rarest}
        return QueryStatistics(idf, {token: frequency[token] for token in rarest}, total)

    def _known_frequency(self, connection: sqlite3.Connection, token: str) -> int:
        known = self._frequency.get(token)
        if known is None:
            known = connection.execute(
                "SELECT count(*) FROM words WHERE words MATCH ?", (_quoted(token),)
            ).fetchone()[0]
            self._frequency[token] = known
        return known

    def search(
        self, statistics: QueryStatistics, k: int, condition: Condition | None = None
    ) -> list[tuple[int, float]]:
        """The best passages for a query.

        Args:
            statistics: the query, from `statistics`.
            k: how many at most.
            condition: which documents count, from `filters.compile_filter`.

        Returns:
            (chunk id, BM25 score), best first; equal scores in the order of the documents.
        """
        present = [token for token, count in statistics.frequency.items() if count]
        if not present or k < 1:
            return []
        leading = _leading(present, statistics.frequency)
        while True:
            complete = leading == len(present)
            found = self._match(_any_of(present[:leading]), k if complete else max(k, _RESCORED), condition)
            if complete:
                return found
            if len(found) >= k:
                break
            leading += 1  # the rare words have too few passages, all told or among the allowed ones
        return self._rescored([chunk_id for chunk_id, _ in found], statistics)[:k]

    def _match(self, expression: str, k: int, condition: Condition | None) -> list[tuple[int, float]]:
        # SQLite sorts by rank before it joins, so that a filter is asked about the best rows only.
        source = "words"
        if condition is not None:
            source += (
                " CROSS JOIN chunks ON chunks.id = words.rowid "
                "CROSS JOIN documents ON documents.key = chunks.document"
            )
        where, parameters = condition or ("1", [])
        rows = self._database.connection.execute(
            f"SELECT words.rowid, rank FROM {source} "
            f"WHERE words MATCH ? AND rank MATCH 'bm25({_CONTEXT_WEIGHT}, 1.0)' AND {where} "
            "ORDER BY rank LIMIT ?",
            (expression, *parameters, k),
        )
        return sorted(((chunk_id, -score) for chunk_id, score in rows), key=lambda hit: (-hit[1], hit[0]))

    def _rescored(self, chunk_ids: Sequence[int], statistics: QueryStatistics) -> list[tuple[int, float]]:
        """The chunks by BM25 over all words of the query, counted in their texts."""
        if not chunk_ids:
            return []
        rows = self._database.connection.execute(
            "SELECT chunks.id, title, heading_path, text FROM chunks JOIN documents ON key = document "
            "WHERE chunks.id IN (SELECT value FROM json_each(?))",
            (json.dumps(chunk_ids),),
        ).fetchall()
        counted = []
        for chunk_id, title, heading_path, text in rows:
            body = tokens(text)
            context = _context_tokens(context_line(title, json.loads(heading_path)))
            counts: Counter[str] = Counter(body)
            weighted: dict[str, float] = dict(counts)
            for token in context:
                weighted[token] = weighted.get(token, 0) + _CONTEXT_WEIGHT
            counted.append((chunk_id, weighted, len(body) + len(context)))
        mean_length = sum(length for *_, length in counted) / len(counted) or 1.0
        scores = []
        for chunk_id, weighted, length in counted:
            damping = _BM25_K1 * (1 - _BM25_B + _BM25_B * length / mean_length)
            score = sum(
                idf * (count * (_BM25_K1 + 1)) / (count + damping)
                for token, idf in statistics.idf.items()
                if (count := weighted.get(token))
            )
            scores.append((chunk_id, score))
        return sorted(scores, key=lambda pair: (-pair[1], pair[0]))


def match(statistics: QueryStatistics, passage: Passage) -> tuple[float, float]:
    """How much of a query a passage (with its title and headings) has.

    Returns:
        coverage: share of the query's idf mass whose words the passage has, 0 to 1.
        strength: that mass, in units of ln(1 + N): about the number of rare words that the two share.
    """
    if not statistics.mass:
        return 0.0, 0.0
    line = context_line(passage.title, passage.heading_path)
    present = set(tokens(passage.content)).union(_context_tokens(line))
    covered = sum(idf for token, idf in statistics.idf.items() if token in present)
    return covered / statistics.mass, covered / math.log1p(statistics.total)


@lru_cache(maxsize=4096)  # the passages of a document share it
def _context_tokens(line: str) -> tuple[str, ...]:
    return tuple(tokens(line))


def _idf(count: int, total: int) -> float:
    return math.log1p((total - count + 0.5) / (count + 0.5))


def _leading(present: Sequence[str], frequency: dict[str, int]) -> int:
    """How many of the words, the rarest first, stay within the budget of matches; at least one."""
    matches = frequency[present[0]]
    for count, token in enumerate(present[1:], start=1):
        matches += frequency[token]
        if matches > _MATCH_BUDGET:
            return count
    return len(present)


def _any_of(found: Sequence[str]) -> str:
    return " OR ".join(map(_quoted, found))


def _quoted(token: str) -> str:
    """A token as a string of SQLite's query language, in which nothing of it is an operator."""
    escaped = token.replace('"', '""')
    return f'"{escaped}"'
