"""Turn pydantic's errors into Portuguese: which key, what was given, what is expected, what to do."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ValidationError

_SHOWN_CHARACTERS = 60
_LISTED_KEYS = 14  # as many as there are sections
_LIST_BRANCH = "list[str]"  # pydantic's name for the list in `str | list[str]`
_BOUNDS: tuple[tuple[type, str, str], ...] = (
    (Ge, "ge", "no mínimo {}"),
    (Gt, "gt", "maior que {}"),
    (Le, "le", "no máximo {}"),
    (Lt, "lt", "menor que {}"),
    (MinLen, "min_length", "itens: no mínimo {}"),
)


class _Place(NamedTuple):
    """Where an error lies: the keys a user wrote, the section of the last one, its type and its limits."""

    keys: list[str | int]
    owner: type[BaseModel]
    annotation: Any
    limits: list[Any]


def explain(
    error: ValidationError,
    root: type[BaseModel],
    data: Mapping[str, Any] | None = None,
    source: str | None = None,
    origins: Mapping[str, str] | None = None,
) -> str:
    """A message with one line per faulty key.

    Args:
        error: what pydantic found.
        root: the class that was validated; key names and limits are read from it.
        data: the values that were validated, used to show what was given under a key of several types.
        source: file the values came from.
        origins: for single dotted keys, a source that goes before `source` (an environment variable).
    """
    lines: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        place = _follow(root, problem["loc"])
        path = dotted(place.keys)
        if path not in lines:
            line = _describe(problem, place, root, _lookup(data, place.keys, problem["input"]))
            origin = (origins or {}).get(path)
            lines[path] = f"{line} (na variável de ambiente {origin})" if origin else line
    # of a list that is wrong because of its items, only the items are told
    lines = {path: line for path, line in lines.items() if not any(p.startswith(f"{path}[") for p in lines)}
    where = f" em {source}" if source else ""
    if len(lines) == 1:
        return f"Configuração inválida{where}: {full_stop(next(iter(lines.values())))}"
    return f"Configuração inválida{where}:\n" + "\n".join(f"  - {line}" for line in lines.values())


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, if one is close enough to be meant."""
    matches = difflib.get_close_matches(name.lower(), list(candidates), n=1, cutoff=0.6)
    return matches[0] if matches else None


def unknown_key(keys: Sequence[str | int], owner: type[BaseModel], root: type[BaseModel]) -> str:
    """Say that a key does not exist and which one was probably meant."""
    key = str(keys[-1])
    line = f'a chave "{dotted(keys)}" não existe'
    homes = [name for name, section in sections_of(root).items() if key in section.model_fields]
    if homes and owner is not root:
        return f'{line}; "{key}" fica na seção "{homes[0]}"'
    if homes:
        return f'{line} fora de uma seção; escreva-a dentro de "{homes[0]}"'
    if guess := nearest(key, owner.model_fields):
        return f'{line}; você quis dizer "{dotted([*keys[:-1], guess])}"?'
    if len(owner.model_fields) <= _LISTED_KEYS:
        return f"{line}; as chaves daqui são: {', '.join(owner.model_fields)}"
    return line


