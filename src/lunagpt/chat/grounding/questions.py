"""What a question asks for: the kind of answer, the words of its subject, the names in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from lunagpt.chat.grounding.facts import find_facts, find_names
from lunagpt.chat.grounding.life_spans import LifeEvent, event_named
from lunagpt.chat.grounding.words import ASKING_WORDS, fold, stem, words


class Asks(StrEnum):
    """The kind of answer that a question wants."""

    PERSON = "pessoa"
    DATE = "data"
    TIME = "hora"
    PLACE = "lugar"
    MONEY = "dinheiro"
    QUANTITY = "quantidade"
    REASON = "motivo"
    MANNER = "modo"
    DEFINITION = "definição"
    YES_NO = "sim ou não"
    THING = "coisa"


# The first pattern that fits the folded question decides.
_PATTERNS: tuple[tuple[Asks, str], ...] = (
    (Asks.REASON, r"\bpor ?que\b|\bpq\b|\bpor qual (razao|motivo)\b|\bqual (e |foi )?[oa]? ?(motivo|razao|"
                  r"causa)\b"),
    (Asks.TIME, r"\b(que|q|quantas|qual) horas?\b|\b(qual|que) (e )?o? ?horario|\bhorarios?\b"),
    (Asks.MONEY, r"\bquanto (e que )?(custa|sai|pago|paga|cobra|vale|fica|devo|recebe|ganha)\w*|\b(preco|"
                 r"valor|custo|tarifa|mensalidade|salario|multa|orcamento)\b"),
    (Asks.DATE, r"\bquando\b|\bque (dia|ano|data|mes|seculo|epoca|periodo|decada)\b|\b(em|ate|"
                r"desde) q(ue)? (dia|ano|data|mes|seculo)\b|\bqual (e |foi |era )?(a|o) (data|ano|dia|mes|"
                r"seculo|prazo)\b|\bqual (data|ano|dia|mes|seculo)\b|\bdata (de|do|da)\b|\bate quando\b|"
                r"\bdesde quando\b|\bprazo\b"),
    (Asks.QUANTITY, r"\bquant[oa]s?\b|\bcom que frequencia\b|"
                    r"\bqual (e |foi |era )?(a|o) (altura|altitude|tamanho|peso|massa|"
                    r"numero|quantidade|populacao|area|distancia|velocidade|temperatura|idade|taxa|"
                    r"porcentagem|percentual|total|nota|duracao|profundidade|extensao|comprimento|largura|"
                    r"diametro|volume|potencia|capacidade|voltagem)\b|\ba que (altura|altitude|distancia|"
                    r"profundidade|velocidade|temperatura)\b|\b(numero|quantidade|"
                    r"porcentagem|percentual|taxa|nota|calorias|telefone|cep|cnpj|cpf)\b"),
    (Asks.PLACE, r"\b(a?onde|donde)\b|\b(em|de|para|a) q(ue|ual) (cidade|pais|estado|lugar|local|rua|sala|"
                 r"bairro|continente|regiao|municipio|andar)\b|\bqual (e |foi |era )?(a|o) (cidade|pais|"
                 r"estado|local|endereco|capital)\b|\b(endereco|capital)\b"),
    (Asks.PERSON, r"\bquem\b|\bqual (e |foi |era )?(o|a) (autor|autora|nome d[oa]|presidente|diretor|"
                  r"diretora|responsavel|criador|inventor|fundador)\b|\bde quem\b"),
    (Asks.DEFINITION, r"^\W*(e )?(o )?(que|q) (e|eh|sao|foi|era|foram|seria|seriam|significa|quer dizer)\b|"
                      r"^\W*(me |nos )?(fal[ae]|cont[ae]|explique|explica)(-me)? (mais |um pouco )*(d[eoa]s?|"
                      r"sobre)\b|\bo (que|q) (e|eh|significa|quer dizer)\b|\b(defina|define|definicao|"
                      r"significado|conceito)\b"),
    (Asks.MANNER, r"\bcomo\b|\bde que (modo|forma|maneira)\b|\bqual (e )?a (maneira|forma)\b"),
    (Asks.THING, r"\b(qual|quais|que|q)\b"),
)  # fmt: skip
_COMPILED = tuple((asks, re.compile(pattern)) for asks, pattern in _PATTERNS)

# A question that begins with its verb wants a yes or no, also without a question mark.
_VERB_FIRST = re.compile(
    r"^(?:e verdade|posso|pode|podem|podemos|ha|existe|existem|tem|precisa|preciso|precisamos|deve|devo|"
    r"da para|vale|aceita|aceitam|funciona|abre|permite)\b"
)

# "Segundo o contrato, quem…": by whom it is told, not the second of several.
_SOURCE = re.compile(r"^\W*segundo (?=[oa]s? |ess[ea]s? |est[ea]s? )")

# Which facts can be an answer of each kind.
ANSWER_FACTS: dict[Asks, frozenset[str]] = {
    Asks.PERSON: frozenset({"name"}),
    Asks.DATE: frozenset({"date", "time", "figure"}),
    Asks.TIME: frozenset({"time"}),
    Asks.PLACE: frozenset({"name"}),
    Asks.MONEY: frozenset({"figure"}),
    Asks.QUANTITY: frozenset({"figure"}),
}

# Stems that say what kind of answer is wanted and need not stand in the sentence that gives it.
_TYPE_STEMS_WORDS = """
dia ano data mês século época período década hora horas horário prazo preço valor custo cidade país
estado lugar local número quantidade motivo razão pessoa custa sai endereço
"""
_TYPE_STEMS = frozenset(stem(word) for word in _TYPE_STEMS_WORDS.split())


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart.

    Attributes:
        text: as it was asked.
        asks: the kind of answer wanted.
        stems: stems of the words of its subject, without repetitions, in order.
        names: stems of the words that name somebody or something, or are figures.
        typing: those of `stems` that only tell the kind of answer.
        life_event: the birth or the death whose date is asked for.
    """

    text: str
    asks: Asks
    stems: tuple[str, ...]
    names: frozenset[str]
    typing: frozenset[str]
    life_event: LifeEvent | None = None


