"""A question of which only the new part is said: "E em 2020?" takes the place of a part of the one before."""

from __future__ import annotations

from dataclasses import dataclass

from lunagpt.chat.grounding.contrasts import exclude
from lunagpt.chat.grounding.facts import find_facts, find_names
from lunagpt.chat.grounding.pronouns import ARTICLES
from lunagpt.chat.grounding.words import Word, words

PREPOSITIONS = {
    "de": "de", "do": "de", "da": "de", "dos": "de", "das": "de", "em": "em", "no": "em", "na": "em",
    "nos": "em", "nas": "em", "para": "para", "pra": "para", "pro": "para", "por": "por",
    "pelo": "por", "pela": "por",
    "com": "com", "sem": "com", "a": "a", "ao": "a", "aos": "a", "ate": "ate", "sobre": "sobre",
    "entre": "entre", "durante": "em", "desde": "desde",
}  # fmt: skip
#: Question words, and those that lead them; folded.
_ASKING_TEXT = """
quem quando onde aonde quanto quanta quantos quantas qual quais como porque por que o q cade
"""
ASKING = frozenset(_ASKING_TEXT.split())


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A stretch of words of a question: offsets, and the preposition family that leads it (None: none)."""

    start: int
    end: int
    preposition: str | None


def replace_part(previous: str, fragment: str) -> str:
    """The previous question with the fragment in place of what it stands for."""
    base = previous.rstrip(" ?!.")
    found = words(fragment)
    if not found:
        return base
    for word in found:
        for other in words(base):
            if exclude(word.folded, other.folded):
                return base[: other.start] + fragment[word.start :] + base[other.end :]
    same = _same_fact(base, fragment)
    if same is not None:
        start, end, text = same
        return base[:start] + text + base[end:]
    family = _family(found)
    if found[0].folded in ARTICLES and len(found) > 1 and found[1].folded in PREPOSITIONS:
        fragment, family = (
            fragment[found[1].start :],
            PREPOSITIONS[found[1].folded],
        )  # "a de 21 km", "o da Maria"
    elif family is None or found[0].folded in ARTICLES:
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
            if found[0].folded in ARTICLES and len(found) > 1
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
    return None if first in ARTICLES else PREPOSITIONS.get(first)


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
            word.folded in ASKING
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
        if word.folded in ARTICLES and place + 1 < len(found) and not found[place + 1].is_stop:
            starts.append((place, None))
        elif word.folded in PREPOSITIONS and place + 1 < len(found) and word.folded not in ARTICLES:
            starts.append((place, PREPOSITIONS[word.folded]))
        elif not starts and not word.is_stop and not any(w.folded in ASKING for w in found[:place]):
            starts.append((place, None))  # loose keywords: "taxa do empréstimo"
    phrases = []
    ends = [*(start for start, _ in starts[1:]), len(found)]
    for (place, family), following in zip(starts, ends, strict=False):
        last = found[following - 1]
        phrases.append(_Phrase(found[place].start, last.end, family))
    return phrases