def sections_of(root: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The fields of `root` that are sections, with their classes."""
    found = {name: _section_of(field.annotation) for name, field in root.model_fields.items()}
    return {name: section for name, section in found.items() if section is not None}


def full_stop(line: str) -> str:
    """End a sentence with a full stop unless it ends with a question mark."""
    return line if line.endswith("?") else f"{line}."


def dotted(keys: Iterable[str | int]) -> str:
    """The way a user writes a place: `data.sources[0].path`."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def _describe(problem: Any, place: _Place, root: type[BaseModel], given: Any) -> str:
    path = dotted(place.keys)
    kind = problem["type"]
    if kind in ("extra_forbidden", "no_such_attribute"):
        return unknown_key(place.keys, place.owner, root)
    if kind == "missing":
        return f'falta a chave "{path}"'
    if kind == "frozen_field":
        return f'"{path}" não pode ser trocado depois de pronto; crie outra configuração'
    shown = f'"{path}" recebeu {_show(given)}' if path else f"recebi {_show(given)}"
    if kind == "value_error":
        reason = str(problem["ctx"]["error"])
        # A check over a whole section names the keys and values it is about.
        if _section_of(place.annotation) is None:
            return f"{shown}, mas {reason}"
        return f'na seção "{path}", {reason}' if path else reason
    return f"{shown}, mas o esperado é {_expected(place)}{_hint(kind, given)}"


def _hint(kind: str, given: Any) -> str:
    """How to write what was probably meant; "" if that is not clear."""
    if kind == "string_type" and isinstance(given, int | float):
        return "; escreva entre aspas"
    if kind == "fraction_not_wanted":
        return "; escreva sem ponto (mil é 1000)"
    text = given.strip() if isinstance(given, str) else ""
    if re.fullmatch(r"[-+]?\d+,\d+", text):
        return f"; escreva {text.replace(',', '.')}, com ponto"
    if re.fullmatch(r"\d+([.,]\d+)?\s*%", text):
        return f"; escreva {float(text.rstrip(' %').replace(',', '.')) / 100:g} em vez de {text}"
    return ""


def _expected(place: _Place) -> str:
    limits = []
    for rule in place.limits:
        for bound, attribute, phrase in _BOUNDS:
            if isinstance(rule, bound):
                limits.append(phrase.format(getattr(rule, attribute)))
    return _expected_type(place.annotation) + (f" ({', '.join(limits)})" if limits else "")


def _expected_type(annotation: Any) -> str:
    origin, options = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "um destes valores: " + ", ".join(f'"{option}"' for option in options)
    if origin in (Union, types.UnionType):
        return " ou ".join(_expected_type(option) for option in options)
    if origin is list:
        return "uma lista em que cada item é " + _expected_type(options[0])
    if origin is tuple:
        return f"uma lista de {len(options)} itens"
    if _section_of(annotation) is not None or origin is dict:
        return "um grupo de chaves e valores"
    simple = {
        int: "um número inteiro",
        float: "um número",
        bool: "verdadeiro ou falso (true ou false)",
        str: "um texto",
        type(None): "null",
    }
    return simple.get(annotation, "um valor de outro tipo")


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "um grupo de chaves e valores"
    if isinstance(value, list | tuple):
        return f"uma lista de {len(value)} itens" if len(value) != 1 else "uma lista de 1 item"
    text = str(value)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "…"
    return f'o texto "{text}"' if isinstance(value, str) else f"o número {text}"


def _follow(root: type[BaseModel], location: Sequence[str | int]) -> _Place:
    """Walk an error's location down the sections, as far as it names keys and list positions.

    Pydantic appends the branch of a union to the location; such parts are no keys and end the walk.
    """
    place = _Place([], root, root, [])
    for part in location:
        section = place.annotation if _is_section(place.annotation) else None
        if section is not None and isinstance(part, str):
            field = section.model_fields.get(part)
            annotation, limits = (field.annotation, field.metadata) if field else (None, [])
            place = _Place([*place.keys, part], section, annotation, limits)
        elif isinstance(part, int) and (item := _item_type(place.annotation)) is not None:
            place = _Place([*place.keys, part], place.owner, item, [])
        elif isinstance(part, str) and get_origin(place.annotation) is dict:
            place = _Place([*place.keys, part], place.owner, get_args(place.annotation)[1], [])
        elif part == _LIST_BRANCH and _item_type(place.annotation) is not None:
            continue
        else:
            break
    return place


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _item_type(annotation: Any) -> Any:
    """Type of a list's items, also for a list that is one branch of a union; None if there is no list."""
    if get_origin(annotation) is list:
        return get_args(annotation)[0]
    return next((item for option in get_args(annotation) if (item := _item_type(option)) is not None), None)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The section class that an annotation is, if it is one."""
    return annotation if _is_section(annotation) else None


def _lookup(data: Mapping[str, Any] | None, keys: Sequence[str | int], fallback: Any) -> Any:
    value: Any = data
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return fallback
    return fallback if data is None else value
