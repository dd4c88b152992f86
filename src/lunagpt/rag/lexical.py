"""The words of a text as the lexical index knows them: Portuguese stems without accents.

``"As corações partidas"`` → ``["as", "coraca", "part"]``. People leave accents out when they ask, and the
stemmer recognises many endings only with them ("-ção", "-ável"); so every word is first folded, then the
accent of a known ending is put back, and only then is it stemmed. "educação" and "educacao" become the same
token.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import Stemmer

from lunagpt.errors import ConfigError
from lunagpt.rag.stop_words import PORTUGUESE

# Raised whenever the same text gives other tokens than before: bases then rebuild their word index.
_RULES = 1
LEXICAL_VERSION = f"{_RULES}/{Stemmer.version()}"

_WORD = re.compile(r"[^\W_]+")
_THOUSANDS = re.compile(r"(?<=\d)\.(?=\d{3}(?!\d))")
_MAX_TOKEN = 40  # longer ones are no words (base64, hashes): their beginning identifies them well enough

_ENDINGS = (
    ("coes", "ções"),
    ("cao", "ção"),
    ("soes", "sões"),
    ("sao", "são"),
    ("avel", "ável"),
    ("aveis", "áveis"),
    ("ivel", "ível"),
    ("iveis", "íveis"),
    ("encia", "ência"),
    ("encias", "ências"),
    ("ancia", "ância"),
    ("ancias", "âncias"),
    ("ario", "ário"),
    ("arios", "ários"),
    ("aria", "ária"),
    ("arias", "árias"),
    ("orio", "ório"),
    ("orios", "órios"),
    ("oria", "ória"),
    ("orias", "órias"),
)
_local = threading.local()  # a stemmer object must not be shared by threads


@lru_cache(maxsize=1 << 18)
def fold(word: str) -> str:
    """A word in lower case without accents: ``"Ação"`` → ``"acao"``."""
    word = word.lower()
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@lru_cache(maxsize=1 << 18)
def stem(word: str) -> str:
    """The token of a word: what it shares with its inflections, the same with and without accents."""
    folded = fold(word)
    accented = folded
    for plain, ending in _ENDINGS:
        if folded.endswith(plain):
            accented = folded[: -len(plain)] + ending
            break
    try:
        stemmer = _local.stemmer
    except AttributeError:
        stemmer = _local.stemmer = Stemmer.Stemmer("portuguese", 0)
    return fold(stemmer.stemWord(accented))[:_MAX_TOKEN]


#: Words that carry no subject, without accents.
STOP_WORDS = frozenset(fold(word) for word in PORTUGUESE)


def words(text: str) -> list[str]:
    """The words of a text in lower case; ``1.500`` and ``1500`` are the same word."""
    text = unicodedata.normalize("NFC", text).lower()
    return _WORD.findall(_THOUSANDS.sub("", text))


def tokens(text: str) -> list[str]:
    """The tokens of a text, in order, those of stop words included."""
    return [stem(word) for word in words(text)]


def query_tokens(query: str, stop_words: frozenset[str] = STOP_WORDS) -> list[str]:
    """Tokens of the words that say what a query is about, each once, in order.

    Stop words (folded) are left out, unless the query has nothing else.
    """
    found = words(query)
    content = [word for word in found if fold(word) not in stop_words]
    return list(dict.fromkeys(stem(word) for word in content or found))


def stop_words_from(setting: str | Iterable[str]) -> frozenset[str]:
    """The folded stop words that `rag.stop_words` asks for: ``"portuguese"`` or a list of words.

    Raises:
        ConfigError: another name than "portuguese".
    """
    if isinstance(setting, str):
        if fold(setting.strip()) not in ("portuguese", "portugues"):
            raise ConfigError(
                f'Não conheço a lista de palavras "{setting}" em rag.stop_words. '
                'Use "portuguese" ou escreva uma lista de palavras.'
            )
        return STOP_WORDS
    return frozenset(fold(word.strip()) for word in setting if word.strip())
