"""What can be seen in a text without understanding it: words, sentences, lists, citations."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s|$)")
_ABBREVIATION = re.compile(
    r"\b(?:sr|sra|srs|dr|dra|prof|profa|av|ex|etc|pág|cap|art|nº|n|tel|obs|min|seg|s|p|a\.c|d\.c)\.$",
    re.IGNORECASE,
)
_LIST_ITEM = re.compile(
    r"^\s*(?:[-*•+]|\(?\d{1,2}[.)ºª]-?|\(?[a-z]\))\s+(?=\S)", re.IGNORECASE | re.MULTILINE
)
_NUMBERED_ITEM = re.compile(r"^\s*(?:\*\*)?\(?\d{1,2}[.)ºª]", re.MULTILINE)
#: A citation as it stands in an answer: ``[2]`` or ``[1, 3]``.
CITATION_MARK = re.compile(r"\[\d{1,3}(?:\s*[,;e]\s*\d{1,3})*\]")
_CODE_FENCE = re.compile(r"^```\w*\n(.*?)\n?```", re.DOTALL | re.MULTILINE)


def fold(text: str) -> str:
    """`text` in lower case, without accents, with plain quotes, one space between words."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'").replace("º", "o").replace("ª", "a"))
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(plain.casefold().split())


@lru_cache(maxsize=4096)
def wanted_pattern(wanted: str) -> re.Pattern[str]:
    """Pattern that finds `wanted` as whole words in folded text; ``*`` at the end of a word stands for any
    ending."""
    escaped = re.escape(fold(wanted)).replace(r"\*", r"\w*").replace(r"\ ", r"\s+")
    return re.compile(rf"(?<!\w){escaped}(?!\w)")


def mentions(text: str, wanted: str) -> bool:
    """Whether `text` has `wanted` as whole words, whatever the case and the accents."""
    return wanted_pattern(wanted).search(fold(text)) is not None


def words(text: str) -> list[str]:
    """Words as written; ``guarda-chuva`` and ``d'água`` are one word, a number is one word."""
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """Sentences of a short answer; a line end closes one, common abbreviations do not."""
    found = []
    for line in text.splitlines():
        line = _LIST_ITEM.sub("", line)
        start = 0
        for end in _SENTENCE_END.finditer(line):
            if _ABBREVIATION.search(line[start : end.end()]):
                continue
            found.append(line[start : end.end()].strip())
            start = end.end()
        found.append(line[start:].strip())
    return [sentence for sentence in found if _WORD.search(sentence)]


def list_items(text: str) -> list[str]:
    """Contents of the lines that are items of a list (dash, bullet, number or letter before them)."""
    return [line[match.end() :].strip() for line in text.splitlines() if (match := _LIST_ITEM.match(line))]


def numbered_items(text: str) -> int:
    """How many lines begin with a number and a mark, as ``1.`` or ``2)``."""
    return len(_NUMBERED_ITEM.findall(text))


def citations(text: str) -> set[int]:
    """Numbers of the passages cited as ``[2]``, ``[1][3]`` or ``[1, 3]``."""
    return {int(number) for mark in CITATION_MARK.findall(text) for number in re.findall(r"\d+", mark)}


def without_code_fence(text: str) -> str:
    """What stands inside the first Markdown code fence; `text` itself if there is none."""
    match = _CODE_FENCE.search(text)
    return match.group(1) if match else text
