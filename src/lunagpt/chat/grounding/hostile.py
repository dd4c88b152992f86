"""Documents are text, never orders: what is taken out of them, and which sentences no answer may lean on.

Nothing here decides what the assistant does; there is nothing a document could make it do but talk. These
rules keep hidden text away from the model and sentences addressed to an assistant out of answers.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

from lunagpt.chat.grounding.words import fold

_HTML_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HIDDEN_ELEMENT = re.compile(
    r"<(\w{1,20})[^>]{0,200}?(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|"
    r"hidden\b)[^>]{0,200}>.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_CONTROL_TOKEN = re.compile(
    r"<\|[^|>\n]{0,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|</?(?:system|assistant|user|"
    r"think)>",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"!\[([^\]\n]{0,300})\]\s{0,3}(?:\([^)\n]{0,2000}\)|\[[^\]\n]{0,300}\])")
_LINK = re.compile(r"\[([^\]\n]{1,300})\]\([^)\n]{0,2000}\)")
_REFERENCE = re.compile(r"^[ \t]*\[[^\]\n]{1,300}\]:[ \t]*\S+.*$", re.MULTILINE)
_NUMBERED = re.compile(r"\[(\d+)\]")
_BLOB = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_SPACED = re.compile(r"\b(?:\w[ .\-*_]){4,}\w\b")

# One sentence that fits any of these (folded, one line) speaks to the assistant, not to the reader.
_COMMANDS = re.compile(
    r"""
    \b(ignor[ea]\w*|desconsider[ea]\w*|esque[cç]a\w*|esquece\b|descart[ea]\w*|desobede[cç]a\w*|disregard|
       forget|
       bypass|override|ignorez|oubliez|olvid[ae]\w*|vergiss|ignoriere|dimentica)\b.{0,60}?
       \b(instruc\w*|instruk\w*|istruzion\w*|regras?|ordens|orientac\w*|anteriormente|prompts?|previous|above|
          comandos?|diretriz\w*|rules?|guidelines|anweisung\w*|consignes?|tudo\s+o?\s*que|documentos?\s+acima|
          everything|restricoes|politicas?|filtros?|system)\b
    | \b(instruc\w*|regras|ordens|instructions|rules)\b.{0,30}\b(anteriores?|acima|previas|previous|prior)\b
       .{0,40}\b(cancelad\w*|revogad\w*|nao\s+valem|invalid\w*|substitu\w*|nulas|void)\b
    | \b(voce|tu|vc|you|usted|tu)\s+(agora\s+)?(e|es|are|eres)\s+(agora|now|ahora)\b
    | \bvoce\s+agora\s+e\b | \byou\s+are\s+now\b | \bahora\s+eres\b | \btu\s+es\s+maintenant\b |
        \bdu\s+bist\s+jetzt\b
    | \ba\s+partir\s+de\s+agora\b.{0,40}\b(voce|responda|aja|diga|fale|suas?)\b | \bfrom\s+now\s+on\b
    | \b(aja|atue|comporte-se|finja|act|pretend|behave|haga|actua)\s+(como|que|as|to\s+be)\b.{0,50}
       \b(assistente|modelo|ia|dan|administrador|admin|hacker|pirata|desenvolvedor|root|developer|
          unrestricted)\b
    | \b(system\s*prompt|prompt\s+d[oe]\s+sistema|mensagem\s+d[oe]\s+sistema|system\s+message|
       modo\s+desenvolvedor|
       developer\s+mode|jailbreak|prompt\s+(inicial|secreto|oculto))\b
    | \b(nota|atencao|mensagem|instruc\w*|ordem|aviso|recado|comando|note|message|instructions?|attention|
       importante)\b
       \s*(\(?\s*(ao|para\s+[oa]s?|a|aos|to\s+(the\s+)?|for\s+(the\s+)?|al|pour)\s*)
       (assistente\w*|modelo|ia|inteligencia|chatbot|robo|bot|luna|llms?|ai\b|assistant|model|asistente|
          sistema)\b
    | \b(assistente|modelo\s+de\s+linguagem|chatbot|luna|llm|ai\s+assistant|assistant)\b\s*[,:!]\s*
       (por\s+favor\s*,?\s*)?(diga|responda|ignore|escreva|envie|mostre|inclua|cite|revele|repita|say|reply|
          answer|
        ignore|write|send|include|reveal|print|output|nao|voce|o\s+usuario|agora|faca|execute|termine)
    | \#{2,}\s*(system|instru\w+|sistema|nova\s+instru\w+|new\s+instru\w+|assistant|assistente)\b
    | \b(revele|exiba|mostre|imprima|print|reveal|leak|vaze|repita|repeat|output)\b.{0,40}
       \b(suas?\s+instruc\w*|seu\s+prompt|your\s+(instructions|prompt|rules)|instruc\w*\s+internas|prompt)\b
    | \b(se|quando|caso|sempre\s+que|toda\s+vez\s+que|if|when|whenever)\b.{0,40}\b(pergunt\w*|question\w*|
       responder|asks?|asked)\b
       .{0,80}\b(diga|responda|inclua|escreva|cite|insira|acrescente|afirme|adicione|termine|comece|say|
          answer|reply)\b
    | \b(ao|quando)\s+(responder|o\s+usuario\s+perguntar|lhe\s+perguntarem|perguntarem|resumir)\b.{0,60}
       \b(diga|responda|inclua|escreva|cite|insira|acrescente|afirme|adicione|termine)\b
    | \b(responda|respondam|diga|escreva|answer|respond|reply|responde|repondez|antworte|output|say|print|
       write)\b
       \W*\s*(apenas|somente|so|sempre|unicamente|exatamente|only|always|exactly|with|just|solo|uniquement|
          nur)
       \b(?!\s+(as|aos?|os|pelo|por|ate|uma?|se|quando|em|no|na|com\s+caneta))
    | \b(inclua|insira|adicione|acrescente|coloque|termine|comece|encerre|finalize|append|include|insert|
       end)\b.{0,50}
       \b(na|em|sua|toda|cada|a|your|every|the|todas)\s*.{0,12}\b(respostas?|answers?|response|reply|
          replies)\b
    | \b(envie|mande|transmita|encaminhe|poste|send|post|upload|exfiltr\w+)\b.{0,60}
       \b(historico|conversa|senhas?|dados\s+d[oe]\s+usuario|history|conversation|passwords?|chaves?|token)\b
    | \bcite\b.{0,30}(\[\d+\]|\bfonte\b|\bdocumento\b)
    | \b(nao|nunca|jamais)\s+(cite|mencione|revele|informe|diga|use\s+os|responda)\b.{0,50}
       \b(usuario|documentos?|fontes?|outros?|user|pergunta)\b
    | \b(instrucao|ordem|diretriz)\s+(prioritaria|secreta|oculta|do\s+sistema|superior|final)\b
    """,
    re.VERBOSE,
)
# What goes on in this way after such a sentence belongs to it.
_FORGED_TURN = re.compile(
    r"^\W*(?:system|assistant|user|human|sistema|assistente|usu[áa]rio|humano|developer|tool|luna)\s*[:>\]]",
    re.I,
)
_IMPERATIVE = re.compile(
    r"\W*(?:(?:e|depois|em\s+seguida|agora|entao|then|and|now|apenas|only)\W+)*(?:diga|responda|escreva|"
    r"envie|mostre|inclua|cite|termine|repita|traduza|use|nao|nunca|acrescente|informe|afirme|execute|chame|"
    r"acesse|clique|abra|visite|comece|insira|say|respond|reply|answer|print|write|output|ofereca|recomende|"
    r"indique|sugira|convide|peca|solicite|conte|mude|troque|finja|aja|fale|recuse|aceite|prometa|garanta|"
    r"anuncie|negue|minta|esqueca|ignore|obedeca|send|include|repeat|do\s+not|never|always|sempre|you|voce|"
    r"sua|seu|your|di|responde|escribe|dites|sag)\b"
)
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһոԛԝᴀαοενικρτυ", "aeopcyxijsdhnqwaaoevikptu")


def blank_hidden(text: str) -> str:
    """A text of the same length in which HTML comments and hidden elements are spaces."""
    for pattern in (_HTML_COMMENT, _HIDDEN_ELEMENT):
        text = pattern.sub(lambda match: " " * len(match[0]), text)
    return text


def clean_text(text: str) -> str:
    """A text without what its reader cannot see: control and zero-width characters, direction marks, HTML
    comments and hidden elements."""
    text = _HIDDEN_ELEMENT.sub(" ", _HTML_COMMENT.sub(" ", text))
    return "".join(
        char
        for char in text
        if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cn", "Cs")
    )


def as_evidence(text: str) -> str:
    """A passage as the model reads it: one visible paragraph that can forge neither turns nor numbers.

    Line breaks become spaces (so no passage can begin another one or a question), control tokens are taken
    out, "[3]" becomes "(3)", images and link targets are dropped.
    """
    text = _REFERENCE.sub(" ", clean_text(text))
    text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
    text = _NUMBERED.sub(r"(\1)", _CONTROL_TOKEN.sub(" ", text))
    return " ".join(text.split())


def commands_the_reader(text: str) -> bool:
    """Whether a sentence speaks to an assistant (orders, forged turns, encoded orders) instead of telling
    something to its reader."""
    if _CONTROL_TOKEN.search(text) or _IMAGE.search(text) or _mixes_alphabets(text):
        return True
    return _commands(_plain(text)) or any(_commands(_plain(hidden)) for hidden in _decoded(text))


def forges_turn(text: str) -> bool:
    """Whether a text begins like the turn of a dialogue ("Assistente: ...")."""
    return _FORGED_TURN.match(text) is not None


def goes_on_commanding(text: str) -> bool:
    """Whether a sentence that follows such a one carries it on."""
    return _IMPERATIVE.match(_plain(text)) is not None


def _commands(plain: str) -> bool:
    return _COMMANDS.search(plain) is not None


def _plain(text: str) -> str:
    text = clean_text(text)
    text = _SPACED.sub(lambda match: re.sub(r"[ .\-*_]", "", match[0]), text)
    return " ".join(fold(text.translate(_LOOKALIKES)).split())


def _mixes_alphabets(text: str) -> bool:
    """Whether a word mixes Latin letters with lookalikes of other alphabets."""
    for word in re.findall(r"[^\W\d_]{4,}", text):
        if word.isascii():
            continue
        scripts = {unicodedata.name(char, "").split(" ")[0] for char in word}
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK"}:
            return True
    return False


def _decoded(text: str) -> list[str]:
    """Texts that stand in a text in base64."""
    found = []
    for blob in _BLOB.findall(text):
        padded = blob.rstrip("=") + "=" * (-len(blob.rstrip("=")) % 4)
        try:
            plain = base64.b64decode(padded, altchars=b"-_" if "-" in blob or "_" in blob else None).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            continue
        if plain.isprintable() or "\n" in plain:
            found.append(plain)
    return found
