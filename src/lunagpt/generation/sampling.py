"""From the scores of the next token to one token: the only place where chance enters an answer.

Letter: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from lunagpt.errors import GenerationError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ThinkingMode = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen and when an answer ends.

    Attributes:
        temperature: divides the logits; 0 always takes the best token (greedy) and ignores the filters below.
        top_p: keep the smallest set of best tokens whose probability reaches `top_p` (nucleus sampling,
            Holtzman et al. 2019, arXiv 1904.09751); 1 keeps all. Measured on what `top_k` left.
        top_k: keep the `top_k` best tokens; 0 keeps all.
        min_p: keep tokens with at least `min_p` times the probability of the best (arXiv 2407.01082); 0 keeps
            all.
        repetition_penalty: divides positive logits and multiplies negative ones of tokens that the answer has
            used recently (CTRL, arXiv 1909.05858); 1 is off. Stop tokens are never penalised.
        repetition_window: how many of the answer's last tokens count as recent.
        no_repeat_ngram_size: a token that would repeat an n-gram of this size within the answer is forbidden;
            0 is off.
        max_new_tokens: longest answer in tokens; thinking is not counted.
        thinking: whether a reply begins with thinking: "on", "off", or "auto", as the model decides if it was
            trained to (`model.decides_to_think`), else not.
        max_thinking_tokens: longest thinking in tokens; then it is closed and the answer follows.
        stop_token_ids: tokens that end the answer.
        banned_token_ids: tokens that are never chosen.
        seed: makes the choices repeatable; None draws a new one each time.

    The defaults are those of luna-nano, whose second-best token is seldom good and whose short answers a
    repetition penalty turns away from what it knows (docs/LOG.md). Larger models bear 0.7 and 1.1.

    Raises:
        GenerationError: a value is outside its range.
    """

    temperature: float = 0.2
    top_p: float = 0.9
    top_k: int = 40
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    repetition_window: int = 64
    no_repeat_ngram_size: int = 0
    max_new_tokens: int = 512
    thinking: ThinkingMode = "auto"
    max_thinking_tokens: int = 256
    stop_token_ids: tuple[int, ...] = ()
    banned_token_ids: tuple[int, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        # Comparisons are written so that NaN fails them.
        for name, holds, allowed in (
            ("temperature", 0 <= self.temperature <= 10, "um número de 0 a 10"),
            ("top_p", 0 < self.top_p <= 1, "um número maior que 0 e até 1"),
            ("top_k", self.top_k >= 0, "um inteiro a partir de 0"),
            ("min_p", 0 <= self.min_p <= 1, "um número de 0 a 1"),
            ("repetition_penalty", 1 <= self.repetition_penalty <= 10, "um número de 1 a 10"),
            ("repetition_window", self.repetition_window >= 0, "um inteiro a partir de 0"),
            ("no_repeat_ngram_size", self.no_repeat_ngram_size >= 0, "um inteiro a partir de 0"),
            ("max_new_tokens", self.max_new_tokens >= 1, "um inteiro a partir de 1"),
            ("thinking", self.thinking in get_args(ThinkingMode), '"auto", "on" ou "off"'),
            ("max_thinking_tokens", self.max_thinking_tokens >= 1, "um inteiro a partir de 1"),
        ):
            if not holds:
                raise GenerationError(f"O valor {getattr(self, name)} não serve para {name}: use {allowed}.")


def sample(
    logits: Tensor,
    params: SamplingParams,
    recent_ids: Sequence[int] = (),
    generator: torch.Generator | None = None,
) -> int:
    """Chooses the next token. `logits` is left as it was.

    Args:
        logits: (V,) scores of the next token, any float type.
        params: the rules; `max_new_tokens`, `stop_token_ids` (save for the penalty) and `seed` belong to the
            caller.
        recent_ids: the tokens of this answer so far; the prompt is not counted, so that an answer may
            quote it freely.
        generator: source of chance on the device of `logits`; None uses torch's global one.

    Raises:
        GenerationError: the scores are not numbers, or every token is banned.
    """
    import torch

    scores = logits.to(torch.float32, copy=True)
    if params.repetition_penalty != 1 and params.repetition_window:
        penalised = set(recent_ids[-params.repetition_window :]).difference(params.stop_token_ids)
        if penalised:
            index = torch.tensor(list(penalised), device=scores.device)
            used = scores[index]
            scores[index] = torch.where(
                used > 0, used / params.repetition_penalty, used * params.repetition_penalty
            )
    banned = [*params.banned_token_ids, *_ngram_endings(recent_ids, params.no_repeat_ngram_size)]
    if banned:
        scores[torch.tensor(banned, device=scores.device)] = float("-inf")

    greedy = params.temperature == 0
    kept = 1 if greedy else min(params.top_k or scores.shape[0], scores.shape[0])
    values, ids = scores.topk(kept)  # sorted, best first: every filter below keeps a beginning of this list
    if not torch.isfinite(values[0]):
        raise GenerationError(
            "O modelo não deu nenhuma palavra possível (valores inválidos). "
            'Confira os arquivos do modelo com "luna info".'
        )
    if greedy:
        return int(ids[0])
    probabilities = torch.softmax(values / params.temperature, dim=0)
    if params.top_p < 1:
        mass_before = probabilities.cumsum(0) - probabilities
        kept = int((mass_before < params.top_p).sum())
    if params.min_p > 0:
        kept = min(kept, int((probabilities >= params.min_p * probabilities[0]).sum()))
    return int(ids[torch.multinomial(probabilities[:kept], 1, generator=generator)])


def _ngram_endings(ids: Sequence[int], size: int) -> set[int]:
    """Tokens that would complete an n-gram of `size` tokens that `ids` already holds."""
    if size == 0 or len(ids) < size:
        return set()
    if size == 1:
        return set(ids)
    start = list(ids[-(size - 1) :])
    return {ids[i + size - 1] for i in range(len(ids) - size + 1) if list(ids[i : i + size - 1]) == start}
