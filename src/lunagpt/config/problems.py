"""Turn pydantic's errors into Portuguese: which key, what was given, what is expected, what to do."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

_SHOWN_CHARACTERS = 60
_BOUNDS = ((Ge, "ge", "no mínimo {}"), (Gt, "gt", "maior que {}"), (Le, "le", "no máximo {}"), (Lt, "lt", "menor que {}"))


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
        keys, field, owner = _follow(root, problem["loc"])
        path = _dotted(keys)
        if path not in lines:
            given = _lookup(data, keys, problem["input"])
            line = _describe(problem, keys, field, owner, root, given)
            origin = (origins or {}).get(path)
            lines[path] = f"{line} (na variável de ambiente {origin})" if origin else line
    where = f" em {source}" if source else ""
    if len(lines) == 1:
        return f"Configuração inválida{where}: {next(iter(lines.values()))}."
    return f"Configuração inválida{where}:\n" + "\n".join(f"  - {line}" for line in lines.values())


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, if one is close enough to be meant."""
    matches = difflib.get_close_matches(name.lower(), list(candidates), n=1, cutoff=0.6)
    return matches[0] if matches else None


def unknown_key(keys: Sequence[str | int], owner: type[BaseModel], root: type[BaseModel]) -> str:
    """Say that a key does not exist and which one was probably meant."""
    key = str(keys[-1])
    line = f'a chave "{_dotted(keys)}" não existe'
    homes = [
        name
        for name, field in root.model_fields.items()
        if (section := _section_of(field.annotation)) is not None and key in section.model_fields
    ]
    if homes and owner is not root:
        return f'{line}; "{key}" fica na seção "{homes[0]}"'
    if homes:
        return f'{line} fora de uma seção; escreva-a dentro de "{homes[0]}"'
    if guess := nearest(key, owner.model_fields):
        return f'{line}; você quis dizer "{_dotted([*keys[:-1], guess])}"?'
    if len(owner.model_fields) <= 12:
        return f"{line}; as chaves daqui são: {', '.join(owner.model_fields)}"
    return line


def _describe(
    problem: Any,
    keys: Sequence[str | int],
    field: FieldInfo | None,
    owner: type[BaseModel],
    root: type[BaseModel],
    given: Any,
) -> str:
    path = _dotted(keys)
    kind = problem["type"]
    if kind == "extra_forbidden":
        return unknown_key(keys, owner, root)
    if kind == "missing":
        return f'falta a chave "{path}"'
    if kind == "frozen_field":
        return f'"{path}" não pode ser trocado depois de pronto; crie outra configuração'
    shown = f'"{path}" recebeu {_show(given)}' if path else f"o arquivo traz {_show(given)}"
    if kind == "value_error":
        reason = str(problem["ctx"]["error"])
        # A check over a whole section already names the keys and values it is about.
        if field is None or _section_of(field.annotation) is not None or not path:
            return f'na seção "{path}", {reason}' if path else reason
        return f"{shown}, mas {reason}; o esperado é {_expected(field)}"
    if field is None:
        return f"{shown}, mas o esperado é um grupo de chaves e valores"
    return f"{shown}, mas o esperado é {_expected(field)}"


def _expected(field: FieldInfo) -> str:
    bounds = []
    for rule in field.metadata:
        for bound, attribute, phrase in _BOUNDS:
            if isinstance(rule, bound):
                bounds.append(phrase.format(getattr(rule, attribute)))
        if isinstance(rule, MinLen):
            bounds.append(f"ao menos {rule.min_length} item")
    limits = f" ({', '.join(bounds)})" if bounds else ""
    purpose = f" — {field.description}" if field.description and _is_patterned(field) else ""
    return _expected_type(field.annotation) + limits + purpose.rstrip(".")


def _is_patterned(field: FieldInfo) -> bool:
    return any(getattr(rule, "pattern", None) for rule in field.metadata)


def _expected_type(annotation: Any) -> str:
    origin, options = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "um destes valores: " + ", ".join(f'"{option}"' for option in options)
    if origin in (Union, types.UnionType):
        return " ou ".join(_expected_type(option) for option in options)
    if origin is list:
        return "uma lista em que cada item é " + _expected_type(options[0])
    if _section_of(annotation) is not None or origin is dict:
        return "um grupo de chaves e valores"
    simple = {
        int: "um número inteiro",
        float: "um número",
        bool: "verdadeiro ou falso (true ou false)",
        str: "um texto",
        type(None): "null",
    }
    return simple[annotation]


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


def _follow(
    root: type[BaseModel], location: Sequence[str | int]
) -> tuple[list[str | int], FieldInfo | None, type[BaseModel]]:
    """Walk an error's location down the sections: the keys a user wrote, the last field, its section.

    Pydantic appends the branch of a union to the location; such parts are no keys and are left out.
    """
    owner, field, keys = root, None, []
    section: type[BaseModel] | None = root
    for part in location:
        if isinstance(part, int):
            keys.append(part)
            continue
        if section is None:
            break
        owner, field = section, section.model_fields.get(part)
        keys.append(part)
        section = _section_of(field.annotation) if field is not None else None
    while keys and isinstance(keys[-1], int) and field is not None and _section_of(field.annotation) is None:
        keys.pop()
    return keys, field, owner


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The section class behind an annotation such as `RagConfig` or `list[DataSource]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for option in get_args(annotation) if (found := _section_of(option))), None)


def _lookup(data: Mapping[str, Any] | None, keys: Sequence[str | int], fallback: Any) -> Any:
    value: Any = data
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return fallback
    return fallback if data is None else value


def _dotted(keys: Iterable[str | int]) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text
