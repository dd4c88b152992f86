"""From pairs of texts to the tokens whose probability is wanted: what every language model does before and
after it computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.language_models import LogLikelihood


@dataclass(slots=True)
class ScoringJob:
    """Tokens to score: `target` is predicted after `prefix`; `pair` says to which pair the sum belongs."""

    pair: int
    prefix: list[int]
    target: list[int]


@dataclass(slots=True)
class Sums:
    """What was found out about one pair so far."""

    nats: float = 0.0
    tokens: int = 0
    greedy: bool = True

    def add(self, nats: float, tokens: int, greedy: bool) -> None:
        self.nats += nats
        self.tokens += tokens
        self.greedy = self.greedy and greedy


@dataclass(slots=True)
class ScoringPlan:
    """The jobs of several pairs, and where their results are summed up."""

    jobs: list[ScoringJob] = field(default_factory=list)
    num_bytes: list[int] = field(default_factory=list)

    def results(self, sums: Sequence[Sums]) -> list[LogLikelihood]:
        return [
            LogLikelihood(entry.nats, entry.tokens, count, entry.greedy)
            for entry, count in zip(sums, self.num_bytes, strict=True)
        ]


def split_pair(context: str, continuation: str) -> tuple[str, str]:
    """Moves white space from the end of the context to the beginning of the continuation.

    Raises:
        EvaluationError: there is nothing to score.
    """
    if not continuation:
        raise EvaluationError("Não há texto para medir: a continuação está vazia.")
    kept = context.rstrip()
    return kept, context[len(kept) :] + continuation


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences share from their beginning."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length


def windows(prefix: list[int], target: list[int], size: int) -> Iterator[tuple[list[int], list[int]]]:
    """Cuts (prefix, target) into pieces of at most `size` tokens each, together covering the target once.

    One piece if it fits after the prefix is cut on the left; else pieces of half a window, each after the
    half window that precedes it.

    Args:
        prefix: at least one token.
    """
    if len(target) < size:
        yield prefix[-(size - len(target)) :], target
        return
    half = size // 2
    everything = prefix + target
    for start in range(len(prefix), len(everything), half):
        yield everything[max(0, start - half) : start], everything[start : start + half]
