"""The learning-rate schedule."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.training.schedule import Schedule

schedules = st.builds(
    Schedule,
    kind=st.sampled_from(["wsd", "cosine", "linear", "constant"]),
    warmup_steps=st.integers(0, 50),
    max_steps=st.integers(60, 500),
    decay_steps=st.integers(0, 400),
    decay_shape=st.sampled_from(["linear", "sqrt"]),
    min_ratio=st.floats(0, 1),
)


@given(schedules)
def test_rises_then_never_rises_again(schedule: Schedule) -> None:
    factors = [schedule.multiplier(step) for step in range(schedule.max_steps or 0)]
    assert all(0 < factor <= 1 for factor in factors)
    rest = factors[schedule.warmup_steps :]
    assert all(after <= before + 1e-12 for before, after in pairwise(rest))


@given(schedules)
def test_ends_at_the_floor(schedule: Schedule) -> None:
    last = schedule.multiplier(schedule.max_steps or 0)
    decays = schedule.kind in ("cosine", "linear") or (schedule.kind == "wsd" and schedule.decay_steps > 0)
    assert last == pytest.approx(schedule.min_ratio if decays else 1.0)


def test_wsd_by_hand() -> None:
    schedule = Schedule("wsd", warmup_steps=4, max_steps=20, decay_steps=10, min_ratio=0.2)
    assert [schedule.multiplier(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert schedule.decay_start == 10
    assert schedule.multiplier(10) == 1.0
    assert schedule.multiplier(15) == pytest.approx(0.6)
    assert schedule.multiplier(99) == pytest.approx(0.2)
    root = Schedule("wsd", max_steps=20, decay_steps=10, decay_shape="sqrt")
    assert root.multiplier(15) == pytest.approx(1 - math.sqrt(0.5))


@given(st.integers(100, 1000), st.integers(1, 400), st.integers(0, 80))
def test_a_later_end_changes_nothing_before_the_first_decay(end: int, more: int, decay: int) -> None:
    short = Schedule("wsd", warmup_steps=10, max_steps=end, decay_steps=decay)
    long = Schedule("wsd", warmup_steps=10, max_steps=end + more, decay_steps=decay)
    assert all(short.multiplier(step) == long.multiplier(step) for step in range(end - decay))


def test_without_an_end_the_rate_stays() -> None:
    for kind in ("wsd", "cosine", "linear"):
        assert Schedule(kind, warmup_steps=2).multiplier(10**6) == 1.0
