"""The line that every message goes through, from question to answer.

Each stage takes a `Turn` and hands it on; none knows the engine's kind or who asked (terminal, Python, file).
Stages that come later take their place in `LINE`; `verify` is the only one that may replace an answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lunagpt.engines import AnswerReport, AnswerStream, Engine, Message
from lunagpt.errors import GenerationError
from lunagpt.generation import SamplingParams

logger = logging.getLogger("lunagpt.chat")

# Said when the model ends its turn without a word.
NOTHING_TO_SAY = "Não consegui formular uma resposta. Pode perguntar de outro jeito?"


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
        prompt: what the engine reads (set by `preprocess`).
        stream: the answer under way (set by `generate`).
        answer: the text so far, in the end the whole answer.
        report: facts about the answer.
    """

    message: str
    history: list[Message]
    system_prompt: str | None
    engine: Engine
    params: SamplingParams
    cancel: threading.Event | None = None
    prompt: list[Message] = field(default_factory=list)
    stream: AnswerStream | None = None
    answer: str = ""
    report: AnswerReport = field(default_factory=AnswerReport)


Stage = Callable[[Turn], Turn]


def preprocess(turn: Turn) -> Turn:
    """Cleans the message and lays out what the engine will read.

    Line ends become "\\n" and what is not text (lone surrogates of undecodable input, NUL) U+FFFD; the
    wording is left alone.

    Raises:
        GenerationError: nothing is left to answer.
    """
    text = turn.message.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    turn.message = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
    if not turn.message:
        raise GenerationError("A mensagem está vazia: escreva alguma coisa.")
    system = [{"role": "system", "content": turn.system_prompt}] if turn.system_prompt else []
    turn.prompt = [*system, *turn.history, {"role": "user", "content": turn.message}]
    logger.debug("[preparar] %d mensagens, %d caracteres na última", len(turn.prompt), len(turn.message))
    return turn


def generate(turn: Turn) -> Turn:
    """Has the engine start the answer; whoever runs the line listens to it."""
    turn.stream = turn.engine.stream(turn.prompt, turn.params, cancel=turn.cancel)
    turn.report = turn.stream.report
    if turn.report.skipped_tokens:
        logger.warning(
            "A mensagem é mais longa do que o modelo consegue ler: %d tokens do meio ficaram de fora.",
            turn.report.skipped_tokens,
        )
    if turn.report.dropped_messages:
        logger.debug("[gerar] %d mensagens antigas não cabem mais no contexto", turn.report.dropped_messages)
    return turn


def verify(turn: Turn) -> Turn:
    """Judges the finished answer: an empty one is replaced by an honest sentence."""
    if not turn.answer and turn.report.finish_reason != "cancelled":
        turn.answer = NOTHING_TO_SAY
        logger.debug("[verificar] resposta vazia, substituída")
    return turn


LINE: tuple[Stage, ...] = (preprocess, generate, verify)


def run(turn: Turn, line: tuple[Stage, ...] = LINE) -> Iterator[str]:
    """Takes a turn through the line and yields the answer as it comes.

    `turn` is brought up to date all along, so that after a stop its `answer` holds what was said. The pieces
    joined are the final answer.

    Raises:
        LunaError: from a stage; the turn has no answer then.
    """
    for stage in line:
        stage(turn)
        if stage is generate:
            yield from _listen(turn)
            heard = turn.answer
    if turn.answer != heard:
        yield turn.answer.removeprefix(heard)


def _listen(turn: Turn) -> Iterator[str]:
    assert turn.stream is not None
    started = time.perf_counter()
    try:
        for piece in _without_outer_space(turn.stream):
            turn.answer += piece
            yield piece
    finally:
        turn.stream.close()
        seconds = time.perf_counter() - started
        report = turn.report
        logger.debug(
            "[gerar] %d tokens lidos (%d já conhecidos), %d escritos em %.1f s, fim: %s",
            report.prompt_tokens,
            report.reused_tokens,
            report.completion_tokens,
            seconds,
            report.finish_reason,
        )


def _without_outer_space(pieces: Iterator[str]) -> Iterator[str]:
    """The pieces without the white space before the first word and after the last one."""
    begun, held = False, ""
    for piece in pieces:
        text = held + piece
        if not begun:
            text = text.lstrip()
        words = text.rstrip()
        held = text[len(words) :]
        if words:
            begun = True
            yield words
