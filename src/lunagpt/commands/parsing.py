"""How the values of options are read: each takes the text of the command line.

Raises:
    typer.BadParameter: the text is not such a value; the message, in Portuguese, says what is.
"""

from __future__ import annotations

from collections.abc import Callable

import typer

from lunagpt.commands import help_texts


def number(text: str) -> float:
    """A decimal number, with point or comma."""
    try:
        return float(str(text).replace(",", "."))  # the default of an option comes as the number it is
    except ValueError:
        raise typer.BadParameter(help_texts.NOT_A_NUMBER.format(value=text)) from None


def integer(least: int) -> Callable[[str], int]:
    """Reads whole numbers from `least` on."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise typer.BadParameter(help_texts.NOT_AN_INTEGER.format(value=text)) from None
        if value < least:
            raise typer.BadParameter(
                help_texts.OUT_OF_RANGE.format(value=value, range=f"um inteiro a partir de {least}")
            )
        return value

    return parse


def one_of(*values: str) -> Callable[[str], str]:
    """Reads one of these words."""

    def parse(text: str) -> str:
        if text not in values:
            raise typer.BadParameter(help_texts.OUT_OF_RANGE.format(value=text, range=" ou ".join(values)))
        return text

    return parse


def temperature(text: str) -> float:
    """A number from 0 to 10."""
    value = number(text)
    if not 0 <= value <= 10:
        raise typer.BadParameter(help_texts.OUT_OF_RANGE.format(value=text, range="um número de 0 a 10"))
    return value


def minutes(text: str) -> float:
    """A number above 0."""
    value = number(text)
    if not value > 0:
        raise typer.BadParameter(help_texts.OUT_OF_RANGE.format(value=text, range="um número maior que 0"))
    return value


def probability(text: str) -> float:
    """A number above 0 and up to 1."""
    value = number(text)
    if not 0 < value <= 1:
        raise typer.BadParameter(
            help_texts.OUT_OF_RANGE.format(value=text, range="um número maior que 0 e até 1")
        )
    return value
