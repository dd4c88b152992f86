"""What a grounded answer is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Citation:
    """A place that an answer leans on.

    Attributes:
        number: the number it has in the answer, from 1.
        passage: the passage, as the search gave it.
        quote: the words of the passage that carry the answer.
        start, end: offsets of the quote in the passage's content: ``content[start:end] == quote``.
    """

    number: int
    passage: Mapping[str, Any]
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GroundedAnswer:
    """An answer taken from passages.

    Attributes:
        text: what is shown, with its citations as [n].
        citations: the places behind it, in order of appearance.
        span: the few words that answer the question, inside the first quote; None if none stands out.
        confidence: probability, 0 to 1, that the quote answers the question.
        lead: what the text says before the quote, where the quote only implies it; else "".
    """

    text: str
    citations: tuple[Citation, ...] = field(default=())
    span: str | None = None
    confidence: float = 0.0
    lead: str = ""


ProblemKind = Literal[
    "citation",
    "uncited",
    "figure",
    "date",
    "time",
    "name",
    "negation",
    "unsupported",
    "link",
    "command",
    "refusal",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in an answer that its passages do not carry.

    Attributes:
        kind: what it is: a citation of a passage that does not exist, a sentence that cites nothing, a
            figure, date, time or name that the cited passages lack, a negation that they contradict, a
            sentence that has too little to do with them, a link or image, a sentence that repeats an order
            found in them, or a refusal although they have it.
        text: the words in question.
    """

    kind: ProblemKind
    text: str
