"""How text is cut into words before any merge: the same regular expression that llama.cpp calls ``qwen2``.

A merge never crosses the border of a word, so the expression is part of the vocabulary's definition.
llama.cpp knows a closed list of them by name; using one of those is what lets an exported model tokenise
exactly as here, without a patch. Of that list ``qwen2`` suits Portuguese best: every digit stands alone
(arithmetic), and one character that is neither letter nor digit may lead a word, so that the clitics of
*contou-nos*, *dar-lhe-ei*, *vendê-lo* are whole words (``-nos``, ``-lhe``, ``-ei``, ``-lo``) and never glued
to the verb. Source: llama.cpp, ``src/llama-vocab.cpp``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from tokenizers import Regex, normalizers, pre_tokenizers

#: Name of the expression in llama.cpp (``tokenizer.ggml.pre`` of a GGUF file).
LLAMA_CPP_PRE = "qwen2"

#: The expression as llama.cpp writes it: explicit cases instead of ``(?i:...)``, which would fold other
#: letters too.
PRE_TOKENIZER_PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)

_BLANK_AND_SPACE = re.compile(r"\s ")
_SPACE_AFTER_VISIBLE = re.compile(r"(?<=\S) ")


def build_normalizer() -> normalizers.Normalizer:
    """Canonical composition (NFC), the only change that encoding makes to a text.

    llama.cpp does not normalise: whoever hands it text that may be decomposed composes it first.
    """
    return normalizers.NFC()


def build_split() -> pre_tokenizers.PreTokenizer:
    """The cut into words alone, still in characters."""
    return pre_tokenizers.Split(Regex(PRE_TOKENIZER_PATTERN), behavior="isolated")


def build_pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """The cut into words followed by the mapping of each UTF-8 byte to one printable character."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([build_split(), byte_level])


def canonical(text: str) -> str:
    """What a tokenizer reads of ``text``: its canonical composition, by this Python's Unicode tables.

    A lone surrogate, which no UTF-8 can hold, becomes U+FFFD; a pair becomes the character that it spells.
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return canonical(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    return text


def cut_at_spaces(text: str) -> tuple[str, list[str]]:
    """Cuts ``text`` at spaces that follow a visible character: what stands before the first, and behind each.

    The expression always puts a border before such a space, and what comes before never changes how it reads
    on from there. So the words of ``text`` are the words of the first stretch and of ``" " + stretch`` for
    each of the others.
    """
    plain = not text.startswith(" ") and _BLANK_AND_SPACE.search(text) is None
    first, *rest = text.split(" ") if plain else _SPACE_AFTER_VISIBLE.split(text)
    return first, rest


class WordCounter:
    """Counts the words of a stream of texts.

    Counting the stretches of :func:`cut_at_spaces` costs a dictionary look-up each; the expression then runs
    once per distinct stretch.
    """

    def __init__(self) -> None:
        self._split = build_split()
        self._stretches: Counter[str] = Counter()
        self._words: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Counts one document."""
        first, rest = cut_at_spaces(canonical(text))
        self._words.update(self._cut(first))
        self._stretches.update(rest)

    def counts(self) -> Counter[str]:
        """Occurrences of each word so far."""
        for stretch, count in self._stretches.items():
            for word in self._cut(" " + stretch):
                self._words[word] += count
        self._stretches.clear()
        return self._words

    def _cut(self, text: str) -> Iterator[str]:
        return (word for word, _ in self._split.pre_tokenize_str(text))
