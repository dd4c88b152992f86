"""Who answers: the one protocol between the conversation and whatever writes the text."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from lunagpt.generation import SamplingParams

#: One turn of a dialogue: "role" is system, user or assistant; "content" its text.
Message = Mapping[str, str]

FinishReason = Literal["stop", "length", "loop", "cancelled"]


@dataclass(slots=True)
class AnswerReport:
    """What is known about an answer; filled in while it is being written.

    Attributes:
        finish_reason: "stop" (the model ended its turn), "length" (no tokens left), "loop" (stopped for going
            round in circles), "cancelled", or None while under way.
        prompt_tokens: tokens of the prompt.
        reused_tokens: how many of them were still in the engine's memory and not read again.
        completion_tokens: tokens of the answer.
        dropped_messages: oldest messages that did not fit into the context window.
        skipped_tokens: tokens cut out of the middle of the last message because it alone was too long.
    """

    finish_reason: FinishReason | None = None
    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    dropped_messages: int = 0
    skipped_tokens: int = 0


class AnswerStream(Iterator[str]):
    """An answer under way: yields pieces of text; `report` says how it went."""

    def __init__(self, pieces: Iterator[str], report: AnswerReport) -> None:
        self._pieces = pieces
        self.report = report

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Stops the answer where it is; does nothing if it has ended."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


@runtime_checkable
class Engine(Protocol):
    """Anything that continues a dialogue."""

    @property
    def name(self) -> str:
        """Name of the model, for the user."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        params: SamplingParams,
        *,
        cancel: threading.Event | None = None,
    ) -> AnswerStream:
        """Starts the next assistant turn.

        Args:
            messages: the dialogue so far, oldest first, a system message at most in first place.
            params: how the text is chosen and how long it may become.
            cancel: when set, the answer ends within one token.

        Raises:
            GenerationError: the dialogue cannot be answered; raised here or while iterating.
        """
        ...
