"""Conditions on the form of an answer: counts, lists, JSON, tables."""

from __future__ import annotations

import json
import re
from typing import Any

from lunagpt.evaluation.behaviours import text_measures as measure
from lunagpt.evaluation.behaviours.answer import Answer
from lunagpt.evaluation.behaviours.arguments import ArgumentError, Span

_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")


def words(answer: Answer, allowed: Span) -> str | None:
    return allowed.problem(len(measure.words(answer.text)), "palavra", "palavras")


def sentences(answer: Answer, allowed: Span) -> str | None:
    return allowed.problem(len(measure.sentences(answer.text)), "frase", "frases")


def lines(answer: Answer, allowed: Span) -> str | None:
    count = sum(1 for line in answer.text.splitlines() if line.strip())
    return allowed.problem(count, "linha", "linhas")


def paragraphs(answer: Answer, allowed: Span) -> str | None:
    count = len([part for part in re.split(r"\n\s*\n", answer.text) if part.strip()])
    return allowed.problem(count, "parágrafo", "parágrafos")


def items(answer: Answer, allowed: Span) -> str | None:
    return allowed.problem(len(measure.list_items(answer.text)), "item de lista", "itens de lista")


def numbered(answer: Answer, allowed: Span) -> str | None:
    return allowed.problem(measure.numbered_items(answer.text), "linha numerada", "linhas numeradas")


def characters(answer: Answer, allowed: Span) -> str | None:
    return allowed.problem(len(answer.text), "caractere", "caracteres")


def unique_items(answer: Answer, wanted: bool) -> str | None:
    found = [measure.fold(item).rstrip(".;,") for item in measure.list_items(answer.text)]
    repeated = sorted({item for item in found if found.count(item) > 1})
    return f'repete o item "{repeated[0]}"' if wanted and repeated else None


def letter_case(answer: Answer, wanted: str) -> str | None:
    letters = [char for char in answer.text if char.isalpha()]
    if letters and all(char.isupper() if wanted == "upper" else char.islower() for char in letters):
        return None
    return "deveria estar toda em maiúsculas" if wanted == "upper" else "deveria estar toda em minúsculas"


def json_form(answer: Answer, wanted: dict[str, Any]) -> str | None:
    try:
        value = json.loads(measure.without_code_fence(answer.text).strip())
    except json.JSONDecodeError as error:
        return f"não é JSON válido (linha {error.lineno}, coluna {error.colno})"
    if "items" in wanted:
        if not isinstance(value, list):
            return "deveria ser uma lista JSON"
        if len(value) != wanted["items"]:
            return f"a lista JSON tem {len(value)} itens; deveria ter {wanted['items']}"
    if not ("keys" in wanted or "values" in wanted):
        return None
    if not isinstance(value, dict):
        return "deveria ser um objeto JSON"
    if "keys" in wanted and set(value) != set(wanted["keys"]):
        found, right = ", ".join(map(str, value)) or "nenhuma", ", ".join(wanted["keys"])
        return f"as chaves do JSON são {found}; deveriam ser {right}"
    for key, expected in wanted.get("values", {}).items():
        if _comparable(value.get(key)) != _comparable(expected):
            return f'no JSON, "{key}" é {value.get(key)!r}; deveria ser {expected!r}'
    return None


def table(answer: Answer, wanted: dict[str, int]) -> str | None:
    found = answer.text.splitlines()
    for number, line in enumerate(found[1:], start=1):
        if _TABLE_RULE.match(line) and "|" in found[number - 1]:
            columns = len(_cells(found[number - 1]))
            rows = 0
            for row in found[number + 1 :]:
                if "|" not in row:
                    break
                rows += 1
            if "columns" in wanted and columns != wanted["columns"]:
                return f"a tabela tem {columns} colunas; deveria ter {wanted['columns']}"
            if "rows" in wanted and rows != wanted["rows"]:
                return f"a tabela tem {rows} linhas; deveria ter {wanted['rows']}"
            return None
    return "não tem uma tabela"


def first_letters(answer: Answer, wanted: str) -> str | None:
    begun = [
        re.sub(r"[\W_\d]", "", measure.fold(line))[:1] for line in answer.text.splitlines() if line.strip()
    ]
    if "".join(begun) == measure.fold(wanted):
        return None
    return f"as linhas começam com {''.join(begun).upper()!r}; deveriam começar com {wanted.upper()!r}"


def number_argument(value: Any) -> float:
    """A number, not a text nor a truth value."""
    if type(value) not in (int, float):
        raise ArgumentError(f"use um número, e não {value!r}")
    return float(value)


def numbers_argument(value: Any) -> tuple[int, ...]:
    """A whole number or a list of them."""
    values = value if isinstance(value, list) else [value]
    if not values or any(type(item) is not int for item in values):
        raise ArgumentError(f"use um número inteiro ou uma lista deles, e não {value!r}")
    return tuple(values)


def json_argument(value: Any) -> dict[str, Any]:
    """``true``, or a mapping with some of ``keys`` (list), ``values`` (mapping) and ``items`` (number)."""
    if value is True:
        return {}
    kinds = {"keys": list, "values": dict, "items": int}
    if isinstance(value, dict) and value and all(isinstance(value[key], kinds.get(key, ())) for key in value):
        return value
    raise ArgumentError(f"use true ou keys, values, items, e não {value!r}")


def table_argument(value: Any) -> dict[str, int]:
    """A mapping with ``columns`` and/or ``rows``; empty for any table."""
    if (
        isinstance(value, dict)
        and set(value) <= {"columns", "rows"}
        and all(type(n) is int for n in value.values())
    ):
        return value
    raise ArgumentError(f"use columns e rows com números inteiros, e não {value!r}")


def _comparable(value: Any) -> Any:
    return measure.fold(value) if isinstance(value, str) else value


def _cells(row: str) -> list[str]:
    return row.strip().strip("|").split("|")
