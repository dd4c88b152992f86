"""The file that `luna train` reads: what to train on, how, and from which model.

A recipe is a YAML or JSON file with any sections of a `LunaConfig` (`model`, `training`, …) and three keys:

    root         folder to which the data paths are relative
    sources      the mixture, see `lunagpt.data.SourceSpec`
    validation   held-out sets in the same form; each is reported under its name

Without `sources` and `validation`, those of the section `data` serve: `sources`, or `train_path` and
`validation_path`. Its section `training` also takes the settings that only the loop knows, see
`TrainingSettings`. `LUNA_SECTION__KEY` variables win over the file, and `changes` over both.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lunagpt.config import LunaConfig, TrainingConfig
from lunagpt.config.environment import read_environment
from lunagpt.config.reading import parse_yaml, read_settings
from lunagpt.data import PackedDataset, ValidationSet
from lunagpt.data.loading import KINDS, Format
from lunagpt.data.sources import parse_sources
from lunagpt.errors import ConfigError, DataError


@dataclass
class Recipe:
    """A recipe as read.

    Attributes:
        config: the settings of model and training.
        loop: those of `TrainingSettings` that LunaConfig does not have.
        sources, validation: entries as `lunagpt.data.SourceSpec` takes them.
        root: the folder of the data.
        has_end: the sources are files to be read `num_epochs` times, not an endless mixture.
    """

    config: LunaConfig
    loop: dict[str, Any]
    sources: list[Any]
    validation: list[Any]
    root: Path
    has_end: bool

    @property
    def teaches_when_to_think(self) -> bool:
        """Whether some source teaches the model to choose between thinking and answering at once."""
        return (
            any(spec.learn_when_to_think for spec in parse_sources(self.sources)) if self.sources else False
        )

    @property
    def base_model(self) -> str | None:
        """What training starts from, where the command line does not say; None for random weights."""
        training = self.config.training
        return None if training.from_scratch else training.base_model_path

    def train_dataset(self, tokenizer: Any) -> PackedDataset:
        """The endless stream of training batches."""
        if not self.sources:
            raise DataError('A receita não diz em que treinar. Preencha "sources" com pelo menos uma fonte.')
        training = self.config.training
        return PackedDataset(
            self.sources,
            tokenizer,
            sequence_length=training.sequence_length,
            batch_size=training.batch_size,
            seed=training.seed,
            root=self.root,
        )

    def num_steps(self, dataset: PackedDataset) -> int | None:
        """Optimizer steps of the whole training, where `max_steps` does not say: those of `num_epochs` over
        files, None for an endless mixture.
        """
        training = self.config.training
        if training.max_steps is not None or not self.has_end:
            return training.max_steps
        tokens = training.num_epochs * sum(size["slots"] for size in dataset.sizes().values())
        per_step = training.sequence_length * training.batch_size * training.gradient_accumulation_steps
        return math.ceil(tokens / per_step)

    def validation_set(self, tokenizer: Any, max_tokens: int | None = None) -> ValidationSet | None:
        """The held-out text, about `max_tokens` of each group; None if the recipe names none."""
        if not self.validation:
            return None
        training = self.config.training
        return ValidationSet(
            self.validation,
            tokenizer,
            sequence_length=training.sequence_length,
            batch_size=training.batch_size,
            max_tokens=max_tokens,
            root=self.root,
        )


def read_recipe(
    path: str | Path,
    preset: str | None = None,
    data_root: str | Path | None = None,
    changes: Iterable[str] = (),
) -> Recipe:
    """Read a recipe.

    Args:
        preset: size of the model, over what the file says.
        data_root: folder of the data, over what the file says.
        changes: `section.key=value` settings over those of the file, e.g. "training.learning_rate=0.001".

    Raises:
        ConfigError: the file cannot be read, or a key or value in it is wrong.
    """
    if not Path(path).exists():
        raise ConfigError(f'A receita "{path}" não existe. Confira o caminho; há exemplos em configs/treino.')
    values = read_settings(path)
    root = values.pop("root", ".") if data_root is None else data_root
    values.pop("root", None)
    sources = values.pop("sources", None) or []
    validation = values.pop("validation", None) or []
    overrides, _ = read_environment(LunaConfig, os.environ)
    for section, keys in overrides.items():
        values[section] = {**(values.get(section) or {}), **keys}
    for change in changes:
        _apply(values, change)
    if preset is not None:
        values["model"] = {**(values.get("model") or {}), "preset": preset}
    training = values.get("training") or {}
    loop = {key: training.pop(key) for key in list(training) if key not in TrainingConfig.model_fields}
    config = LunaConfig.from_dict(values, source=path)
    data = config.data
    return Recipe(
        config,
        loop,
        list(sources or data.sources or _files(data.train_path, data.format)),
        list(validation or _files(data.validation_path, data.format)),
        Path(root),
        has_end=not sources and not data.sources,
    )


def _files(paths: str | list[str] | None, file_format: Format) -> list[dict[str, Any]]:
    """The one source that `data.train_path` or `data.validation_path` stands for."""
    return [{"path": paths, "kind": KINDS[file_format]}] if paths else []


def _apply(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(
            f'Não entendi "{change}". Escreva seção.chave=valor, como training.learning_rate=0.001.'
        )
    try:
        value = parse_yaml(f"x: {text}")["x"]
    except ConfigError as error:
        raise ConfigError(f'Não entendi o valor em "{change}": {error}') from None
    values[section] = {**(values.get(section) or {}), key: value}
