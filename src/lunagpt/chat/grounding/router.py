"""Talk or question? Decides whether a message is to be looked up or goes to the model as it is.

Rules on the form of the message, because a search engine finds something for every sentence: "estou triste"
shares words with articles on literature, and "qual é o seu nome?" with the one on nouns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from lunagpt.chat.grounding.facts import find_names
from lunagpt.chat.grounding.refusal import stands_on_passages
from lunagpt.chat.grounding.words import content_stems, fold, words


class Intent(StrEnum):
    """What a message wants.

    TALK: greetings, thanks, feelings, who Luna is, what was said before; nothing to look up.
    PERSONAL: something about the person or a task ("posso levar meu cachorro?"); documents may have it, an
    encyclopaedia has not.
    QUESTION: a question on the world, or loose search words.
    """

    TALK = "conversa"
    PERSONAL = "pessoal"
    QUESTION = "pergunta"


_GREETING = re.compile(
    r"^(?:(?:oi+e?|ola+|opa|e\s*ai|eai|eae|hey|hello|alo|salve|fala|bom dia|boa tarde|boa noite|bem-vinda|"
    r"tchau|adeus|ate (?:logo|mais|amanha|breve)|falou|valeu|obrigad[oa]s?|brigad[oa]|muito obrigad[oa]|"
    r"(?:de )?nada|por favor|desculp[ae]s?|foi mal|ok(?:ay)?|ta (?:bom|bem|certo)|certo|beleza|blz|legal|"
    r"massa|show|otimo|perfeito|entendi|sim|nao|claro|isso|exato|kk+|ha(?:ha)+|rs+|hum+|ah+|uau|nossa|eita|"
    r"teste|luna|tudo (?:bem|bom|certo|joia)|td bem|como (?:vai|esta|ce ta|vc ta|voce esta)|beleza|a todos|"
    r"gente|pessoal|hein|ne|ai|entao|amiga|querida|meu bem|minha linda)(?:\W+|$))+$"
)
# About Luna herself.
_ABOUT_LUNA = re.compile(
    r"\b(?:voce|voces|vc|vcs|ce|tu|contigo|s(?:eu|ua)s? (?:nome|idade|criador\w*|mae|pai|voz|memoria|"
    r"opiniao|cor|comida|funcao|familia|limitac\w+|busca|respostas?|regras|fontes|base|modelo|treino|dados|"
    r"capacidades?|aniversario|dona?|casa|altura|signo|time|musica|filme|livro|sonho|hobby)|te (?:chama|"
    r"criou|fez|fizeram|criaram|chamo|amo|adoro|odeio|falei|disse|contei|pedi|perguntei)|es (?:um|uma|a|o|"
    r"real|human)\w*|luna|teu nome|teus?|tuas?|chama-te|chamas)\b"
)
_TASK = re.compile(
    r"^\W*(?:me |luna,? )?(?:escrev[ae]|reescrev[ae]|traduz\w*|traduza|resum[ae]\w*|corrij[ae]|corrige|"
    r"revis[ae]|invent[ae]|cri[ae]|ger[ae]|conta\b(?! sobre| o que| quem| como)|conte(?:-me)?\b(?! sobre|"
    r" o que| quem| como)|anot[ae]|guard[ae]|organiz[ae]|mont[ae]|faz\b|faca|lembr[ae]|acrescent[ae]|"
    r"adicion[ae]|inclui|inclua|tir[ae]\b|troc[ae]|calcul[ae]|som[ae]\b|sugir[ae]|sugere|indica|"
    r"recomend[ae]|ajud[ae]|me ajud|me d[ae]|me pass[ae]|me mand[ae]|cant[ae]|brinc|jog[ae]|finj[ae]|"
    r"repit[ae]|continu[ae]|list[ae] d[eo]|poe|bota|coloc[ae]|decid\w+|vamos|bora|imagine|imagina|"
    r"transform[ae]|pens[ae]\b|escolh[ae]|responda|quero (?:que|uma?|ler|comprar|aprender|conversar|"
    r"respostas?|desabafar))\b"
)
_FIRST_PERSON_WORDS = """
eu me mim comigo meu minha meus minhas nosso nossa nossos nossas to tou tava estou estava sou fui tenho
tinha tive quero queria preciso precisava moro trabalho gosto adoro odeio acho sinto senti fiz faco vou
comprei perdi ganhei passei acabei comecei terminei consegui consigo sei sabia sonhei estudo posso podia
devo gente gostei amo cansei tomei comi dormi acordei briguei chorei voltei cheguei sai ando nasci vivo
chamo deixei esqueci levei recebi pedi queimei cai quebrei mudei namoro casei
"""
_FIRST_PERSON = frozenset(_FIRST_PERSON_WORDS.split())
# Of these, the ones that are the third person too: "quantos anos ele tinha?".
_FIRST_OR_THIRD = frozenset(["tinha", "estava", "tava", "queria", "precisava", "sabia", "podia"])
_THIRD_PERSON = frozenset(["ele", "ela", "eles", "elas"])
_FEELINGS = re.compile(
    r"\b(?:triste|feliz|cansad[oa]|ansios[oa]|sozinh[oa]|chatead[oa]|nervos[oa]|com medo|com raiva|"
    r"deprimid[oa]|desanimad[oa]|saudades? d|preocupad[oa]|estressad[oa]|animad[oa]|apaixonad[oa]|"
    r"entediad[oa]|com sono|que (?:calor|frio|saudade|sono|preguica|dia|fome|susto|raiva|delicia|lindo|"
    r"chato|pena|bom|otimo|merda))\b"
)
_HARM = re.compile(
    r"\b(?:me matar|suicid\w*|morrer|me cortar|me machucar|sem deixar (?:rastro|marca|vestigio)|"
    r"mata\w* (?:alguem|gato|cachorro|uma pessoa|meu|minha)|acabar com (?:tudo|a minha vida)|"
    r"sumir do mundo|matar)\b"
)
# What only those who stand here and now can know; not the things of an encyclopaedia.
_HERE_AND_NOW = re.compile(
    r"\b(?:agora|hoje|amanha|ontem|neste momento|esta semana|essa semana|este mes|que horas sao|que dia e|"
    r"est[ea]s?|ess[ea]s?|isso|isto|aqui|ai|mesmo\?|(?:na|da) (?:minha )?lista|por ultimo|ainda est[ao]|"
    r"quem (?:e|sao) [oa]s? (?:atua(?:l|is) )?(?:president\w+|governador\w*|prefeit\w+|ministr\w+|papa|rei|"
    r"rainha|campe\w+|tecnic\w+|don[oa])|atual(?:mente)?|ultim[oa]s? (?:copa|mundial|eleic\w+|jogo|"
    r"noticia\w*)|o programa|comandos?|/\w+|vizinh[oa]s?|meninas?)\b|/\w+"
)
_FACT = re.compile(
    r"^\W*(?:e )?(?:(?:em|de|ate|desde|para|com|a|por) )?(?:quem|quando|onde|quant[oa]s?|qual (?:e|foi|era|"
    r"o|a)\b|quais\b|que (?:ano|dia|pais|cidade|estado|seculo))\b(?! (?:ficou|voce|a gente))"
)
# "Ela era casada com quem?", "o rio nasce onde?"
_FACT_LAST = re.compile(r"\b(?:(?:com|de|por|para) quem|onde|quando|em que ano|quant[oa]s?(?: \w+)?)\W*$")
_SUM = re.compile(
    r"\d\s*(?:x|\*|\+|-|/|vezes|mais|menos|dividido|por cento)\s*(?:por |de )?\d|\bminutos tem\b|^quanto e \d"
)
# A calculation and nothing else: passages with the same numbers do not carry it out.
_OPERAND = r"\(*\s*\d+(?:[.,]\d+)*\s*%?\s*\)*"
_CALCULATION = re.compile(
    r"^\W*(?:(?:me diga )?quanto (?:e|da|sao|fica|faz|vale)|(?:qual (?:e )?)?(?:o )?resultado d[aeo]|conta|"
    r"calcule|resolva)?\s*:?\s*"
    rf"{_OPERAND}(?:\s*(?:[-+*/x×÷−–^]|vezes|mais|menos|dividido por|elevado a|de)\s*{_OPERAND})+[\s=?!.]*$"
)
_IS = re.compile(r"\best(?:á|ão)\b", re.IGNORECASE)
_CHOICE = re.compile(r"^\W*(?:\w+ )?\w+ ou \w+\W*$")
_ASKS = re.compile(
    r"\?\s*$|^\W*(?:e\s+)?(?:(?:o|a|em|de|por|para|desde|ate|com|a|no|na|sobre) )?(?:quem|quando|onde|aonde|"
    r"quanto|quanta|quantos|quantas|qual|quais|que|q|como|por ?que|pq|porque|cade)\b"
)
_ASKS_ABOUT = re.compile(
    r"^\W*(?:me )?(?:fal[ae]|explic\w+|explique|diga|diz|conta|conte|defin[ae]|descrev[ae]|quero saber|"
    r"gostaria de saber|queria saber|voce sabe|vc sabe|sabe(?:ria)?|pode me (?:dizer|explicar|falar|contar)|"
    r"o que voce sabe|me diga|me diz|voce pode (?:me )?(?:dizer|explicar|falar)|poderia (?:me )?(?:dizer|"
    r"explicar))\b(?:[^?]{0,20}\b(?:sobre|quem|quando|onde|qual|quais|quant\w+|o que|que|como|por que)\b)?"
)
# What one may, must or has to expect ("posso ter um gato?", "o que acontece se eu atrasar?"), but not of the
# talk itself ("posso te contar uma coisa?").
_ASKS_FOR_A_RULE = re.compile(
    r"^\W*(?:(?:e|mas|entao) )?(?:(?:ate )?(?:quando|como|onde|quanto|o que|por que|quem) )?(?:eu )?"
    r"(?:posso|podemos|devo|devemos|preciso|precisamos|(?:tenho|temos) (?:de|que|direito)|"
    r"(?:sou|somos) obrigad[oa]s?|pago|pagamos|acontece (?:se|quando))\b"
)
_OF_THE_TALK = re.compile(
    r"\b(?:te|lhe|contigo|voce|vc|conversar|contar|perguntar|pergunta|desabafar|dizer|falar)\b"
)
_SOCIAL_OPENERS = re.compile(
    r"^(?:(?:oi+|ola|opa|bom dia|boa tarde|boa noite|luna|por favor|por gentileza|tudo bem|hey)[\s,!.?]+)+"
)
_LONGEST_QUESTION = 1500  # characters; what is longer is a text to work on
_MOST_KEYWORDS = 6
_TOLD_SHARE = 0.6


def intent_of(message: str, history: Sequence[Mapping[str, str]] = ()) -> Intent:
    """What a message wants, from its form.

    Args:
        message: what the user said.
        history: the messages before it. Loose words are search words at the start of a conversation and after
            an answer with citations; after anything else they go on talking ("Qual o prato?" "Lentilha").
    """
    if len(message) > _LONGEST_QUESTION:
        return Intent.TALK
    # "está" is a verb, "esta" points at something: they must not fall together.
    folded = " ".join(fold(_IS.sub("fica", message)).split())
    bare = folded.strip(" .!?,;:)(\"'“”")
    if not re.search(r"[^\W\d_]", bare) or _GREETING.match(bare) or _HARM.search(folded):
        return Intent.TALK
    body = _SOCIAL_OPENERS.sub("", folded)
    if _CALCULATION.match(body):
        return Intent.TALK
    about = _ASKS_ABOUT.match(body)
    rest = body[about.end() :] if about is not None else body
    if (_ABOUT_LUNA.search(rest) and not _mentions_only(rest)) or _was_told(rest, history):
        return Intent.TALK
    found = words(rest)
    said = {word.folded for word in found} & _FIRST_PERSON
    of_another = any(word.folded in _THIRD_PERSON for word in found) or bool(find_names(message))
    personal = bool(said - _FIRST_OR_THIRD if of_another and _ASKS.search(rest) else said)
    if _FEELINGS.search(rest) and not _ASKS.search(rest.rstrip(" ?!")):
        return Intent.TALK
    if _TASK.match(body) and (about is None or (not _ASKS.search(rest) and " sobre " not in f" {folded} ")):
        return Intent.TALK
    asks = _ASKS.search(rest) is not None or about is not None
    if personal or _HERE_AND_NOW.search(rest):
        return Intent.PERSONAL if asks else Intent.TALK
    if _CHOICE.match(rest):
        return Intent.TALK
    if asks:
        return Intent.QUESTION
    if history and not _cites(history):
        return Intent.TALK
    content = [word for word in found if not word.is_stop]
    loose = len(found) <= _MOST_KEYWORDS and content and not re.search(r"[.!,;]", rest.rstrip(" ."))
    return Intent.QUESTION if loose and not _has_verb_of_telling(rest) else Intent.TALK


def asks_for_a_rule(message: str) -> bool:
    """Whether a personal question asks for what one may, must or has to expect: that stands in documents, or
    nobody here knows it."""
    body = _SOCIAL_OPENERS.sub("", " ".join(fold(message).split()))
    return _ASKS_FOR_A_RULE.search(body) is not None and _OF_THE_TALK.search(body) is None


def asks_for_a_fact(message: str, history: Sequence[Mapping[str, str]] = ()) -> bool:
    """Whether a message asks for who, when, where, how much or which of something in the world: what a model
    without sources can only invent. Not what the user has said before.

    Args:
        message: the question, follow-ups in full.
        history: the messages before it.
    """
    folded = " ".join(fold(message).split())
    body = _SOCIAL_OPENERS.sub("", folded)
    if (
        (_FACT.match(body) is None and _FACT_LAST.search(body) is None)
        or _SUM.search(body)
        or intent_of(message) is not Intent.QUESTION
    ):
        return False
    if find_names(message):
        return True
    content = [word for word in words(message) if not word.is_stop]
    return bool(content) and (len(content) >= 2 or _cites(history)) and not _was_told(message, history)


def _was_told(message: str, history: Sequence[Mapping[str, str]]) -> bool:
    """Whether a message asks for what the user has said before ("guarda a sala da prova" … "qual era a
    sala?")."""
    asked = content_stems(message)
    told = {
        stem
        for entry in history
        if entry.get("role") == "user" and not _asks_or_requests(fold(entry["content"]).strip())
        for stem in content_stems(entry["content"])
    }
    return bool(asked) and sum(stem in told for stem in asked) >= _TOLD_SHARE * len(asked)


def _asks_or_requests(folded: str) -> bool:
    return _ASKS.search(folded) is not None or _ASKS_ABOUT.match(folded) is not None


def _cites(history: Sequence[Mapping[str, str]]) -> bool:
    """Whether the last answer stands on passages, or says that there were none."""
    last = next((m["content"] for m in reversed(history) if m.get("role") == "assistant"), "")
    return stands_on_passages(last)


def _mentions_only(folded: str) -> bool:
    """Whether "você" only stands for anybody ("como você planta uma árvore")."""
    return (
        re.search(
            r"^como (?:e que )?(?:voce|vc|tu) (?:faz|planta|prepara|calcula|monta|mede|instala|limpa)", folded
        )
        is not None
    )


def _has_verb_of_telling(folded: str) -> bool:
    """Whether loose words tell something ("meu gato dormiu", "é o jingle da farmácia") instead of
    searching."""
    return (
        re.search(
            r"^(?:e|foi|era|eh|sao|ta|tava|estava|ela|ele|eles|elas|acho|acabou|tem|teve|so|ja|nao|sim|mas|"
            r"porque|pois|uns|umas|faz|domingo|ontem|hoje|amanha|sabado|segunda|agora|aqui|la|isso|esse|"
            r"essa|minha|meu)\b|\b(?:disse|falou|chegou|chorou|ficou|deu|veio|saiu|morreu|faleceu|caiu|"
            r"quebrou|passou|gostou|"
            r"acabou)\b",
            folded,
        )
        is not None
    )
