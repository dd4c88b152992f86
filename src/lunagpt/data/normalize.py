"""`TextNormalizer`: cleaning text before it is divided, indexed or learned from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from lunagpt.data.contractions import expand_contractions
from lunagpt.errors import missing_extra

# Invisible characters that only harm search: soft hyphen, zero-width space and no-break space, word joiner.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_BLANKS = re.compile(r"[^\S\n]+")
_LINE_BREAK = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_EMPTY_LINES = re.compile(r"\n{3,}")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_NESTED_ITEM = re.compile(r"[ \t]+(?=(?:[-*+•]|\d{1,3}[.)])\s)")


class TextNormalizer:
    """Normalises text, in this order: Unicode, white space, contractions, case, accents.

    What is left out of the default changes what the text says. Offsets into the old text do not hold for the
    new one: normalise before dividing into chunks.

    Args:
        lowercase: small letters throughout.
        remove_accents: *ação* → *acao*; ``º`` and ``ª`` stay.
        expand_contractions: *do* → *de o*, *pela* → *por a*, *numa* → *em uma*, *àquele* → *a aquele*; those
            that cannot be told from another word stay, see :mod:`lunagpt.data.contractions`.
        fix_unicode: mends text that was decoded wrongly (*InformaÃ§Ãµes* → *Informações*), with ftfy; curly
            quotes stay as they are. The text is composed (NFC) in any case.
        remove_extra_whitespaces: one space between words, none at the ends of lines, at most one empty line
            in a row; what stands between code fences and the indentation of list items stay.

    Raises:
        MissingDependencyError: `fix_unicode`, and ftfy is not installed.
    """

    def __init__(
        self,
        lowercase: bool = False,
        remove_accents: bool = False,
        expand_contractions: bool = False,
        fix_unicode: bool = False,
        remove_extra_whitespaces: bool = True,
    ) -> None:
        self.lowercase = lowercase
        self.remove_accents = remove_accents
        self.expand_contractions = expand_contractions
        self.fix_unicode = fix_unicode
        self.remove_extra_whitespaces = remove_extra_whitespaces
        self._mend = _mender() if fix_unicode else None

    def normalize(self, text: str) -> str:
        """The normalised text; the same again if it is normalised again, unless accents go and contractions
        are expanded: *nó* becomes *no*, which a second pass would take for *em o*.
        """
        if self._mend:
            text = self._mend(text)
        if self.remove_extra_whitespaces:
            text = _tidied(text)
        text = unicodedata.normalize("NFC", text)
        if self.expand_contractions:
            text = expand_contractions(text)
        if self.lowercase:
            text = unicodedata.normalize("NFC", text.lower())
        if self.remove_accents:
            text = without_accents(text)
        return text


def without_accents(text: str) -> str:
    """`text` without the marks on its letters: *coração* → *coracao*; everything else stays."""
    if text.isascii():
        return text
    bare = "".join(
        character for character in unicodedata.normalize("NFD", text) if not unicodedata.combining(character)
    )
    return unicodedata.normalize("NFC", bare)


def _tidied(text: str) -> str:
    """One space between words, no space at the ends of lines, at most one empty line; code as it is."""
    text = _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text))
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        opening = _FENCE.match(line)
        if fence:
            lines.append(line.rstrip())
            fence = "" if opening and opening[1].startswith(fence) else fence
            continue
        if opening:
            fence = opening[1]
        indentation = _NESTED_ITEM.match(line)
        tidy = _BLANKS.sub(" ", line).strip()
        lines.append(indentation.group() + tidy if indentation else tidy)
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def _mender() -> Callable[[str], str]:
    try:
        from ftfy import TextFixerConfig, fix_text
    except ModuleNotFoundError as error:
        raise missing_extra("ftfy", "data", "corrigir acentos trocados (fix_unicode=True)") from error
    config = TextFixerConfig(unescape_html=False, uncurl_quotes=False)
    return lambda text: fix_text(text, config)
