"""`Turn`: one question on its way to an answer, and all that is known about it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lunagpt.chat.grounding.answers import GroundedAnswer
from lunagpt.chat.grounding.gate import Gate
from lunagpt.chat.grounding.refusal import Searched
from lunagpt.chat.grounding.router import Intent
from lunagpt.chat.report import ChatReport
from lunagpt.chat.search import Source
from lunagpt.conditions import Condition
from lunagpt.engines import AnswerStream, Engine, Message
from lunagpt.generation import SamplingParams


@dataclass(slots=True)
class Turn:
    """One question on its way to an answer.

    Attributes:
        message: what the user wrote.
        history: the messages before it, without a system message.
        system_prompt: instructions to the model, if any.
        engine: who answers.
        params: how.
        cancel: when set, the answer stops.
        sources: where to look things up, in this order.
        model_reads_passages: whether the engine answers well from passages; else answers are quotations.
        condition: style and domain of the conversation, for an engine that takes them.
        use_reader: whether the reader (`lunagpt.reading`) helps to choose what is quoted.
        must_look_up: answer from the sources or not at all, whatever the message sounds like.
        reply: an answer that is decided before any source or model is asked (set by `analyse`).
        intent: what the message wants; query: the message so that it can be searched (set by `analyse`).
        passages: what was found; searched: where (set by `retrieve`).
        quotation: the sentence of the passages that answers, if one does (set by `retrieve`).
        prompt: what the engine reads (set by `generate`).
        stream: the answer under way (set by `generate`).
        thinking: what the model thought before it, "" if nothing or if another answer took its place.
        answer: the text so far, in the end the whole answer.
        report: facts about the answer.
    """

    message: str
    history: list[Message]
    system_prompt: str | None
    engine: Engine
    params: SamplingParams
    cancel: threading.Event | None = None
    sources: tuple[Source, ...] = ()
    model_reads_passages: bool = False
    condition: Condition | None = None
    use_reader: bool = True
    must_look_up: bool = False
    reply: str | None = None
    intent: Intent = Intent.TALK
    query: str = ""
    passages: list[Mapping[str, Any]] = field(default_factory=list)
    searched: list[Searched] = field(default_factory=list)
    quotation: GroundedAnswer | None = None
    prompt: list[Message] = field(default_factory=list)
    stream: AnswerStream | None = None
    gate: Gate | None = None
    thinking: str = ""
    answer: str = ""
    report: ChatReport = field(default_factory=ChatReport)

    def is_stopped(self) -> bool:
        """Whether the user has asked for the answer to stop."""
        return self.cancel is not None and self.cancel.is_set()
