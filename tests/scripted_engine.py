"""An engine that says what it is told to: for tests of everything around the model."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from lunagpt.engines import AnswerReport, AnswerStream, Message
from lunagpt.generation import SamplingParams, Thought


class ScriptedEngine:
    """Answers each dialogue with `reply(messages)`, word by word, and remembers what it was given.

    Attributes:
        prompts: the messages of every call.
        params: the sampling settings of every call.
        thoughts: said before every answer if thinking is on, as thinking.
        decides_to_think: whether "auto" thinks too.
    """

    name = "roteiro"

    def __init__(
        self, reply: Callable[[list[Message]], str | Exception], seconds_per_word: float = 0.0
    ) -> None:
        self._reply = reply
        self._pause = seconds_per_word
        self.prompts: list[list[Message]] = []
        self.params: list[SamplingParams] = []
        self.thoughts = ""
        self.decides_to_think = False

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
        thinks = params.thinking == "on" or (params.thinking == "auto" and self.decides_to_think)
        thoughts = self._thoughts(params, report, cancel) if thinks and self.thoughts else iter(())
        answer = self._pieces(self._reply(list(messages)), report, cancel)
        return AnswerStream(chain(thoughts, answer), report)

    def _thoughts(
        self, params: SamplingParams, report: AnswerReport, cancel: threading.Event | None
    ) -> Iterator[Thought]:
        report.thinking_finish_reason = "stop"
        for piece in re.findall(r"\s*\S+", self.thoughts):
            time.sleep(self._pause)
            if cancel is not None and cancel.is_set():
                report.thinking_finish_reason = "cancelled"
                return
            if report.thinking_tokens == params.max_thinking_tokens:
                report.thinking_finish_reason = "length"
                return
            report.thinking_tokens += 1
            report.thinking += piece
            yield Thought(piece)

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
