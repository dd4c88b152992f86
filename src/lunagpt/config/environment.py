"""`LUNA_SECTION__KEY=value`: settings from the environment, which win over those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from lunagpt.config.problems import full_stop, nearest, sections_of, unknown_key
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
    sections = sections_of(root)
    values: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    for variable, text in sorted(environ.items()):
        if not variable.upper().startswith(PREFIX) or not text.strip():
            continue
        name = variable[len(PREFIX) :].lower()
        if _SEPARATOR not in name:
            _refuse_single_underscore(variable, name, sections)
            continue
        section_name, _, key = name.partition(_SEPARATOR)
        section = sections.get(section_name)
        if section is None:
            guess = nearest(section_name, sections)
            hint = f" Você quis dizer {_variable(guess, key)}?" if guess else ""
            raise ConfigError(
                f'A variável de ambiente {variable} fala da seção "{section_name}", que não existe.{hint}'
            )
        if key not in section.model_fields:
            reason = full_stop(unknown_key([section_name, key], section, root))
            raise ConfigError(f"Variável de ambiente {variable}: {reason}")
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


def _variable(section: str, key: str) -> str:
    return f"{PREFIX}{section.upper()}{_SEPARATOR}{key.upper()}"


def _refuse_single_underscore(variable: str, name: str, sections: Mapping[str, type[BaseModel]]) -> None:
    for section_name, section in sections.items():
        prefix = f"{section_name}_"
        key = name.removeprefix(prefix)
        if name.startswith(prefix) and key in section.model_fields:
            raise ConfigError(
                f"A variável de ambiente {variable} tem um sublinhado só entre seção e chave. "
                f"Escreva {_variable(section_name, key)}."
            )
