"""Letting a model's answer through sentence by sentence: nothing is shown that has not been checked.

What was shown is never taken back. The first sentence that the passages do not carry ends the answer before
it; if it is the first of all, nothing has been shown, and `verify` puts another answer in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lunagpt.chat.grounding.answers import Citation, GroundedAnswer, Problem
from lunagpt.chat.grounding.check import Evidence, Sentence, cut_answer, is_refusal
from lunagpt.data.grounding_format import cite
from lunagpt.data.sentences import split_sentences

_CITATIONS_ONLY = re.compile(r"\s*(?:\[\d{1,3}\][.,]?\s*)+")
# A sentence without a citation gets one if a passage sentence shares this much of its words.
_ATTRIBUTABLE = 0.6
# From this certainty of a quotation on, a refusal of the model is not believed.
_CERTAIN = 0.8


@dataclass(slots=True)
class Gate:
    """Checks an answer while it is being written.

    Attributes:
        passages, question: what the model was given.
        quotation: a sentence of the passages that answers, if there is one.
        problems: why it was stopped; empty if it was not.
        citations: what the sentences let through lean on.
        refused: whether one of them says that the documents do not have the answer.
    """

    passages: Sequence[Mapping[str, Any]]
    question: str
    quotation: GroundedAnswer | None = None
    problems: list[Problem] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    refused: bool = False

    def let_through(
        self, pieces: Iterator[str], stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[str]:
        """The checked sentences of an answer that comes in pieces; ends at the first one that fails.

        Args:
            pieces: the answer under way.
            stopped: whether the user has stopped it; a sentence that is not complete then is left out.
        """
        evidence = Evidence(self.passages, self.question)
        begun = False
        for text in _sentences(pieces, stopped):
            passed = self._judge(text, evidence)
            if passed is None:
                return
            yield passed if not begun else " " + passed
            begun = True

    def _judge(self, text: str, evidence: Evidence) -> str | None:
        sentences = cut_answer(text)
        if not sentences:
            return None
        refused = is_refusal(text)
        if not refused and not any(sentence.numbers for sentence in sentences):
            source = evidence.best_source(text)
            if source is not None and evidence.shared(text, source) >= _ATTRIBUTABLE:
                text = cite(text, source.number)
                sentences = [Sentence(sentence.text, (source.number,)) for sentence in sentences]
        problems = [
            problem
            for sentence in sentences
            for problem in evidence.check(sentence, refused=refused or self.refused)
        ]
        if refused and self.quotation is not None and self.quotation.confidence >= _CERTAIN:
            problems.append(Problem("refusal", text))
        if problems:
            self.problems = problems
            return None
        self.refused = self.refused or refused
        for sentence in sentences:
            self._cite(sentence, evidence)
        return text

    def _cite(self, sentence: Sentence, evidence: Evidence) -> None:
        for number in sentence.numbers:
            if all(citation.number != number for citation in self.citations):
                source = evidence.best_source(sentence.text, number)
                if source is not None:
                    self.citations.append(source)


def _sentences(pieces: Iterator[str], stopped: Callable[[], bool]) -> Iterator[str]:
    """Whole sentences, each with the citations behind it, as soon as the next one has begun."""
    held = ""
    for piece in pieces:
        held += piece
        while (cut := _first_end(held)) is not None:
            yield held[:cut].strip()
            held = held[cut:]
    while held.strip() and not stopped():
        cut = _first_end(held) or len(held)
        yield held[:cut].strip()
        held = held[cut:]


def _first_end(text: str) -> int | None:
    """Where the first sentence ends, if the text goes on behind it; None while that is not certain."""
    spans = split_sentences(text)
    if len(spans) < 2:
        return None
    end = spans[0][1]
    if trailing := _CITATIONS_ONLY.match(text, end):
        end = trailing.end()
    rest = text[end:].lstrip()
    # A "[" may be the start of a citation that belongs to this sentence.
    return end if len(rest) > 1 and not re.match(r"\[\d{0,3}\]?\Z", rest) else None
