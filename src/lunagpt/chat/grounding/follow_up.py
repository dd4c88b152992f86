"""Follow-up questions said in full, so that they can be searched: "E em 2020?" takes over the question
before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lunagpt.chat.grounding.facts import Fact, find_facts, find_names
from lunagpt.chat.grounding.questions import Asks, analyse_question
from lunagpt.chat.grounding.words import Word, fold, words

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
_CITATION = re.compile(r"\s*\[\d+\]")
_ARTICLES = frozenset(["o", "a", "os", "as", "um", "uma", "uns", "umas"])
_PREPOSITIONS = {
    "de": "de", "do": "de", "da": "de", "dos": "de", "das": "de", "em": "em", "no": "em", "na": "em",
    "nos": "em", "nas": "em", "para": "para", "pra": "para", "pro": "para", "por": "por",
    "pelo": "por", "pela": "por",
    "com": "com", "sem": "com", "a": "a", "ao": "a", "aos": "a", "ate": "ate", "sobre": "sobre",
    "entre": "entre", "durante": "em", "desde": "desde",
}  # fmt: skip
_OPPOSITES = {
    "melhor": "pior", "maior": "menor", "maximo": "minimo", "maxima": "minima", "primeiro": "ultimo",
    "primeira": "ultima", "mais": "menos", "inicio": "fim", "entrada": "saida", "ida": "volta",
    "nascimento": "morte", "abre": "fecha", "nasceu": "morreu", "comeca": "termina", "compra": "venda",
}  # fmt: skip
_CLASSES = tuple(
    frozenset(group.split())
    for group in (
        "segunda terca quarta quinta sexta sabado domingo segundas tercas quartas quintas sextas sabados "
        "domingos",
        "manha tarde noite madrugada",
        "verao outono inverno primavera",
        "ontem hoje amanha",
    )
)
_OPPOSITES |= {value: key for key, value in _OPPOSITES.items()}
_ASKING_WORDS = """
quem quando onde aonde quanto quanta quantos quantas qual quais como porque por que o q cade
"""
_ASKING = frozenset(_ASKING_WORDS.split())

# A pronoun for somebody or something said before, and how the full name takes its place.
_PRONOUNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\b{pattern}\b", re.IGNORECASE), template)
    for pattern, template in (
        (r"d(?:ele|ela|eles|elas)", "de {}"),
        (r"n(?:ele|ela|eles|elas)", "em {}"),
        (r"(?:para|pra) (?:ele|ela|eles|elas)", "para {}"),
        (r"com (?:ele|ela|eles|elas)", "com {}"),
        (r"(?:ele|ela|eles|elas)", "{}"),
        (r"d(?:isso|isto|aquilo)", "de {}"),
        (r"n(?:isso|isto|aquilo)", "em {}"),
        (r"(?:isso|isto|aquilo)", "{}"),
        (r"(?:d(?:esse|essa|este|esta) (?:mesm[oa]|lugar|pessoa|homem|mulher|autora?|produto|"
         r"empresa))", "de {}"),
        (r"(?:(?:esse|essa|este|esta) (?:mesm[oa]|lugar|pessoa|homem|mulher|autora?|produto|empresa))", "{}"),
        (r"de lá", "de {}"),
        (r"(?:lá|ali)", "em {}"),
    )
)  # fmt: skip
_POSSESSIVE = re.compile(
    r"\b(?P<article>o |a |os |as )?(?:seu|sua|seus|suas) (?P<thing>[^\W\d_]+)", re.IGNORECASE
)
_OBJECT = re.compile(r"^\W*(?P<who>quem) (?:o|a|os|as) (?P<verb>[^\W\d_]+)\W*$", re.IGNORECASE)
_CLITIC = re.compile(r"\b([^\W\d_]+)-(?:lo|la|los|las|o|a|os|as)\b", re.IGNORECASE)
_BARE_WHY = re.compile(
    r"^\W*(?:e\W+)?(?:mas\W+)?(?:por ?qu[eê]|pq|qual o motivo|por qual motivo)(?:\s+(?:isso|não|nao))?\W*$",
    re.I,
)


def rewrite_follow_up(question: str, history: Sequence[Mapping[str, str]]) -> str:
    """A question that can be understood without the conversation; one that already can comes back unchanged.

    Args:
        question: what the user says now.
        history: the messages before, oldest first (role and content).
    """
    earlier = _previous_turn(history)
    if earlier is None or not _is_short(question):
        return question
    previous, answer, before = earlier
    if _fold(question) in {"e " + word for word in _NO_FOLLOW_UP} or not _asks_something(previous):
        return question
    depth = sum(message.get("role") == "user" for message in history)
    if depth <= _DEPTH:
        previous = rewrite_follow_up(previous, before)
    previous = previous.strip()
    topic = _topic(previous, answer)

    if _BARE_WHY.match(question):
        return f"Por que {_statement(previous)}?"
    opening = _OPENING.match(question)
    if opening is not None:
        fragment = question[opening.end() :].strip(" ?!.")
        if fragment and not _says_enough(fragment) and not _begins_asking(fragment):
            other = _latest_person(before, previous, answer)
            return _finish(_replace(previous, _with_names(fragment, other or topic)))
    body = question[opening.end() :] if opening is not None else question
    if _has_pronoun(body):
        return _with_names(body, topic)
    if _begins_asking(body) and _lacks_subject(body) and topic:
        return _append(body, topic)
    if opening is None and _is_fragment(question):
        return _finish(_replace(previous, question.strip(" ?!.")))
    return question


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A stretch of words of a question: offsets, and the preposition family that leads it (None: none)."""

    start: int
    end: int
    preposition: str | None


