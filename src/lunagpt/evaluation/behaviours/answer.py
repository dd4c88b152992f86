"""An answer with all that its checks may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What Luna said, and to what.

    Attributes:
        text: the answer, without outer white space.
        question: the user's message that it answers.
        earlier: Luna's earlier answers of the dialogue, oldest first.
        finish_reason: "stop" if the model ended its turn, "length", "loop", …; None if the engine does not
            tell.
    """

    text: str
    question: str = ""
    earlier: Sequence[str] = ()
    finish_reason: str | None = "stop"
