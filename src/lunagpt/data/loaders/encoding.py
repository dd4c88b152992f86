"""Bytes → text: the encoding is told by a mark, by being valid UTF-8, or by how Portuguese it reads."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from lunagpt.data.loaders import problems
from lunagpt.data.loaders.problems import FileProblem

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SIGNATURES = (
    (b"%PDF-", "um PDF"),
    (b"PK\x03\x04", "um arquivo compactado ou do Office"),
    (b"\xd0\xcf\x11\xe0", "um documento antigo do Office"),
    (b"\x89PNG", "uma imagem"),
    (b"\xff\xd8\xff", "uma imagem"),
    (b"GIF8", "uma imagem"),
    (b"\x1f\x8b", "um arquivo compactado"),
    (b"Rar!", "um arquivo compactado"),
    (b"7z\xbc\xaf", "um arquivo compactado"),
    (b"\x7fELF", "um programa"),
    (b"MZ\x90", "um programa"),
    (b"SQLite format 3", "um banco de dados"),
    (b"{\\rtf", "um documento RTF"),
)
# One-byte encodings found in Brazilian files: Windows, DOS and old Macs. Latin-1 is a part of the first.
_ONE_BYTE = ("cp1252", "cp850", "mac_roman")
_PORTUGUESE = re.compile("[áàâãéêíóôõúüçÁÀÂÃÉÊÍÓÔÕÚÜÇñÑºª°§–—“”‘’•…€\xa0«»]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
# Letters do not neighbour these in prose; in the wrong encoding they do.
_LETTER_ODDITY = re.compile("[A-Za-z][\x80-\xa0–—“”•…€¡-©¬-±²-´¶-¹»-¿×÷ƒ†‡‰‹›™Œœ∂∆∏∑√∞∫≈≠≤≥◊─-╿▀-▟Ω][a-z]")
# So do a capital inside of a word and "ç" before anything but a, o and u.
_MISPLACED = re.compile("[a-z][À-ÖØ-Þ](?=[a-z])|ç(?![aouáàâãóôõú]|\\Z)|Ç(?![AOUÁÀÂÃÓÔÕÚ]|\\Z)")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SAMPLE_BYTES = 1 << 18
_MAX_CONTROL_SHARE = 0.02
_MAX_BROKEN_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded text, the name of its encoding, and whether some bytes did not fit it."""

    text: str
    encoding: str
    doubtful: bool = False


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Decode text of unknown encoding: its mark, UTF-8, `declared` (what the file says of itself), UTF-16
    without a mark, or the one-byte encoding in which it reads most like Portuguese.

    Raises:
        FileProblem: the bytes are not text.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _tolerant(data[len(mark) :], name)
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            raise FileProblem(problems.BINARY.format(kind=kind))
    wide = _wide_encoding(data)
    if wide:
        return _tolerant(data, wide)
    sample = data[:_SAMPLE_BYTES]
    if len(_CONTROL.findall(sample)) > _MAX_CONTROL_SHARE * len(sample) + 8:
        raise FileProblem(problems.BINARY_UNKNOWN)
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    if declared and _is_text_codec(declared) and declared.lower().replace("_", "-") not in ("utf-8", "utf8"):
        try:
            return Decoded(data.decode(declared), declared.lower())
        except UnicodeDecodeError:
            pass
    # A few broken bytes in UTF-8 (a file cut short, two files pasted) are no reason to misread the rest.
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if broken <= _MAX_BROKEN_SHARE * (len(_NOT_ASCII.findall(text)) - broken):
        return Decoded(text, "utf-8", doubtful=True)
    name = max(_ONE_BYTE, key=lambda name: _portuguese_score(sample.decode(name, errors="replace")))
    return _tolerant(data, name)


def _tolerant(data: bytes, name: str) -> Decoded:
    text = data.decode(name, errors="replace")
    # cp1252 leaves five bytes undefined; Latin-1 files put (invisible) controls there.
    return Decoded(text, name, doubtful="\ufffd" in text)


def _wide_encoding(data: bytes) -> str:
    """UTF-16 or UTF-32 without a mark: in Western text, the zero bytes fall on fixed places."""
    sample = data[: min(_SAMPLE_BYTES, len(data) // 4 * 4)]
    if len(sample) < 8 or b"\0" not in sample:
        return ""
    quarter = len(sample) // 4
    zeros = [sample[place::4].count(0) / quarter for place in range(4)]
    if min(zeros[1:]) > 0.9 and zeros[0] < 0.1:
        return "utf-32-le"
    if min(zeros[:3]) > 0.9 and zeros[3] < 0.1:
        return "utf-32-be"
    if min(zeros[1], zeros[3]) > 0.5 and max(zeros[0], zeros[2]) < 0.1:
        return "utf-16-le"
    if min(zeros[0], zeros[2]) > 0.5 and max(zeros[1], zeros[3]) < 0.1:
        return "utf-16-be"
    return ""


def _portuguese_score(text: str) -> int:
    """Letters and signs of Portuguese, less what is not, less signs in the middle of a word."""
    found = len(_PORTUGUESE.findall(text))
    odd = len(_LETTER_ODDITY.findall(text)) + len(_MISPLACED.findall(text))
    return 2 * found - len(_NOT_ASCII.findall(text)) - 2 * odd


def _is_text_codec(name: str) -> bool:
    """Whether `name` is a codec from bytes to text (a file may declare "zip", "rot13" or nonsense)."""
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        return False
    return bool(getattr(info, "_is_text_encoding", False)) and not info.name.startswith(
        ("utf-7", "unicode", "raw")
    )
