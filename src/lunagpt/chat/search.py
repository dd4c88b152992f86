"""Where a conversation looks things up: the user's documents first, then the built-in encyclopaedia."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lunagpt.chat.grounding.synonyms import other_words
from lunagpt.config import LunaConfig
from lunagpt.errors import GenerationError, StoreError
from lunagpt.reporting.numbers import counted

if TYPE_CHECKING:
    from lunagpt.rag import RAGSystem

logger = logging.getLogger(__name__)

_LEAST_RELEVANCE = 0.1


@runtime_checkable
class Retriever(Protocol):
    """A search engine: `RAGSystem`, the encyclopaedia, or an object of the user's own."""

    def retrieve(self, query: str) -> Iterable[Any] | None:
        """What was found, the best first: passages, dictionaries with "content", or pairs (document,
        score)."""
        ...


@runtime_checkable
class Augmenter(Protocol):
    """A search engine that only tells the text to add to a question."""

    def augment_context(self, query: str, context: str | None = None) -> str | None:
        """The text, with `context` in it if given; None or nothing if nothing was found."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A search engine and how it is spoken of ("nos seus documentos").

    Attributes:
        built_in: it is the encyclopaedia.
        trusted: the caller chose it for this one question, and it has judged its results itself.
    """

    retriever: Retriever | Augmenter
    place: str
    built_in: bool = False
    trusted: bool = False

    def search(self, query: str) -> list[Mapping[str, Any]]:
        """What the engine finds, as mappings with "content" and perhaps "title", "page", "score".

        Raises:
            GenerationError: the engine gave something else.
        """
        if isinstance(self.retriever, Retriever):
            threshold = {"threshold": _LEAST_RELEVANCE} if _takes_threshold(self.retriever) else {}
            return _as_passages(self.retriever.retrieve(query, **threshold))
        text = self.retriever.augment_context(query)
        return [{"content": text}] if text and text.strip() else []

    def search_other_words(self, query: str) -> list[Mapping[str, Any]]:
        """What a `RAGSystem` finds by words for the same too ("animais" for "cachorro"), however little of
        the question it has; nothing if there are none, or in another engine."""
        others = other_words(query)
        if not others or not isinstance(self.retriever, Retriever) or not _takes_threshold(self.retriever):
            return []
        wider: dict[str, float] = {"threshold": 0.0}
        return _as_passages(self.retriever.retrieve(" ".join([query, *others]), **wider))

    @property
    def documents(self) -> int | None:
        """How many documents it holds, if it says so."""
        store = getattr(self.retriever, "document_store", None)
        return len(store) if isinstance(store, Sized) else None


def _takes_threshold(retriever: Any) -> bool:
    """Whether it is a `RAGSystem` whose settings name no least relevance.

    Its default is meant for passages that are pasted into a prompt. Here every passage is judged once more by
    whether it answers, and one that uses other words than the question may still do so.
    """
    config = getattr(retriever, "config", None)
    return isinstance(config, LunaConfig) and "relevance_threshold" not in config.rag.model_fields_set


def _as_passages(found: Iterable[Any] | None) -> list[Mapping[str, Any]]:
    return [as_passage(item, number) for number, item in enumerate(found or (), 1)]


def as_passage(item: Any, number: int) -> Mapping[str, Any]:
    """A search result of any known form as a mapping with "content".

    Raises:
        GenerationError: it has none of them.
    """
    if isinstance(item, Mapping):
        if isinstance(item.get("content"), str):
            return item
    elif isinstance(item, str):
        return {"content": item}
    elif isinstance(item, Sequence) and len(item) == 2:
        passage = dict(as_passage(item[0], number))
        if isinstance(item[1], (int, float)):
            passage["score"] = float(item[1])
        return passage
    else:
        content = getattr(item, "content", None)
        if isinstance(content, str):
            names = ("title", "page", "metadata", "heading_path", "document_id")
            known = {name: getattr(item, name) for name in names if hasattr(item, name)}
            return {"content": content, **known}
    raise GenerationError(
        f"O resultado {number} da busca não serve: {type(item).__name__}. O método retrieve deve devolver "
        'dicionários com "content" (e, se houver, "title" e "score") ou pares (documento, relevância).'
    )


def open_rag(path: str | os.PathLike[str], config: LunaConfig | None) -> Retriever:
    """A retrieval system over a base, or over a folder of documents that is read now.

    Raises:
        StoreError: the folder does not exist, or the base cannot be opened.
    """
    from lunagpt.rag import RAGSystem, is_base

    system = RAGSystem.open(path, config) if is_base(Path(path)) else _read_folder(path, config)
    if not len(system.document_store):
        logger.warning('Não há nenhum documento em "%s". O comando luna index lê uma pasta deles.', path)
    return system


def _read_folder(path: str | os.PathLike[str], config: LunaConfig | None) -> RAGSystem:
    from lunagpt.rag import RAGSystem

    if not os.path.isdir(path):
        advice = "Diga a pasta em que o arquivo está" if os.path.isfile(path) else "Confira o caminho"
        raise StoreError(f'Não há base nem pasta de documentos em "{path}". {advice}.')
    system = RAGSystem(_without_base(config))
    if problems := system.index_directory(path).problems:
        files = counted(len(problems), "arquivo", "arquivos")
        logger.warning("Fora da busca, por não poderem ser lidos: %s. O comando luna index diz quais.", files)
    return system


def _without_base(config: LunaConfig | None) -> LunaConfig | None:
    if config is None:
        return None
    return config.model_copy(update={"rag": config.rag.model_copy(update={"knowledge_base_path": None})})
