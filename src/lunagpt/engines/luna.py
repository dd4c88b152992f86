"""LunaModel as an engine: answers in this process and remembers the conversation it has just read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lunagpt.conditions import Condition
from lunagpt.engines.base import AnswerReport, AnswerStream, Message
from lunagpt.engines.context_window import FittedPrompt, fit_prompt
from lunagpt.generation import LoopGuard, SamplingParams, TextStreamer, Thought, settle_thinking

if TYPE_CHECKING:
    from torch import Tensor

    from lunagpt.config import LunaConfig
    from lunagpt.generation import Reply
    from lunagpt.models import LunaModel
    from lunagpt.models.decoding_state import DecodingState

# The answer may always use this part of the window, and the thinking before it another; with
# `max_new_tokens` and `max_thinking_tokens` below it, the prompt gets the difference.
_ANSWER_SHARE = 4
# <|thinking|> and the <|end|> of the thinking.
_AROUND_THINKING = 2


@dataclass(slots=True)
class _Snapshot:
    """A decoding state, the tokens it has read under which condition, and the scores (V,) of the token after
    them."""

    ids: list[int]
    condition: Condition | None
    state: DecodingState
    logits: Tensor


class LunaEngine:
    """Answers with a `LunaModel`.

    The state of the last conversation is kept, so that its next turn reads only what is new. A recurrent
    state cannot go back, therefore two states are kept: the one after the answer, and a copy at the boundary
    before the reply, which serves if the text of the reply is encoded differently from the tokens it was made
    of, is shortened, loses its thinking, or is asked for again. The prompt is always the plain encoding of
    the dialogue, with the thinking of earlier answers as thinking: reuse changes the time, never the prompt.

    One engine may be shared by several conversations and threads: whoever is answering takes the kept states
    away, so others then read their dialogue from its start.

    A model with a hypernetwork speaks under the condition of each conversation: its style, its domain and its
    system prompt. What was read under another condition is read anew.
    """

    def __init__(
        self, model: LunaModel, *, config: LunaConfig | None = None, merge_conditions: bool = False
    ) -> None:
        """
        Args:
            model: the model; its tokenizer encodes the dialogue.
            config: the user's settings; a `tokenizer.max_length` set in them makes the context window
                smaller.
            merge_conditions: speak with weights into which the condition is merged, instead of computing its
                changes at every token: faster for a single conversation, at the price of a second copy of
                the weights that change (the last one is kept; `forget` frees it).
        """
        self.model = model
        self.tokenizer = model.tokenizer
        self.context_window = model.config.model.max_position_embeddings
        if config is not None and "max_length" in config.tokenizer.model_fields_set:
            self.context_window = min(self.context_window, config.tokenizer.max_length)
        self._banned = model.unspeakable_token_ids
        self._kept: tuple[_Snapshot, ...] = ()
        self._merge_conditions = merge_conditions
        self._merged: tuple[Condition, LunaModel] | None = None
        self._switches = model.switches
        self._taking = threading.Lock()

    @property
    def name(self) -> str:
        return self.model.config.model.name

    @property
    def takes_conditions(self) -> bool:
        """Whether the model has a hypernetwork, which turns a condition into another way of speaking."""
        return self.model.hypernet is not None and self.model.hypernet.enabled

    def forget(self) -> None:
        """Frees the memory of the last conversation."""
        self._kept = ()
        self._merged = None

    def stream(
        self,
        messages: Sequence[Message],
        params: SamplingParams,
        *,
        cancel: threading.Event | None = None,
        condition: Condition | None = None,
    ) -> AnswerStream:
        """See `Engine.stream`. The answer also ends when it goes round in circles (see `LoopGuard`).

        Args:
            params: the tokens that end a turn and the control tokens that may not be spoken are added here.
            condition: the system message of the dialogue is added here, and the domain found out if it is
                "auto".

        Raises:
            GenerationError: there is no message, a system message leaves no room for the question, or a
                condition is given to a model without a hypernetwork.
        """
        from lunagpt.models.conditioned import resolved

        params = settle_thinking(params, self.model)
        share = self.context_window // _ANSWER_SHARE
        budget = max(1, min(params.max_thinking_tokens, share))
        thinking = 0 if params.thinking == "off" else budget + _AROUND_THINKING
        reserve = min(params.max_new_tokens, share)
        prompt = fit_prompt(self.tokenizer, messages, self.context_window - thinking - reserve)
        params = replace(
            params,
            max_new_tokens=min(params.max_new_tokens, self.context_window - len(prompt.ids) - thinking),
            max_thinking_tokens=budget,
            stop_token_ids=(*params.stop_token_ids, self.tokenizer.end_token_id),
            banned_token_ids=(*params.banned_token_ids, *self._banned),
        )
        report = AnswerReport(
            prompt_tokens=len(prompt.ids),
            dropped_messages=prompt.dropped_messages,
            skipped_tokens=prompt.skipped_tokens,
        )
        condition = resolved(self.model, condition, *(_first(messages, role) for role in ("system", "user")))
        return AnswerStream(self._pieces(prompt, params, condition, cancel, report), report)

    def _pieces(
        self,
        prompt: FittedPrompt,
        params: SamplingParams,
        condition: Condition | None,
        cancel: threading.Event | None,
        report: AnswerReport,
    ) -> Iterator[str | Thought]:
        from lunagpt.generation import Reply, before_reply

        if self._switches != self.model.switches:  # what was read before was read by another model
            self.forget()
            self._switches = self.model.switches
        prompt_ids = before_reply(prompt.ids, params)
        known = self._take(prompt_ids, condition)
        model, state = self._speaker(condition)
        known_ids = [] if known is None else known.ids
        report.reused_tokens = len(known_ids)
        reply = Reply(
            model,
            prompt_ids[len(known_ids) :],
            params,
            state=state if known is None else known.state,
            logits=None if known is None else known.logits,
            cancel=cancel,
        )
        boundary: tuple[_Snapshot, ...] = ()

        def keep() -> None:
            if reply.logits is not None:
                read = [*known_ids, *reply.read_ids]
                after = _Snapshot(read, condition, reply.state, reply.logits)
                self._kept = (after, *boundary)

        try:
            if reply.read_prompt():
                assert reply.logits is not None
                boundary = (_Snapshot(prompt_ids, condition, reply.state.clone(), reply.logits),)
                yield from self._segments(reply, report)
        except GeneratorExit:  # the reader went away between two tokens
            report.finish_reason = "cancelled"
            keep()
            raise
        report.finish_reason = report.finish_reason or reply.finish_reason
        keep()

    def _segments(self, reply: Reply, report: AnswerReport) -> Iterator[str | Thought]:
        """The text of the thinking and of the answer; each has a streamer and a loop guard of its own."""
        for kind, tokens in reply.segments():
            thinking = kind == "thinking"
            streamer = TextStreamer(self.tokenizer)
            guard = LoopGuard()
            looped = False
            for token in tokens:
                if thinking:
                    report.thinking_tokens += 1
                else:
                    report.completion_tokens += 1
                if piece := streamer.put(token):
                    yield _typed(piece, thinking, report)
                if looped := guard.push(token):
                    break
            # A segment that stops inside a character ends before it.
            if rest := streamer.finish().rstrip("\ufffd"):
                yield _typed(rest, thinking, report)
            reason = "loop" if looped else tokens.finish_reason
            if thinking:
                report.thinking_finish_reason = reason
            else:
                report.finish_reason = reason

    def _speaker(self, condition: Condition | None) -> tuple[LunaModel, DecodingState]:
        """The model that speaks under a condition, and an empty state for it."""
        if condition is None or not self._merge_conditions:
            return self.model, self.model.new_state(condition)
        merged = self._merged
        if merged is None or merged[0] != condition:
            from lunagpt.models.conditioned import merged as merge

            self._merged = merged = (condition, merge(self.model, condition))
        return merged[1], merged[1].new_state()

    def _take(self, ids: list[int], condition: Condition | None) -> _Snapshot | None:
        """The kept state that has read the longest beginning of `ids` under the same condition, taken out of
        the engine."""
        with self._taking:
            kept, self._kept = self._kept, ()
        fitting = [
            snapshot
            for snapshot in kept
            if snapshot.condition == condition and snapshot.ids == ids[: len(snapshot.ids)]
        ]
        return max(fitting, key=lambda snapshot: len(snapshot.ids), default=None)


def _typed(piece: str, thinking: bool, report: AnswerReport) -> str | Thought:
    """A piece as it is handed out; what is thought is also kept in the report."""
    if not thinking:
        return piece
    report.thinking += piece
    return Thought(piece)


def _first(messages: Sequence[Message], role: str) -> str | None:
    """The first message of a role."""
    return next((message["content"] for message in messages if message["role"] == role), None)
