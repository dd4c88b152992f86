"""Words as the grounding code compares them: folded, stemmed, with their place in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lunagpt.rag import lexical
from lunagpt.rag.lexical import fold, stem

_ORDINALS_TEXT = "primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono décimo"
_ORDINALS = tuple(_ORDINALS_TEXT.split())
_IS_ORDINAL = re.compile(r"[ºª](?! de )")  # "1º de março" is a day
_TOKEN = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:['’](?=[^\W\d_]))?", re.UNICODE)
#: Words without a subject. To search for "segundo" is no use, but "o segundo bimestre" is not the first.
STOP_WORDS = lexical.STOP_WORDS - {"segundo"}

#: Words of asking itself: they show what kind of answer is wanted, not what it is about; folded.
_ASKING_WORDS_TEXT = """
favor gostaria queria quero saber diga dizer diz conte contar fale falar explique explicar explica
mostre informe pode poderia sabe sabes lembra significa quer pergunta responda resposta luna ola oi bom
boa dia tarde noite obrigado obrigada acordo conforme chama chamado chamada tipo nome
"""
ASKING_WORDS = frozenset(_ASKING_WORDS_TEXT.split())


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text.

    Attributes:
        text: as it is written.
        start, end: its offsets in the text.
        folded: lower case, without accents; of "2º", "segundo".
        stem: what it shares with its inflections; of a number, the number as written.
    """

    text: str
    start: int
    end: int
    folded: str
    stem: str

    @property
    def is_stop(self) -> bool:
        """Whether the word carries no subject."""
        return self.folded in STOP_WORDS or (len(self.folded) == 1 and not self.folded.isdigit())

    @property
    def is_capitalised(self) -> bool:
        return self.text[:1].isupper()

    @property
    def is_number(self) -> bool:
        return self.folded[:1].isdigit()

    @property
    def is_ordinal(self) -> bool:
        """Whether it is a figure that is read as a word: "2º"."""
        return self.text[:1].isdigit() and not self.is_number


def words(text: str) -> list[Word]:
    """The words and numbers of a text, in order."""
    found = []
    for match in _TOKEN.finditer(text):
        piece = match[0].rstrip("'’")
        said = _in_words(piece) if _IS_ORDINAL.match(text, match.end()) else piece
        found.append(Word(piece, match.start(), match.start() + len(piece), fold(said), stem(said)))
    return found


def _in_words(digits: str) -> str:
    """The ordinal that a number before "º" or "ª" is read as ("2" → "segundo"), up to the tenth."""
    place = int(digits) if digits.isdecimal() and len(digits) <= 2 else 0
    return _ORDINALS[place - 1] if 1 <= place <= len(_ORDINALS) else digits


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry the subject, in order, with repetitions."""
    return [word.stem for word in words(text) if not word.is_stop]


__all__ = ["ASKING_WORDS", "STOP_WORDS", "Word", "content_stems", "fold", "stem", "words"]
