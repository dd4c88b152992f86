"""What an analysis of a base found: the values that its report is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lunagpt.rag.passages import Passage
from lunagpt.rag.topics import Topic
from lunagpt.reporting.numbers import number


@dataclass(frozen=True, slots=True)
class QueryCoverage:
    """How well the base answers a question.

    Attributes:
        query: the question. passages: the best ones found, best first.
        threshold: least relevance of an answer.
    """

    query: str
    passages: tuple[Passage, ...]
    threshold: float

    @property
    def relevance(self) -> float:
        """That of the best passage, 0 to 1."""
        return self.passages[0].score if self.passages else 0.0

    @property
    def covered(self) -> bool:
        return self.relevance >= self.threshold


@dataclass(frozen=True, slots=True)
class KnowledgeGap:
    """A question without a sufficiently relevant passage; `str` gives a line for readers."""

    query: str
    relevance: float
    threshold: float
    nearest: tuple[Passage, ...]

    def __str__(self) -> str:
        if not self.nearest:
            return f"{self.query} (nenhum trecho tem as palavras da pergunta)"
        nearest = self.nearest[0].title or self.nearest[0].document_id
        return f"{self.query} (relevância {number(self.relevance)}; o mais próximo é “{nearest}”)"


@dataclass(frozen=True)
class EmbeddingQuality:
    """How good the base is to search. NaN where a figure does not exist, e.g. without vectors.

    Attributes:
        model: the embedding model, "" without vectors. dimension: width of its vectors.
        embedded_share: part of the passages that have a vector.
        self_retrieval: share of sampled documents that come first when asked for by their title.
        sample_size: documents in that sample.
        query_relevance: mean relevance of the best passage over the test queries.
        query_scores: relevance of the best passage for each test query.
        mean_cosine, effective_dimensions: see `collection_measures`.
        cosine_counts, cosine_span: histogram of the cosines of random pairs, and its ends.
        duplicate_share: part of the examined passages that nearly repeat another one.
        duplicates: pairs (first text's label, second's, similarity), the most similar first.
    """

    model: str = ""
    dimension: int = 0
    embedded_share: float = 0.0
    self_retrieval: float = math.nan
    sample_size: int = 0
    query_relevance: float = math.nan
    query_scores: Mapping[str, float] = field(default_factory=dict)
    mean_cosine: float = math.nan
    effective_dimensions: float = math.nan
    cosine_counts: tuple[int, ...] = ()
    cosine_span: tuple[float, float] = (math.nan, math.nan)
    duplicate_share: float = 0.0
    duplicates: tuple[tuple[str, str, float], ...] = ()

    @property
    def mean_score(self) -> float:
        """Mean of the figures that run from 0 (bad) to 1 (good) and could be measured."""
        parts = [self.self_retrieval, self.query_relevance, 1 - self.duplicate_share]
        if self.model:
            parts.append(self.embedded_share)
        known = [part for part in parts if not math.isnan(part)]
        return sum(known) / len(known)


@dataclass(frozen=True)
class Analysis:
    """Everything that is known about a base.

    Attributes:
        documents, passages: how many there are. examined: passages that topics, lengths and repetitions were
            taken from (a random sample of large bases).
        without_passages: documents of which nothing can be found.
        file_types: how many documents of each type.
        topics: groups of passages; examples: titles of typical documents, per topic.
        by_vectors: the topics are clusters of vectors, not of words.
        lengths: words of each examined passage.
        coverage: the reference questions. quality: how good the base is to search.
        settings: names and values for readers.
    """

    documents: int
    passages: int
    examined: int
    without_passages: int
    file_types: Mapping[str, int]
    topics: tuple[Topic, ...]
    examples: tuple[tuple[str, ...], ...]
    by_vectors: bool
    lengths: tuple[int, ...]
    coverage: tuple[QueryCoverage, ...]
    quality: EmbeddingQuality
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def gaps(self) -> list[QueryCoverage]:
        """Questions without a sufficiently relevant passage, the worst first."""
        return sorted((q for q in self.coverage if not q.covered), key=lambda q: q.relevance)
