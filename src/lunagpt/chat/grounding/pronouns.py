"""Pronouns in a question, replaced by whom or what they stand for."""

from __future__ import annotations

import re

from lunagpt.chat.grounding.words import fold

ARTICLES = frozenset(["o", "a", "os", "as", "um", "uma", "uns", "umas"])

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


def has_pronoun(text: str) -> bool:
    return any(pattern.search(text) for pattern, _ in _PRONOUNS) or (
        _POSSESSIVE.search(text) is not None or _OBJECT.match(text) is not None
    )


def with_names(question: str, topic: str) -> str:
    """The question with its pronouns replaced by the topic."""
    if not topic:
        return question
    for pattern, template in _PRONOUNS:
        changed = pattern.sub(lambda _, text=template: text.format(_inner(topic)), question, count=1)  # type: ignore[misc]
        if changed != question:
            return capitalised(_contracted(changed))
    if own := _POSSESSIVE.search(question):
        owned = f"{own['article'] or ''}{own['thing']}"
        if fold(question).startswith(("qual", "quais")):
            changed = (
                f"{question[: own.start()]}{owned}{question[own.end() :].rstrip(' ?!.')} de {_inner(topic)}?"
            )
        else:
            changed = f"{question[: own.start()]}{owned} de {_inner(topic)}{question[own.end() :]}"
        return capitalised(_contracted(changed))
    if asked := _OBJECT.match(question):
        return f"{asked['who']} {asked['verb']} {_inner(topic)}?"
    return question


def append_topic(question: str, topic: str) -> str:
    return capitalised(f"{question.rstrip(' ?!.')} {_inner(topic)}?")


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _inner(topic: str) -> str:
    """A topic as it stands inside a sentence: its article loses the capital."""
    first, _, rest = topic.partition(" ")
    return f"{first.lower()} {rest}" if rest and first.lower() in ARTICLES else topic


def _contracted(text: str) -> str:
    """ "de o" → "do", "em a" → "na"."""
    text = re.sub(r"\b(de|em) (o|a|os|as) ", lambda m: ("d" if m[1] == "de" else "n") + m[2] + " ", text)
    return re.sub(r"\s+", " ", text)
