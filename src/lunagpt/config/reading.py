"""Configuration text → plain values: JSON with comments, and YAML without the traps of version 1.1."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import yaml

from lunagpt.errors import ConfigError, reason_of

# A configuration is written by hand; whatever is larger is another file given by mistake.
MAX_FILE_BYTES = 1 << 20

_JSON_SUFFIXES = (".json", ".jsonc")
_YAML_SUFFIXES = (".yaml", ".yml")
_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a `.json`, `.jsonc`, `.yaml` or `.yml` file of settings.

    Raises:
        ConfigError: the file is missing, too large, not UTF-8, of another kind or badly written; the
            message names the file and, for bad writing, line and column.
    """
    file = Path(path)
    if file.is_dir():
        raise ConfigError(f'"{file}" é uma pasta. Diga o caminho do arquivo de configuração dentro dela.')
    suffix = file.suffix.lower()
    if suffix not in _JSON_SUFFIXES + _YAML_SUFFIXES:
        raise ConfigError(
            f'Não sei ler a configuração "{file}": o nome precisa terminar em .json, .jsonc, .yaml ou .yml.'
        )
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f'O arquivo de configuração "{file}" não existe. Confira o caminho.') from None
    except OSError as error:
        raise ConfigError(f'Não consegui ler "{file}": {reason_of(error)}. Confira as permissões.') from error
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(
            f'"{file}" passa de {MAX_FILE_BYTES // 1024} KiB, grande demais para uma configuração. '
            "Confira se é o arquivo certo."
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f'"{file}" não está em UTF-8 (byte {error.start}). Salve o arquivo em UTF-8.'
        ) from None
    try:
        values = parse_json(text) if suffix in _JSON_SUFFIXES else parse_yaml(text)
    except ConfigError as error:
        raise ConfigError(f'Não entendi "{file}": {error}') from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f'"{file}" precisa ser um grupo de seções, como "model" e "training", e não é.')
    return values


def parse_json(text: str) -> Any:
    """Parse JSON in which `//` and `/* */` comments are allowed outside strings; keys must be unique. A text
    without anything else is None.

    Raises:
        ConfigError: with line and column; NaN and Infinity are refused too.
    """
    text = strip_comments(text)
    if not text.strip():
        return None
    try:
        return json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant)
    except ConfigError:
        raise
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"erro de escrita na linha {error.lineno}, coluna {error.colno}. "
            "Confira vírgulas (nenhuma depois do último item), aspas duplas e chaves."
        ) from None
    except ValueError:
        raise ConfigError("há um número grande demais.") from None
    except RecursionError:
        raise ConfigError("há grupos demais uns dentro dos outros.") from None


def strip_comments(text: str) -> str:
    """Blank out comments, keeping strings, line breaks and columns as they are."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)

    return _STRING_OR_COMMENT.sub(blank, text)


def parse_yaml(text: str) -> Any:
    """Parse YAML with the scalars of YAML 1.2 rather than PyYAML's 1.1.

    `no`, `off`, `12:30`, `010` and `2024-01-01` stay texts and `1e-4` is a number. A field that wants a
    boolean still understands `no` and `off`, and one that wants an integer reads `010` as 10: the field
    decides, not the spelling. Refused are repeated keys, and aliases (`*name`) of lists and groups, which a
    few lines can multiply into millions; an alias of a single value is fine.

    Raises:
        ConfigError: with line and column.
    """
    try:
        return yaml.load(text, Loader=_Yaml12Loader)
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" na linha {mark.line + 1}, coluna {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"erro de escrita{place}. Confira o recuo (espaços, não tabulações), os dois-pontos e as aspas."
        ) from None
    except yaml.YAMLError:
        raise ConfigError("há caracteres que não podem aparecer em YAML.") from None
    except ValueError:
        raise ConfigError(
            "há um valor que não combina com o tipo escrito, ou um número grande demais."
        ) from None
    except RecursionError:
        raise ConfigError("há grupos demais uns dentro dos outros.") from None


def dump_yaml(values: dict[str, Any]) -> str:
    """Write plain values as YAML that reads back the same here and in readers of YAML 1.1 and 1.2."""
    return yaml.dump(values, Dumper=_CarefulDumper, allow_unicode=True, sort_keys=False, width=100)


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ConfigError(f'a chave "{key}" aparece duas vezes no mesmo grupo. Apague uma delas.')
        values[key] = value
    return values


def _refuse_constant(name: str) -> Any:
    raise ConfigError(f"{name} não é um número que eu possa usar.")


class _Yaml12Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, by PyYAML's own means

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            if not isinstance(self.anchors.get(event.anchor), yaml.ScalarNode | None):
                line = event.start_mark.line + 1
                raise ConfigError(
                    f"na linha {line} há um apelido (*{event.anchor}) para uma lista ou um grupo. "
                    "Escreva-os por extenso."
                )
        return super().compose_node(parent, index)

    def construct_group(self, node: Any) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"na linha {key.start_mark.line + 1} há um grupo no lugar de uma chave.")
            if key.value in seen:
                raise ConfigError(
                    f'na linha {key.start_mark.line + 1} a chave "{key.value}" aparece outra vez no mesmo '
                    "grupo. Apague uma delas."
                )
            seen.add(key.value)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    def construct_integer(self, node: Any) -> int:
        text = self.construct_scalar(node)
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


_Yaml12Loader.add_constructor("tag:yaml.org,2002:int", _Yaml12Loader.construct_integer)
_Yaml12Loader.add_constructor("tag:yaml.org,2002:map", _Yaml12Loader.construct_group)


class _CarefulDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.Node:
        # Outside double quotes PyYAML folds these line breaks of Unicode into spaces when it reads them back.
        quoted = '"' if any(character in text for character in "\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=quoted)


_CarefulDumper.add_representer(str, _CarefulDumper.represent_text)


# The core schema of YAML 1.2.2 (section 10.3.2), except that a leading zero makes a text: 007 and 010
# are more often names than numbers.
_YAML_12_SCALARS = (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
)
for _name, _pattern, _first in _YAML_12_SCALARS:
    for _class in (_Yaml12Loader, _CarefulDumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), _first)
