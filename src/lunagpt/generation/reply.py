"""One reply as the model writes it: a segment of thinking, if it thinks, and then the answer.

    … <|end|> <|thinking|> 2 + 2 = 4. <|end|> <|assistant|> São 4. <|end|>

The same template as in training (`lunagpt.tokenizer.dialogue`). What opens a segment and what ends a thought
that has used up its budget is put there by the program: the model can no more choose another role than it can
go on thinking for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lunagpt.generation.decoding import Decoding, FinishReason
from lunagpt.generation.sampling import SamplingParams
from lunagpt.generation.thinking import SegmentKind

if TYPE_CHECKING:
    from torch import Tensor

    from lunagpt.models import LunaModel
    from lunagpt.models.decoding_state import DecodingState


class Reply:
    """A reply under way; owns the decoding state.

    Each segment is a `Decoding` of its own: sampling rules that look back (repetition penalty, n-grams) see
    this segment only, each has its own budget (`max_thinking_tokens`, `max_new_tokens`), and each draws from
    `seed` anew.
    """

    def __init__(
        self,
        model: LunaModel,
        prompt_ids: Sequence[int],
        params: SamplingParams,
        *,
        state: DecodingState | None = None,
        logits: Tensor | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        """
        Args:
            model: evaluates tokens; its tokenizer names the control tokens.
            prompt_ids: what `before_reply` gives, or the rest of it that `state` has not read.
            params: `thinking` must be settled (see `settle_thinking`): "auto" here means that the model
                decides, whatever model it is. The other fields serve for both segments.
            state, logits, cancel: as for `Decoding`.

        Raises:
            GenerationError: the prompt is empty.
        """
        self.model = model
        self.params = params
        self._cancel = cancel
        self._read_before: list[int] = []
        self._current = Decoding(model, prompt_ids, params, state=state, logits=logits, cancel=cancel)

    @property
    def state(self) -> DecodingState:
        """Memory of the model: it has read exactly `read_ids`."""
        return self._current.state

    @property
    def logits(self) -> Tensor | None:
        """(V,) scores of the token after `read_ids`; None before anything is read."""
        return self._current.logits

    @property
    def read_ids(self) -> list[int]:
        """Tokens read since the constructor: prompt, thinking, control tokens, answer."""
        return [*self._read_before, *self._current.read_ids]

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the last segment ended; None while it is under way."""
        return self._current.finish_reason

    def read_prompt(self) -> bool:
        """Reads what is left of the prompt; False if cancelled. `segments` does this first if need be."""
        return self._current.read_prompt()

    def segments(self) -> Iterator[tuple[SegmentKind, Decoding]]:
        """The segments in order, each to be iterated for its tokens before the next is asked for.

        Whoever leaves the tokens of the thinking early ends it there, and the answer follows.
        """
        if not self.read_prompt():
            return
        if self.params.thinking == "off":
            yield "answer", self._current
            return
        tokenizer = self.model.tokenizer
        opening = [tokenizer.assistant_token_id]
        if self._thinks():
            budget = replace(self.params, max_new_tokens=self.params.max_thinking_tokens)
            thinking = self._continue([tokenizer.thinking_token_id], budget)
            yield "thinking", thinking
            if thinking.finish_reason == "cancelled":
                return
            opening = [*thinking.unread_ids, tokenizer.end_token_id, *opening]
        yield "answer", self._continue(opening, self.params)

    def _thinks(self) -> bool:
        """Whether there is thinking: as told, else whichever opening token the model finds likelier."""
        if self.params.thinking == "on":
            return True
        assert self.logits is not None
        tokenizer = self.model.tokenizer
        return bool(self.logits[tokenizer.thinking_token_id] > self.logits[tokenizer.assistant_token_id])

    def _continue(self, ids: list[int], params: SamplingParams) -> Decoding:
        self._read_before += self._current.read_ids
        self._current = Decoding(self.model, ids, params, state=self._current.state, cancel=self._cancel)
        return self._current


def before_reply(prompt_ids: list[int], params: SamplingParams) -> list[int]:
    """What is read before the first choice: a prompt that ends with ``<|assistant|>``, without that token if
    there may be thinking first."""
    return prompt_ids if params.thinking == "off" else prompt_ids[:-1]
