"""Who answers: the one protocol between the conversation and whatever writes the text."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from lunagpt.conditions import Condition
from lunagpt.generation import SamplingParams, Thought

#: One turn of a dialogue: "role" is system, user or assistant; "content" its text. A message of the assistant
#: may carry "thinking", what it thought before it said that; an engine whose model has no use for it leaves
#: it out, and none ever shows it to the model as anything else.
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
        thinking: what the model thought before it answered, never part of the answer; "" if it did not.
        thinking_tokens: tokens of that.
        thinking_finish_reason: as `finish_reason`, of the thinking; "length" is `max_thinking_tokens` used
            up. None if there was none.
        dropped_messages: oldest messages that did not fit into the context window.
        skipped_tokens: tokens cut out of the middle of the last message because it alone was too long.
    """

    finish_reason: FinishReason | None = None
    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    dropped_messages: int = 0
    skipped_tokens: int = 0
    thinking: str = ""
    thinking_tokens: int = 0
    thinking_finish_reason: FinishReason | None = None


class AnswerStream(Iterator[str]):
    """An answer under way: yields pieces of its text; `report` says how it went.

    Whoever wants the thinking before it takes that from `thoughts` first; it never comes among the pieces of
    the answer.
    """

    def __init__(self, pieces: Iterator[str | Thought], report: AnswerReport) -> None:
        """
        Args:
            pieces: text of the answer as strings, behind the thinking as `Thought`s.
            report: filled in by whoever makes the pieces.
        """
        self._pieces = pieces
        self._first: str | None = None
        self.report = report

    def __next__(self) -> str:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        for piece in self._pieces:
            if isinstance(piece, str):
                return piece
        raise StopIteration

    def thoughts(self) -> Iterator[str]:
        """The pieces of the thinking, as they come, up to the first of the answer."""
        if self._first is not None:
            return
        for piece in self._pieces:
            if isinstance(piece, str):
                self._first = piece
                return
            yield piece.text

    def close(self) -> None:
        """Stops the answer where it is; does nothing if it has ended."""
        self._first = None
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


@runtime_checkable
class ConditionedEngine(Engine, Protocol):
    """An engine whose manner of speaking can be set beside the words of the dialogue."""

    @property
    def takes_conditions(self) -> bool:
        """Whether its model can do that too."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        params: SamplingParams,
        *,
        cancel: threading.Event | None = None,
        condition: Condition | None = None,
    ) -> AnswerStream:
        """See `Engine.stream`.

        Args:
            condition: style and domain of the conversation.

        Raises:
            GenerationError: as there; or the model takes no condition.
        """
        ...
