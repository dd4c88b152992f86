"""Thread: the person tells things about themselves, and asks for them again some turns later."""

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
    hour,
    invented_name,
    name,
    on_day,
    user,
)
from lunagpt.data.exercises.vocabulary import (
    ANIMALS,
    COLORS,
    DAYS,
    EVENTS,
    LIKINGS,
    PETS,
    PROFESSIONS,
    RELATIVES,
)

_GREETINGS = ("Oi!", "Olá", "Bom dia", "oi, tudo bem?", "Boa tarde!")
_GREETED = (
    "Oi! Em que posso ajudar?",
    "Olá! Sobre o que você quer conversar?",
    "Oi! Tudo bem por aqui. E com você?",
)
_NOTED = ("Anotado.", "Entendi, obrigada por contar.", "Certo, vou lembrar disso nesta conversa.")

# What people say in between. Who Luna is stays the same, whoever she talks to.
_WHO = (
    "Sou a Luna, a assistente do projeto aberto LunaGPT. Converso em português, rodo no seu próprio "
    "computador e posso consultar documentos que você indicar."
)
_CHATTER = (
    (
        ("Quem é você?", "quem é vc?", "Como você se chama?", "Qual é o seu nome?", "Me diga quem é você."),
        _WHO,
    ),
    (
        ("Quem te criou?", "Quem fez você?"),
        "O projeto LunaGPT, que é aberto. Não tenho comigo a lista das pessoas que contribuíram, por isso "
        "prefiro não citar nomes.",
    ),
    (
        ("Você é o ChatGPT?", "você é uma pessoa?"),
        "Não. Sou a Luna, um modelo de linguagem do projeto aberto LunaGPT.",
    ),
    (("Tudo bem?", "Tudo bem com você?", "Como vai?"), "Tudo bem por aqui. E com você?"),
    (("Tudo bem também.", "Estou bem.", "Tudo ótimo!"), "Que bom! Sobre o que você quer conversar?"),
    (("Obrigada!", "Obrigado.", "valeu!", "Muito obrigada, Luna."), "De nada!"),
    (("Que legal!", "Legal.", "Entendi.", "ok", "Certo."), "Se quiser, me conte mais."),
    (("Estou lendo um livro bom.", "Fiz um bolo hoje.", "Vou viajar."), "Que bom! Me conte mais sobre isso."),
    (
        ("Estou cansado hoje.", "Estou com sono.", "Hoje o dia foi difícil.", "Estou triste hoje."),
        "Sinto muito. Quer me contar o que aconteceu?",
    ),
    (
        ("Está chovendo aqui.", "Hoje fez muito calor.", "Acabei de almoçar.", "Cheguei do trabalho agora."),
        "Entendi. Como está sendo o seu dia?",
    ),
)
_CHATTER_TURNS = (0, 0, 1, 1, 2, 3)

# What was never told, by subject.
_UNTOLD = {
    "nome": ("Qual é o meu nome?", "Você ainda não me disse o seu nome."),
    "cidade": ("Onde eu moro?", "Você ainda não me contou onde mora."),
    "profissão": ("Qual é a minha profissão?", "Você ainda não me contou a sua profissão."),
    "cor": ("Qual é a minha cor favorita?", "Você ainda não me contou a sua cor favorita."),
    "idade": ("Quantos anos eu tenho?", "Você ainda não me disse a sua idade."),
}

_GREETING_FIRST = 0.3
_ALL_AT_ONCE = 0.4
_ASKED_FOR_UNTOLD = 0.2


@dataclass(frozen=True)
class Told:
    """Something the person tells: how it is said, replied to, asked for and given back."""

    subject: str
    said: str
    reply: str
    asked: str
    answer: str


def keep_the_thread(choose: random.Random, material: Material) -> list[Message]:
    """A conversation in which one to four things are told and up to three asked for, with chatter between."""
    told: dict[str, Told] = {}
    wanted = choose.choice([1, 1, 2, 2, 3, 4])
    while len(told) < wanted:
        one = choose.choice(_MAKERS)(choose)
        told.setdefault(one.subject, one)
    opening = (
        [(choose.choice(_GREETINGS), choose.choice(_GREETED))] if choose.random() < _GREETING_FIRST else []
    )
    if wanted > 1 and choose.random() < _ALL_AT_ONCE:
        everything = " ".join(capitalized(one.said).rstrip(".") + "." for one in told.values())
        telling = [(everything, choose.choice(_NOTED))]
    else:
        telling = [(one.said, one.reply) for one in told.values()]
    asking = [
        (one.asked, one.answer)
        for one in choose.sample(list(told.values()), min(wanted, choose.randint(1, 3)))
    ]
    if choose.random() < _ASKED_FOR_UNTOLD:
        asking.append(choose.choice([pair for subject, pair in _UNTOLD.items() if subject not in told]))
    turns = telling + asking
    for questions, answer in choose.sample(_CHATTER, choose.choice(_CHATTER_TURNS)):
        turns.insert(choose.randint(0, len(turns)), (choose.choice(questions), answer))
    return [message for said, reply in opening + turns for message in (user(said), assistant(reply))]


def _name(choose: random.Random) -> Told:
    me = name(choose)
    return Told(
        "nome",
        choose.choice([f"Meu nome é {me}.", f"Eu me chamo {me}.", f"Oi, meu nome é {me}.", f"me chamo {me}"]),
        choose.choice([f"Prazer, {me}!", f"Oi, {me}! Em que posso ajudar?", f"Muito prazer, {me}."]),
        choose.choice(
            ["Qual é o meu nome?", "Como eu me chamo?", "Você lembra o meu nome?", "qual meu nome?"]
        ),
        choose.choice([f"Seu nome é {me}.", f"Você se chama {me}."]),
    )


