"""Scripted dialogues with what Luna's answers must fulfil, read from the YAML files of this folder.

A file holds one skill::

    skill: memoria
    title: Lembra o que você contou
    scenarios:
    - id: memoria-nome-carla
      system: …                     # optional system message
      max_tokens: 200               # optional: longest answer (default 160)
      turns:
      - user: Oi! Meu nome é Carla. # answered by the model, only its form is looked at
      - user: Moro em Olinda.
        luna: Que cidade bonita!    # an answer given by the script instead of the model
      - user: Qual é o meu nome?
        expect: [{contains: Carla}, {max_words: 20}]
        good: Seu nome é Carla.     # an answer that fulfils the checks (or a list of them): the tests try it
        bad: Não sei o seu nome.    # one that must not (or a list)
      - user: A que horas fecha?
        documents: [{title: Horários, content: …}]   # laid out before the question as retrieval does
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from lunagpt.data.grounding_format import format_evidence
from lunagpt.errors import DataError, reason_of
from lunagpt.evaluation.behaviours.arguments import ArgumentError
from lunagpt.evaluation.behaviours.checks import Check, parse_checks

DEFAULT_MAX_TOKENS = 160

_FILE_KEYS = {"skill", "title", "scenarios"}
_SCENARIO_KEYS = {"id", "system", "max_tokens", "turns"}
_TURN_KEYS = {"user", "luna", "documents", "expect", "good", "bad"}


@dataclass(frozen=True, slots=True)
class ScriptTurn:
    """One question of a script.

    Attributes:
        user: the message, with its documents laid out before the question.
        given: an answer that the script gives; None has the model answer.
        checks: what the model's answer must fulfil; empty for a turn that only leads on.
        good, bad: sample answers that fulfil the checks and that do not.
    """

    user: str
    given: str | None
    checks: tuple[Check, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A dialogue of which at least one answer is judged."""

    id: str
    skill: str
    turns: tuple[ScriptTurn, ...]
    system: str | None = None
    max_tokens: int = DEFAULT_MAX_TOKENS


@dataclass(frozen=True, slots=True)
class Skill:
    """What one file tests."""

    name: str
    title: str
    scenarios: tuple[Scenario, ...]


@lru_cache(maxsize=1)
def builtin_skills() -> tuple[Skill, ...]:
    """The skills that ship with LunaGPT, in the order of their file names."""
    folder = resources.files("lunagpt.evaluation.behaviours")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return _distinct([_parse(folder.joinpath(name).read_text(encoding="utf-8"), name) for name in names])


def load_skills(paths: Sequence[str | Path]) -> tuple[Skill, ...]:
    """Skills of the user's own files, in the same format.

    Raises:
        DataError: a file cannot be read or breaks the format; the message names file and scenario.
    """
    skills = []
    for path in map(Path, paths):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f'Não consegui ler "{path}": {reason_of(error)}. Confira o caminho e se está em UTF-8.'
            ) from error
        skills.append(_parse(text, path.name))
    return _distinct(skills)


def _parse(text: str, name: str) -> Skill:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DataError(f'"{name}" não serve: {reason_of(error)}. Corrija o arquivo.') from error
    _expect(
        isinstance(raw, dict) and set(raw) == _FILE_KEYS, name, f"o arquivo precisa de {sorted(_FILE_KEYS)}"
    )
    _expect(
        isinstance(raw["scenarios"], list) and bool(raw["scenarios"]),
        name,
        '"scenarios" precisa ser uma lista',
    )
    skill = str(raw["skill"])
    scenarios = tuple(_scenario(entry, skill, name) for entry in raw["scenarios"])
    return Skill(skill, str(raw["title"]), scenarios)


def _scenario(raw: Any, skill: str, name: str) -> Scenario:
    _expect(
        isinstance(raw, Mapping) and {"id", "turns"} <= set(raw) <= _SCENARIO_KEYS, name, f"cenário {raw!r}"
    )
    place = f"{name}, {raw['id']}"
    _expect(isinstance(raw["turns"], list) and bool(raw["turns"]), place, '"turns" precisa ser uma lista')
    turns = tuple(_turn(entry, place) for entry in raw["turns"])
    _expect(any(turn.checks for turn in turns), place, 'nenhuma fala tem "expect"')
    max_tokens = raw.get("max_tokens", DEFAULT_MAX_TOKENS)
    _expect(type(max_tokens) is int and max_tokens > 0, place, '"max_tokens" precisa ser um inteiro positivo')
    system = raw.get("system")
    return Scenario(str(raw["id"]), skill, turns, None if system is None else str(system).strip(), max_tokens)


def _turn(raw: Any, place: str) -> ScriptTurn:
    _expect(isinstance(raw, Mapping) and "user" in raw and set(raw) <= _TURN_KEYS, place, f"fala {raw!r}")
    try:
        checks = parse_checks(raw["expect"]) if "expect" in raw else ()
    except ArgumentError as error:
        raise DataError(f"{place}: {error}. Corrija o arquivo.") from None
    good, bad = _samples(raw.get("good")), _samples(raw.get("bad"))
    _expect(bool(checks) or not (good or bad), place, '"good" e "bad" pedem "expect"')
    _expect(not checks or "luna" not in raw, place, '"luna" e "expect" não andam juntos')
    user = format_evidence(raw.get("documents") or [], str(raw["user"]).strip())
    given = raw.get("luna")
    return ScriptTurn(user, None if given is None else str(given).strip(), checks, good, bad)


def _samples(raw: Any) -> tuple[str, ...]:
    values = raw if isinstance(raw, list) else [] if raw is None else [raw]
    return tuple(str(value).strip() for value in values)


def _distinct(skills: Sequence[Skill]) -> tuple[Skill, ...]:
    seen: set[str] = set()
    for scenario in (scenario for skill in skills for scenario in skill.scenarios):
        _expect(scenario.id not in seen, scenario.skill, f'há dois cenários com o id "{scenario.id}"')
        seen.add(scenario.id)
    return tuple(skills)


def _expect(holds: bool, place: str, problem: str) -> None:
    if not holds:
        raise DataError(f"{place}: {problem}. Corrija o arquivo.")
