"""`RAGAnalyzer`: what a base of documents knows, what it lacks and how well it can be searched."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lunagpt.config import LunaConfig
from lunagpt.errors import StoreError
from lunagpt.files import atomic_write_text
from lunagpt.rag.analysis import Analysis, EmbeddingQuality, KnowledgeGap, QueryCoverage
from lunagpt.rag.collection_measures import (
    effective_dimensions,
    mean_cosine,
    near_duplicates,
    similarity_histogram,
)
from lunagpt.rag.lexical import words
from lunagpt.rag.passages import Passage
from lunagpt.rag.store import DocumentStore
from lunagpt.rag.system import RAGSystem
from lunagpt.rag.topics import Topic, find_topics
from lunagpt.reporting.numbers import number
from lunagpt.reporting.wording import shortened

_MOST_PASSAGES = 20_000  # examined for topics and lengths; larger bases are sampled
_MOST_FOR_DUPLICATES = 5_000
_MOST_VECTORS = 2_000  # for the figures on their geometry
_ENOUGH_VECTORS = 0.95  # share of the examined passages that must have one to group them by meaning
_EXAMPLES = 3
_NEAREST = 3
_DEFAULT_SAMPLE = 100


@dataclass(frozen=True)
class _Grouping:
    topics: list[Topic]
    by_vectors: bool


@dataclass(frozen=True)
class _Survey:
    """The passages that are examined, and how many documents have passages at all."""

    passages: list[Passage]
    documents: int


class RAGAnalyzer:
    """Looks into a `DocumentStore`; changes nothing in it."""

    def __init__(
        self, document_store: DocumentStore, *, config: LunaConfig | None = None, seed: int = 0
    ) -> None:
        """
        Args:
            document_store: the base.
            config: its section `rag` says how questions are searched and how relevant an answer must be.
            seed: of the samples that are drawn from large bases.
        """
        self.store = document_store
        self.system = RAGSystem(config, document_store=document_store)
        self._seed = seed
        self._coverage: list[QueryCoverage] = []
        self._quality: EmbeddingQuality | None = None
        self._grouping: _Grouping | None = None

    def analyze_topic_coverage(
        self, topics: Sequence[str] | None = None, *, num_topics: int | None = None
    ) -> dict[str, float]:
        """What the base is about.

        Args:
            topics: None groups the passages by subject. Else subjects of interest, in a few words each.
            num_topics: how many groups; None decides by the size of the base.

        Returns:
            Without `topics`: the groups' names and their shares of the passages, the largest first. With
            `topics`: for each the relevance of the best passage on it, 0 to 1.

        Raises:
            StoreError: the base is empty.
        """
        self._require_passages()
        if topics is not None:
            return {topic: self._cover(topic).relevance for topic in topics}
        self._grouping = self._group(num_topics)
        return {topic.label: topic.share for topic in self._grouping.topics}

    def identify_knowledge_gaps(
        self,
        reference_queries: Sequence[str],
        threshold: float | None = None,
    ) -> list[KnowledgeGap]:
        """The questions that the base does not answer.

        Args:
            reference_queries: questions that it should answer.
            threshold: least relevance of an answer, 0 to 1; None takes `rag.relevance_threshold`. It means
                the same whatever the embedding model.

        Returns:
            One gap for each question whose best passage is less relevant, the worst first; `str(gap)` is a
            line for readers.

        Raises:
            StoreError: the base is empty, or there are no questions.
        """
        self._require_passages()
        if not reference_queries:
            raise StoreError("Faltam as perguntas de referência: passe ao menos uma em reference_queries.")
        self._coverage = [self._cover(query, threshold) for query in dict.fromkeys(reference_queries)]
        return [
            KnowledgeGap(q.query, q.relevance, q.threshold, q.passages)
            for q in sorted(self._coverage, key=lambda q: q.relevance)
            if not q.covered
        ]

    def analyze_embedding_quality(
        self, sample_size: int = _DEFAULT_SAMPLE, test_queries: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """How well the base can be searched: by meaning if it has vectors, else by words.

        Args:
            sample_size: documents that are looked for by their own title.
            test_queries: questions or subjects that the base should know.

        Returns:
            The fields of `EmbeddingQuality` and its `mean_score` (0 to 1). NaN marks what cannot be measured.

        Raises:
            StoreError: the base is empty, or the sample is.
        """
        self._require_passages()
        if sample_size < 1:
            raise StoreError(f"sample_size é {sample_size}, mas a amostra precisa de ao menos um documento.")
        self._quality = self._measure_quality(sample_size, list(test_queries or ()))
        return {"mean_score": self._quality.mean_score, **asdict(self._quality)}

    def analyse(self) -> Analysis:
        """Everything for the report: what was measured before, with its settings, and the rest now.

        Raises:
            StoreError: the base is empty.
        """
        self._require_passages()
        grouping = self._grouping or self._group(None)
        quality = self._quality or self._measure_quality(_DEFAULT_SAMPLE, [])
        passages = self._survey.passages
        # A document's file type is in its metadata, which every one of its passages carries.
        kinds = {p.document_id: str(p.metadata.get("file_type") or "texto") for p in passages}
        return Analysis(
            documents=len(self.store),
            passages=self.store.chunk_count,
            examined=len(passages),
            without_passages=len(self.store) - self._survey.documents,
            file_types=dict(Counter(kinds.values()).most_common()),
            topics=tuple(grouping.topics),
            examples=tuple(self._examples(topic) for topic in grouping.topics),
            by_vectors=grouping.by_vectors,
            lengths=tuple(len(words(p.content)) for p in passages),
            coverage=tuple(self._coverage),
            quality=quality,
            settings={
                "Base": self.store.path.name,
                "Data": f"{datetime.now():%d/%m/%Y %H:%M}",
                "Modelo de vetores": quality.model or "nenhum (busca por palavras)",
                "Trechos examinados": number(len(passages), 0),
                "Limiar de relevância": number(self.system.threshold),
                "Semente": str(self._seed),
            },
        )

    def generate_report(self, format: Literal["markdown", "html"] = "markdown") -> str:
        """A report for readers, as Markdown or as one HTML file with charts.

        It includes the reference questions and test queries of the calls before.

        Raises:
            StoreError: the base is empty, or the format is unknown.
        """
        from lunagpt.rag.analysis_html import html_report
        from lunagpt.rag.analysis_report import markdown_report

        writers = {"markdown": markdown_report, "html": html_report}
        if format not in writers:
            raise StoreError(f'Não conheço o formato "{format}". Use "markdown" ou "html".')
        return writers[format](self.analyse())

    def save_report(self, folder: str | PathLike[str]) -> Path:
        """Writes `analise.md` and `analise.html` into a folder; returns the path of the latter.

        Raises:
            StoreError: the base is empty.
            OSError: the folder cannot be written.
        """
        from lunagpt.rag.analysis_html import html_report
        from lunagpt.rag.analysis_report import markdown_report

        analysis = self.analyse()
        target = Path(folder)
        atomic_write_text(target / "analise.md", markdown_report(analysis))
        atomic_write_text(target / "analise.html", html_report(analysis))
        return target / "analise.html"

    # -- parts ---------------------------------------------------------------------------------------------

    def _require_passages(self) -> None:
        if not self.store.chunk_count:
            raise StoreError("A base não tem nenhum trecho para analisar. Indexe documentos primeiro.")

    @cached_property
    def _survey(self) -> _Survey:
        """All passages, or a random sample of a large base, in their order: one walk through the base."""
        total = self.store.chunk_count
        chosen = np.random.default_rng(self._seed).permutation(total)[:_MOST_PASSAGES]
        wanted = set(chosen.tolist())
        passages, documents = [], set()
        for i, passage in enumerate(self.store.chunks()):
            documents.add(passage.document_id)
            if i in wanted:
                passages.append(passage)
        return _Survey(passages, len(documents))

    def _group(self, num_topics: int | None) -> _Grouping:
        texts = [f"{p.title}. {' '.join(p.heading_path)} {p.content}" for p in self._survey.passages]
        vectors = self._vectors_of(self._survey.passages)
        topics = find_topics(texts, vectors, num_topics=num_topics, seed=self._seed)
        return _Grouping(topics, vectors is not None)

    def _vectors_of(self, passages: Sequence[Passage]) -> np.ndarray | None:
        """Their vectors (n, d), zero where one is missing; None if too many are missing."""
        ids, matrix = self.store.vectors()
        if not len(ids):
            return None
        wanted = np.array([p.chunk_id for p in passages])
        place = np.searchsorted(ids, wanted).clip(max=len(ids) - 1)
        known = ids[place] == wanted
        if known.mean() < _ENOUGH_VECTORS:
            return None
        return np.where(known[:, None], np.asarray(matrix[place], np.float32), np.float32(0))

    def _examples(self, topic: Topic) -> tuple[str, ...]:
        """Titles of the documents whose passages are the most typical."""
        titles = (self._label(self._survey.passages[i]) for i in topic.members)
        return tuple(dict.fromkeys(titles))[:_EXAMPLES]

    def _label(self, passage: Passage) -> str:
        return shortened(passage.title or passage.document_id, 80)

    def _cover(self, query: str, threshold: float | None = None) -> QueryCoverage:
        least = self.system.threshold if threshold is None else threshold
        found = self.system.retrieve(query, k=_NEAREST, threshold=0.0)
        # The search ranks by more than relevance: the passage most likely to answer may come second.
        return QueryCoverage(query, tuple(sorted(found, key=lambda passage: -passage.score)), least)

    def _measure_quality(self, sample_size: int, test_queries: list[str]) -> EmbeddingQuality:
        ids, matrix = self.store.vectors()
        sample = np.random.default_rng(self._seed).permutation(len(ids))[:_MOST_VECTORS]
        vectors = np.asarray(matrix[np.sort(sample)], np.float32)
        has_vectors = len(vectors) >= 2
        counts, low, high = similarity_histogram(vectors) if has_vectors else ([], math.nan, math.nan)
        titles = self._titles(sample_size)
        scores = {query: self._cover(query).relevance for query in dict.fromkeys(test_queries)}
        duplicates, share = self._duplicates()
        return EmbeddingQuality(
            model=self._vector_model(),
            dimension=int(matrix.shape[1]) if len(ids) else 0,
            embedded_share=self.store.vector_count() / self.store.chunk_count,
            self_retrieval=self._self_retrieval(titles),
            sample_size=len(titles),
            query_relevance=sum(scores.values()) / len(scores) if scores else math.nan,
            query_scores=scores,
            mean_cosine=mean_cosine(vectors, self._seed),
            effective_dimensions=effective_dimensions(vectors),
            cosine_counts=tuple(counts),
            cosine_span=(low, high),
            duplicate_share=share,
            duplicates=duplicates,
        )

    def _vector_model(self) -> str:
        models = self.store.vector_models
        embedder = self.store.embedder if models else None
        return embedder.name if embedder is not None and embedder.name in models else next(iter(models), "")

    def _titles(self, sample_size: int) -> list[str]:
        """Titles that say something, a random sample; equal ones count once."""
        titles = sorted({p.title.strip() for p in self._survey.passages if len(words(p.title)) > 0})
        chosen = np.random.default_rng(self._seed).permutation(len(titles))[:sample_size]
        return [titles[i] for i in np.sort(chosen)]

    def _self_retrieval(self, titles: list[str]) -> float:
        """Share of titles whose best passage belongs to a document of that title; NaN without titles."""
        hits = 0
        for title in titles:
            best = self.system.retrieve(title, k=1, threshold=0.0)
            hits += bool(best) and best[0].title.strip() == title
        return hits / len(titles) if titles else math.nan

    def _duplicates(self) -> tuple[tuple[tuple[str, str, float], ...], float]:
        """Passages that nearly repeat each other, and the share of those that are not needed."""
        chosen = np.random.default_rng(self._seed).permutation(len(self._survey.passages))[
            :_MOST_FOR_DUPLICATES
        ]
        passages = [self._survey.passages[i] for i in np.sort(chosen)]
        pairs = near_duplicates([p.content for p in passages])
        spare = {j for _, j, _ in pairs}
        named = tuple((self._label(passages[i]), self._label(passages[j]), s) for i, j, s in pairs)
        return named, len(spare) / len(passages)
