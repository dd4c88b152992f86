"""LunaModel as an engine: answers in this process and remembers the conversation it has just read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lunagpt.engines.base import AnswerReport, AnswerStream, Message
from lunagpt.engines.context_window import FittedPrompt, fit_prompt
from lunagpt.generation import LoopGuard, SamplingParams, TextStreamer

if TYPE_CHECKING:
    from torch import Tensor

    from lunagpt.config import LunaConfig
    from lunagpt.generation import Decoding
    from lunagpt.models import LunaModel
    from lunagpt.models.decoding_state import DecodingState

# The answer may always use this part of the window; with `max_new_tokens` below it, the prompt gets the
# difference.
_ANSWER_SHARE = 4


@dataclass(slots=True)
class _Snapshot:
    """A decoding state, the tokens it has read, and the scores (V,) of the token after them."""

    ids: list[int]
    state: DecodingState
    logits: Tensor


class LunaEngine:
    """Answers with a `LunaModel`.

    The state of the last conversation is kept, so that its next turn reads only what is new. A recurrent
    state cannot go back, therefore two states are kept: the one after the answer, and a copy at the boundary
    before it, which serves if the answer's text is encoded differently from the tokens it was made of, is
    shortened, or is asked for again. The prompt is always the plain encoding of the dialogue: reuse changes
    the time, never the prompt.

    One engine may be shared by several conversations and threads: whoever is answering takes the kept states
    away, so others then read their dialogue from its start.
    """

    def __init__(self, model: LunaModel, *, config: LunaConfig | None = None) -> None:
        """
        Args:
            model: the model; its tokenizer encodes the dialogue.
            config: the user's settings; a `tokenizer.max_length` set in them makes the context window
                smaller.
        """
        self.model = model
        self.tokenizer = model.tokenizer
        self.context_window = model.config.model.max_position_embeddings
        if config is not None and "max_length" in config.tokenizer.model_fields_set:
            self.context_window = min(self.context_window, config.tokenizer.max_length)
        self._banned = _unspeakable_tokens(model)
        self._kept: tuple[_Snapshot, ...] = ()
        self._taking = threading.Lock()

    @property
    def name(self) -> str:
        return self.model.config.model.name

    def forget(self) -> None:
        """Frees the memory of the last conversation."""
        self._kept = ()

    def stream(
        self,
        messages: Sequence[Message],
        params: SamplingParams,
        *,
        cancel: threading.Event | None = None,
    ) -> AnswerStream:
        """See `Engine.stream`. The answer also ends when it goes round in circles (see `LoopGuard`).

        Args:
            params: the tokens that end a turn and the control tokens that may not be spoken are added here.

        Raises:
            GenerationError: there is no message, or a system message leaves no room for the question.
        """
        reserve = min(params.max_new_tokens, self.context_window // _ANSWER_SHARE)
        prompt = fit_prompt(self.tokenizer, messages, self.context_window - reserve)
        params = replace(
            params,
            max_new_tokens=min(params.max_new_tokens, self.context_window - len(prompt.ids)),
            stop_token_ids=(*params.stop_token_ids, self.tokenizer.end_token_id),
            banned_token_ids=(*params.banned_token_ids, *self._banned),
        )
        report = AnswerReport(
            prompt_tokens=len(prompt.ids),
            dropped_messages=prompt.dropped_messages,
            skipped_tokens=prompt.skipped_tokens,
        )
        return AnswerStream(self._pieces(prompt, params, cancel, report), report)

    def _pieces(
        self,
        prompt: FittedPrompt,
        params: SamplingParams,
        cancel: threading.Event | None,
        report: AnswerReport,
    ) -> Iterator[str]:
        from lunagpt.generation import Decoding

        known = self._take(prompt.ids)
        known_ids = [] if known is None else known.ids
        report.reused_tokens = len(known_ids)
        decoding = Decoding(
            self.model,
            prompt.ids[len(known_ids) :],
            params,
            state=None if known is None else known.state,
            logits=None if known is None else known.logits,
            cancel=cancel,
        )
        boundary: tuple[_Snapshot, ...] = ()

        def keep() -> None:
            if decoding.logits is not None:
                after = _Snapshot([*known_ids, *decoding.read_ids], decoding.state, decoding.logits)
                self._kept = (after, *boundary)

        try:
            if decoding.read_prompt():
                assert decoding.logits is not None
                boundary = (_Snapshot(prompt.ids, decoding.state.clone(), decoding.logits),)
                yield from self._answer(decoding, report)
        except GeneratorExit:  # the reader went away between two tokens
            report.finish_reason = "cancelled"
            keep()
            raise
        report.finish_reason = report.finish_reason or decoding.finish_reason
        keep()

    def _answer(self, decoding: Decoding, report: AnswerReport) -> Iterator[str]:
        streamer = TextStreamer(self.tokenizer)
        guard = LoopGuard()
        for token in decoding:
            report.completion_tokens += 1
            if piece := streamer.put(token):
                yield piece
            if guard.push(token):
                report.finish_reason = "loop"
                break
        # An answer that stops inside a character ends before it.
        if rest := streamer.finish().rstrip("\ufffd"):
            yield rest

    def _take(self, ids: list[int]) -> _Snapshot | None:
        """The kept state that has read the longest beginning of `ids`, taken out of the engine."""
        with self._taking:
            kept, self._kept = self._kept, ()
        fitting = [snapshot for snapshot in kept if snapshot.ids == ids[: len(snapshot.ids)]]
        return max(fitting, key=lambda snapshot: len(snapshot.ids), default=None)


def _unspeakable_tokens(model: LunaModel) -> tuple[int, ...]:
    """Ids that may not appear in an answer: control tokens but the end, and ids unknown to the tokenizer."""
    tokenizer = model.tokenizer
    control = set(tokenizer.special_token_ids) - {tokenizer.end_token_id}
    return (*sorted(control), *range(tokenizer.vocab_size, model.config.model.vocab_size))
