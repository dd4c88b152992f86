"""Saying honestly that nothing was found, and where it was looked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lunagpt.data.grounding_format import NO_ANSWER
from lunagpt.reporting.numbers import counted
from lunagpt.reporting.wording import listing

_LONGEST_QUERY = 120
_NOT_FOUND = "Não encontrei isso"
_CITES = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Searched:
    """A place where an answer was looked for.

    Attributes:
        name: as it stands after "em": "seus documentos", "na Enciclopédia Luna".
        documents: how many documents it holds; None if that is not known.
        passages: what the search gave, the most relevant first.
        built_in: whether it is the encyclopaedia.
    """

    name: str
    documents: int | None
    passages: Sequence[Mapping[str, Any]]
    built_in: bool = False


def refusal_text(query: str, searched: Sequence[Searched]) -> str:
    """The sentence of refusal that Luna is trained on, with what was searched and what came closest."""
    places = [_place(place) for place in searched]
    shown = query if len(query) <= _LONGEST_QUERY else query[: _LONGEST_QUERY - 1].rstrip() + "…"
    wanted = f" por “{words}”" if (words := shown.strip(" ?")) else ""
    text = f"{NO_ANSWER} Procurei{wanted} {listing(places)}."
    own = [place for place in searched if not place.built_in]
    nearest = next((place.passages[0] for place in own or searched if place.passages), None)
    if nearest is not None and nearest.get("title"):
        page = f", p. {nearest['page']}" if nearest.get("page") else ""
        text += f" O que mais se aproxima é “{nearest['title']}”{page}."
    return text


def unsourced_text(searched: Sequence[Searched]) -> str:
    """What is said where a small model would have to invent a fact."""
    places = [place.name for place in searched]
    return (
        f"{_NOT_FOUND} {listing(places)}, e sem uma fonte eu poderia inventar a resposta. Se você tiver "
        f"documentos "
        "sobre o assunto, posso procurar neles (luna index)."
    )


def preface(first: Searched, last: Searched) -> str:
    """What is said before a quotation of another place than the one searched first."""
    return f"{_NOT_FOUND} {first.name}; {last.name}: "


def stands_on_passages(answer: str) -> bool:
    """Whether an answer of the conversation was quoted, checked or refused, not freely said."""
    return _CITES.search(answer) is not None or answer.startswith((NO_ANSWER, _NOT_FOUND))


def finds_nothing(answer: str) -> bool:
    """Whether an answer of the conversation only says that nothing was found."""
    return answer.startswith(NO_ANSWER) or (answer.startswith(_NOT_FOUND) and not _CITES.search(answer))


def _place(place: Searched) -> str:
    if place.documents is None:
        return place.name
    return f"{place.name} ({counted(place.documents, 'documento', 'documentos')})"
