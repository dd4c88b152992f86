"""`ExerciseMaker`: texts in, dialogues of the kinds that are wanted out."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from lunagpt.data.exercises.facts import list_of_facts
from lunagpt.data.exercises.find import find_in_passages
from lunagpt.data.exercises.material import Material, Message
from lunagpt.data.exercises.repeat import repeat_what_was_said
from lunagpt.data.exercises.thread import keep_the_thread
from lunagpt.data.sentences import split_sentences

KINDS: dict[str, Callable[[random.Random, Material], list[Message] | None]] = {
    "repeat": repeat_what_was_said,
    "find": find_in_passages,
    "facts": list_of_facts,
    "thread": keep_the_thread,
}

VERSION = 3  # another number for other exercises of the same texts: what was tokenised before is out of date

_SENTENCES_PER_EXERCISE = 2
_SENTENCE_LENGTHS = range(20, 301)  # characters
_FEWEST_SENTENCES = 4
_SENTENCES_IN_A_TEXT = 40  # a longer text counts as several
_TEXTS_REMEMBERED = 24
_WORD = re.compile(r"[^\W\d_]+|\d+")


class ExerciseMaker:
    """Gives exercises of recall over the texts it is shown, of each kind one for every two sentences.

    Choices depend on the text alone, but words and distractors come from the texts shown just before, so the
    maker keeps a short memory and their order matters.

    Args:
        kinds: of `KINDS`.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self._makers = [KINDS[kind] for kind in kinds]
        self._remembered: deque[tuple[list[str], list[str]]] = deque(maxlen=_TEXTS_REMEMBERED)

    def __call__(self, text: str) -> Iterator[list[Message]]:
        """Yield the exercises over `text`: lists of messages with ``role`` and ``content``."""
        pieces = (text[start:end] for start, end in split_sentences(text))
        sentences = [piece for piece in pieces if len(piece) in _SENTENCE_LENGTHS and "\n" not in piece]
        choose = random.Random(text)
        for start in range(0, len(sentences), _SENTENCES_IN_A_TEXT):
            part = sentences[start : start + _SENTENCES_IN_A_TEXT]
            if len(part) >= _FEWEST_SENTENCES:
                yield from self._over(part, choose)

    def _over(self, sentences: list[str], choose: random.Random) -> Iterator[list[Message]]:
        self._remembered.append((sentences, _WORD.findall(" ".join(sentences))))
        material = Material(
            texts=[sentences for sentences, _ in self._remembered],
            words=[word for _, words in self._remembered for word in words],
        )
        for make in self._makers:
            for _ in range(len(sentences) // _SENTENCES_PER_EXERCISE):
                if (messages := make(choose, material)) is not None:
                    yield messages
