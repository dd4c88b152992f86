"""The columns of a row that measuring needs. What is missing or odd is an error that names the row and the
column: a wrong guess would be a wrong number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.task import Row, Task


def text_of(row: Row, column: str) -> str:
    """A text that may not be missing.

    Raises:
        EvaluationError: it is missing or empty.
    """
    value = row.get(column)
    if value is None or value == "":
        raise bad_row(row, f'não tem a coluna "{column}"')
    return str(value)


def number_of(row: Row, column: str) -> float:
    """A number.

    Raises:
        EvaluationError: it is missing or no number.
    """
    text = text_of(row, column)
    try:
        return float(text)
    except ValueError:
        raise bad_row(row, f'tem "{text}" na coluna "{column}", onde se espera um número') from None


def list_of(row: Row, column: str) -> list[Any]:
    """A list of at least one entry.

    Raises:
        EvaluationError: it is missing, empty or no list.
    """
    values = row.get(column)
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise bad_row(row, f'não tem uma lista na coluna "{column}"')
    return list(values)


def choices_of(task: Task, row: Row) -> list[str]:
    """The alternatives of a row. Raises as `list_of` does."""
    return [str(choice) for choice in list_of(row, task.choices)]


def right_index(row: Row, choices: Sequence[str]) -> int:
    """Which alternative is right: `answer_index`, or the place of `answer` among them.

    Raises:
        EvaluationError: neither says.
    """
    given = row.get("answer_index")
    if given is not None:
        if not str(given).isdigit() or int(given) >= len(choices):
            raise bad_row(row, f"tem answer_index {given}, e as alternativas vão de 0 a {len(choices) - 1}")
        return int(given)
    answer = text_of(row, "answer")
    if answer not in choices:
        raise bad_row(row, f'tem em answer "{answer}", que não está entre as alternativas')
    return list(choices).index(answer)


def answers_of(row: Row) -> list[str]:
    """The answers that count as right: the list `answers`, else `answer`.

    Raises:
        EvaluationError: there is none.
    """
    if row.get("answers"):
        return [str(answer) for answer in list_of(row, "answers")]
    return [text_of(row, "answer")]


def bad_row(row: Row, what: str) -> EvaluationError:
    """The error for a row that does not fit its task."""
    return EvaluationError(
        f"A linha {row.get('id', '?')} {what}. As colunas de cada tipo de tarefa estão em docs/avaliacao.md."
    )