def analyse_question(text: str) -> Question:
    """Takes a question apart; also one of loose keywords ("preço do ingresso")."""
    found = words(text)
    source = _SOURCE.match(fold(text))
    begins = source.end() if source is not None else 0
    subject = [w for w in found if not w.is_stop and w.folded not in ASKING_WORDS and w.start >= begins]
    if not subject:
        subject = [w for w in found if not w.is_stop] or found
    stems = tuple(dict.fromkeys(word.stem for word in subject))
    spans = [(fact.start, fact.end) for fact in find_names(text)]
    spans += [(fact.start, fact.end) for fact in find_facts(text) if fact.kind != "name"]
    names = frozenset(
        word.stem
        for word in subject
        if not word.is_ordinal and any(start <= word.start < end for start, end in spans)
    )
    asks = _kind(text)
    life_event = event_named(text) if asks is Asks.DATE else None
    return Question(text, asks, stems, names, frozenset(stems) & _TYPE_STEMS, life_event)


def asks_who_or_what(text: str) -> bool:
    """Whether a question asks who somebody or what something is ("quem foi Zumbi?", "me fale do Pix")."""
    return (
        _kind(text) is Asks.DEFINITION or re.search(r"\bquem (?:e|foi|sao|foram)\b", fold(text)) is not None
    )


def _kind(text: str) -> Asks:
    folded = re.sub(r"\s+", " ", fold(text)).strip()
    for asks, pattern in _COMPILED:
        if pattern.search(folded):
            return asks
    return Asks.YES_NO if folded.endswith("?") or _VERB_FIRST.match(folded) else Asks.THING
