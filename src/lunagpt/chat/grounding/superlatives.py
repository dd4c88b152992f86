"""Questions for the greatest or least of a kind, and sentences that only compare two things."""

from __future__ import annotations

import re

from lunagpt.chat.grounding.words import fold

_DEGREE = r"(maior|menor|melhor|pior)(?:es)?"
_ASKED = re.compile(rf"\b[oa]s? {_DEGREE}\b(?! (?:do )?que\b)")
# "maior que a Lua" compares; "maior que todos os outros" says that it is the greatest.
_FOUND = re.compile(rf"\b{_DEGREE}\b(?P<compared>(?: (?:\w+ ){{0,2}}?do)? que\b(?! tod[oa]s\b))?")


def only_compares(question: str, sentence: str) -> bool:
    """Whether a question asks for the greatest of a kind ("o maior planeta") and a sentence has that word in
    comparisons alone ("pouco maior que a nossa Lua")."""
    asked = _ASKED.search(fold(question))
    if asked is None:
        return False
    found = [match for match in _FOUND.finditer(fold(sentence)) if match[1] == asked[1]]
    return bool(found) and all(match["compared"] for match in found)
