"""Mending the text of PDF pages: a PDF has lines of glyphs; people read paragraphs of words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from lunagpt.data.loaders.cleaning import clean_text

# PDFium writes U+FFFE (older versions U+0002) for a hyphen at which a line was broken.
_BREAK_MARK = re.compile("[\ufffe\x02]\\s*")
_DOUBLE_SPACES = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)")
_SPACE_BEFORE_SIGN = re.compile(r"(?<=\w) +(?=[,;.:!?)\]](?:\s|\Z))")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HYPHEN_AT_END = re.compile(r"([^\W\d_]{2,})-\Z")
_WORD_AT_START = re.compile(r"([^\W\d_]+)")
_SENTENCE_END = re.compile(r"[.!?:;…][\"”’')\]]*\Z")
_NEW_ITEM = re.compile(
    r"(?:[-–—•▪●◦*·‣]\s|\(?\d{1,3}[.)]\s|\(?[a-zA-Z]\)\s|\(?[ivxIVX]{1,5}\s?[.)–-]\s|"
    r"(?:art|artigo|cap[ií]tulo|se[cç][aã]o|anexo|par[aá]grafo [uú]nico|§)\b)",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"[-–—\s|]*(?:p[aá]g(?:ina|\.)?\s*)?\d{1,4}(?:\s*(?:/|de)\s*\d{1,4})?[-–—\s|]*\Z", re.IGNORECASE
)
# A pronoun after one of these endings is joined by a hyphen that belongs to the word: "tornar-se".
_VERB_ENDING = re.compile(r"\w{2,}(?:[aei]r|ndo|[aei]u|ou|ava|iam|am|em|mo|[áéêíóô])\Z", re.IGNORECASE)
_PRONOUNS = frozenset(("me", "te", "se", "nos", "vos", "lo", "la", "los", "las", "no", "na", "nas"))
# "lhe" ends few words that are no verbs.
_NO_VERBS = frozenset(("deta", "enta", "mo", "ta", "fa", "enca", "espa"))
_EDGE_LINES = 2
_MAX_HEAD = 120
_MAX_NUMBERS = 3
_REPEATED_SHARE = 0.5
_REPEATED_PAGES = 4
# A line at least this long, next to the usual length of the full lines of its page, ran to the margin.
_FULL_LINE = 0.75
_SHORTEST_FULL_LINE = 30


def mend_pages(pages: list[str], headings: Iterable[str] = ()) -> list[str]:
    """Pages as paragraphs: running heads and page numbers dropped, words joined that were broken at a line's
    end, lines joined that belong to one paragraph, double spaces made single.

    Args:
        pages: the text of each page.
        headings: lines that are not to be taken for running heads.
    """
    marked = [_BREAK_MARK.sub("-\n", page) for page in pages]
    lines = [
        [_DOUBLE_SPACES.sub(" ", line.strip()) for line in clean_text(page).split("\n")] for page in marked
    ]
    lines = _without_running_heads(lines, {heading.lower() for heading in headings})
    words = Counter(word.lower() for page in lines for line in page for word in _WORD.findall(line))
    return [_join_lines(page, words) for page in lines]


def _without_running_heads(pages: list[list[str]], headings: set[str]) -> list[list[str]]:
    """Drop page numbers, and lines that stand at the edge of half of the pages, the same or but for a number
    that grows with the page ("Página 3 de 10"); `headings` (in small letters) stay."""
    if len(pages) < _REPEATED_PAGES:
        return pages
    seen: Counter[tuple[str, int]] = Counter()
    for number, page in enumerate(pages):
        seen.update({key for place in _edges(page) for key in _patterns(page[place], number)})
    enough = max(_REPEATED_PAGES - 1, _REPEATED_SHARE * len(pages))
    kept = []
    for number, page in enumerate(pages):
        dropped = {
            place
            for place in _edges(page)
            if page[place].lower() not in headings
            and (
                _PAGE_NUMBER.match(page[place])
                or any(seen[key] >= enough for key in _patterns(page[place], number))
            )
        }
        kept.append([line for place, line in enumerate(page) if place not in dropped])
    return kept


def _edges(page: list[str]) -> list[int]:
    """Places of the first and last lines with text."""
    filled = [place for place, line in enumerate(page) if line]
    return sorted({*filled[:_EDGE_LINES], *filled[-_EDGE_LINES:]})


def _patterns(line: str, page: int) -> list[tuple[str, int]]:
    """Keys that a line shares with the same line on other pages: as it is, or with a number that counts."""
    if len(line) > _MAX_HEAD or line[:1].islower():  # the end of a sentence is no head
        return []
    line = line.lower()
    numbers = list(_DIGITS.finditer(line))[:_MAX_NUMBERS]
    return [
        (line, 0),
        *(
            (f"{line[: found.start()]}#{line[found.end() :]}", int(found[0]) - page)
            for found in numbers
            if len(found[0]) <= 4
        ),
    ]


def _join_lines(lines: list[str], words: Counter[str]) -> str:
    lengths = sorted(len(line) for line in lines if len(line) >= _SHORTEST_FULL_LINE)
    usual = lengths[len(lengths) * 3 // 4] if lengths else 0
    paragraphs: list[str] = []
    joined: list[bool] = []  # whether a paragraph is made of several lines
    before = ""  # the line that the last paragraph ends with, as it stood on the page
    for line in lines:
        if not line:
            before = ""
            continue
        if before and _continues(before, line, usual):
            paragraphs[-1] = _joined(paragraphs[-1], line, words)
            joined[-1] = True
        else:
            paragraphs.append(line)
            joined.append(False)
        before = line
    parts: list[str] = []
    for place, paragraph in enumerate(paragraphs):
        if place:  # lines of a list or a table stay together
            prose = (joined[place] or joined[place - 1]) and not _NEW_ITEM.match(paragraph)
            parts.append("\n\n" if prose else "\n")
        parts.append(_SPACE_BEFORE_SIGN.sub("", paragraph))
    return "".join(parts)


def _continues(before: str, line: str, usual: int) -> bool:
    """Whether `line` goes on with the paragraph that `before` belongs to."""
    if _NEW_ITEM.match(line):
        return False
    if _HYPHEN_AT_END.search(before) and line[:1].islower():
        return True
    full = len(before) >= max(_SHORTEST_FULL_LINE, _FULL_LINE * usual)
    if line[:1].islower():
        return full or not _SENTENCE_END.search(before)
    return full and not (_SENTENCE_END.search(before) and len(before) < 0.95 * usual)


def _joined(text: str, line: str, words: Counter[str]) -> str:
    head, tail = _HYPHEN_AT_END.search(text[-60:]), _WORD_AT_START.match(line)
    if not head or not tail or not line[:1].islower():
        return f"{text} {line}"
    # The document itself knows best how it spells the word; else the hyphen was only for the line's end.
    whole, hyphenated = (head[1] + tail[1]).lower(), f"{head[1]}-{tail[1]}".lower()
    belongs = words[hyphenated] > words[whole] or (
        words[whole] == words[hyphenated] == 0 and _is_pronoun(tail[1].lower(), head[1].lower())
    )
    return text + line if belongs else text[:-1] + line


def _is_pronoun(word: str, before: str) -> bool:
    """Whether `word`, after a hyphen, is a pronoun of the verb `before`."""
    if word in ("lhe", "lhes"):
        return before not in _NO_VERBS
    return word in _PRONOUNS and bool(_VERB_ENDING.match(before))
