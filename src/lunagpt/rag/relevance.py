"""From what a search measures to relevance: about the probability that a passage answers the question.

Both curves are logistic. Their constants come from ``benchmarks/relevance_fit.py``: the first passages of
searches for questions about encyclopaedia articles written for this project, with the right article in the
base and without it, and for the built-in calibration pairs. Of held-out passages with a relevance of 0–0.2,
0.2–0.4, … by words, 10, 35, 46, 72 and 91 % were right; by words and vectors, 20, 30, 58, 72 and 93 %.
"""

from __future__ import annotations

import math

# Log-odds from what a passage has of the question's words: see `lexical_search.match`.
_LEXICAL_OFFSET = -4.862
_LEXICAL_COVERAGE = 3.503
_LEXICAL_STRENGTH = 2.159
# Log-odds of both scores → log-odds.
_BOTH_OFFSET = 0.751
_BOTH_LEXICAL = 0.172
_BOTH_DENSE = 0.868
_CERTAIN = 1e-4


def lexical_relevance(coverage: float, strength: float) -> float:
    """Relevance of a passage that has this share of the question's words, and this much of them."""
    return _logistic(_LEXICAL_OFFSET + _LEXICAL_COVERAGE * coverage + _LEXICAL_STRENGTH * strength)


def combined_relevance(lexical: float | None, dense: float | None) -> float:
    """Relevance from that by words and that by vectors; with one of them, that one; with none, 0."""
    if lexical is None or dense is None:
        return lexical if lexical is not None else dense if dense is not None else 0.0
    return _logistic(_BOTH_OFFSET + _BOTH_LEXICAL * _log_odds(lexical) + _BOTH_DENSE * _log_odds(dense))


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _CERTAIN), 1.0 - _CERTAIN)
    return math.log(bounded / (1.0 - bounded))
