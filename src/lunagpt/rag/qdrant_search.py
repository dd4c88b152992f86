"""Questions to a collection on Qdrant: by words, by vectors or by both, scored as in the local store."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from lunagpt.rag.embeddings.base import Vectors
from lunagpt.rag.fusion import blend
from lunagpt.rag.lexical import STOP_WORDS, query_tokens
from lunagpt.rag.lexical_search import QueryStatistics, match
from lunagpt.rag.passages import Passage
from lunagpt.rag.qdrant_filters import Json, all_of
from lunagpt.rag.qdrant_points import DENSE, Hit, Points
from lunagpt.rag.qdrant_records import IS_CHUNK, as_passage, query_vector, token_index
from lunagpt.rag.relevance import combined_relevance, lexical_relevance
from lunagpt.rag.searching import ToRelevance

HAS_VECTOR: Json = {"has_vector": DENSE}

_POOL = 50  # passages that each search contributes to the fusion, as in the local store
_MAX_QUERY_TOKENS = 32
_LEAST_TOTAL = 1000
_KNOWN_SECONDS = 60.0  # how long the count of a word is trusted while others may be writing


@dataclass(frozen=True, slots=True)
class QdrantQuery:
    """A question.

    Attributes:
        text: its words; None if they do not count.
        vector: (d,) of length 1; None if vectors do not count. to_relevance: cosine → relevance.
        condition: which passages count. exact: compare all vectors instead of walking the graph.
    """

    text: str | None
    vector: Vectors | None
    to_relevance: ToRelevance | None
    condition: Json
    exact: bool


class QdrantSearcher:
    """Searches one collection; may be used from several threads.

    Attributes:
        stop_words: folded words that questions ignore.
    """

    def __init__(self, points: Points) -> None:
        self.stop_words = STOP_WORDS
        self._points = points
        self._known: dict[str, int] = {}
        self._known_time = 0.0
        self._lock = threading.Lock()

    def forget(self) -> None:
        """The collection has changed: what words are worth must be asked again."""
        with self._lock:
            self._known = {}

    def search(self, query: QdrantQuery, k: int) -> list[Passage]:
        """The k best passages, each scored by all that is known of it, whichever search found it."""
        if k < 1:
            return []
        both = query.text is not None and query.vector is not None
        pool = max(_POOL, k) if both else k
        statistics = None if query.text is None else self._statistics(query.text)
        hits: dict[int, Hit] = {}
        by_words: dict[int, float] = {}
        cosines: dict[int, float] = {}
        if statistics is not None:
            for hit in self._by_words(statistics, pool, query.condition):
                hits[int(hit.id)], by_words[int(hit.id)] = hit, hit.score
        if query.vector is not None:
            condition = all_of([query.condition, HAS_VECTOR])
            for hit in self._points.nearest(query.vector, pool, condition, query.exact):
                hits[int(hit.id)], cosines[int(hit.id)] = hit, hit.score
            floor = min(cosines.values(), default=0.0)
            others = [number for number in by_words if number not in cosines]
            for hit in self._points.get(others, with_vectors=True):
                if hit.dense is not None:
                    cosines[int(hit.id)] = float(hit.dense @ query.vector)
        if by_words and cosines:
            chosen = blend(by_words, cosines, floor)[:k]
        else:
            chosen = list(by_words or cosines)[:k]
        passages = []
        for number in chosen:
            passage = as_passage(hits[number])
            lexical = None if statistics is None else lexical_relevance(*match(statistics, passage))
            dense = None
            if query.to_relevance is not None and number in cosines:
                dense = query.to_relevance(cosines[number])
            passages.append(passage.scored(combined_relevance(lexical, dense), lexical, dense))
        return passages

    def _by_words(self, statistics: QueryStatistics, k: int, condition: Json) -> list[Hit]:
        present = [token for token, count in statistics.frequency.items() if count]
        if not present:
            return []
        return self._points.by_words([query_vector(present)], k, condition, explain=False)[0]

    def _statistics(self, query: str) -> QueryStatistics:
        """What the words of a query are worth: asked of the engine, which weighs them in the same way.

        A passage found for one word alone has as its score the word's idf times its weight in that passage.
        """
        wanted = query_tokens(query, self.stop_words)
        with self._lock:
            if time.monotonic() - self._known_time > _KNOWN_SECONDS:
                self._known, self._known_time = {}, time.monotonic()
            frequency = {token: self._known[token] for token in wanted if token in self._known}
        total = self._points.count(IS_CHUNK)
        unknown = [token for token in wanted if token not in frequency]
        alone = [query_vector([token]) for token in unknown]
        found = self._points.by_words(alone, 1, IS_CHUNK, explain=True)
        for token, hits in zip(unknown, found, strict=True):
            frequency[token] = _frequency(hits[0], token, total) if hits else 0
        with self._lock:
            self._known.update(frequency)
        return query_statistics(frequency, total)


def query_statistics(frequency: Mapping[str, int], total: int) -> QueryStatistics:
    """As the local store weighs words, see `QueryStatistics`."""
    total = max(total, _LEAST_TOTAL)
    rarest = sorted(frequency, key=lambda token: (frequency[token] == 0, frequency[token], token))
    counts = {token: frequency[token] for token in rarest[:_MAX_QUERY_TOKENS]}
    worth = {
        token: math.log1p((total - max(count, 1) + 0.5) / (max(count, 1) + 0.5))
        for token, count in counts.items()
    }
    return QueryStatistics(worth, counts, total)


def _frequency(hit: Hit, token: str, total: int) -> int:
    """Number n of passages with a word, from idf = ln(1 + (N − n + ½)/(n + ½)) = ln((N + 1)/(n + ½))."""
    assert hit.sparse is not None
    weights = dict(zip(hit.sparse.indices, hit.sparse.values, strict=True))
    idf = hit.score / weights[token_index(token)]
    return min(max(1, round((total + 1) / math.exp(idf) - 0.5)), total)
