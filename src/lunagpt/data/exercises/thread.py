"""Thread: the person tells things about themselves, and asks for them again some turns later.

Between the telling and the asking go other things that people say, a text read aloud, other questions: what
is asked for may be a dozen turns back. Sometimes it was never told, and the answer says so. This is kept
rare: a model that is asked for the untold too often learns to deny what it has just heard.
"""

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
    (("Não sei o que fazer hoje.", "Estou à toa.", "Que tédio."), "Quer conversar, ou prefere uma sugestão?"),
    (("Me dê uma dica de estudo.", "Como estudo melhor?"), "Estude um pouco por dia e explique em voz alta."),
    (("Vamos mudar de assunto.", "Deixa isso pra lá."), "Claro. Do que você quer falar?"),
    (
        ("Você gosta de música?", "Você come?"),
        "Sou um programa: não ouço nem como, só converso.",
    ),
    (("Posso te contar uma coisa?", "Quero te contar uma coisa."), "Pode contar."),
    (("Preciso sair daqui a pouco.", "Já volto.", "Espera um pouco."), "Tudo bem, estou por aqui."),
    (
        ("Está chovendo aqui.", "Hoje fez muito calor.", "Acabei de almoçar.", "Cheguei do trabalho agora."),
        "Entendi. Como está sendo o seu dia?",
    ),
)
_CHATTER_TURNS = (0, 0, 1, 1, 2, 3, 5)

# A text read aloud, and what is said to it.
_READ_ALOUD = (
    ("Veja esta frase: {}", "Li a frase. O que você quer fazer com ela?"),
    ("Hoje eu li isto: {}", "Interessante. Quer conversar sobre isso?"),
    ("Estou estudando. O texto diz: {}", "Entendi. Se tiver uma dúvida sobre o texto, pergunte."),
)

# What was never told, by subject.
_UNTOLD = {
    "nome": ("Qual é o meu nome?", "Você ainda não me disse o seu nome."),
    "cidade": ("Onde eu moro?", "Você ainda não me contou onde mora."),
    "profissão": ("Qual é a minha profissão?", "Você ainda não me contou a sua profissão."),
    "cor": ("Qual é a minha cor favorita?", "Você ainda não me contou a sua cor favorita."),
    "idade": ("Quantos anos eu tenho?", "Você ainda não me disse a sua idade."),
}

_GREETING_FIRST = 0.3
_ALL_AT_ONCE = 0.3
_READING = 0.3
_ASKED_AGAIN = 0.3
_ASKED_FOR_UNTOLD = 0.08


@dataclass(frozen=True)
class Told:
    """Something the person tells.

    Attributes:
        asked: ways to ask for it, all with the same `answer`.
    """

    subject: str
    said: str
    reply: str
    asked: list[str]
    answer: str


def keep_the_thread(choose: random.Random, material: Material) -> list[Message]:
    """A conversation in which one to four things are told, and asked for at any time after that."""
    told: dict[str, Told] = {}
    wanted = choose.choice([1, 1, 2, 2, 3, 4])
    while len(told) < wanted:
        one = choose.choice(_MAKERS)(choose)
        told.setdefault(one.subject, one)
    everything = list(told.values())
    if wanted > 1 and choose.random() < _ALL_AT_ONCE:
        said = " ".join(capitalized(one.said).rstrip(".") + "." for one in everything)
        turns = [(said, choose.choice(_NOTED))]
        told_in = dict.fromkeys(told, turns[0])
    else:
        turns = [(one.said, one.reply) for one in everything]
        told_in = dict(zip(told, turns, strict=True))
    for one in choose.sample(everything, min(wanted, choose.randint(1, 3))):
        for _ in range(1 + (choose.random() < _ASKED_AGAIN)):
            after = turns.index(told_in[one.subject]) + 1
            turns.insert(choose.randint(after, len(turns)), (choose.choice(one.asked), one.answer))
    if choose.random() < _ASKED_FOR_UNTOLD:
        turns.append(choose.choice([pair for subject, pair in _UNTOLD.items() if subject not in told]))
    for questions, answer in choose.sample(_CHATTER, choose.choice(_CHATTER_TURNS)):
        turns.insert(choose.randint(0, len(turns)), (choose.choice(questions), answer))
    if choose.random() < _READING:
        form, answer = choose.choice(_READ_ALOUD)
        turns.insert(choose.randint(0, len(turns)), (form.format(material.sentences(choose)[0]), answer))
    if choose.random() < _GREETING_FIRST:
        turns.insert(0, (choose.choice(_GREETINGS), choose.choice(_GREETED)))
    return [message for said, reply in turns for message in (user(said), assistant(reply))]


