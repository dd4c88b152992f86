"""Questions to a base: by words, by vectors or by both, with relevance that means the same for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunagpt.rag.dense_search import DenseSearch
from lunagpt.rag.filters import Condition, Filter, compile_filter
from lunagpt.rag.fusion import blend
from lunagpt.rag.lexical import STOP_WORDS
from lunagpt.rag.lexical_search import LexicalSearch, QueryStatistics, match
from lunagpt.rag.passages import Passage
from lunagpt.rag.relevance import combined_relevance, lexical_relevance
from lunagpt.rag.schema import Database

# Passages that each search contributes. More changes the first ten hardly ever.
_POOL = 50

Vector = NDArray[np.float32]
ToRelevance = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class DenseQuery:
    """A question as a vector.

    Attributes:
        model: name of the embedding model.
        vector: (d,) of length 1.
        to_relevance: cosine → relevance, 0 to 1, for this model.
    """

    model: str
    vector: Vector
    to_relevance: ToRelevance


class Searcher:
    """Searches one base; may be used from several threads.

    Attributes:
        stop_words: folded words that queries ignore.
    """

    def __init__(self, database: Database, lexical: LexicalSearch, dense: DenseSearch) -> None:
        self._database = database
        self._lexical = lexical
        self._dense = dense
        self.stop_words = STOP_WORDS

    def search(
        self,
        text: str | None,
        dense: DenseQuery | None,
        k: int,
        filter: Filter | None = None,
    ) -> list[Passage]:
        """The best passages by words (`text`), by vectors (`dense`) or, with both, by their blended scores.

        Every passage is scored by all that is known of it, whichever search found it.

        Raises:
            StoreError: the filter is not valid, or the vector has the wrong width.
        """
        condition = compile_filter(filter) if filter else None
        pool = max(_POOL, k) if text is not None and dense is not None else k
        statistics = None
        by_words: dict[int, float] = {}
        by_vectors: dict[int, float] = {}
        if text is not None:
            statistics = self._lexical.statistics(text, self.stop_words)
            by_words = dict(self._lexical.search(statistics, pool, condition))
        if dense is not None:
            by_vectors = dict(self._dense.search(dense.model, dense.vector, pool, condition))
        if by_words and by_vectors and dense is not None:
            rest = [chunk_id for chunk_id in by_words if chunk_id not in by_vectors]
            floor = min(by_vectors.values())
            by_vectors |= self._dense.cosines(dense.model, dense.vector, rest)
            chosen = blend(by_words, by_vectors, floor)[:k]
        else:
            chosen = list(by_words or by_vectors)[:k]
        passages = self.passages(chosen)
        return self._scored(passages, statistics, dense)

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """The chunks of these ids as unscored passages, in the order given; missing ones are left out."""
        found = {
            passage.chunk_id: passage
            for passage in self.read(
                ("chunks.id IN (SELECT value FROM json_each(?))", [json.dumps(list(chunk_ids))])
            )
        }
        return [found[chunk_id] for chunk_id in chunk_ids if chunk_id in found]

    def read(self, condition: Condition) -> list[Passage]:
        """All chunks that meet a condition on ``chunks`` and ``documents``, as unscored passages."""
        where, parameters = condition
        rows = self._database.connection.execute(
            "SELECT chunks.id, documents.id, title, start, end, page, heading_path, text, metadata "
            f"FROM chunks JOIN documents ON key = document WHERE {where} ORDER BY chunks.id",
            parameters,
        )
        return [
            Passage(
                content=text,
                title=title,
                document_id=document_id,
                chunk_id=chunk_id,
                start=start,
                end=end,
                page=page,
                heading_path=tuple(json.loads(heading_path)),
                metadata=json.loads(metadata),
            )
            for chunk_id, document_id, title, start, end, page, heading_path, text, metadata in rows
        ]

    def _scored(
        self, passages: list[Passage], statistics: QueryStatistics | None, dense: DenseQuery | None
    ) -> list[Passage]:
        cosines = (
            self._dense.cosines(dense.model, dense.vector, [passage.chunk_id for passage in passages])
            if dense is not None
            else {}
        )
        scored = []
        for passage in passages:
            lexical_score = dense_score = None
            if statistics is not None:
                lexical_score = lexical_relevance(*match(statistics, passage))
            if dense is not None and passage.chunk_id in cosines:
                dense_score = dense.to_relevance(cosines[passage.chunk_id])
            scored.append(
                passage.scored(combined_relevance(lexical_score, dense_score), lexical_score, dense_score)
            )
        return scored
