"""Was the answer right? Normalisation and measures of answers that a model wrote.

Exact match and word F1 are those of SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250) with Portuguese articles
in place of English ones; unanswerable questions as in SQuAD 2.0 (arXiv 1806.03822).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from lunagpt.data.sentences import split_sentences

_ARTICLES = frozenset(("o", "a", "os", "as", "um", "uma", "uns", "umas"))
_CITATION = re.compile(r"\s*\[\d+\]")
_NUMBER = re.compile(r"-?\d[\d.,]*")
_GROUPED = re.compile(r"-?\d{1,3}(?:[.]\d{3})+(?:,\d+)?")


def normalize_answer(text: str) -> str:
    """Lower case, without punctuation, articles and repeated spaces; accents stay, they tell words apart."""
    text = unicodedata.normalize("NFC", text).lower()
    text = "".join(" " if unicodedata.category(c)[0] in "PS" else c for c in text)
    return " ".join(word for word in text.split() if word not in _ARTICLES)


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 if the answer equals one of the right ones after normalisation, else 0."""
    return float(any(normalize_answer(answer) == normalize_answer(gold) for gold in golds))


def word_f1(answer: str, golds: Sequence[str]) -> float:
    """The best F1 of words shared with one of the right answers; two empty texts agree."""
    return max(_f1(normalize_answer(answer).split(), normalize_answer(gold).split()) for gold in golds)


def _f1(answer: list[str], gold: list[str]) -> float:
    if not answer or not gold:
        return float(answer == gold)
    shared = sum((Counter(answer) & Counter(gold)).values())
    return 2 * shared / (len(answer) + len(gold))


def without_citations(text: str) -> str:
    """The text without marks such as [1]."""
    return _CITATION.sub("", text).strip()


def is_refusal(answer: str, refusal: str) -> bool:
    """Whether an answer says that there is none: it is empty, or begins as the refusal sentence does."""
    said, sentence = normalize_answer(answer).split(), normalize_answer(refusal).split()
    return not said or said[: min(3, len(sentence))] == sentence[: min(3, len(sentence))]


def last_number(text: str) -> float | None:
    """The last number of a text, written the Portuguese way (1.234,5) or the English one (1234.5)."""
    found = _NUMBER.findall(text)
    if not found:
        return None
    digits = found[-1].rstrip(".,")
    if _GROUPED.fullmatch(digits) or (digits.count(",") == 1 and "." not in digits):
        digits = digits.replace(".", "").replace(",", ".")
    digits = digits.replace(",", "")
    try:
        return float(digits)
    except ValueError:  # several points, as in a date
        return None


def chance_f1(context: str, golds: Sequence[str]) -> float:
    """The mean word F1 of the sentences of a passage: what picking one at random would give."""
    sentences = [context[start:end] for start, end in split_sentences(context)]
    if not sentences:
        return 0.0
    return sum(word_f1(sentence, golds) for sentence in sentences) / len(sentences)
