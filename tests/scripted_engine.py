"""An engine that says what it is told to: for tests of everything around the model."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from lunagpt.engines import AnswerReport, AnswerStream, Message
from lunagpt.generation import SamplingParams


class ScriptedEngine:
    """Answers each dialogue with `reply(messages)`, word by word, and remembers what it was given.

    Attributes:
        prompts: the messages of every call.
        params: the sampling settings of every call.
    """

    name = "roteiro"

    def __init__(
        self, reply: Callable[[list[Message]], str | Exception], seconds_per_word: float = 0.0
    ) -> None:
        self._reply = reply
        self._pause = seconds_per_word
        self.prompts: list[list[Message]] = []
        self.params: list[SamplingParams] = []

    @classmethod
    def saying(cls, *replies: str | Exception) -> ScriptedEngine:
        """The replies one after the other; an exception is raised in the middle of the answer."""
        script = iter(replies)
        return cls(lambda _messages: next(script))

    @classmethod
    def echo(cls) -> ScriptedEngine:
        """Repeats the last message and says how many it was given."""
        return cls(lambda messages: f"{len(messages)}: {messages[-1]['content']}")

    def stream(
        self, messages: Sequence[Message], params: SamplingParams, *, cancel: threading.Event | None = None
    ) -> AnswerStream:
        self.prompts.append(list(messages))
        self.params.append(params)
        report = AnswerReport(prompt_tokens=len(messages))
        return AnswerStream(self._pieces(self._reply(list(messages)), report, cancel), report)

    def _pieces(
        self, reply: str | Exception, report: AnswerReport, cancel: threading.Event | None
    ) -> Iterator[str]:
        text = "meia " if isinstance(reply, Exception) else reply
        for piece in re.findall(r"\s*\S+|\s+", text):
            time.sleep(self._pause)
            if cancel is not None and cancel.is_set():
                report.finish_reason = "cancelled"
                return
            report.completion_tokens += 1
            yield piece
        if isinstance(reply, Exception):
            raise reply
        report.finish_reason = "stop"
