"""`luna ask`: one question to documents, answered with its sources."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lunagpt.chat import ChatReport, LunaChat
from lunagpt.commands import failures, vectors
from lunagpt.commands.console import PlainConsole
from lunagpt.commands.opening import ChatSettings, connect, load_model, model_folder
from lunagpt.commands.sources import footnotes
from lunagpt.config import LunaConfig
from lunagpt.engines import AnswerStream, Engine, LunaEngine, Message

if TYPE_CHECKING:
    from lunagpt.generation import SamplingParams

logger = logging.getLogger("lunagpt.commands")


def run_ask(question: str, settings: ChatSettings, *, as_json: bool = False) -> int:
    """Answers a question from the documents in `settings.knowledge_base`, or from the encyclopaedia without
    one.

    Returns:
        0, also if the documents do not have the answer.

    Raises:
        LunaError: there is no such base, or the answer cannot be written.
    """
    failures.show_log(verbose=settings.verbose)
    config = (
        LunaConfig.from_environment() if settings.config is None else LunaConfig.from_file(settings.config)
    )
    chat = LunaChat(
        DeferredEngine(settings, config),
        config=config,
        params=settings.sampling(config),
        show_thinking=settings.show_thinking or None,
    )
    connect(chat, settings, encyclopedia=settings.knowledge_base is None and not chat.rag_enabled)
    if (warning := vectors.incomplete(chat)) is not None:
        logger.warning(warning)
    answer = chat.ask(question)
    if as_json:
        print(json.dumps(as_dict(question, answer, chat.report), ensure_ascii=False, indent=2))
        return 0
    console = PlainConsole()
    console.answer([answer], filter(None, [chat.report.thinking]), show_thinking=chat.show_thinking)
    if notes := footnotes(chat.report):
        console.sources(notes)
    return 0


class DeferredEngine:
    """The model, loaded when it is first asked: a quotation needs none."""

    def __init__(self, settings: ChatSettings, config: LunaConfig) -> None:
        self._settings = settings
        self._config = config
        self._folder = model_folder(settings.model, config)
        self._model = LunaConfig.from_file(
            self._folder / "config" / "config.json", use_environment=False
        ).model
        self._engine: Engine | None = None

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._model.name

    @property
    def decides_to_think(self) -> bool:
        """Whether the model was trained to decide when to think."""
        return self._model.decides_to_think

    @property
    def answers_from_passages(self) -> bool:
        """Whether the model answers well from passages."""
        return self._model.answers_from_passages

    def stream(
        self, messages: Sequence[Message], params: SamplingParams, *, cancel: threading.Event | None = None
    ) -> AnswerStream:
        """See `Engine.stream`."""
        if self._engine is None:
            self._engine = LunaEngine(load_model(self._folder, self._config), config=self._config)
        return self._engine.stream(messages, params, cancel=cancel)


def as_dict(question: str, answer: str, report: ChatReport) -> dict[str, Any]:
    """An answer with all it stands on, as JSON data."""
    return {
        "question": question,
        "query": report.query,
        "thinking": report.thinking or None,
        "answer": answer,
        "grounding": report.grounding,
        "confidence": report.confidence,
        "span": report.span,
        "citations": [
            {
                "number": citation.number,
                "quote": citation.quote,
                "start": citation.start,
                "end": citation.end,
                **_described(citation.passage),
            }
            for citation in report.citations
        ],
        "passages": [
            {"number": number, **_described(passage), "content": str(passage["content"])}
            for number, passage in enumerate(report.passages, start=1)
        ],
    }


def _described(passage: Mapping[str, Any]) -> dict[str, Any]:
    metadata = passage.get("metadata") or {}
    return {
        "title": passage.get("title"),
        "document_id": passage.get("document_id"),
        "source": metadata.get("source"),
        "page": passage.get("page"),
        "score": passage.get("score"),
    }
