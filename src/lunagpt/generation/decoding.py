"""The decoding loop: reads a prompt in pieces, then one token at a time, with the state carried along.

Letters: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from lunagpt.errors import GenerationError
from lunagpt.generation.sampling import SamplingParams, sample

if TYPE_CHECKING:
    from lunagpt.conditions import Condition
    from lunagpt.models import LunaModel
    from lunagpt.models.decoding_state import DecodingState

# Long enough to keep the matrix products busy, short enough to answer a cancel within a fraction of a second
# on a CPU.
PREFILL_PIECE = 256

FinishReason = Literal["stop", "length", "cancelled"]


class Decoding:
    """One answer under way: an iterator over its tokens that owns the decoding state.

    Iterating reads the prompt, then yields each chosen token; the stop token is not yielded. Between two
    tokens everything is consistent: `state` has read exactly `read_ids`.

    Attributes:
        state: memory of the model; the state given to the constructor is taken over and must not be used
            elsewhere.
        read_ids: tokens that `state` has read since the constructor (prompt and answer).
        answer_ids: tokens chosen so far, without the stop token.
        logits: (V,) scores of the token after `read_ids`, float32 on the CPU; None before the prompt is read.
        finish_reason: "stop" (a stop token), "length" (`max_new_tokens`), "cancelled", or None while under
            way.
    """

    def __init__(
        self,
        model: LunaModel,
        input_ids: Sequence[int],
        params: SamplingParams,
        *,
        state: DecodingState | None = None,
        logits: Tensor | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        """
        Args:
            model: evaluates tokens.
            input_ids: prompt, or the rest of it that `state` has not read. May be empty only with `logits`.
            params: how tokens are chosen and when the answer ends.
            state: memory of what came before `input_ids`; None starts afresh.
            logits: (V,) scores that belong to `state`, needed if there is nothing left to read.
            cancel: when set, the answer ends before the next token or piece of prompt.

        Raises:
            GenerationError: the prompt is empty.
        """
        if not input_ids and logits is None:
            raise GenerationError(
                "O texto de entrada está vazio: escreva alguma coisa para o modelo continuar."
            )
        self.model = model
        self.params = params
        self.state = model.new_state() if state is None else state
        self.logits = logits
        self.read_ids: list[int] = []
        self.answer_ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self._unread = list(input_ids)
        self._prompt_length = len(input_ids)
        self._cancel = cancel
        self._generator = new_generator(params.seed)

    def read_prompt(self) -> bool:
        """Reads what is left of the prompt; False if cancelled. Iterating does this first if need be."""
        while self._unread:
            if self._cancelled():
                return False
            piece, self._unread = self._unread[:PREFILL_PIECE], self._unread[PREFILL_PIECE:]
            self._read(piece)
        return not self._cancelled()

    @property
    def unread_ids(self) -> list[int]:
        """Tokens given or chosen that `state` has not read: those of the prompt, else the last one chosen."""
        answered = max(0, len(self.read_ids) - self._prompt_length)
        return [*self._unread, *self.answer_ids[answered:]]

    def __iter__(self) -> Iterator[int]:
        if not self.read_prompt():
            return
        while True:
            assert self.logits is not None
            token = sample(self.logits, self.params, self.answer_ids, self._generator)
            if token in self.params.stop_token_ids:
                self.finish_reason = "stop"
                return
            self.answer_ids.append(token)
            last = len(self.answer_ids) >= self.params.max_new_tokens
            if last:
                self.finish_reason = "length"
            yield token
            if last or self._cancelled():
                return
            self._read([token])

    def _read(self, ids: list[int]) -> None:
        with torch.inference_mode():
            batch = torch.tensor([ids], device=self.model.device)
            output = self.model(batch, state=self.state, logits_to_keep=1)
            self.state = output.state
            self.logits = output.logits[0, -1].float().cpu()
        self.read_ids += ids

    def _cancelled(self) -> bool:
        if self._cancel is not None and self._cancel.is_set():
            self.finish_reason = "cancelled"
            return True
        return False


def generate_tokens(
    model: LunaModel,
    input_ids: Sequence[int],
    params: SamplingParams,
    state: DecodingState | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[int]:
    """Yields the tokens of one answer to one prompt, without the stop token; arguments as in `Decoding`."""
    return iter(Decoding(model, input_ids, params, state=state, cancel=cancel))


def prefill(
    model: LunaModel,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    state: DecodingState | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Tensor | None:
    """Reads prompts of any length in pieces, each with all that came before in the state.

    The result is that of reading them at once, but beside the state only one piece needs memory: what a
    prompt of T tokens costs is its attention cache, and in layers with a sliding window not even that grows.

    Args:
        input_ids: (B, T), T > 0. attention_mask: (B, T), 0 at padding on the left, or None.
        state: receives what is read; None reads from the start and keeps nothing.
        stopped: asked before each piece; reading ends when it says True.

    Returns:
        (B, 1, V) scores of the token after the prompt, float32; None if stopped.
    """
    state = model.new_state() if state is None else state
    logits = None
    for start in range(0, input_ids.shape[1], PREFILL_PIECE):
        if stopped():
            return None
        piece = slice(start, start + PREFILL_PIECE)
        mask = None if attention_mask is None else attention_mask[:, piece]
        logits = model(input_ids[:, piece], attention_mask=mask, state=state, logits_to_keep=1).logits
    return logits


def generate_batch(
    model: LunaModel,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    params: SamplingParams,
    *,
    pad_token_id: int = 0,
    cancel: threading.Event | None = None,
    on_step: Callable[[list[int | None]], None] | None = None,
    condition: Condition | Sequence[Condition | None] | None = None,
) -> Tensor:
    """Continues several prompts at once.

    Args:
        model: evaluates tokens.
        input_ids: (B, T) prompts; shorter ones are padded on the left.
        attention_mask: (B, T) 1 for real tokens, 0 for padding; None means no padding.
        params: the same rules for all rows; row b draws from seed `params.seed + b`.
        pad_token_id: fills a row after its stop token.
        cancel: when set, returns what there is.
        on_step: called after each step with the chosen token of every row, None for rows that have ended.
        condition: style, domain and system prompt of all rows or of each; needs a model with a hypernetwork.

    Returns:
        (B, T + new) prompts followed by the answers, each with its stop token; new <= max_new_tokens.

    Raises:
        GenerationError: a prompt is empty or padded on the right.
    """
    batch, time = input_ids.shape
    if time == 0 or batch == 0:
        raise GenerationError("O texto de entrada está vazio: escreva alguma coisa para o modelo continuar.")
    if attention_mask is not None:
        if not bool(attention_mask[:, -1].all()):
            raise GenerationError(
                "Há preenchimento à direita ou um texto vazio no lote: "
                "preencha os textos mais curtos à esquerda."
            )
        if bool(attention_mask.all()):
            attention_mask = None
    seeds = [None if params.seed is None else params.seed + row for row in range(batch)]
    generators = [new_generator(seed) for seed in seeds]
    answers: list[list[int]] = [[] for _ in range(batch)]
    ended = [False] * batch
    columns: list[Tensor] = []

    def stopped() -> bool:
        return cancel is not None and cancel.is_set()

    with torch.inference_mode():
        state = model.new_state(condition)
        logits = prefill(model, input_ids, attention_mask, state, stopped)
        if logits is None:
            return input_ids.clone()
        while True:
            scores = logits[:, -1].float().cpu()
            step: list[int | None] = [None] * batch
            for row in range(batch):
                if ended[row]:
                    continue
                token = sample(scores[row], params, answers[row], generators[row])
                answers[row].append(token)
                step[row] = token
                ended[row] = token in params.stop_token_ids
            tokens = [pad_token_id if token is None else token for token in step]
            columns.append(torch.tensor(tokens, dtype=input_ids.dtype, device=input_ids.device))
            if on_step is not None:
                on_step(step)
            if all(ended) or len(columns) >= params.max_new_tokens or stopped():
                break
            logits = model(columns[-1][:, None], state=state, logits_to_keep=1).logits
    # cloned outside inference mode: callers may use the result in training code
    return torch.cat([input_ids, torch.stack(columns, dim=1)], dim=1).clone()


def new_generator(seed: int | None) -> torch.Generator:
    """A source of chance of its own, so that an answer neither disturbs nor follows torch's global one."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed % 2**63)
    return generator
