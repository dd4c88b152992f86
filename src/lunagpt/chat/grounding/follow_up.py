"""Follow-up questions said in full, so that they can be searched: "E em 2020?" takes over the question
before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lunagpt.chat.grounding.ellipsis import ASKING, PREPOSITIONS, replace_part
from lunagpt.chat.grounding.facts import find_names
from lunagpt.chat.grounding.pronouns import ARTICLES, append_topic, capitalised, has_pronoun, with_names
from lunagpt.chat.grounding.questions import Asks, analyse_question, asks_who_or_what
from lunagpt.chat.grounding.refusal import finds_nothing
from lunagpt.chat.grounding.topic import CITATION, counted, topic_of
from lunagpt.chat.grounding.words import fold, words

_DEPTH = 4  # questions looked back at
_LONGEST_FRAGMENT = 8  # words: what is longer says enough by itself

_OPENING = re.compile(
    r"^\W*(?:(?:mas|ah|tá|ta|ok|certo|beleza|hum|então|entao|agora)\W+)*e\s+(?:(?:se|quanto)\s+(?:for\s+|"
    r"fosse\s+|a[os]?\s+)?)?",
    re.I,
)
_NO_FOLLOW_UP_WORDS = """
ai voce vc tu voces dai contigo com voce a senhora o senhor ela luna eu a gente
"""
_NO_FOLLOW_UP = frozenset(_NO_FOLLOW_UP_WORDS.split())
# What `verify` puts before a quotation of the encyclopaedia if the documents had nothing.
_PREFACE = re.compile(r"^Não encontrei isso [^:]{1,80}: ")
_BARE_WHY = re.compile(
    r"^\W*(?:e\W+)?(?:mas\W+)?(?:por ?qu[eê]|pq|qual o motivo|por qual motivo)(?:\s+(?:isso|não|nao))?\W*$",
    re.I,
)
_SEVERAL = re.compile(r"\bd?el[ea]s\b", re.IGNORECASE)
# "E a população?", "e o número atômico?"
_NOUN_ALONE = re.compile(r"^(?P<article>[oa]s?) (?P<noun>[^\W\d_A-Z]+)(?: [^\W\d_A-Z]+)?$")
_OF_IT = re.compile(r" del[ea]s?$", re.IGNORECASE)
_ATTRIBUTE_ASKED = re.compile(
    r"^\W*(?:qual|quais)(?: (?:é|e|era|foi|são|eram))? [oa]s? [^\W\d_]+(?: [^\W\d_]+)? d[eoa]s? ",
    re.IGNORECASE,
)
#: What things have, whatever was asked about them before; folded.
_ATTRIBUTES_TEXT = """
populacao area tamanho capital moeda lingua idioma altura altitude extensao comprimento largura profundidade
diametro peso massa temperatura clima simbolo formula bandeira hino presidente governador prefeito fundador
autor autora idade nacionalidade profissao numero
"""
_ATTRIBUTES = frozenset(_ATTRIBUTES_TEXT.split())
# A thing called by its kind, after its name ("quem fundou a cidade?").
_BY_ITS_KIND = re.compile(
    r"\b(?P<lead>[dn])?[oa] (?:cidade|município|país|estado|ilha|rio|lago|planeta|animal|bicho|elemento|"
    r"metal)(?=\W*$)",
    re.IGNORECASE,
)
_ABOUT_WHAT = re.compile(
    r"^\W*(?:sobre|de) o? ?qu[eê] (?:é|trata|fala)\W*$|^\W*do que (?:trata|fala)\W*$", re.IGNORECASE
)
_SINGULAR_ASKED = re.compile(r"^(Qual|qual)( é| foi| era)?(?= [oa]s )")
_PLURAL_VERBS = {" é": " são", " foi": " foram", " era": " eram"}
_LINKING_VERBS = frozenset(["fica", "ficou", "ficava", "virou", "tornou", "chama", "chamava"])


@dataclass(frozen=True, slots=True)
class _InFull:
    """A question that can be understood by itself, and whom or what it takes over from the turn before."""

    text: str
    topic: str = ""


def rewrite_follow_up(question: str, history: Sequence[Mapping[str, str]]) -> str:
    """A question that can be understood without the conversation; one that already can comes back unchanged.

    Args:
        question: what the user says now.
        history: the messages before, oldest first (role and content).
    """
    asked = [place for place, message in enumerate(history) if message.get("role") == "user"]
    return _in_full(question, history[asked[-_DEPTH] :] if len(asked) > _DEPTH else history).text


def _in_full(question: str, history: Sequence[Mapping[str, str]]) -> _InFull:
    earlier = _previous_turn(history)
    if earlier is None or not _is_short(question):
        return _InFull(question)
    asked_before, answer, before = earlier
    if _fold(question) in {"e " + word for word in _NO_FOLLOW_UP} or not _asks_something(asked_before):
        return _InFull(question)
    full = _in_full(asked_before, before)
    previous = full.text.strip()
    topic = topic_of(previous, answer, full.topic, question)

    if _BARE_WHY.match(question):
        return _InFull(f"Por que {_statement(previous)}?")
    opening = _OPENING.match(question)
    if opening is not None:
        fragment = question[opening.end() :].strip(" ?!.")
        if fragment and not _says_enough(fragment) and not _begins_asking(fragment):
            attribute = _OF_IT.sub("", fragment)
            if topic and _asks_attribute(attribute, previous, own=attribute != fragment):
                return _InFull(_attribute_question(attribute, topic), topic)
            return _InFull(_finish(replace_part(previous, with_names(fragment, topic))))
    body = question[opening.end() :] if opening is not None else question
    if _begins_asking(body) and find_names(f"x {topic}") and not find_names(body):
        body = _BY_ITS_KIND.sub(lambda kind: f"{kind['lead'] or ''}ele", body)
    if has_pronoun(body):
        several = counted(previous) if _SEVERAL.search(body) else ""
        return _InFull(with_names(body, " de ".join(filter(None, [several, topic]))), topic)
    if _ABOUT_WHAT.match(body) and topic:
        return _InFull(append_topic(body, topic), topic)
    if _begins_asking(body) and _is_bare(body):
        return _InFull(f"{capitalised(body.rstrip(' ?!.'))} {_statement(previous)}?")
    if _begins_asking(body) and _lacks_subject(body) and topic:
        return _InFull(append_topic(body, topic), topic)
    if opening is None and _is_fragment(question):
        return _InFull(_finish(replace_part(previous, question.strip(" ?!."))))
    return _InFull(question)


def _asks_attribute(fragment: str, previous: str, *, own: bool) -> bool:
    """Whether a noun after "E" is something that the topic has, and takes nothing's place in the question
    before; `own`: "dele" was said behind it."""
    match = _NOUN_ALONE.match(fragment)
    if match is not None and own:
        return True
    if match is None or _ATTRIBUTE_ASKED.match(previous):
        return False
    told_about = asks_who_or_what(previous) and find_names(previous)
    return bool(told_about) or fold(match["noun"]) in _ATTRIBUTES


def _attribute_question(fragment: str, topic: str) -> str:
    asking = "Quais são" if fragment[1:2] == "s" else "Qual é"
    return with_names(f"{asking} {fragment} dele?", topic)


def _previous_turn(
    history: Sequence[Mapping[str, str]],
) -> tuple[str, str, Sequence[Mapping[str, str]]] | None:
    """The last question, its answer without citations, and the messages before."""
    answer = ""
    for place in range(len(history) - 1, -1, -1):
        message = history[place]
        if message.get("role") == "assistant" and not answer:
            said = str(message.get("content", ""))
            answer = "" if finds_nothing(said) else CITATION.sub("", _PREFACE.sub("", said))
        elif message.get("role") == "user":
            return str(message.get("content", "")), answer, history[:place]
    return None


def _is_short(question: str) -> bool:
    return len(words(question)) <= _LONGEST_FRAGMENT + 4


def _fold(text: str) -> str:
    return " ".join(word.folded for word in words(text))


def _asks_something(text: str) -> bool:
    return bool([w for w in words(text) if not w.is_stop]) and len(text) < 400


def _begins_asking(text: str) -> bool:
    found = words(text)
    if not found:
        return False
    first = found[0].folded
    second = found[1].folded if len(found) > 1 else ""
    if first in ("o", "a", "em", "de", "por", "para", "desde", "ate", "com", "sobre") and second in (
        "o",
        "que",
        "qual",
        "quem",
        "quando",
        "onde",
        "quantos",
        "quantas",
        "quanto",
    ):
        return True
    return (first in ASKING and first not in ("o", "por")) or (first == "que" and second != "")


def _says_enough(fragment: str) -> bool:
    """Whether a fragment after "E" is a question of its own."""
    found = words(fragment)
    content = [w for w in found if not w.is_stop]
    if len(found) > _LONGEST_FRAGMENT:
        return True
    asks = _begins_asking(fragment) or any(w.folded in ASKING - {"o", "por", "q"} for w in found)
    return asks and (bool(find_names(" " + fragment)) or len(content) >= 3) and not has_pronoun(fragment)


def _is_bare(question: str) -> bool:
    """Whether a question is but its question words ("em que ano", "e onde"), with no verb of its own."""
    asked = analyse_question(question)
    said = [word for word in words(question) if not word.is_stop and word.folded not in ASKING]
    return all(word.stem in asked.typing for word in said)


def _lacks_subject(question: str) -> bool:
    """Whether a question has a verb and a question word but nobody and nothing it is about."""
    asked = analyse_question(question)
    if asked.names:
        return False
    found = words(question)
    subject = [
        w
        for w in found
        if not w.is_stop and w.stem not in asked.typing and w.folded not in ASKING | _LINKING_VERBS
    ]
    if any(
        w.folded in ARTICLES and i + 1 < len(found) and not found[i + 1].is_stop
        for i, w in enumerate(found[1:], 1)
    ):
        return False
    if asked.asks is Asks.DEFINITION and subject:
        return False
    return len(subject) <= 1


def _is_fragment(question: str) -> bool:
    """Whether a message is but a preposition and what follows ("na cozinha?", "em 2020?", "de manhã?")."""
    found = words(question)
    return (
        question.rstrip().endswith("?")
        and 2 <= len(found) <= 4
        and found[0].folded in PREPOSITIONS
        and found[0].folded not in ("a", "por", "com")
        and not any(w.folded in ASKING or w.folded == "que" for w in found)
    )


def _finish(question: str) -> str:
    """The question with its mark, and with "quais" before what is several ("qual os idiomas")."""
    question = _SINGULAR_ASKED.sub(lambda m: f"{m[1][0]}uais{_PLURAL_VERBS.get(m[2] or '', '')}", question)
    return question if question.endswith("?") else question + "?"


def _statement(question: str) -> str:
    """A question without its question word, to be asked about: "Quando fecha o bar?" → "fecha o bar"."""
    found = words(question)
    place = 0
    while place < len(found) and found[place].folded in ASKING | {"que"}:
        place += 1
    start = found[place].start if place < len(found) else 0
    text = question[start:].rstrip(" ?!.")
    if place:  # a capital inside of a sentence is that of a name
        return text
    first = text.split(" ", 1)[0]
    is_name = bool(find_names("x " + first)) and first not in ("A", "O", "As", "Os")
    return text if is_name else text[:1].lower() + text[1:]
