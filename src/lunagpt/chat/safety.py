"""What must not be left to any model: someone who speaks of ending their own life.

The answer is fixed, gentle and names people to talk to; it comes before every search and every model. Only
words in the first person count: questions about suicide as a subject, and sayings ("morrer de rir"), go their
usual way. Rules miss what is said in other words; they add to what a model does, they do not replace it.
"""

from __future__ import annotations

import re

from lunagpt.rag.lexical import fold

CRISIS_REPLY = (
    "Sinto muito que você esteja passando por isso. O que você sente importa, e você não precisa enfrentar "
    "isso sem ninguém. Eu sou um programa; uma pessoa pode ajudar de verdade. Por favor, fale com alguém "
    "agora: no Brasil, o CVV atende de graça, a qualquer hora, pelo telefone 188 ou em cvv.org.br; em "
    "Portugal, ligue para o SNS 24, 808 24 24 24. Se houver perigo imediato, ligue 192 (Brasil) ou 112 "
    "(Portugal), ou vá ao pronto-socorro mais perto. Se puder, chame alguém de confiança para ficar com você."
)

_WISH = (
    r"(?:quero|queria|vou|pretendo|penso em|pensei em|pensando em|pensado em|vontade de|tentei|tentar|"
    r"preciso|decidi|planejo|planejando|pensamentos de|desejo de|prefiro|preferia|considerando)"
)
_END = (
    r"(?:me matar|matar-me|morrer|me suicidar|suicidar-me|suicidio|tirar (?:a )?minha (?:propria )?vida|"
    r"acabar com (?:a )?(?:minha vida|tudo isso|minha existencia)|(?:por|dar) fim (?:a|na) minha vida|"
    r"me enforcar|me jogar (?:da|do|de um|na frente)|cortar (?:os )?(?:meus )?pulsos)"
)
_SAYING = (
    r"(?! (?:de (?:rir|vergonha|calor|frio|fome|sono|tanto|medo|saudades?|tedio|estudar|trabalhar)|no jogo|"
    r"na praia|velh))"
)
_SPEAKS_OF_ENDING = re.compile(
    rf"\b{_WISH} (?:\w+ )?{_END}\b{_SAYING}"
    r"|\bnao (?:quero|aguento|consigo|vejo(?: mais)? (?:motivo|razao|sentido)|"
    r"tenho(?: mais)? (?:vontade|motivos?|razao))"
    r"(?: mais)?(?: (?:de|em|para|pra))?(?: continuar)?(?: mais)?"
    r" (?:viver|vivendo|viv[ao]|existir|(?:neste|nesse) mundo)\b(?! (?:com|n[oa]|em|de|sem|aqui))"
    r"|\b(?:minha vida|a vida|viver) (?:ja )?nao (?:vale|faz)(?: mais)? (?:a pena|sentido)\b"
    r"|\b(?:queria|quero|preferia)"
    r" (?:estar mort[oa]|(?:nao|nunca) ter nascido|nao acordar mais|dormir e nao acordar)\b"
    r"|\bmelhor (?:se )?eu (?:morrer|morresse|nao existi[rs]\w*|estivesse mort[oa])\b"
    r"|\b(?:me corto|estou me cortando|tenho me cortado|me machuco) (?:de proposito|quando|para aliviar)\b"
)


def crisis_reply(message: str) -> str | None:
    """The answer to someone who speaks of ending their own life; None for every other message."""
    return CRISIS_REPLY if _SPEAKS_OF_ENDING.search(" ".join(fold(message).split())) else None