def _previous_turn(
    history: Sequence[Mapping[str, str]],
) -> tuple[str, str, Sequence[Mapping[str, str]]] | None:
    """The last question, its answer without citations, and the messages before."""
    answer = ""
    for place in range(len(history) - 1, -1, -1):
        message = history[place]
        if message.get("role") == "assistant" and not answer:
            answer = _CITATION.sub("", _PREFACE.sub("", str(message.get("content", ""))))
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
    if first in ("o", "a", "em", "de", "por", "para", "desde", "ate", "com") and second in (
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
    return (first in _ASKING and first not in ("o", "por")) or (first == "que" and second != "")


def _says_enough(fragment: str) -> bool:
    """Whether a fragment after "E" is a question of its own."""
    found = words(fragment)
    content = [w for w in found if not w.is_stop]
    if len(found) > _LONGEST_FRAGMENT:
        return True
    asks = _begins_asking(fragment) or any(w.folded in _ASKING - {"o", "por", "q"} for w in found)
    return asks and (bool(find_names(" " + fragment)) or len(content) >= 3) and not _has_pronoun(fragment)


def _has_pronoun(text: str) -> bool:
    return any(pattern.search(text) for pattern, _ in _PRONOUNS) or (
        _POSSESSIVE.search(text) is not None
        or _CLITIC.search(text) is not None
        or _OBJECT.match(text) is not None
    )


def _lacks_subject(question: str) -> bool:
    """Whether a question has a verb and a question word but nobody and nothing it is about."""
    asked = analyse_question(question)
    if asked.names:
        return False
    found = words(question)
    subject = [w for w in found if not w.is_stop and w.stem not in asked.typing and w.folded not in _ASKING]
    if any(
        w.folded in _ARTICLES and i + 1 < len(found) and not found[i + 1].is_stop
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
        and found[0].folded in _PREPOSITIONS
        and found[0].folded not in ("a", "por", "com")
        and not any(w.folded in _ASKING or w.folded == "que" for w in found)
    )


def _topic(previous: str, answer: str) -> str:
    """Whom or what the last turn was about."""
    asked = analyse_question(previous)
    names = [_with_article(previous, fact) for fact in find_names(previous)]
    plain = {fact.text for fact in find_names(previous)}
    told = [fact.text for fact in find_names(answer[:300]) if fact.text not in plain]
    folded = fold(previous)
    if told and (
        (asked.asks is Asks.PERSON and not re.search(r"\bquem (e|foi|era|sao|foram)\b", folded))
        or (asked.asks in (Asks.PLACE, Asks.THING) and re.search(r"\bqual\b", folded))
    ):
        return told[0]
    if names:
        return max(names, key=len)
    phrase = _noun_phrase(previous)
    return phrase or (told[0] if told else "")


def _with_article(text: str, name: Fact) -> str:
    """A name with the article that stands before it ("da França" → "a França")."""
    found = [word for word in words(text) if word.end <= name.start]
    if not found or text[found[-1].end : name.start] != " ":
        return name.text
    article = re.fullmatch(r"(?:d|n|pel)?([oa]s?)|à(s?)", found[-1].text.lower())
    if article is None:
        return name.text
    return f"{article[1] or 'a' + article[2]} {name.text}"


def _noun_phrase(question: str) -> str:
    """What a question is about: from its first article or noun behind the verb to its end."""
    found = words(question)
    place = 0
    while place < len(found) and (
        found[place].folded in _ASKING
        or found[place].folded in ("e", "que", "q", "sao", "foi", "eh", "em", "de", "sobre")
    ):
        place += 1
    for i in range(place, len(found)):
        if found[i].folded in _ARTICLES and i + 1 < len(found) and not found[i + 1].is_stop:
            return question[found[i].start :].rstrip(" ?!.")
    content = [w for w in found[place:] if not w.is_stop]
    if not content:
        return ""
    # Without an article the verb comes first, if there is more than one word: "como instalar impressora".
    start = content[1] if len(content) > 1 and place else content[0]
    return question[start.start :].rstrip(" ?!.")


def _latest_person(before: Sequence[Mapping[str, str]], previous: str, answer: str) -> str:
    """The last name said before the previous question, for "e o dele?" that leaves the present one."""
    known = {fact.text for fact in find_names(previous)}
    for message in [*reversed(before)]:
        for fact in find_names(_CITATION.sub("", str(message.get("content", "")))):
            if fact.text not in known:
                return fact.text
    return ""


def _with_names(question: str, topic: str) -> str:
    """The question with its pronouns replaced by the topic."""
    if not topic:
        return question
    for pattern, template in _PRONOUNS:
        changed = pattern.sub(lambda _, text=template: text.format(_inner(topic)), question, count=1)  # type: ignore[misc]
        if changed != question:
            return _capital(_contracted(changed))
    if own := _POSSESSIVE.search(question):
        owned = f"{own['article'] or ''}{own['thing']}"
        if fold(question).startswith(("qual", "quais")):
            changed = (
                f"{question[: own.start()]}{owned}{question[own.end() :].rstrip(' ?!.')} de {_inner(topic)}?"
            )
        else:
            changed = f"{question[: own.start()]}{owned} de {_inner(topic)}{question[own.end() :]}"
        return _capital(_contracted(changed))
    if asked := _OBJECT.match(question):
        return f"{asked['who']} {asked['verb']} {_inner(topic)}?"
    if _CLITIC.search(question):
        return _CLITIC.sub(lambda m: f"{_infinitive(m[1])} {_inner(topic)}", question, count=1)
    return question


def _inner(topic: str) -> str:
    """A topic as it stands inside a sentence: its article loses the capital."""
    first, _, rest = topic.partition(" ")
    return f"{first.lower()} {rest}" if rest and first.lower() in _ARTICLES else topic


def _infinitive(verb: str) -> str:
    return {"á": verb[:-1] + "ar", "ê": verb[:-1] + "er", "i": verb + "r"}.get(verb[-1:], verb)


def _contracted(text: str) -> str:
    """ "de o" → "do", "em a" → "na"."""
    text = re.sub(r"\b(de|em) (o|a|os|as) ", lambda m: ("d" if m[1] == "de" else "n") + m[2] + " ", text)
    return re.sub(r"\s+", " ", text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _append(question: str, topic: str) -> str:
    return _capital(f"{question.rstrip(' ?!.')} {_inner(topic)}?")


def _finish(question: str) -> str:
    return question if question.endswith("?") else question + "?"


def _statement(question: str) -> str:
    """A question without its question word, to be asked about: "Quando fecha o bar?" → "fecha o bar"."""
    found = words(question)
    place = 0
    while place < len(found) and found[place].folded in _ASKING | {"que"}:
        place += 1
    start = found[place].start if place < len(found) else 0
    text = question[start:].rstrip(" ?!.")
    first = text.split(" ", 1)[0]
    return (
        text
        if find_names("x " + first) and place == 0 and first not in ("A", "O", "As", "Os")
        else text[:1].lower() + text[1:]
    )


def _replace(previous: str, fragment: str) -> str:
    """The previous question with the fragment in place of what it stands for."""
    base = previous.rstrip(" ?!.")
    found = words(fragment)
    if not found:
        return base
    for word in found:
        opposite = _OPPOSITES.get(word.folded)
        for other in words(base):
            if opposite is not None and other.folded == opposite:
                return base[: other.start] + word.text + base[other.end :]
    for word in found:
        for group in _CLASSES:
            for other in words(base):
                if word.folded in group and other.folded in group:
                    return base[: other.start] + fragment[word.start :] + base[other.end :]
    same = _same_fact(base, fragment)
    if same is not None:
        start, end, text = same
        return base[:start] + text + base[end:]
    family = _family(found)
    if found[0].folded in _ARTICLES and len(found) > 1 and found[1].folded in _PREPOSITIONS:
        fragment, family = (
            fragment[found[1].start :],
            _PREPOSITIONS[found[1].folded],
        )  # "a de 21 km", "o da Maria"
    elif family is None or found[0].folded in _ARTICLES:
        family = None
    phrases = _phrases(base)
    if family is not None:
        fitting = [phrase for phrase in phrases if phrase.preposition == family]
        if fitting:
            target = fitting[-1]
            return base[: target.start] + fragment + base[target.end :]
        return f"{base} {fragment}"
    names = find_names(base)
    if names and find_names("x " + fragment):
        target_name = names[-1]
        bare = (
            fragment[words(fragment)[1].start :]
            if found[0].folded in _ARTICLES and len(found) > 1
            else fragment
        )
        return base[: target_name.start] + bare + base[target_name.end :]
    plain = [phrase for phrase in phrases if phrase.preposition is None]
    if plain:
        target = plain[0]
        return base[: target.start] + fragment + base[target.end :]
    return f"{fragment}, {base}"


def _family(found: list[Word]) -> str | None:
    first = found[0].folded
    return None if first in _ARTICLES else _PREPOSITIONS.get(first)


def _same_fact(base: str, fragment: str) -> tuple[int, int, str] | None:
    """Where the base has a figure or date of the kind that the fragment brings, and its text."""
    new = [fact for fact in find_facts(fragment) if fact.kind in ("date", "time", "figure")]
    if len(new) != 1 or len([w for w in words(fragment) if not w.is_stop and not w.is_number]) > 1:
        return None
    old = [fact for fact in find_facts(base) if fact.kind == new[0].kind]
    return (old[-1].start, old[-1].end, new[0].text) if old else None


def _phrases(question: str) -> list[_Phrase]:
    """The phrases behind the verb: with a preposition, or an article and a noun, each up to the next one."""
    found = words(question)
    starts: list[tuple[int, str | None]] = []
    asking = True
    for place, word in enumerate(found):
        if asking and (
            word.folded in _ASKING
            or (word.folded in ("que", "q", "e", "eh", "foi", "sao", "era", "em", "de") and place < 3)
        ):
            if (
                word.folded in ("o", "a")
                and place + 1 < len(found)
                and found[place + 1].folded not in ("que", "q", "qual")
            ):
                asking = False
            else:
                continue
        asking = False
        if word.folded in _ARTICLES and place + 1 < len(found) and not found[place + 1].is_stop:
            starts.append((place, None))
        elif word.folded in _PREPOSITIONS and place + 1 < len(found) and word.folded not in _ARTICLES:
            starts.append((place, _PREPOSITIONS[word.folded]))
        elif not starts and not word.is_stop and not any(w.folded in _ASKING for w in found[:place]):
            starts.append((place, None))  # loose keywords: "taxa do empréstimo"
    phrases = []
    ends = [*(start for start, _ in starts[1:]), len(found)]
    for (place, family), following in zip(starts, ends, strict=False):
        last = found[following - 1]
        phrases.append(_Phrase(found[place].start, last.end, family))
    return phrases
