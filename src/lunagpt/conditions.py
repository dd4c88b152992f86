"""What is known of a conversation before its first word: style, domain and system prompt.

A model with a hypernetwork (`lunagpt.models.hypernet`) turns a condition into small changes of its weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from lunagpt.data.traits import DOMAINS, PERSONAS
from lunagpt.errors import GenerationError


class Style(NamedTuple):
    """A manner of speaking as four numbers from 0 to 1.

    Attributes:
        formality: 0 casual, 1 formal. complexity: 0 simple, 1 complex. verbosity: 0 concise, 1 detailed.
        creativity: 0 conservative, 1 creative.
    """

    formality: float = 0.5
    complexity: float = 0.5
    verbosity: float = 0.5
    creativity: float = 0.5


#: The style of each persona.
STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "balanced": Style(),
        "academic": Style(formality=0.9, complexity=0.8, verbosity=0.7, creativity=0.3),
        "friendly": Style(formality=0.2, complexity=0.3, verbosity=0.5, creativity=0.7),
        "technical": Style(formality=0.7, complexity=0.9, verbosity=0.6, creativity=0.2),
    }
)
if set(STYLES) != set(PERSONAS):
    raise RuntimeError("every persona needs a style, and the other way round")

StyleLike = str | Sequence[float]
DomainLike = str | Mapping[str, float] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known; None is unknown. Hashable, so that caches can be kept by it. See `Condition.of`.

    Attributes:
        style: how to speak.
        domain: what about: probabilities in the order of `lunagpt.data.traits.DOMAINS`, or "auto": found out
            from the first question.
        system_prompt: the instructions before the conversation.
    """

    style: Style | None = None
    domain: tuple[float, ...] | Literal["auto"] | None = None
    system_prompt: str | None = None

    @classmethod
    def of(
        cls,
        style: StyleLike | None = None,
        domain: DomainLike | None = None,
        system_prompt: str | None = None,
    ) -> Condition:
        """A checked condition.

        Args:
            style: name of a persona, or the four numbers of a `Style`.
            domain: name of a domain, its probabilities by name or in order, or "auto".
            system_prompt: blank text counts as none.

        Raises:
            GenerationError: an unknown name, or numbers out of their range.
        """
        return cls(_style(style), _domain(domain), (system_prompt or "").strip() or None)

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return self != Condition()


def _style(style: StyleLike | None) -> Style | None:
    if style is None:
        return None
    if isinstance(style, str):
        if style not in STYLES:
            raise GenerationError(f'Não conheço o estilo "{style}". Use um destes: {", ".join(STYLES)}.')
        return STYLES[style]
    values = tuple(map(float, style))
    if len(values) != len(Style._fields) or not all(0 <= value <= 1 for value in values):
        raise GenerationError(
            f"O estilo {values} não serve: são quatro números de 0 a 1 (formalidade, complexidade, detalhe e "
            "criatividade)."
        )
    return Style(*values)


def _domain(domain: DomainLike | None) -> tuple[float, ...] | Literal["auto"] | None:
    if domain is None or domain == "auto":
        return domain  # type: ignore[return-value]
    weights: Mapping[str, float]
    if isinstance(domain, str):
        weights = {domain: 1.0}
    elif isinstance(domain, Mapping):
        weights = domain
    else:
        weights = dict(zip(DOMAINS, domain, strict=True)) if len(domain) == len(DOMAINS) else {"": math.nan}
    unknown = [name for name in weights if name not in DOMAINS]
    if unknown and isinstance(domain, str | Mapping):
        raise GenerationError(f'Não conheço o domínio "{unknown[0]}". Use um destes: {", ".join(DOMAINS)}.')
    values = tuple(float(weights.get(name, 0.0)) for name in DOMAINS)
    if unknown or min(values) < 0 or not math.isclose(sum(values), 1, rel_tol=1e-3):
        raise GenerationError(
            f"As probabilidades dos domínios não servem: são {len(DOMAINS)} números a partir de 0 que somam "
            f"1, nesta ordem: {', '.join(DOMAINS)}."
        )
    return values
