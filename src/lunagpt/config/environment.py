"""`LUNA_SECTION__KEY=value`: settings from the environment, which win over those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from lunagpt.config.problems import nearest, unknown_key
from lunagpt.config.reading import parse_yaml
from lunagpt.errors import ConfigError

PREFIX = "LUNA_"
_SEPARATOR = "__"


def read_environment(
    root: type[BaseModel], environ: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Collect settings from variables such as ``LUNA_TOKENIZER__MAX_LENGTH=512``.

    A value is taken as text and converted by its field; ``null`` unsets, and a value that begins with ``[``
    or ``{`` is read as a list or group. Empty variables count as not set. Variables without a double
    underscore are none of ours, unless one is exactly section and key joined by a single underscore.

    Returns:
        The values by section and key, and for each dotted key the name of its variable.

    Raises:
        ConfigError: a variable names an unknown section or key, or its list cannot be read.
    """
    sections = root.model_fields
    values: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    for variable, text in sorted(environ.items()):
        if not variable.upper().startswith(PREFIX) or not text.strip():
            continue
        name = variable[len(PREFIX) :].lower()
        if _SEPARATOR not in name:
            _refuse_single_underscore(variable, name, root)
            continue
        section_name, _, key = name.partition(_SEPARATOR)
        if section_name not in sections or not _is_section(root, section_name):
            guess = nearest(section_name, [name for name in sections if _is_section(root, name)])
            hint = f" Você quis dizer {PREFIX}{guess.upper()}{_SEPARATOR}{key.upper()}?" if guess else ""
            raise ConfigError(
                f'A variável de ambiente {variable} fala da seção "{section_name}", que não existe.{hint}'
            )
        section = sections[section_name].annotation
        assert isinstance(section, type) and issubclass(section, BaseModel)
        if key not in section.model_fields:
            raise ConfigError(
                f"Variável de ambiente {variable}: {unknown_key([section_name, key], section, root)}."
            )
        values.setdefault(section_name, {})[key] = _read_value(variable, text.strip())
        origins[f"{section_name}.{key}"] = variable
    return values, origins


def _read_value(variable: str, text: str) -> Any:
    if text.lower() in ("null", "~"):
        return None
    if text[0] not in "[{":
        return text
    try:
        return parse_yaml(text)
    except ConfigError as error:
        raise ConfigError(f"Não entendi a variável de ambiente {variable}: {error}") from None


def _is_section(root: type[BaseModel], name: str) -> bool:
    annotation = root.model_fields[name].annotation
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _refuse_single_underscore(variable: str, name: str, root: type[BaseModel]) -> None:
    for section_name, field in root.model_fields.items():
        key = name.removeprefix(f"{section_name}_")
        if _is_section(root, section_name) and key != name:
            assert isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
            if key in field.annotation.model_fields:
                raise ConfigError(
                    f"A variável de ambiente {variable} tem um sublinhado só entre seção e chave. "
                    f"Escreva {PREFIX}{section_name.upper()}{_SEPARATOR}{key.upper()}."
                )
