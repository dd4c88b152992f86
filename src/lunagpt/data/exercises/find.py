"""Find: quote the sentence, out of numbered passages, in which a word stands, or end one that was begun."""

from __future__ import annotations

import random
import re

from lunagpt.data.exercises import vocabulary
from lunagpt.data.exercises.material import Material, Message, assistant, capitalized, name, user
from lunagpt.data.grounding_format import NO_ANSWER, cite, format_evidence

_ASK_FOR_WORD = (
    "O que o texto diz sobre {}?",
    "O que se diz de {}?",
    "Onde se fala em {}?",
    "Mostre a frase que fala de {}.",
    "Qual frase menciona {}?",
)
_ASK_FOR_END = ("Complete: {}…", "Continue a frase: {}…", "Como termina “{}…”?")

_ABSENT = 0.12  # share of the questions whose word stands nowhere
_DRAWS = 20  # of a word that may stand nowhere
_BY_WORD = 0.5
_TWO_WORDS = 0.4
_LONGEST = 1400  # characters of all passages
_ANSWER_LENGTHS = range(25, 261)
_SHORTEST_WORD = 5
_WORD = re.compile(rf"[^\W\d_]{{{_SHORTEST_WORD},}}")


def find_in_passages(choose: random.Random, material: Material) -> list[Message] | None:
    """One question over one to three passages; None when they give no good one."""
    passages = [
        material.sentences(choose)[: choose.randint(1, 4)] for _ in range(choose.choice([1, 1, 2, 2, 3]))
    ]
    written = " ".join(sentence for passage in passages for sentence in passage).lower()
    if len(written) > _LONGEST:
        return None
    documents = [{"title": _title(choose, material), "content": " ".join(passage)} for passage in passages]
    if choose.random() < _ABSENT:
        drawn = (choose.choice(material.words) for _ in range(_DRAWS))
        word = next((w for w in drawn if len(w) >= _SHORTEST_WORD and w.lower() not in written), None)
        if word is None:
            return None
        return _dialogue(documents, choose.choice(_ASK_FOR_WORD).format(word), NO_ANSWER)
    number = choose.randrange(len(passages))
    sentence = choose.choice(passages[number])
    if len(sentence) not in _ANSWER_LENGTHS:
        return None
    if choose.random() < _BY_WORD:
        wanted = _wanted_words(choose, sentence, written)
        if not wanted:
            return None
        return _dialogue(documents, choose.choice(_ASK_FOR_WORD).format(wanted), cite(sentence, number + 1))
    words = sentence.split()
    if len(words) <= _SHORTEST_WORD:
        return None
    begun = choose.randint(3, len(words) - 2)
    question = choose.choice(_ASK_FOR_END).format(" ".join(words[:begun]))
    return _dialogue(documents, question, cite(" ".join(words[begun:]), number + 1))


def _title(choose: random.Random, material: Material) -> str:
    return choose.choice(
        [
            "",
            f"{name(choose)} {choose.choice(vocabulary.CITIES)}",
            capitalized(choose.choice(material.words)),
        ]
    )


def _wanted_words(choose: random.Random, sentence: str, written: str) -> str:
    """One word, or two, of `sentence` that stand nowhere else in the passages."""
    words = [
        word
        for word in _WORD.findall(sentence)
        if word.lower() not in vocabulary.COMMON_WORDS and written.count(word.lower()) == 1
    ]
    if len(words) > 1 and choose.random() < _TWO_WORDS:
        first, second = sorted(choose.sample(range(len(words)), 2))
        return f"{words[first]} e {words[second]}"
    return choose.choice(words) if words else ""


def _dialogue(documents: list[dict[str, str]], question: str, answer: str) -> list[Message]:
    return [user(format_evidence(documents, question)), assistant(answer)]
