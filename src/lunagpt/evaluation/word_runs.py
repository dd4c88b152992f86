"""Runs of words as 64-bit numbers: an index of the evaluation side, a stream of the training side.

Letters: n words of a batch, R runs of the index.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np

# Columns that describe a row and are no text of it.
_NOT_TEXT = frozenset(
    (
        "id",
        "task",
        "source",
        "license",
        "language",
        "split",
        "url",
        "origin",
        "persona",
        "domain",
        "phenomenon",
    )
)
_WORD = re.compile(r"[^\W_]+")
# Multiplier of the rolling hash modulo 2^64 (Knuth's MMIX constant): odd, so that no word loses its weight.
_MULTIPLIER = np.uint64(6364136223846793005)
_SALT = 0x9E3779B97F4A7C15
# Slots of the quick filter in front of the exact look-up: about ten per run of a million runs.
_FILTER_BITS = 24
_BATCH_WORDS = 1 << 18
_CACHED_WORDS = 1 << 19


def texts_of(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(column, text) of everything in a row that is text, lists and JSON columns opened."""
    for column, value in row.items():
        if column not in _NOT_TEXT:
            for text in _strings(value):
                yield column, text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value[:1] in ("[", "{"):
            try:
                opened = json.loads(value)
            except ValueError:
                opened = None
            if isinstance(opened, list | dict):
                yield from _strings(opened)
                return
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _NOT_TEXT:
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


class WordHasher:
    """Words to 64-bit numbers; case, accents and punctuation do not count. Remembers half a million words."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> list[int]:
        """The numbers of the words of `text`, in order."""
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        known = self._known
        numbers = []
        for word in _WORD.findall(text.lower()):
            number = known.get(word)
            if number is None:
                if len(known) >= _CACHED_WORDS:
                    known.clear()
                number = known[word] = _number(word)
            numbers.append(number)
        return numbers


def _number(word: str) -> int:
    plain = "".join(char for char in unicodedata.normalize("NFKD", word) if not unicodedata.combining(char))
    return int.from_bytes(blake2b(plain.casefold().encode(), digest_size=8).digest(), "little")


def run_hashes(words: np.ndarray, shortest: int, longest: int) -> Iterator[tuple[int, np.ndarray]]:
    """(length, hashes) of all runs of `shortest` to `longest` words.

    Args:
        words: (n,) uint64 numbers of the words.

    Yields:
        Each length with the hashes (n - length + 1,) of the runs that begin at each word.
    """
    hashes = words
    for length in range(1, min(longest, len(words)) + 1):
        if length > 1:
            hashes = hashes[:-1] * _MULTIPLIER + words[length - 1 :]
        if length >= shortest:
            yield length, hashes ^ np.uint64(_SALT * length % (1 << 64))


class RunIndex:
    """All runs of the evaluation side with the item each belongs to; 17 bytes per run.

    First `add` every item, then `close`, then `find` in any number of texts.

    Args:
        ngram: words of a run.
        shortest: a text of fewer words than a run, but of at least so many, is one run as a whole.
    """

    def __init__(self, ngram: int, shortest: int) -> None:
        self.ngram = ngram
        self.shortest = min(shortest, ngram)
        self._hasher = WordHasher()
        self._parts: list[tuple[np.ndarray, int]] = []
        self._hashes = np.empty(0, np.uint64)
        self._filter = np.zeros(1 << _FILTER_BITS, bool)
        self.owners = np.empty(0, np.uint32)

    def add(self, owner: int, text: str) -> bool:
        """Takes the runs of a text of an item; False if it is too short to have one."""
        words = np.array(self._hasher(text), np.uint64)
        if len(words) < self.shortest:
            return False
        length = min(self.ngram, len(words))
        (_, hashes), *_ = run_hashes(words, length, length)
        self._parts.append((np.unique(hashes), owner))
        return True

    def close(self) -> None:
        """Sorts the runs; `owners` (R,) then holds the item of each."""
        hashes = np.concatenate([part for part, _ in self._parts]) if self._parts else self._hashes
        owners = np.repeat(
            np.array([owner for _, owner in self._parts], np.uint32), [len(part) for part, _ in self._parts]
        )
        self._parts = []
        order = np.argsort(hashes, kind="stable")
        self._hashes, self.owners = hashes[order], owners[order]
        self._filter[_slots(self._hashes)] = True

    def find(self, texts: Iterable[str]) -> tuple[np.ndarray, int]:
        """Streams texts and looks for the runs of the index in them.

        Returns:
            (R,) bool: which runs occur; and the number of words read.
        """
        found = np.zeros(len(self._hashes), bool)
        total = 0
        # One number that is no word stands between two texts, so that no run goes over the border.
        batch: list[int] = []
        for text in texts:
            numbers = self._hasher(text)
            total += len(numbers)
            batch += numbers
            batch.append(0)
            if len(batch) >= _BATCH_WORDS:
                self._mark(np.array(batch, np.uint64), found)
                batch = []
        if batch:
            self._mark(np.array(batch, np.uint64), found)
        return found, total

    def _mark(self, words: np.ndarray, found: np.ndarray) -> None:
        for _, hashes in run_hashes(words, self.shortest, self.ngram):
            candidates = np.unique(hashes[self._filter[_slots(hashes)]])
            first = np.searchsorted(self._hashes, candidates, "left")
            last = np.searchsorted(self._hashes, candidates, "right")
            for start, end in zip(first[first < last], last[first < last], strict=True):
                found[start:end] = True


def _slots(hashes: np.ndarray) -> np.ndarray:
    return (hashes >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)
