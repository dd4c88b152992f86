"""Where Portuguese sentences begin and end: :func:`split_sentences`.

Rules, no model. Lines are first put into blocks (:mod:`lunagpt.data.layout`): a heading, a list item, a
table row is a sentence of its own. Inside flowing text every ``.``, ``!``, ``?`` and ``…`` with space behind
it is a candidate, which the words around it accept or refuse; the lists of words are in
:mod:`lunagpt.data.abbreviations`.

The idea of asking what follows an abbreviation, instead of refusing every one, goes back to Grefenstette and
Tapanainen, "What is a word, what is a sentence?" (1994).
"""

from __future__ import annotations

import re

from lunagpt.data.abbreviations import (
    ABBREVIATION_BEFORE_NUMBER,
    GLUED_OPENERS,
    LABELLED,
    LAST_BEFORE_CAPITAL,
    LAST_BEFORE_OPENER,
    MONTHS,
    NEVER_LAST,
    OPENERS,
    UNITS,
)
from lunagpt.data.layout import find_blocks

_EMOJI = "\u2600-\u27bf\ufe0f\u200d\U0001f000-\U0001faff"
_EMOTICON = r"[:;]-?[()DPp](?=\s|\Z)"
_OPEN = r"""\s"'“”‘’«(\[{*_¿¡–—-"""

# Begins with a set of characters, so that the scan is fast, and is possessive, so that its time stays linear.
_CANDIDATE = re.compile(
    r"[.!?…:;❤\U0001f300-\U0001faff](?:"
    r"(?<=[.!?…])(?P<more>[.!?…]*+)"
    r"(?P<close>[\"'”’»)\]}*_`]*+(?:\[\d{1,3}(?:[,–-]\s?\d{1,3})*+\])*+[¹²³⁴-⁹]*+)"
    rf"(?:\s?[{_EMOJI}]++|\s{_EMOTICON})*+"
    rf"|(?<=[:;])-?[()DPp]|(?<=[^:;])[{_EMOJI}]*+)"
)
_GLUED = re.compile(
    rf"(?<=[^\W\d_A-Z]{{3}}[.!?])(?:{'|'.join(sorted(map(str.capitalize, GLUED_OPENERS)))})\s"
)
_NEXT = re.compile(rf"[{_OPEN}]*+(?P<word>[^\W\d_]++)?+")
_WORD_BEFORE = re.compile(r"(?<![^\W\d_])[^\W\d_]++(?:\.[^\W\d_]++)*+\Z")
_NOUN_BEFORE = re.compile(r"([^\W\d_]++)\s+[^\W\d_]\Z")
_UNIT_BEFORE = re.compile(r"\d\s?[^\W\d_]+\Z")
_LABEL = re.compile(
    r"\W*(?:(?:Art(?:igo)?\.?|Cláusula|§+)\s*\d{1,4}[ºª°o]?(?:-[A-Z])?|Parágrafo único|\d{1,2}(?:\.\d{1,2})*"
    r"|[IVXL]{1,5}|[A-Za-z])",
    re.IGNORECASE,
)
_EDITION = re.compile(r"\s+\d{1,2}(?:\.|ª|a\.)?\s?ed\b")
_IMPRINT = re.compile(r"\s+[A-ZÀ-Þ][^.:;\n]{2,40}: [^:\n]{2,40}, \d{4}\b")
_EDITOR_BEFORE = re.compile(r"\((?:orgs?|eds?|coords?|comps?|trads?)\.\)\Z", re.IGNORECASE)
_YEAR = re.compile(r"\s+\d{4}\b")
_ACRONYM = re.compile(r"[^\W\d_]{1,2}(?:\.[^\W\d_]{1,2})+")
_ROMAN = re.compile(r"[IVXLCDM]+")
_LOWER_BUT_FIRST = re.compile(r"[a-z][A-Z]|www\.|https?://")
_VISIBLE = re.compile(r"\w")

# No Portuguese word ends like this: in front of a number it is an abbreviation not in the lists ("lt. 5").
_CLIPPED = re.compile(r"(?:[bcdfghjkpqtvwxy]|[bcdfgjpqtvz][lr]|[lmrstz][lmnr])\Z")

# How far back a parenthesis, and how far ahead its end, are looked for.
_PARENTHESIS_REACH = 300
_LABEL_REACH = 24


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Offsets ``(start, end)`` of the sentences of `text`, in order, with all visible characters inside.

    Between one end and the next start there is only white space, or nothing where a space was forgotten.
    """
    spans: list[tuple[int, int]] = []
    for block in find_blocks(text):
        if block.kind in ("text", "item"):
            spans += split_flowing(text, block.start, block.end)
        else:
            spans.append((block.start, block.end))
    return spans


def split_flowing(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Like :func:`split_sentences`, for a stretch without headings, lists or tables."""
    spans: list[tuple[int, int]] = []
    casual = text[start:end].islower()
    first = start
    for candidate in _CANDIDATE.finditer(text, start, end):
        stop = candidate.end()
        if stop >= end:
            break
        if text[stop].isspace():
            if not _ends_sentence(text, first, end, candidate, casual):
                continue
        elif not (text[stop].isupper() and _GLUED.match(text, stop)):
            continue
        spans.append((first, stop))
        first = stop
        while text[first].isspace():
            first += 1
    spans.append((first, end))
    return spans


