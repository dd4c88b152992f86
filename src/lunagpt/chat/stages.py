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
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lunagpt.chat.grounding.answers import GroundedAnswer
from lunagpt.chat.grounding.extractive import extractive_answer, renumbered
from lunagpt.chat.grounding.follow_up import rewrite_follow_up
from lunagpt.chat.grounding.gate import Gate
from lunagpt.chat.grounding.hostile import as_evidence
from lunagpt.chat.grounding.questions import asks_who_or_what
from lunagpt.chat.grounding.refusal import Searched, preface, refusal_text, stands_on_passages, unsourced_text
from lunagpt.chat.grounding.router import Intent, asks_for_a_fact, intent_of
from lunagpt.chat.report import ChatReport
from lunagpt.chat.safety import crisis_reply
from lunagpt.chat.search import Source
from lunagpt.conditions import Condition
from lunagpt.data.grounding_format import format_evidence
from lunagpt.engines import AnswerStream, ConditionedEngine, Engine, Message
from lunagpt.errors import GenerationError
from lunagpt.generation import SamplingParams, Thought
from lunagpt.reading import load_reader

logger = logging.getLogger("lunagpt.chat")

# Said when the model ends its turn without a word.
NOTHING_TO_SAY = "Não consegui formular uma resposta. Pode perguntar de outro jeito?"

# An article of the encyclopaedia is taken for an answer from this relevance and certainty on: chosen on 200
# questions used for fitting (0.6 answers 111, 82 of them rightly; 0.5: 126 and 89; 0.7: 89 and 71). On held-
# out questions fewer are right, see benchmarks/results/grounded.md.
_LEAST_RELEVANCE = 0.3
_LEAST_CERTAINTY = 0.6
# Asked who or what the very title of an article is, most of its sentences are a fair answer.
_TITLE_ASKED, _LEAST_TITLE_CERTAINTY = 0.99, 0.42
# Where the caller's own search engine has already judged the passages: by the words alone, and after reading.
_TRUSTED_CERTAINTY, _TRUSTED_READ_CERTAINTY = 0.35, 0.15
_CHARACTERS_PER_TOKEN = 4  # of Portuguese, on the cautious side for the Luna tokenizer
# A personal message is answered from documents only if the quotation is this certain; else it is talk.
_PERSONAL_CERTAINTY = 0.6


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


def retrieve(turn: Turn) -> Turn:
    """Searches the sources one after the other, up to the first that has an answer.

    Talk is not looked up. Documents are the user's own: if nothing has the answer, it is a refusal, unless
    the message was personal. The encyclopaedia is only used if it has the answer; else the model speaks,
    unless it is a small one that would have to invent a fact.
    """
    if turn.intent is Intent.TALK:
        return turn
    for source in turn.sources:
        if source.built_in and turn.intent is Intent.PERSONAL:
            continue
        found = source.search(turn.query)
        turn.searched.append(Searched(source.place, source.documents, found, source.built_in))
        logger.debug("[buscar] %d trechos %s", len(found), source.place)
        if found and _has_answer(turn, source, found):
            turn.passages = found
            break
        others = source.search_other_words(turn.query)
        if _adds(others, found) and _has_answer(turn, source, others):
            turn.passages = others
            break
    if turn.intent is Intent.PERSONAL and not turn.passages:
        turn.searched.clear()
    turn.report.query = turn.query if turn.searched else None
    turn.report.passages = tuple(turn.passages or (turn.searched[0].passages if turn.searched else ()))
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


def _adds(more: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a search brings a passage that another one has not."""
    known = {str(passage["content"]) for passage in found}
    return any(str(passage["content"]) not in known for passage in more)


def _has_answer(turn: Turn, source: Source, found: list[Mapping[str, Any]]) -> bool:
    """Whether passages are worth answering from; keeps the quotation that shows it, its passage first."""
    if source.built_in and float(found[0].get("score") or 0.0) < _LEAST_RELEVANCE:
        return False
    # In the encyclopaedia the reader does no better than the rules made for it, at ten times the cost.
    reader = load_reader() if turn.use_reader and not source.built_in else None
    threshold = None
    if source.trusted:
        threshold = _TRUSTED_CERTAINTY if reader is None else _TRUSTED_READ_CERTAINTY
    if source.built_in:
        exact = float(found[0].get("score") or 0.0) >= _TITLE_ASKED and asks_who_or_what(turn.query)
        threshold = _LEAST_TITLE_CERTAINTY if exact else _LEAST_CERTAINTY
    if turn.intent is Intent.PERSONAL:
        threshold = _PERSONAL_CERTAINTY
    turn.quotation = extractive_answer(turn.query, found, threshold=threshold, reader=reader)
    if turn.quotation is not None:
        best = turn.quotation.citations[0].number - 1
        found.insert(0, found.pop(best))
        turn.quotation = renumbered(turn.quotation)
    return turn.quotation is not None or (
        turn.model_reads_passages and not source.built_in and turn.intent is Intent.QUESTION
    )


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
    title, content = str(passage.get("title") or ""), str(passage["content"])
    repeated = content.lstrip("# ").startswith(title.rstrip("…")) if title else False
    return {"title": "" if repeated else as_evidence(title), "content": as_evidence(content)}


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
