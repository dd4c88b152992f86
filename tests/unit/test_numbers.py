"""Numbers and lists as Portuguese readers write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.reporting import numbers
from lunagpt.reporting.wording import listing, shortened


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (1234567.891, 2, "1.234.567,89"),
        (0.5, 3, "0,500"),
        (-1234.5, 1, "−1.234,5"),
        (-0.04, 1, "0,0"),
        (999.96, 1, "1.000,0"),
        (math.nan, 2, "–"),
        (-math.inf, 2, "−∞"),
    ],
)
def test_numbers(value: float, digits: int, expected: str) -> None:
    assert numbers.number(value, digits) == expected


@given(st.floats(-1e15, 1e15), st.integers(0, 8))
def test_what_is_written_reads_back_as_the_rounded_number(value: float, digits: int) -> None:
    written = numbers.number(value, digits, minus="-")
    assert float(written.replace(".", "").replace(",", ".")) == float(f"{value:.{digits}f}")


def test_signs() -> None:
    assert numbers.number(0.31, 1, signed=True) == "+0,3"
    assert numbers.number(-0.31, 1, signed=True, minus="-") == "-0,3"
    assert numbers.number(0.01, 1, signed=True) == "0,0"
    assert numbers.points(-0.021) == "−2,1\u00a0p.p."


def test_needless_zeros_are_left_out() -> None:
    assert [numbers.decimal(value) for value in (0.7, 4.0, 100, 1e6, 0.004)] == [
        "0,7",
        "4",
        "100",
        "1.000.000",
        "0",
    ]
    assert numbers.decimal(0.000125, 6) == "0,000125"
    assert [numbers.significant(value) for value in (0.00123456, 14.52, 9999, 0)] == [
        "0,00123",
        "14,5",
        "9.999",
        "0",
    ]


def test_shares_and_probabilities() -> None:
    assert numbers.percent(0.4321) == "43,2\u00a0%"
    assert numbers.percent(math.nan) == "–"
    assert numbers.p_value(0.0004) == "p\u00a0<\u00a00,001"
    assert numbers.p_value(0.012) == "p\u00a0=\u00a00,012"


def test_counts() -> None:
    words = ("arquivo", "arquivos")
    assert [numbers.counted(n, *words) for n in (0, 1, 1200)] == ["0 arquivos", "1 arquivo", "1.200 arquivos"]
    assert numbers.count(2, "item difícil", "itens difíceis") == "2\u00a0itens difíceis"


@pytest.mark.parametrize(
    ("n", "alone", "with_noun"),
    [
        (0, "0", "0 tokens"),
        (999, "999", "999 tokens"),
        (1_200, "1,2 mil", "1,2 mil tokens"),
        (999_999, "1 milhão", "1 milhão de tokens"),
        (1_960_000, "1,96 milhão", "1,96 milhão de tokens"),
        (14_523_904, "14,5 milhões", "14,5 milhões de tokens"),
        (2_000_000_000, "2 bilhões", "2 bilhões de tokens"),
        (15_000_000_000_000, "15 trilhões", "15 trilhões de tokens"),
    ],
)
def test_large_numbers_in_words(n: int, alone: str, with_noun: str) -> None:
    assert numbers.in_words(n) == alone
    assert numbers.in_words(n, "tokens") == with_noun


def test_sizes() -> None:
    sizes = (512, 1_500, 29_100_000, 999_999, 1_240_000_000)
    assert [numbers.in_bytes(n) for n in sizes] == ["512 bytes", "1,5 kB", "29,1 MB", "1 MB", "1,24 GB"]


def test_times() -> None:
    written = [numbers.duration(seconds).replace("\u00a0", " ") for seconds in (0.0008, 12.44, 185, 7384)]
    assert written == ["0,8 ms", "12,4 s", "3 min 5 s", "2 h 3 min"]


def test_lists_and_quotations() -> None:
    assert [listing(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a e b",
        "a, b e c",
    ]
    assert listing(["a", "b"], "ou") == "a ou b"
    assert shortened("um texto  em\nduas linhas", 60) == "um texto em duas linhas"
    assert shortened("um texto, que é longo", 12) == "um texto…"
