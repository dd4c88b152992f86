"""The line that every message goes through, from question to answer.

    preprocess → analyse → retrieve → generate → verify

Each stage takes a `Turn` and hands it on; none knows the engine's kind or who asked (terminal, Python, file).
Stages that come later take their place in `LINE`; `verify` is the only one that may replace an answer.

What is shown is never taken back. An answer that leans on passages is let through sentence by sentence, each
after it has been checked against them (`grounding.gate`); one that fails its first check is not shown at all
and `verify` puts a quotation or an honest refusal in its place. A model that cannot answer from passages
(see `Turn.model_reads_passages`) is not even asked: the quotation comes at once. Without passages the answer
streams token by token.

What the model thinks before it answers is handed on as `Thought`s in front of the answer. No check reads it,
nothing is quoted from it, and it is remembered beside the answer it led to, never as one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lunagpt.chat.grounding.answers import GroundedAnswer
from lunagpt.chat.grounding.follow_up import rewrite_follow_up
from lunagpt.chat.grounding.gate import Gate
from lunagpt.chat.grounding.hostile import as_evidence
from lunagpt.chat.grounding.refusal import preface, refusal_text, stands_on_passages, unsourced_text
from lunagpt.chat.grounding.router import Intent, asks_for_a_fact, intent_of
from lunagpt.chat.report import ChatReport
from lunagpt.chat.retrieval import retrieve
from lunagpt.chat.safety import crisis_reply
from lunagpt.chat.turn import Turn
from lunagpt.data.grounding_format import format_evidence, heading_of
from lunagpt.engines import AnswerStream, ConditionedEngine, Message
from lunagpt.errors import GenerationError
from lunagpt.generation import Thought

logger = logging.getLogger("lunagpt.chat")

# Said when the model ends its turn without a word.
NOTHING_TO_SAY = "Não consegui formular uma resposta. Pode perguntar de outro jeito?"

_CHARACTERS_PER_TOKEN = 4  # of Portuguese, on the cautious side for the Luna tokenizer

Stage = Callable[[Turn], Turn]


def preprocess(turn: Turn) -> Turn:
    """Cleans the message.

    Line ends become "\\n" and what is not text (lone surrogates of undecodable input, NUL) U+FFFD; the
    wording is left alone.

    Raises:
        GenerationError: nothing is left to answer.
    """
    text = turn.message.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    turn.message = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
    if not turn.message:
        raise GenerationError("A mensagem está vazia: escreva alguma coisa.")
    logger.debug("[preparar] %d mensagens, %d caracteres na última", len(turn.history) + 1, len(turn.message))
    return turn


def analyse(turn: Turn) -> Turn:
    """Puts a follow-up question in full and decides whether there is something to look up; someone in danger
    gets a fixed answer."""
    turn.reply = crisis_reply(turn.message)
    if turn.reply is not None or not turn.sources:
        return turn
    turn.intent = Intent.QUESTION if turn.must_look_up else intent_of(turn.message, turn.history)
    turn.query = turn.message
    if turn.intent is not Intent.TALK:
        turn.query = rewrite_follow_up(turn.message, turn.history)
    if turn.intent is Intent.PERSONAL and turn.query != turn.message:  # "isso" now has its name
        turn.intent = intent_of(turn.query)
    logger.debug("[analisar] %s; busca: %s", turn.intent.value, turn.query)
    return turn


def generate(turn: Turn) -> Turn:
    """Has the engine start the answer, unless it is to be quoted or refused; the runner of the line
    listens."""
    if turn.reply is not None or (turn.passages and not turn.model_reads_passages):
        return turn
    if turn.searched and not turn.passages and (_is_for_documents(turn) or _would_invent(turn)):
        return turn
    content = turn.message
    if turn.passages:
        _fit_evidence(turn)
        content = format_evidence([_evidence(passage) for passage in turn.passages], turn.query)
        turn.gate = Gate(turn.passages, turn.query, turn.quotation)
    system = [{"role": "system", "content": turn.system_prompt}] if turn.system_prompt else []
    history = turn.history if turn.model_reads_passages else _own_words(turn.history)
    turn.prompt = [*system, *history, {"role": "user", "content": content}]
    turn.stream = _start(turn)
    turn.report.take(turn.stream.report)
    if turn.report.skipped_tokens:
        logger.warning(
            "A mensagem é mais longa do que o modelo consegue ler: %d tokens do meio ficaram de fora.",
            turn.report.skipped_tokens,
        )
    if turn.report.dropped_messages:
        logger.debug("[gerar] %d mensagens antigas não cabem mais no contexto", turn.report.dropped_messages)
    return turn


def _start(turn: Turn) -> AnswerStream:
    engine = turn.engine
    if turn.condition is not None and isinstance(engine, ConditionedEngine):
        return engine.stream(turn.prompt, turn.params, cancel=turn.cancel, condition=turn.condition)
    return engine.stream(turn.prompt, turn.params, cancel=turn.cancel)


def verify(turn: Turn) -> Turn:
    """Judges the finished answer, and gives one where none stood the test: a quotation, else a refusal.

    An answer that was stopped by the user is left as it is. An empty one of a free conversation is replaced
    by an honest sentence.
    """
    gate = turn.gate
    if gate is not None and gate.problems:
        turn.report.problems = tuple(gate.problems)
        turn.report.finish_reason = "stop"
        logger.debug("[verificar] posta de lado: %s", "; ".join(problem.text for problem in gate.problems))
    if turn.report.finish_reason == "cancelled":
        return turn
    if not turn.answer:  # the one given below is not what the model thought of
        turn.thinking = ""
    if turn.reply is not None:
        turn.answer = turn.reply
    elif turn.answer:
        if gate is not None:
            turn.report.grounding = "refusal" if gate.refused else "model"
            turn.report.citations = tuple(gate.citations)
    elif turn.quotation is not None:
        _quote(turn, turn.quotation)
    elif turn.searched and _is_for_documents(turn):
        turn.answer = refusal_text(turn.query, turn.searched)
        turn.report.grounding = "refusal"
    elif turn.searched and turn.stream is None:
        turn.answer = unsourced_text(turn.searched)
        turn.report.grounding = "refusal"
    else:
        turn.answer = NOTHING_TO_SAY
        logger.debug("[verificar] resposta vazia, substituída")
    turn.report.finish_reason = turn.report.finish_reason or "stop"
    return turn


LINE: tuple[Stage, ...] = (preprocess, analyse, retrieve, generate, verify)


def run(turn: Turn, line: tuple[Stage, ...] = LINE) -> Iterator[str | Thought]:
    """Takes a turn through the line and yields the thinking, if any, and the answer as they come.

    `turn` is brought up to date all along, so that after a stop its `answer` holds what was said. The strings
    joined are the final answer.

    Raises:
        LunaError: from a stage; the turn has no answer then.
    """
    heard = ""
    for stage in line:
        stage(turn)
        if turn.stream is not None and stage is generate:
            yield from _listen(turn)
            heard = turn.answer
    if turn.answer != heard:
        yield turn.answer.removeprefix(heard)


def _is_for_documents(turn: Turn) -> bool:
    """Whether the answer must come from what was searched: the user has documents, or asked for it."""
    return turn.must_look_up or any(not source.built_in for source in turn.sources)


def _would_invent(turn: Turn) -> bool:
    """Whether a fact is asked of a model that is too small to know it (nor can it read passages)."""
    return not turn.model_reads_passages and asks_for_a_fact(turn.query, turn.history)


def _quote(turn: Turn, quotation: GroundedAnswer) -> None:
    turn.answer = quotation.text
    if len(turn.searched) > 1:
        turn.answer = preface(turn.searched[0], turn.searched[-1]) + turn.answer
    turn.report.grounding = "extractive"
    turn.report.citations = quotation.citations
    turn.report.confidence = quotation.confidence
    turn.report.span = quotation.span
    logger.debug("[verificar] resposta citada, certeza %.2f", quotation.confidence)


def _own_words(history: list[Message]) -> list[Message]:
    """The turns without those that were answered from passages: a model that cannot read these takes their
    answers for a pattern to go on with."""
    kept: list[Message] = []
    for message in history:
        if message["role"] == "assistant" and stands_on_passages(message["content"]):
            while kept and kept[-1]["role"] == "user":
                kept.pop()
        else:
            kept.append(message)
    return kept


def _fit_evidence(turn: Turn) -> None:
    """Leaves as many of the first passages as fit into half of the model's window; the first one stays,
    however long it is (the engine then shortens the prompt)."""
    window = getattr(turn.engine, "context_window", None)
    if not isinstance(window, int):
        return
    left = window * _CHARACTERS_PER_TOKEN // 2
    kept: list[Mapping[str, Any]] = []
    for passage in turn.passages:
        left -= len(str(passage["content"]))
        if kept and left < 0:
            break
        kept.append(passage)
    if len(kept) == len(turn.passages):
        return
    turn.passages = kept
    turn.report.passages = tuple(kept)


def _evidence(passage: Mapping[str, Any]) -> dict[str, str]:
    """A passage as the model reads it."""
    content = str(passage["content"])
    title = heading_of(str(passage.get("title") or ""), content)
    return {"title": as_evidence(title), "content": as_evidence(content)}


def _listen(turn: Turn) -> Iterator[str | Thought]:
    assert turn.stream is not None
    started = time.perf_counter()
    try:
        for piece in _without_outer_space(turn.stream.thoughts()):
            turn.thinking += piece
            yield Thought(piece)
        pieces = _without_outer_space(turn.stream)
        for piece in pieces if turn.gate is None else turn.gate.let_through(pieces, turn.is_stopped):
            turn.answer += piece
            yield piece
    finally:
        turn.stream.close()
        turn.report.take(turn.stream.report)
        turn.report.thinking = turn.thinking
        _log(turn.report, time.perf_counter() - started)


def _log(report: ChatReport, seconds: float) -> None:
    if report.thinking_tokens:
        logger.debug("[pensar] %d tokens, fim: %s", report.thinking_tokens, report.thinking_finish_reason)
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
