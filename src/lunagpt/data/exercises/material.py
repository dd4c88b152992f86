"""What exercises are made of: sentences and words of real texts, names and numbers that nobody has seen."""

from __future__ import annotations

import random
from dataclasses import dataclass

from lunagpt.data.exercises import vocabulary

Message = dict[str, str]

_INVENTED_NAMES = 0.35
_INVENTED_PLACES = 0.25
_SENTENCES_IN_A_ROW = 8
_NAMES = vocabulary.WOMEN + vocabulary.MEN


@dataclass(frozen=True)
class Material:
    """Texts to make exercises of.

    Attributes:
        texts: the sentences of each, in order.
        words: all their words, as often as they occur.
    """

    texts: list[list[str]]
    words: list[str]

    def sentences(self, choose: random.Random) -> list[str]:
        """Up to eight sentences that follow each other in one of the texts."""
        text = choose.choice(self.texts)
        start = choose.randrange(len(text))
        return text[start : start + _SENTENCES_IN_A_ROW]


def user(content: str) -> Message:
    return {"role": "user", "content": content}


def assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}


def capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def on_day(day: str) -> str:
    """``no sábado``, ``na terça-feira``."""
    return f"{'no' if day in ('sábado', 'domingo') else 'na'} {day}"


def invented_name(choose: random.Random) -> str:
    """A name that no text has: it can only be copied."""
    return capitalized("".join(choose.choice(vocabulary.SYLLABLES) for _ in range(choose.randint(2, 4))))


def name(choose: random.Random, article: str = "") -> str:
    """A person's name: a woman's (article ``a``), a man's (``o``), or anyone's."""
    if choose.random() < _INVENTED_NAMES:
        return invented_name(choose)
    return choose.choice({"a": vocabulary.WOMEN, "o": vocabulary.MEN}.get(article, _NAMES))


def city(choose: random.Random) -> str:
    return invented_name(choose) if choose.random() < _INVENTED_PLACES else choose.choice(vocabulary.CITIES)


def code(choose: random.Random) -> str:
    """A number, letters with a number, or a decimal number."""
    letters = "".join(choose.choice("ABCDEFGHJKLMNPRSTUVXZ") for _ in range(2))
    return choose.choice(
        [
            str(choose.randint(10, 99_999)),
            f"{letters}-{choose.randint(10, 999)}",
            f"{choose.randint(1, 999)},{choose.randint(0, 99):02d}",
        ]
    )


def price(choose: random.Random) -> str:
    return f"R$ {choose.randint(1, 300)},{choose.choice(['00', '25', '50', '75', '90', '99'])}"


def hour(choose: random.Random, first: int = 6, last: int = 22) -> str:
    return f"{choose.randint(first, last)}h{choose.choice(['', '', '15', '30', '45'])}"


def day_of_month(choose: random.Random) -> str:
    """``1º de maio``, ``17 de outubro``."""
    day = choose.randint(1, 28)
    return f"{'1º' if day == 1 else day} de {choose.choice(vocabulary.MONTHS)}"