def _ends_sentence(text: str, first: int, end: int, candidate: re.Match[str], casual: bool) -> bool:
    """Whether the sentence that began at `first` ends with `candidate`.

    Args:
        end: end of the block, behind which nothing is looked at.
        casual: whether the block has no capital at all, so that none can be asked for.
    """
    stop = candidate.start()
    following = _NEXT.match(text, candidate.end(), end)
    position = following.end() if following else end
    word = (following["word"] or "") if following else ""
    if word:
        position -= len(word)
    if position >= end:
        return False
    next_is_lower = text[position].islower() and not _LOWER_BUT_FIRST.match(text, position)
    if next_is_lower and not casual:
        return False
    if stop - first < _LABEL_REACH and not _VISIBLE.search(text, first, stop):
        return False
    mark = text[stop]
    if mark not in ".!?…":
        return text[position].isupper() and (mark not in ":;" or text[stop - 1].isspace())
    if mark == "…" or candidate["more"]:
        if text[stop - 1] in "([" and candidate["close"][:1] in (")", "]"):
            return False  # "(...)" stands for words left out
    elif mark == "." and not _stop_ends_sentence(text, first, stop, position, word, casual):
        return False
    return not _inside_parenthesis(text, first, end, candidate)


def _stop_ends_sentence(text: str, first: int, stop: int, position: int, word: str, casual: bool) -> bool:
    """Whether a single full stop at `stop`, with `word` (or "") at `position` behind it, ends a sentence."""
    if stop - first < _LABEL_REACH and _LABEL.fullmatch(text, first, stop):
        return False
    number_follows = text[position].isdigit()
    if number_follows:
        if _EDITION.match(text, stop + 1):
            return False
    elif _IMPRINT.match(text, stop + 1) or _EDITOR_BEFORE.search(text, max(first, stop - _LABEL_REACH), stop):
        return False
    before = _WORD_BEFORE.search(text[max(first, stop - _LABEL_REACH) : stop])
    if before is None or text[max(stop - len(before.group()) - 1, 0)] == "-":
        return True  # a number, a sign or a pronoun behind its verb ("retomou-a.")
    abbreviation = before.group()
    key = abbreviation.lower()
    if key in UNITS and _UNIT_BEFORE.search(text[max(first, stop - 8) : stop]):
        return True
    if key in NEVER_LAST:
        return False
    opens = (
        not casual
        and word.lower() in OPENERS
        and text[position + len(word) : position + len(word) + 1] != "."
    )
    if key in LAST_BEFORE_OPENER:
        return opens
    if key in LAST_BEFORE_CAPITAL:
        return bool(word) and not casual
    if number_follows:
        if key in ABBREVIATION_BEFORE_NUMBER or (key in MONTHS and _YEAR.match(text, stop + 1)):
            return False
        return len(key) > 1 and (abbreviation.isupper() or not _CLIPPED.search(key))
    if len(key) == 1:
        return _letter_ends_sentence(text, first, stop, opens, abbreviation)
    if key in ABBREVIATION_BEFORE_NUMBER and _ROMAN.fullmatch(word):
        return False
    if _ACRONYM.fullmatch(abbreviation):
        return opens
    return not (casual and _CLIPPED.search(key))


def _letter_ends_sentence(text: str, first: int, stop: int, opens: bool, letter: str) -> bool:
    """The same behind one letter: an initial ("J. Costa"), a label ("plano B."), an abbreviation ("p.")."""
    noun = _NOUN_BEFORE.search(text[max(first, stop - _LABEL_REACH) : stop])
    if noun and letter.isupper() and noun[1].lower() in LABELLED:
        return True
    return opens


def _inside_parenthesis(text: str, first: int, end: int, candidate: re.Match[str]) -> bool:
    """Whether `candidate` stands in a parenthesis that interrupts the sentence, or is all that it holds."""
    start = max(first, candidate.start() - _PARENTHESIS_REACH)
    opening = text.rfind("(", start, candidate.start())
    if opening < 0 or not _VISIBLE.search(text, first, opening):
        return False
    if text.find(")", opening, candidate.start()) >= 0:
        return False
    if ")" in candidate["close"]:
        return text[candidate.start()] in "!?"
    return text.find(")", candidate.end(), min(end, candidate.end() + _PARENTHESIS_REACH)) >= 0
