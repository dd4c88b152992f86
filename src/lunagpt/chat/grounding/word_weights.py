"""How much a word tells about the subject of a text: inverse document frequencies of stems."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

UNKNOWN_WEIGHT = 9.0  # of a word in no list: as rare as one in 8,000 documents


@lru_cache(maxsize=1)
def _word_table() -> Mapping[str, tuple[float, bool]]:
    """Of a stem: the logarithm of one over the share of texts that have it, and whether it is mostly a
    name."""
    text = (resources.files("lunagpt") / "assets" / "grounding" / "word_weights.txt").read_text("utf-8")
    table = {}
    for line in text.splitlines():
        stem, value, *name = line.split("\t")
        table[stem] = (int(value) / 10, bool(name))
    return table


def weight(stem: str) -> float:
    """How much a stem tells about the subject of a text."""
    return _word_table().get(stem, (UNKNOWN_WEIGHT, False))[0]


def is_common_word(stem: str) -> bool:
    """Whether a stem is known as an ordinary word, not as a name."""
    entry = _word_table().get(stem)
    return entry is not None and not entry[1]
