"""Characters that a reader of the page would not see, or that have several spellings, made plain.

Zero-width characters, text-direction controls, "tag" characters and variation selectors can carry
instructions that no person sees (Boucher and Anderson, "Trojan Source", 2021); none of them means anything
in Portuguese prose. Emoji keep theirs.
"""

from __future__ import annotations

import re
import unicodedata

_NEWLINES = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# The joiner and the emoji selector stay beside symbols (emoji); everything else in the class goes.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"  # controls, without tab and newline
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff\ufdd0-\ufdef]"
    "|(?<![\u2190-\u2bff\U0001f000-\U0001faff\ufe0f])\u200d"
    "|(?<![0-9#*\xa9\xae\u203c-\u3299\U0001f000-\U0001faff])\ufe0f"
)
_BLANKS_AT_LINE_END = re.compile(r"[ \t]+(?=\n)|[ \t]+\Z")
_MANY_BLANK_LINES = re.compile(r"\n{3,}")
_SPACE_RUN = re.compile(r"\s+")


def clean_text(text: str) -> str:
    """Text in NFC with "\\n" at line ends, plain spaces and no invisible characters."""
    if text.isascii():
        if text.isprintable():
            return text
    else:
        text = unicodedata.normalize("NFC", text)
        if text.isprintable():  # without line breaks or unusual spaces
            return _HIDDEN.sub("", text)
        text = _SPACES.sub(" ", text)
    return _HIDDEN.sub("", _NEWLINES.sub("\n", text))


def clean_line(text: str) -> str:
    """Like `clean_text`, on one line: every run of white space is a single space."""
    text = clean_text(text)
    if "  " in text or not text.isprintable():  # printable: there is no white space but spaces
        text = _SPACE_RUN.sub(" ", text)
    return text.strip()


def tidy_lines(text: str) -> str:
    """Cleaned text without blanks at line ends, nor more than one empty line on end."""
    if "\n" not in text:
        return text.rstrip(" \t")
    return _MANY_BLANK_LINES.sub("\n\n", _BLANKS_AT_LINE_END.sub("", text)).strip("\n")
