"""Facts: a made-up list of notices, prices, hours, people, and a question about one of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from lunagpt.data.exercises.material import (
    Material,
    Message,
    assistant,
    capitalized,
    city,
    code,
    day_of_month,
    hour,
    name,
    on_day,
    price,
    user,
)
from lunagpt.data.exercises.vocabulary import DAYS, EVENTS, NOTICES, PLACES, PROFESSIONS, THINGS
from lunagpt.data.grounding_format import NO_ANSWER, cite, format_evidence

_ABSENT = 0.15  # share of the questions about something that the list does not have
_SECOND_QUESTION = 0.25
_DISTRACTION = 0.3  # share of the lists with a passage of another matter among them
_LONGEST_DISTRACTION = 400  # characters
_UNTITLED = 0.3


@dataclass(frozen=True)
class Fact:
    """A fact of a kind about a subject: as a list says it, and a question that it answers."""

    subject: str
    kind: str
    written: str
    question: str
    answer: str


def list_of_facts(choose: random.Random, material: Material) -> list[Message]:
    """One or two questions over up to four passages with two to nine facts."""
    facts: dict[tuple[str, str], Fact] = {}
    count = choose.randint(2, 9)
    while len(facts) < count:
        fact = _any_fact(choose)
        facts.setdefault((fact.subject, fact.kind), fact)
    lists: list[list[Fact]] = [[] for _ in range(choose.choice([1, 1, 2, 3]))]
    for fact in facts.values():
        choose.choice(lists).append(fact)
    lists = [some for some in lists if some]
    distraction = " ".join(material.sentences(choose)[:2])
    if choose.random() < _DISTRACTION and len(distraction) < _LONGEST_DISTRACTION:
        lists.insert(choose.randint(0, len(lists)), [])  # the place of the distraction
    documents = [
        {"title": _title(choose), "content": " ".join(fact.written for fact in some) or distraction}
        for some in lists
    ]
    questions = choose.sample(list(facts.values()), 2 if choose.random() < _SECOND_QUESTION else 1)
    messages: list[Message] = []
    for fact in questions:
        other = _any_fact(choose)
        if choose.random() < _ABSENT and (other.subject, other.kind) not in facts:
            question, answer = other.question, NO_ANSWER
        else:
            number = next(i for i, some in enumerate(lists, start=1) if fact in some)
            question, answer = fact.question, cite(fact.answer, number)
        messages += [user(question if messages else format_evidence(documents, question)), assistant(answer)]
    return messages


def _title(choose: random.Random) -> str:
    if choose.random() < _UNTITLED:
        return ""
    return choose.choice(NOTICES) + choose.choice(["", f" {city(choose)}"])


def _any_fact(choose: random.Random) -> Fact:
    return choose.choice(_MAKERS)(choose)


def _price(choose: random.Random) -> Fact:
    article, thing = choose.choice(THINGS)
    value = price(choose)
    the = f"{article} {thing}"
    written = [
        f"{capitalized(the)} custa {value}.",
        f"Preço d{the}: {value}.",
        f"{capitalized(thing)}: {value}.",
    ]
    asked = [f"Quanto custa {the}?", f"Qual é o preço d{the}?", f"preço d{the}"]
    return Fact(
        thing, "preço", choose.choice(written), choose.choice(asked), f"{capitalized(the)} custa {value}."
    )


def _opening(choose: random.Random) -> Fact:
    article, place = choose.choice(PLACES)
    the = f"{article} {place}"
    start, end = hour(choose, 6, 12), hour(choose, 13, 22)
    written = [
        f"{capitalized(the)} funciona das {start} às {end}.",
        f"{capitalized(the)} abre às {start} e fecha às {end}.",
        f"Horário d{the}: das {start} às {end}.",
    ]
    asked = [
        (f"Que horas {the} abre?", f"{capitalized(the)} abre às {start}."),
        (f"Que horas {the} fecha?", f"{capitalized(the)} fecha às {end}."),
        (f"Qual é o horário d{the}?", f"{capitalized(the)} funciona das {start} às {end}."),
    ]
    return Fact(place, "horário", choose.choice(written), *choose.choice(asked))


def _event(choose: random.Random) -> Fact:
    article, event = choose.choice(EVENTS)
    the, day, time = f"{article} {event}", choose.choice(DAYS), hour(choose)
    written = [
        f"{capitalized(the)} será {on_day(day)}, às {time}.",
        f"{capitalized(the)} ficou para {day}, às {time}.",
    ]
    asked = [f"Quando é {the}?", f"Em que dia é {the}?"]
    answer = f"{capitalized(the)} é {on_day(day)}, às {time}."
    return Fact(event, "quando", choose.choice(written), choose.choice(asked), answer)


def _in_charge(choose: random.Random) -> Fact:
    article, place = choose.choice(PLACES)
    the, person = f"{article} {place}", name(choose)
    written = [
        f"Quem responde pel{the} é {person}.",
        f"{person} cuida d{the}.",
        f"Pessoa responsável pel{the}: {person}.",
    ]
    asked = [f"Quem cuida d{the}?", f"Quem responde pel{the}?"]
    return Fact(
        place, "responsável", choose.choice(written), choose.choice(asked), f"Quem cuida d{the} é {person}."
    )


def _birthplace(choose: random.Random) -> Fact:
    person, place = name(choose), city(choose)
    written = [f"{person} nasceu em {place}.", f"{person} é natural de {place}."]
    return Fact(
        person, "lugar", choose.choice(written), f"Onde {person} nasceu?", f"{person} nasceu em {place}."
    )


def _birth_year(choose: random.Random) -> Fact:
    person, said = name(choose), f"nasceu em {choose.randint(1800, 2020)}."
    asked = [f"Em que ano {person} nasceu?", f"Quando {person} nasceu?"]
    return Fact(person, "ano", f"{person} {said}", choose.choice(asked), f"{person} {said}")


def _profession(choose: random.Random) -> Fact:
    person, profession = name(choose), choose.choice(PROFESSIONS)
    written = [f"{person} trabalha como {profession}.", f"A profissão de {person} é {profession}."]
    asked = [f"O que {person} faz?", f"Qual é a profissão de {person}?"]
    answer = f"{person} trabalha como {profession}."
    return Fact(person, "profissão", choose.choice(written), choose.choice(asked), answer)


def _code(choose: random.Random) -> Fact:
    article, place = choose.choice(PLACES)
    the, value = f"{article} {place}", code(choose)
    written = [f"O código d{the} é {value}.", f"Código d{the}: {value}."]
    return Fact(
        place, "código", choose.choice(written), f"Qual é o código d{the}?", f"O código d{the} é {value}."
    )


def _whereabouts(choose: random.Random) -> Fact:
    article, thing = choose.choice(THINGS)
    the, place = f"{article} {thing}", "n{} {}".format(*choose.choice(PLACES))
    written = [f"{capitalized(the)} fica {place}.", f"{capitalized(the)} está guardad{article} {place}."]
    asked = [f"Onde fica {the}?", f"Onde está {the}?"]
    return Fact(
        thing, "onde", choose.choice(written), choose.choice(asked), f"{capitalized(the)} fica {place}."
    )


def _birthday(choose: random.Random) -> Fact:
    person, day = name(choose), day_of_month(choose)
    written = [f"{person} faz aniversário em {day}.", f"O aniversário de {person} é em {day}."]
    asked = f"Quando é o aniversário de {person}?"
    return Fact(
        person, "aniversário", choose.choice(written), asked, f"O aniversário de {person} é em {day}."
    )


_MAKERS: tuple[Callable[[random.Random], Fact], ...] = (
    _price,
    _opening,
    _event,
    _in_charge,
    _birthplace,
    _birth_year,
    _profession,
    _code,
    _whereabouts,
    _birthday,
)
