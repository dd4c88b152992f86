"""Repeat: say again what was just said, word for word, whether it makes sense or not."""

from __future__ import annotations

import random

from lunagpt.data.exercises.material import Material, Message, assistant, city, code, name, user

_REQUESTS = (
    "Repita: {}",
    "Repita exatamente: {}",
    "Copie este texto: {}",
    "Escreva de novo, sem mudar nada:\n\n{}",
    "repete pra mim: {}",
    "{}\n\nRepita o texto acima.",
    "Diga a mesma coisa outra vez: {}",
)
_AGAIN = ("De novo.", "Mais uma vez, por favor.", "outra vez", "Repita de novo.")

_SHUFFLED, _FLOWING = 0.45, 0.35  # shares; the rest are lists of names and numbers
_LONGEST = 600  # characters
_LONGEST_SAID_TWICE = 400
_SAID_TWICE = 0.25


def repeat_what_was_said(choose: random.Random, material: Material) -> list[Message]:
    """Words in any order, which only the words before them can foretell; sentences; names and numbers."""
    kind = choose.random()
    if kind < _SHUFFLED:
        text = " ".join(choose.choice(material.words) for _ in range(choose.randint(4, 70)))
    elif kind < _SHUFFLED + _FLOWING:
        text = " ".join(material.sentences(choose)[: choose.randint(1, 4)])
    else:
        makers = (name, code, city, lambda choose: choose.choice(material.words))
        text = ", ".join(choose.choice(makers)(choose) for _ in range(choose.randint(3, 20)))
    text = text[:_LONGEST].strip()
    messages = [user(choose.choice(_REQUESTS).format(text)), assistant(text)]
    if len(text) < _LONGEST_SAID_TWICE and choose.random() < _SAID_TWICE:
        messages += [user(choose.choice(_AGAIN)), assistant(text)]
    return messages
