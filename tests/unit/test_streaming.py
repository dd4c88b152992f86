"""Tokens to text without broken characters, and the guard against going round in circles."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lunagpt.generation import LoopGuard, TextStreamer
from lunagpt.tokenizer import LunaTokenizer


class Bytes:
    """The worst vocabulary for a streamer: every byte is a token, so most tokens are parts of characters."""

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        return bytes(i for i in ids if not (skip_special_tokens and i == 0)).decode("utf-8", "replace")


@pytest.fixture(scope="module")
def luna() -> LunaTokenizer:
    return LunaTokenizer.default()


@given(st.text())
@example("ação 👩‍👩‍👧 e\u0301 \ufffd fim\ufffd")
def test_pieces_join_to_the_text_and_no_character_is_broken(text: str) -> None:
    streamer = TextStreamer(Bytes(), skip_special_tokens=False)
    pieces = [streamer.put(byte) for byte in text.encode()]
    assert all("\ufffd" not in piece or "\ufffd" in text for piece in pieces)
    assert "".join(pieces) + streamer.finish() == text
    assert streamer.finish() == ""


@given(st.binary(max_size=60))
def test_pieces_join_to_what_decoding_all_gives_for_any_bytes(data: bytes) -> None:
    for skip in (False, True):
        streamer = TextStreamer(Bytes(), skip_special_tokens=skip)
        joined = "".join(map(streamer.put, data)) + streamer.finish()
        assert joined == Bytes().decode(list(data), skip)


@given(data=st.data())
def test_pieces_join_to_what_decoding_all_gives_for_any_tokens(
    luna: LunaTokenizer, data: st.DataObject
) -> None:
    ids = data.draw(st.lists(st.integers(0, luna.vocab_size - 1), max_size=40))
    streamer = TextStreamer(luna)
    joined = "".join(map(streamer.put, ids)) + streamer.finish()
    assert joined == luna.decode(ids, skip_special_tokens=True)


@given(st.text())
def test_streaming_an_encoded_text_gives_it_back(luna: LunaTokenizer, text: str) -> None:
    ids = luna.encode_content(text)
    streamer = TextStreamer(luna)
    assert "".join(map(streamer.put, ids)) + streamer.finish() == luna.decode(ids)


def test_whole_characters_are_not_held_back(luna: LunaTokenizer) -> None:
    ids = luna.encode_content("Olá, mundo! Como vai você?")
    streamer = TextStreamer(luna)
    for end in range(1, len(ids) + 1):
        streamer.put(ids[end - 1])
        held = streamer._waiting
        assert not held or luna.decode(held).endswith("\ufffd")


def fires_at(ids: list[int], **settings: int) -> int | None:
    """How many tokens the guard lets pass, None if all."""
    guard = LoopGuard(**settings)
    return next((number for number, token in enumerate(ids, start=1) if guard.push(token)), None)


@given(
    lead=st.lists(st.integers(0, 50), max_size=30, unique=True),  # no loop of its own
    block=st.lists(st.integers(100, 10_000), min_size=8, max_size=64, unique=True),
)
def test_a_repeated_block_is_caught_at_its_third_time(lead: list[int], block: list[int]) -> None:
    assert fires_at(lead + block * 3) == len(lead) + 3 * len(block)


@pytest.mark.parametrize(("period", "expected"), [(1, 24), (2, 24), (5, 24), (7, 24), (8, 24), (9, 27)])
def test_short_blocks_need_some_length(period: int, expected: int) -> None:
    assert fires_at(list(range(period)) * 40) == expected


def test_twice_is_no_loop_and_neither_is_a_list_with_changing_parts() -> None:
    verse = list(range(200, 240))
    assert fires_at(verse * 2) is None
    rows = list(itertools.chain.from_iterable([1, 2, 3, 500 + n, 4] for n in range(60)))
    assert fires_at(rows) is None


def test_the_limits_can_be_set() -> None:
    assert fires_at([1, 2] * 5, max_period=2, min_repeats=4, min_tokens=8) == 8
    assert fires_at([1, 2, 3] * 5, max_period=2, min_repeats=2, min_tokens=2) is None