def _city(choose: random.Random) -> Told:
    place = city(choose)
    return Told(
        "cidade",
        choose.choice([f"Moro em {place}.", f"Eu vivo em {place}.", f"moro em {place} faz tempo"]),
        choose.choice([f"Que bom, você mora em {place}.", f"Anotado: você mora em {place}."]),
        choose.choice(["Onde eu moro?", "Em que cidade eu moro?", "Você lembra onde eu moro?"]),
        f"Você mora em {place}.",
    )


def _profession(choose: random.Random) -> Told:
    profession = choose.choice(PROFESSIONS)
    return Told(
        "profissão",
        choose.choice([f"Trabalho como {profession}.", f"Minha profissão: {profession}."]),
        choose.choice([f"Entendi: você trabalha como {profession}.", "Que profissão interessante!"]),
        choose.choice(["Qual é a minha profissão?", "Com o que eu trabalho?", "Em que eu trabalho?"]),
        f"Você trabalha como {profession}.",
    )


def _pet(choose: random.Random) -> Told:
    article, animal = choose.choice(ANIMALS)
    pet = invented_name(choose) if choose.random() < 0.3 else choose.choice(PETS)
    mine, yours, one = _possessives(article)
    return Told(
        f"nome d{article} {animal}",
        choose.choice(
            [
                f"{capitalized(mine)} {animal} se chama {pet}.",
                f"Tenho {one} {animal} chamad{article} {pet}.",
                f"O nome d{article} {mine} {animal} é {pet}.",
            ]
        ),
        choose.choice([f"{pet} é um nome simpático!", f"Que nome bonito para {one} {animal}: {pet}."]),
        choose.choice(
            [f"Como se chama {article} {mine} {animal}?", f"Qual é o nome d{article} {mine} {animal}?"]
        ),
        f"{capitalized(article)} {yours} {animal} se chama {pet}.",
    )


def _likings(choose: random.Random) -> Told:
    first, second = choose.sample(LIKINGS, 2)
    return Told(
        "gostos",
        choose.choice([f"Gosto de {first} e de {second}.", f"Adoro {first} e {second}."]),
        choose.choice([f"Boas escolhas: {first} e {second}.", "Que bom gosto!"]),
        choose.choice(["Do que eu gosto?", "O que eu disse que gosto?"]),
        f"Você gosta de {first} e de {second}.",
    )


def _color(choose: random.Random) -> Told:
    color = choose.choice(COLORS)
    return Told(
        "cor",
        f"Minha cor favorita é {color}.",
        choose.choice([f"{capitalized(color)} é uma cor bonita.", "Bonita escolha."]),
        choose.choice(["Qual é a minha cor favorita?", "De que cor eu gosto mais?"]),
        f"Sua cor favorita é {color}.",
    )


def _age(choose: random.Random) -> Told:
    years = choose.randint(8, 90)
    return Told(
        "idade",
        choose.choice([f"Tenho {years} anos.", f"Eu tenho {years} anos de idade."]),
        "Certo, obrigada por contar.",
        choose.choice(["Quantos anos eu tenho?", "Qual é a minha idade?"]),
        f"Você tem {years} anos.",
    )


def _appointment(choose: random.Random) -> Told:
    article, event = choose.choice(EVENTS)
    mine, yours, _ = _possessives(article)
    day, time = choose.choice(DAYS), hour(choose)
    return Told(
        event,
        choose.choice(
            [
                f"{capitalized(mine)} {event} é {on_day(day)}, às {time}.",
                f"Marquei {article} {event} para {day}, às {time}.",
            ]
        ),
        choose.choice(["Anotado.", f"Anotado: {event}, {day}, às {time}."]),
        choose.choice([f"Quando é {mine} {event}?", f"Que dia é {article} {mine} {event}?"]),
        f"{capitalized(yours)} {event} é {on_day(day)}, às {time}.",
    )


def _relative(choose: random.Random) -> Told:
    article, relative = choose.choice(RELATIVES)
    mine, yours, _ = _possessives(article)
    person = name(choose, article)
    return Told(
        f"nome d{article} {relative}",
        choose.choice(
            [
                f"{capitalized(mine)} {relative} se chama {person}.",
                f"O nome d{article} {mine} {relative} é {person}.",
            ]
        ),
        choose.choice([f"{person} é um nome bonito.", f"Mande um abraço para {person}."]),
        choose.choice(
            [f"Como se chama {article} {mine} {relative}?", f"Qual é o nome d{article} {mine} {relative}?"]
        ),
        f"{capitalized(article)} {yours} {relative} se chama {person}.",
    )


def _number(choose: random.Random) -> Told:
    number = code(choose)
    return Told(
        "código",
        choose.choice(
            [f"Guarde este código: {number}.", f"O código é {number}.", f"Anote o código {number}."]
        ),
        choose.choice(["Guardado.", f"Anotado: {number}."]),
        choose.choice(["Qual é o código?", "Que código eu passei?", "Qual era o código?"]),
        f"O código é {number}.",
    )


def _possessives(article: str) -> tuple[str, str, str]:
    """My, your, one: in the gender of the article."""
    return ("meu", "seu", "um") if article == "o" else ("minha", "sua", "uma")


_MAKERS: tuple[Callable[[random.Random], Told], ...] = (
    _name,
    _city,
    _profession,
    _pet,
    _likings,
    _color,
    _age,
    _appointment,
    _relative,
    _number,
)
