"""Answers that go round in circles."""

from __future__ import annotations

from collections import Counter

from lunagpt.evaluation.behaviours.text_measures import fold, sentences, words


def repeated_share(text: str, n: int = 4) -> float:
    """Share of the word n-grams of `text` that repeat an earlier one, 0 to 1 ("seq-rep-n").

    Source: Welleck et al. 2019, "Neural text generation with unlikelihood training", arXiv 1908.04319,
    section 5.
    """
    tokens = [fold(word) for word in words(text)]
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


# An answer of which more than this goes over its own words again is a loop; prose stays below 0.1, a refrain
# below 0.4.
_LOOP_SHARE = 0.5
_LOOP_TIMES = 3
_LOOP_WORDS = 12


def goes_in_circles(text: str) -> bool:
    """Whether the text falls into a loop: a block said three times in a row, a sentence three times, or
    mostly repeats.

    Short repetitions that people do write ("kkkk", "muito, muito, muito") are left alone.
    """
    tokens = [fold(word) for word in words(text)]
    if len(tokens) < _LOOP_WORDS:
        return False
    for period in range(1, len(tokens) // _LOOP_TIMES + 1):
        run = 0
        for i in range(period, len(tokens)):
            run = run + 1 if tokens[i] == tokens[i - period] else 0
            if run >= max((_LOOP_TIMES - 1) * period, _LOOP_WORDS - period):
                return True
    counted = Counter(fold(sentence) for sentence in sentences(text) if len(words(sentence)) > 2)
    if counted and max(counted.values()) >= _LOOP_TIMES:
        return True
    return repeated_share(text) > _LOOP_SHARE
