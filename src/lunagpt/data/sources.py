"""What a training mixture is made of: named sources, their files, filters and share of the tokens."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from lunagpt.config.sections import DataSource
from lunagpt.data import encyclopedia, exercises
from lunagpt.data.examples import DialogueExample, Example, ExampleBuilder, RowError, TextExample
from lunagpt.data.readers import ReadReport, read_rows, resolve_paths
from lunagpt.data.traits import traits_of
from lunagpt.errors import DataError


class SourceSpec(DataSource):
    """One entry of `data.sources`, checked and named."""

    reject_user: str | None = Field(
        None, description="Expressão regular: diálogos com uma pergunta em que ela ocorre são recusados."
    )

    @field_validator("reject", "reject_user")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"expressão regular inválida: {error}") from error
        return value

    @property
    def label(self) -> str:
        """The source's name: as given, or that of its first file."""
        return self.name or Path(self.patterns[0]).stem or "dados"

    @property
    def patterns(self) -> list[str]:
        """The paths as a list."""
        return [self.path] if isinstance(self.path, str) else list(self.path)

    def content_options(self) -> dict[str, Any]:
        """The settings on which the tokenised content depends (weight, repeats and loss do not change it)."""
        options = self.model_dump(mode="json", exclude={"name", "path", "weight", "max_repeat", "loss_on"})
        # A rule of version 1 goes by its bare name, as in the keys from before there were versions.
        versions = [(part, encyclopedia.PARTS[part]) for part in self.parts]
        options["parts"] = [part if version == 1 else f"{part}-{version}" for part, version in versions]
        if self.exercises:
            options["exercises_version"] = exercises.VERSION
        return options


def parse_sources(sources: Sequence[DataSource | Mapping[str, Any]]) -> list[SourceSpec]:
    """Check a list of sources, given as settings or as plain dictionaries.

    Raises:
        ConfigError: a setting is wrong or unknown.
        DataError: there is no source, or two have one name.
    """
    if not sources:
        raise DataError("A configuração não tem nenhuma fonte de dados. Preencha data.sources.")
    specs = [
        source
        if isinstance(source, SourceSpec)
        else SourceSpec(
            **(source.model_dump(exclude_unset=True) if isinstance(source, DataSource) else source)
        )
        for source in sources
    ]
    names = [spec.label for spec in specs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"Há fontes de dados com o mesmo nome: {', '.join(repeated)}. Dê um nome (name) a cada uma."
        )
    return specs


def source_files(spec: SourceSpec, root: str | Path | None = None) -> list[Path]:
    """Files of a source. Raises DataError as `resolve_paths` does."""
    return resolve_paths(spec.patterns, root)


def read_examples(
    spec: SourceSpec, root: str | Path | None = None, report: ReadReport | None = None
) -> Iterator[tuple[Example, str, dict[str, int]]]:
    """Yield ``(example, group, traits)`` for every example of a source.

    `group` is the value of ``sample_by`` (or ""); for `traits` see `traits_of`.

    Broken rows are counted and reported, not raised.

    Raises:
        DataError: no file, an unreadable file, or not a single usable example.
    """
    report = report if report is not None else ReadReport()
    build = ExampleBuilder(spec.parts, unify_evidence=spec.unify_evidence, persona_prompt=spec.persona_prompt)
    maker = exercises.ExerciseMaker(spec.exercises) if spec.exercises else None
    patterns = {"assistant": spec.reject, "user": spec.reject_user}
    rejected = {role: re.compile(text, re.IGNORECASE) for role, text in patterns.items() if text}
    kept_of_group: dict[str, int] = {}
    for path in source_files(spec, root):
        for place, row in read_rows(path, report):
            if not _passes(spec, row, place):
                report.filtered += 1
                continue
            group = str(row.get(spec.sample_by)) if spec.sample_by else ""
            if spec.sample_cap is not None and kept_of_group.get(group, 0) >= spec.sample_cap:
                report.filtered += 1
                continue
            try:
                examples = list(build(row))
            except (RowError, TypeError, KeyError, AttributeError) as error:
                reason = str(error) if isinstance(error, RowError) else f"coluna de tipo inesperado ({error})"
                report.add_broken(place, reason)
                continue
            if maker is not None:
                examples = list(_as_exercises(examples, maker))
            kept = [example for example in examples if _wanted(spec, example, rejected)]
            if not kept:
                report.filtered += 1
                continue
            kept_of_group[group] = kept_of_group.get(group, 0) + 1
            report.examples += len(kept)
            traits = traits_of(row)
            for example in kept:
                yield example, group, traits
    report.close(spec.label)


def _as_exercises(examples: Sequence[Example], make: exercises.ExerciseMaker) -> Iterator[Example]:
    for example in examples:
        if isinstance(example, TextExample):
            yield from (DialogueExample(tuple(messages)) for messages in make(example.text))


def _passes(spec: SourceSpec, row: Mapping[str, Any], place: str) -> bool:
    if any(not _holds(condition, row.get(column)) for column, condition in spec.where.items()):
        return False
    if any(_holds(condition, row.get(column)) for column, condition in spec.exclude.items()):
        return False
    return spec.fraction >= 1.0 or zlib.crc32(place.encode()) < spec.fraction * 2**32


def _holds(condition: Any, value: Any) -> bool:
    if isinstance(condition, dict):
        low, high = condition.get("min"), condition.get("max")
        try:
            return (low is None or value >= low) and (high is None or value <= high)
        except TypeError:  # no value, or one of another type: it lies in no span
            return False
    if isinstance(condition, list):
        return value in condition
    return bool(value == condition)


def _wanted(spec: SourceSpec, example: Example, rejected: Mapping[str, re.Pattern[str]]) -> bool:
    if not isinstance(example, DialogueExample):
        return spec.kind != "dialogue"
    return spec.kind != "text" and not any(
        rejected[message["role"]].search(message["content"])
        for message in example.messages
        if message["role"] in rejected
    )