def _name(choose: random.Random) -> Told:
    me = name(choose)
    return Told(
        "nome",
        choose.choice(
            [
                f"Meu nome é {me}.",
                f"Eu me chamo {me}.",
                f"Oi, meu nome é {me}.",
                f"me chamo {me}",
                f"Sou {me}.",
                f"Aqui é {me}.",
                f"Pode me chamar de {me}.",
            ]
        ),
        choose.choice([f"Prazer, {me}!", f"Oi, {me}! Em que posso ajudar?", f"Muito prazer, {me}."]),
        [
            "Qual é o meu nome?",
            "Qual é o meu nome?",
            "Como eu me chamo?",
            "Você lembra o meu nome?",
            "Você sabe o meu nome?",
            "qual meu nome?",
            "Qual é mesmo o meu nome?",
        ],
        choose.choice([f"Seu nome é {me}.", f"Você se chama {me}."]),
    )


def _city(choose: random.Random) -> Told:
    place = city(choose)
    return Told(
        "cidade",
        choose.choice([f"Moro em {place}.", f"Eu vivo em {place}.", f"moro em {place} faz tempo"]),
        choose.choice([f"Que bom, você mora em {place}.", f"Anotado: você mora em {place}."]),
        ["Onde eu moro?", "Em que cidade eu moro?", "Você lembra onde eu moro?"],
        f"Você mora em {place}.",
    )


def _profession(choose: random.Random) -> Told:
    profession = choose.choice(PROFESSIONS)
    return Told(
        "profissão",
        choose.choice([f"Trabalho como {profession}.", f"Minha profissão: {profession}."]),
        choose.choice([f"Entendi: você trabalha como {profession}.", "Que profissão interessante!"]),
        ["Qual é a minha profissão?", "Com o que eu trabalho?", "Em que eu trabalho?"],
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
        [f"Como se chama {article} {mine} {animal}?", f"Qual é o nome d{article} {mine} {animal}?"],
        f"{capitalized(article)} {yours} {animal} se chama {pet}.",
    )


def _likings(choose: random.Random) -> Told:
    first, second = choose.sample(LIKINGS, 2)
    return Told(
        "gostos",
        choose.choice([f"Gosto de {first} e de {second}.", f"Adoro {first} e {second}."]),
        choose.choice([f"Boas escolhas: {first} e {second}.", "Que bom gosto!"]),
        ["Do que eu gosto?", "O que eu disse que gosto?"],
        f"Você gosta de {first} e de {second}.",
    )


def _color(choose: random.Random) -> Told:
    color = choose.choice(COLORS)
    return Told(
        "cor",
        f"Minha cor favorita é {color}.",
        choose.choice([f"{capitalized(color)} é uma cor bonita.", "Bonita escolha."]),
        ["Qual é a minha cor favorita?", "De que cor eu gosto mais?"],
        f"Sua cor favorita é {color}.",
    )


def _age(choose: random.Random) -> Told:
    years = choose.randint(8, 90)
    return Told(
        "idade",
        choose.choice([f"Tenho {years} anos.", f"Eu tenho {years} anos de idade."]),
        "Certo, obrigada por contar.",
        ["Quantos anos eu tenho?", "Qual é a minha idade?"],
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
        [f"Quando é {mine} {event}?", f"Que dia é {article} {mine} {event}?"],
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
        [f"Como se chama {article} {mine} {relative}?", f"Qual é o nome d{article} {mine} {relative}?"],
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
        ["Qual é o código?", "Que código eu passei?", "Qual era o código?"],
        f"O código é {number}.",
    )


def _possessives(article: str) -> tuple[str, str, str]:
    """My, your, one: in the gender of the article."""
    return ("meu", "seu", "um") if article == "o" else ("minha", "sua", "uma")


# The name more often than the rest: it is what people ask for.
_MAKERS: tuple[Callable[[random.Random], Told], ...] = (
    _name,
    _name,
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
