"""The filters of `lunagpt.rag.filters` in the words of Qdrant.

The dialect is the same, with three differences that come from Qdrant: a list in the metadata counts as each
of its elements also for "equal"; an empty list counts as absent; and `$gt` … `$lte` order numbers and ISO
dates (``"2023-01-31"``, also with a time), but no other texts.

Truth values are looked for in the field `flags` of the payload, see `flags_of`: qdrant-edge 0.9 takes True
for the number 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lunagpt.errors import StoreError

#: A filter or condition as in Qdrant's REST interface.
Json = dict[str, Any]

NOTHING: Json = {"has_id": []}

_ORDER = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_MAX_DEPTH = 20


def qdrant_filter(filter: Mapping[str, Any]) -> Json:
    """The filter as a condition of Qdrant on the payload of passages and documents.

    Raises:
        StoreError: the filter is not of the dialect; the message says what is wrong.
    """
    return _filter(filter, 0)


def all_of(conditions: Iterable[Json]) -> Json:
    return {"must": list(conditions)}


def none_of(conditions: Iterable[Json]) -> Json:
    return {"must_not": list(conditions)}


def equals(key: str, value: str) -> Json:
    return {"key": key, "match": {"value": value}}


def flags_of(metadata: Mapping[str, Any]) -> list[str]:
    """The truth values of some metadata as words, such as ``'metadata."público"=true'``."""
    return sorted(set(_flags("metadata", metadata)))


def _flags(path: str, value: Any) -> Iterable[str]:
    if isinstance(value, bool):
        yield _flag(path, value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flags(f'{path}."{name}"', inner)
    elif isinstance(value, list):
        yield from (_flag(path, item) for item in value if isinstance(item, bool))


def _flag(path: str, value: bool) -> str:
    return f"{path}={str(value).lower()}"


def _filter(filter: Any, depth: int) -> Json:
    if not isinstance(filter, Mapping):
        raise StoreError(f"Um filtro é um dicionário, e não {type(filter).__name__}: {filter!r}")
    if depth > _MAX_DEPTH:
        raise StoreError("O filtro tem níveis demais, um dentro do outro.")
    return all_of(_entry(str(name), wanted, depth) for name, wanted in filter.items())


def _entry(name: str, wanted: Any, depth: int) -> Json:
    if name in ("$and", "$or"):
        if not isinstance(wanted, Sequence) or isinstance(wanted, str):
            raise StoreError(f"Depois de {name} vem uma lista de filtros.")
        parts = [_filter(part, depth + 1) for part in wanted]
        return all_of(parts) if name == "$and" else _any_of(parts)
    if name == "$not":
        return none_of([_filter(wanted, depth + 1)])
    if name.startswith("$"):
        raise StoreError(f'Não conheço o operador "{name}" no filtro: use $and, $or ou $not.')
    if isinstance(wanted, Mapping):
        return all_of(_operator(name, operator, value) for operator, value in wanted.items())
    if isinstance(wanted, list | tuple | set | frozenset):
        return _operator(name, "$in", wanted)
    return _operator(name, "$eq", wanted)


def _operator(name: str, operator: Any, value: Any) -> Json:
    if operator in ("$in", "$nin"):
        if not isinstance(value, list | tuple | set | frozenset):
            raise StoreError(f"Depois de {operator} vem uma lista de valores.")
        condition = _any_of([_equal(name, item) for item in value])
        return condition if operator == "$in" else none_of([condition])
    if operator == "$eq":
        return _equal(name, value)
    if operator == "$ne":
        return none_of([_equal(name, value)])
    if operator == "$exists":
        absent = {"is_empty": {"key": payload_key(name)}}
        return none_of([absent]) if value else absent
    if operator == "$contains":
        if isinstance(value, str):
            part = {"key": payload_key(name), "match": {"substring": value}}
            return _any_of([_equal(name, value), part]) if value else {"must": [_equal(name, value)]}
        return _equal(name, value)
    if operator in _ORDER:
        return {"key": payload_key(name), "range": {_ORDER[operator]: _ordered(name, value)}}
    known = ", ".join(["$eq", *_ORDER, "$ne", "$in", "$nin", "$exists", "$contains"])
    raise StoreError(
        f'Não conheço o operador "{operator}" no filtro de "{name}". Os operadores são: {known}.'
    )


def _equal(name: str, value: Any) -> Json:
    key = payload_key(name)
    if value is None:
        return {"is_empty": {"key": key}}
    if isinstance(value, bool):
        return equals("flags", _flag(key, value))
    if isinstance(value, str):
        return equals(key, value)
    if isinstance(value, int | float):  # 2020 and 2020.0 are the same number
        return {"key": key, "range": {"gte": float(value), "lte": float(value)}}
    raise StoreError(
        f'O filtro de "{name}" usa um valor do tipo {type(value).__name__}; use texto, número, True ou False.'
    )


def _ordered(name: str, value: Any) -> float | str:
    """A bound of a range: a number or an ISO date."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return value
    raise StoreError(
        f'O filtro de "{name}" compara a ordem de {value!r}. No Qdrant, só números e datas ("2023-01-31") '
        "têm ordem; para outros textos, use $eq, $in ou $contains."
    )


def _any_of(conditions: list[Json]) -> Json:
    return {"should": conditions} if conditions else NOTHING


def payload_key(name: str) -> str:
    """Where a field that filters name is in the payload.

    Raises:
        StoreError: it is no name.
    """
    if name in ("id", "title"):
        return {"id": "document_id", "title": "title"}[name]
    parts = name.removeprefix("metadata.").split(".")
    if any(not part or '"' in part for part in parts):
        raise StoreError(f'"{name}" não é um nome de campo que um filtro possa usar.')
    return ".".join(["metadata", *(f'"{part}"' for part in parts)])
