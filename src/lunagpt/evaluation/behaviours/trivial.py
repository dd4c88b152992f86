"""Answerers that understand nothing: what they pass shows how little a check asks for.

Each is an engine like any other. The suite is sound if none of them passes more than a quarter of it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence

from lunagpt.engines import AnswerReport, AnswerStream, Message
from lunagpt.generation import SamplingParams

_PASSAGE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


class TrivialEngine:
    """Answers by a rule that sees only the messages."""

    def __init__(self, name: str, reply: Callable[[Sequence[Message]], str]) -> None:
        self.name = name
        self._reply = reply

    def stream(
        self, messages: Sequence[Message], params: SamplingParams, *, cancel: threading.Event | None = None
    ) -> AnswerStream:
        """See `Engine.stream`; the whole answer comes as one piece."""
        report = AnswerReport(finish_reason="stop")
        return AnswerStream(self._pieces(messages), report)

    def _pieces(self, messages: Sequence[Message]) -> Iterator[str]:
        yield self._reply(messages)


def _first_passage(messages: Sequence[Message]) -> str:
    """The whole first passage with its number, if the question brings one; else the question."""
    match = _PASSAGE.search(messages[-1]["content"])
    return f"{match.group(2)} [{match.group(1)}]" if match else messages[-1]["content"]


def _everything_said(messages: Sequence[Message]) -> str:
    """All that the user has told so far, as one long answer."""
    return "Anotei: " + " ".join(message["content"] for message in messages if message["role"] == "user")


#: The answerers by what they do; the names appear in reports.
TRIVIAL_ENGINES: tuple[TrivialEngine, ...] = (
    TrivialEngine("não diz nada", lambda _: ""),
    TrivialEngine("repete a pergunta", lambda messages: messages[-1]["content"]),
    TrivialEngine("sempre cumprimenta", lambda _: "Olá! Como posso ajudar?"),
    TrivialEngine("sempre recusa", lambda _: "Desculpe, não posso ajudar com isso."),
    TrivialEngine("sempre diz que falta", lambda _: "Não sei: os documentos não trazem essa informação."),
    TrivialEngine("sempre concorda", lambda _: "Sim, claro! Combinado."),
    TrivialEngine("copia o primeiro trecho", _first_passage),
    TrivialEngine("repete tudo o que ouviu", _everything_said),
)
