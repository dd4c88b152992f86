"""What is known about an answer of the chat: how the engine wrote it, and what it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from lunagpt.chat.grounding.answers import Citation, Problem
from lunagpt.engines import AnswerReport

Grounding = Literal["model", "extractive", "refusal"]


@dataclass(slots=True)
class ChatReport(AnswerReport):
    """Facts about an answer.

    Attributes:
        grounding: where the words come from: "model" (written by the model from passages and checked against
            them), "extractive" (quoted from a passage), "refusal" (nothing found); None if the model
            answered by itself.
        citations: the places that the answer leans on, in order of their numbers in it.
        passages: what the search gave, [1] first; also those that the answer does not cite.
        query: what was searched for: the message, a follow-up in full; None if nothing was searched.
        problems: why an answer of the model was put aside.
        confidence: of a quoted answer, the probability that it answers the question; else None.
        span: of a quoted answer, the few words in it that answer, if they stand out.
    """

    grounding: Grounding | None = None
    citations: tuple[Citation, ...] = ()
    passages: tuple[Mapping[str, Any], ...] = ()
    query: str | None = None
    problems: tuple[Problem, ...] = field(default=())
    confidence: float | None = None
    span: str | None = None

    def take(self, report: AnswerReport) -> None:
        """Copies what an engine reports."""
        for entry in fields(AnswerReport):
            setattr(self, entry.name, getattr(report, entry.name))
