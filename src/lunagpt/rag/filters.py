"""Filters on documents: a small dialect of dictionaries, turned into SQL.

::

    {"source": "ata.pdf"}                          equal
    {"ano": [2023, 2024]}                          one of
    {"ano": {"$gte": 2020, "$lt": 2024}}           all conditions hold
    {"autor": {"$exists": False}}                  absent or null
    {"tags": {"$contains": "saúde"}}               a list has the value, or a text has the part
    {"$or": [{"ano": 2024}, {"$not": {"fonte": "rascunho"}}]}

Names are keys of the metadata, with dots for nested ones (``"autor.nome"``); ``"id"`` and ``"title"`` are the
document's own (write ``"metadata.title"`` for a key of that name in the metadata). Operators: $eq $ne $gt
$gte $lt $lte $in $nin $exists $contains, and $and $or $not around filters. A value is compared with values of
its own kind only: a number with numbers, a text with texts, a truth value with truth values; anything else,
and a missing key, counts as different. Dates in ISO form compare as texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lunagpt.errors import StoreError

Filter = Mapping[str, Any]
Condition = tuple[str, list[Any]]

_COMPARISONS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_JSON_TYPES = {
    bool: "('true', 'false')",
    int: "('integer', 'real')",
    float: "('integer', 'real')",
    str: "('text')",
}
_MAX_DEPTH = 20


def compile_filter(filter: Filter) -> Condition:
    """A condition on the table ``documents`` and its parameters.

    Raises:
        StoreError: the filter is not of the dialect; the message says what is wrong.
    """
    return _filter(filter, 0)


def _filter(filter: Any, depth: int) -> Condition:
    if not isinstance(filter, Mapping):
        raise StoreError(f"Um filtro é um dicionário, e não {type(filter).__name__}: {filter!r}")
    if depth > _MAX_DEPTH:
        raise StoreError("O filtro tem níveis demais, um dentro do outro.")
    return _joined("AND", (_entry(str(name), wanted, depth) for name, wanted in filter.items()), empty="1")


def _entry(name: str, wanted: Any, depth: int) -> Condition:
    if name in ("$and", "$or"):
        if not isinstance(wanted, Sequence) or isinstance(wanted, str):
            raise StoreError(f"Depois de {name} vem uma lista de filtros.")
        return _joined(
            name[1:].upper(),
            (_filter(part, depth + 1) for part in wanted),
            empty="1" if name == "$and" else "0",
        )
    if name == "$not":
        sql, parameters = _filter(wanted, depth + 1)
        return f"NOT {sql}", parameters
    if name.startswith("$"):
        raise StoreError(f'Não conheço o operador "{name}" no filtro: use $and, $or ou $not.')
    if isinstance(wanted, Mapping):
        return _joined(
            "AND", (_operator(name, operator, value) for operator, value in wanted.items()), empty="1"
        )
    if isinstance(wanted, list | tuple | set | frozenset):
        return _operator(name, "$in", wanted)
    return _operator(name, "$eq", wanted)


def _operator(name: str, operator: Any, value: Any) -> Condition:
    if operator in _COMPARISONS:
        return _compared(name, _COMPARISONS[operator], value)
    if operator in ("$in", "$nin"):
        if not isinstance(value, list | tuple | set | frozenset):
            raise StoreError(f"Depois de {operator} vem uma lista de valores.")
        sql, parameters = _one_of(name, value)
        return (sql if operator == "$in" else f"NOT {sql}"), parameters
    if operator == "$ne":
        sql, parameters = _compared(name, "=", value)
        return f"NOT {sql}", parameters
    if operator == "$exists":
        _, kind, parameters = _field(name)
        return f"({kind} {'NOT IN' if value else 'IN'} ('null', ''))", parameters
    if operator == "$contains":
        return _contains(name, value)
    known = ", ".join([*_COMPARISONS, "$ne", "$in", "$nin", "$exists", "$contains"])
    raise StoreError(
        f'Não conheço o operador "{operator}" no filtro de "{name}". Os operadores são: {known}.'
    )


def _compared(name: str, comparison: str, value: Any) -> Condition:
    content, kind, path = _field(name)
    if value is None:
        if comparison != "=":
            raise StoreError(f'O filtro de "{name}" compara com um valor vazio (None); use $exists.')
        return f"({kind} IN ('null', ''))", path
    types = _types_like(name, value)
    return f"({kind} IN {types} AND {content} {comparison} ?)", [*path, *path, _bound(value)]


def _one_of(name: str, values: Iterable[Any]) -> Condition:
    content, kind, path = _field(name)
    groups: dict[str, list[Any]] = {}
    for value in values:
        if value is None:
            groups["('null', '')"] = []
        else:
            groups.setdefault(_types_like(name, value), []).append(_bound(value))
    conditions: list[Condition] = []
    for types, group in groups.items():
        if not group:
            conditions.append((f"{kind} IN {types}", path))
            continue
        members = f"{content} IN (SELECT value FROM json_each(?))"
        conditions.append((f"({kind} IN {types} AND {members})", [*path, *path, json.dumps(group)]))
    return _joined("OR", conditions, empty="0")


def _contains(name: str, value: Any) -> Condition:
    content, kind, path = _field(name)
    types = _types_like(name, value)
    conditions: list[Condition] = []
    if isinstance(value, str):
        conditions.append((f"({kind} = 'text' AND instr({content}, ?) > 0)", [*path, *path, value]))
    if name not in _COLUMNS:
        conditions.append(
            (
                f"({kind} = 'array' AND EXISTS (SELECT 1 FROM json_each(documents.metadata, ?) AS item "
                f"WHERE item.type IN {types} AND item.value = ?))",
                [*path, *path, _bound(value)],
            )
        )
    return _joined("OR", conditions, empty="0")


_COLUMNS = ("id", "title")


def _field(name: str) -> tuple[str, str, list[Any]]:
    """SQL for the value and for its JSON type ('' if absent), and the parameters that each of them takes."""
    if name in _COLUMNS:
        return f"documents.{name}", "'text'", []
    path = "$"
    for part in name.removeprefix("metadata.").split("."):
        if not part or '"' in part:
            raise StoreError(f'"{name}" não é um nome de campo que um filtro possa usar.')
        path += f'."{part}"'
    return (
        "json_extract(documents.metadata, ?)",
        "coalesce(json_type(documents.metadata, ?), '')",
        [path],
    )


def _types_like(name: str, value: Any) -> str:
    """SQL list of the JSON types that a value is compared with.

    Raises:
        StoreError: the value is of no kind that JSON and a filter share.
    """
    types = _JSON_TYPES.get(type(value))
    if types is None:
        raise StoreError(
            f'O filtro de "{name}" usa um valor do tipo {type(value).__name__}; '
            "use texto, número, True ou False."
        )
    return types


def _bound(value: Any) -> Any:
    """The value as json_extract gives it: 1 and 0 for true and false, reals for huge numbers."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return int(value) if isinstance(value, bool) else value


def _joined(word: str, conditions: Iterable[Condition], empty: str) -> Condition:
    parts, parameters = [], []
    for sql, bound in conditions:
        parts.append(sql)
        parameters.extend(bound)
    return (f"({f' {word} '.join(parts)})" if parts else empty), parameters
