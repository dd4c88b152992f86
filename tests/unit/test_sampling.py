"""Choosing the next token: against a slow reference, against counted frequencies, and at the edges."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.errors import GenerationError
from lunagpt.generation import SamplingParams, sample

PLAIN = SamplingParams(temperature=1.0, top_p=1.0, top_k=0, repetition_penalty=1.0)


def distribution(logits: list[float], params: SamplingParams, recent: list[int]) -> dict[int, float]:
    """What `sample` should draw from, written without tensors: token -> probability."""
    scores = list(logits)
    window = recent[-params.repetition_window :] if params.repetition_window else []
    for token in set(window) - set(params.stop_token_ids):
        factor = params.repetition_penalty
        scores[token] = scores[token] / factor if scores[token] > 0 else scores[token] * factor
    n = params.no_repeat_ngram_size
    for start in range(len(recent) - n + 1 if n else 0):
        if n == 1 or recent[start : start + n - 1] == recent[len(recent) - n + 1 :]:
            scores[recent[start + n - 1]] = -math.inf
    for token in params.banned_token_ids:
        scores[token] = -math.inf
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    if params.temperature == 0:
        return {order[0]: 1.0}
    order = order[: params.top_k or None]
    weights = [math.exp((scores[i] - scores[order[0]]) / params.temperature) for i in order]
    shares = [w / sum(weights) for w in weights]
    kept, mass = [], 0.0
    for token, share in zip(order, shares, strict=True):
        if mass >= params.top_p or share < params.min_p * shares[0] or share == 0:
            break
        kept.append((token, share))
        mass += share
    return {token: share / sum(s for _, s in kept) for token, share in kept}


@given(
    # distinct, well separated scores: rounding must not decide which token is on which side of a filter
    scores=st.lists(st.integers(-40, 40), min_size=7, max_size=30, unique=True),  # one is never recent
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_k=st.sampled_from([0, 1, 3, 100]),
    top_p=st.sampled_from([0.11, 0.53, 0.97, 1.0]),
    min_p=st.sampled_from([0.0, 0.013, 0.41]),
    penalty=st.sampled_from([1.0, 1.3]),
    ngram=st.sampled_from([0, 1, 2, 3]),
    recent=st.lists(st.integers(0, 5), max_size=12),
    seed=st.integers(0, 10_000),
)
def test_draws_only_what_the_rules_leave(
    scores: list[int],
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    penalty: float,
    ngram: int,
    recent: list[int],
    seed: int,
) -> None:
    logits = [score / 7 + 0.01 for score in scores]
    params = SamplingParams(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=penalty,
        repetition_window=5,
        no_repeat_ngram_size=ngram,
        stop_token_ids=(2,),
        banned_token_ids=(),
    )
    expected = distribution(logits, params, recent)
    if not expected or all(math.isinf(logits[t]) for t in expected):
        return
    tensor = torch.tensor(logits)
    before = tensor.clone()
    token = sample(tensor, params, recent, torch.Generator().manual_seed(seed))
    assert token in expected
    assert torch.equal(tensor, before), "the caller's scores were changed"


@pytest.mark.parametrize(
    "params",
    [
        PLAIN,
        replace(PLAIN, temperature=0.6),
        replace(PLAIN, top_k=3),
        replace(PLAIN, top_p=0.8),
        replace(PLAIN, min_p=0.3),
        replace(PLAIN, repetition_penalty=1.5, temperature=1.5),
    ],
)
def test_frequencies_are_the_probabilities(params: SamplingParams) -> None:
    logits = [1.0, 0.2, -0.5, 1.6, -1.0, 0.7]
    recent = [3, 4]
    expected = distribution(logits, params, recent)
    generator = torch.Generator().manual_seed(1)
    draws = 2000
    counts = [0] * len(logits)
    for _ in range(draws):
        counts[sample(torch.tensor(logits), params, recent, generator)] += 1
    for token, count in enumerate(counts):
        share = expected.get(token, 0.0)
        assert abs(count / draws - share) <= 4 * math.sqrt(share * (1 - share) / draws), token


def test_same_seed_same_choice_and_torch_is_left_alone() -> None:
    logits = torch.zeros(1000)
    state = torch.get_rng_state()
    first, second = (
        [sample(logits, PLAIN, (), generator) for _ in range(20)]
        for generator in (torch.Generator().manual_seed(7), torch.Generator().manual_seed(7))
    )
    assert first == second
    assert len(set(first)) > 10
    assert torch.equal(torch.get_rng_state(), state)


def test_the_penalty_spares_stop_tokens_and_old_tokens() -> None:
    logits = torch.tensor([2.0, 1.9, 1.8])
    greedy = replace(PLAIN, temperature=0.0, repetition_penalty=2.0, repetition_window=2)
    assert sample(logits, greedy, [0]) == 1
    assert sample(logits, replace(greedy, stop_token_ids=(0,)), [0]) == 0
    assert sample(logits, greedy, [0, 2, 2]) == 0


def test_banned_tokens_never_appear() -> None:
    logits = torch.tensor([9.0, 8.0, 0.0, 0.0])
    generator = torch.Generator().manual_seed(0)
    params = replace(PLAIN, banned_token_ids=(0, 1))
    assert {sample(logits, params, (), generator) for _ in range(50)} == {2, 3}
    assert sample(logits, replace(params, temperature=0.0)) in (2, 3)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("logits", [[math.nan, 1.0], [-math.inf, -math.inf]])
def test_scores_that_are_no_numbers_are_refused(logits: list[float], temperature: float) -> None:
    with pytest.raises(GenerationError, match="valores inválidos"):
        sample(torch.tensor(logits), replace(PLAIN, temperature=temperature))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_type(dtype: torch.dtype) -> None:
    assert sample(torch.tensor([0.0, 3.0, 1.0], dtype=dtype), replace(PLAIN, temperature=0.0)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"min_p": 2.0},
        {"repetition_penalty": 0.5},
        {"repetition_window": -1},
        {"no_repeat_ngram_size": -2},
        {"max_new_tokens": 0},
    ],
)
def test_settings_out_of_range_say_which_and_what_fits(wrong: dict[str, float]) -> None:
    with pytest.raises(GenerationError, match=rf"não serve para {next(iter(wrong))}: use um"):
        SamplingParams(**wrong)
