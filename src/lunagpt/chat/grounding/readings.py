"""What the reader makes of the passages that look best, as evidence beside the words in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lunagpt.chat.grounding.units import Unit
from lunagpt.reading import PassageReading, Span, SpanReader

AT_ONCE = 3  # passages; each costs a run of the encoder
_LARGEST = 10.0  # margins beyond it are not told apart


@dataclass(frozen=True)
class Readings:
    """The readings of some passages, by their place in the list."""

    by_passage: Mapping[int, PassageReading]

    @cached_property
    def top(self) -> tuple[int, Span] | None:
        """The place of the passage with the best span of all, and that span."""
        found = [(place, span) for place, reading in self.by_passage.items() if (span := reading.best())]
        return max(found, key=lambda entry: entry[1].margin, default=None)

    def best_in(self, unit: Unit) -> Span | None:
        """The best span inside a sentence; None if its passage was not read."""
        reading = self.by_passage.get(unit.passage)
        return reading.best(unit.start, unit.end) if reading is not None else None

    def sentence_features(self, unit: Unit) -> dict[str, float]:
        """How well the best span of the sentence does by itself and against that of all passages."""
        span = self.best_in(unit)
        if span is None or self.top is None:
            return {"unread": 1.0}
        place, top = self.top
        holds_top = unit.passage == place and top.start < unit.end and top.end > unit.start
        return {
            "read": _bounded(span.margin),
            "read_behind": _bounded(span.margin - top.margin),
            "read_top": 1.0 if holds_top else 0.0,
        }

    def answer_features(self, unit: Unit) -> dict[str, float]:
        """What tells whether there is an answer at all, if the sentence is the one chosen."""
        features = self.sentence_features(unit)
        if self.top is None:
            return features
        return {**features, "read_anywhere": _bounded(self.top[1].margin)}


def read_passages(
    reader: SpanReader,
    question: str,
    passages: Sequence[Mapping[str, Any]],
    order: Iterable[int],
    before: Readings | None = None,
) -> Readings:
    """Read the first `AT_ONCE` passages of an order; beside those read before, the first one not among them.

    Args:
        order: places in `passages`, the most promising first; repeated ones count once.
        before: what has been read already.
    """
    read = dict(before.by_passage) if before is not None else {}
    chosen = [place for place in dict.fromkeys(order) if place not in read]
    for place in chosen[: 1 if read else AT_ONCE]:
        passage = passages[place]
        read[place] = reader.read(question, str(passage["content"]), str(passage.get("title") or ""))
    return Readings(read)


def _bounded(margin: float) -> float:
    return max(-_LARGEST, min(_LARGEST, margin)) / _LARGEST
