"""Arguments of conditions: read from YAML, checked once, kept in a form that is quick to apply."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


class ArgumentError(ValueError):
    """A condition in a behaviour file is wrong; the message is a Portuguese phrase."""


Checker = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Allowed range of a count; both ends belong to it."""

    low: int | None
    high: int | None

    def problem(self, count: int, singular: str, plural: str) -> str | None:
        """Why `count` lies outside, e.g. "tem 43 palavras; o máximo é 25"; None if it does not."""
        has = f"tem {count} {singular if count == 1 else plural}"
        if self.low == self.high and count != self.low:
            return f"{has}; deveria ter {self.low}"
        if self.low is not None and count < self.low:
            return f"{has}; o mínimo é {self.low}"
        if self.high is not None and count > self.high:
            return f"{has}; o máximo é {self.high}"
        return None


def span(value: Any) -> Span:
    """A whole number, or a mapping with ``min`` and/or ``max``."""
    if type(value) is int and value >= 0:
        return Span(value, value)
    if isinstance(value, dict) and value and set(value) <= {"min", "max"}:
        low, high = value.get("min"), value.get("max")
        if all(end is None or (type(end) is int and end >= 0) for end in (low, high)) and not (
            low is not None and high is not None and low > high
        ):
            return Span(low, high)
    raise ArgumentError(f"use um número inteiro ou min e max, e não {value!r}")


def text_list(value: Any) -> tuple[str, ...]:
    """One text or a list of texts, none of them empty. Numbers are taken as they are written."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(
        isinstance(item, str | int | float) and type(item) is not bool for item in values
    ):
        raise ArgumentError(f"use um texto ou uma lista de textos, e não {value!r}")
    texts = tuple(str(item) for item in values)
    if not all(item.strip() for item in texts):
        raise ArgumentError("há um texto vazio")
    return texts


def pattern_list(value: Any) -> tuple[re.Pattern[str], ...]:
    """One regular expression or a list of them."""
    try:
        return tuple(re.compile(item, re.IGNORECASE | re.MULTILINE) for item in text_list(value))
    except re.error as error:
        raise ArgumentError(f"expressão regular inválida: {error}") from None


def flag(value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise ArgumentError(f"use true ou false, e não {value!r}")
    return value


def one_of(value: Any, allowed: Sequence[str]) -> str:
    """One of the `allowed` words."""
    if value not in allowed:
        raise ArgumentError(f"use {' ou '.join(allowed)}, e não {value!r}")
    return str(value)
