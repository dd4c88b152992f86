"""`LunaConfig`: every setting of the system in one checked tree."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field, ValidationError, field_validator

from lunagpt.config.environment import read_environment
from lunagpt.config.growth import GrowthConfig
from lunagpt.config.model import MODEL_PRESETS, ModelConfig, halve
from lunagpt.config.problems import explain
from lunagpt.config.reading import dump_yaml, read_settings
from lunagpt.config.section import Section
from lunagpt.config.sections import (
    CurriculumConfig,
    DataConfig,
    FeedbackConfig,
    HardwareConfig,
    PersonasConfig,
    ProactiveConfig,
    RagConfig,
    ThinkingConfig,
    TokenizerConfig,
    TrainingConfig,
)
from lunagpt.errors import ConfigError
from lunagpt.files import atomic_write_text

FORMAT_VERSION = 1

# What training a preset wants besides its shape.
_TRAINING_PRESETS: MappingProxyType[str, MappingProxyType[str, Any]] = MappingProxyType(
    {
        "test": MappingProxyType(
            {
                "sequence_length": 128,
                "batch_size": 4,
                "warmup_steps": 10,
                "eval_interval": 50,
                "max_steps": 100,
            }
        ),
        "nano": MappingProxyType({}),
        "small": MappingProxyType({}),
        # Eight times the tokens per step of nano, and the smaller rates that a model twice as wide bears.
        "mini": MappingProxyType(
            {
                "sequence_length": 2048,
                "batch_size": 32,
                "learning_rate": 2e-3,
                "muon_learning_rate": 0.01,
                "warmup_steps": 500,
            }
        ),
    }
)


class LunaConfig(Section):
    """All settings of LunaGPT. `LunaConfig()` gives the defaults, which are those of the preset `nano`.

    Sections: model, tokenizer, hardware, rag, thinking, proactive, personas, feedback, training, growth,
    curriculum, data.
    Values are reached as `config.rag.enabled`, `config["rag"]["enabled"]` or `config.rag.get("enabled")`.
    """

    version: int = Field(FORMAT_VERSION, description="Versão do formato deste arquivo.")
    model: ModelConfig = Field(default_factory=ModelConfig)
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig)
    hardware: HardwareConfig = Field(default_factory=HardwareConfig)
    rag: RagConfig = Field(default_factory=RagConfig)
    thinking: ThinkingConfig = Field(default_factory=ThinkingConfig)
    proactive: ProactiveConfig = Field(default_factory=ProactiveConfig)
    personas: PersonasConfig = Field(default_factory=PersonasConfig)
    feedback: FeedbackConfig = Field(default_factory=FeedbackConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    growth: GrowthConfig = Field(default_factory=GrowthConfig)
    curriculum: CurriculumConfig = Field(default_factory=CurriculumConfig)
    data: DataConfig = Field(default_factory=DataConfig)

    @field_validator("version")
    @classmethod
    def _check_version(cls, version: int) -> int:
        if version != FORMAT_VERSION:
            raise ValueError(f"esta instalação só conhece a versão {FORMAT_VERSION}; atualize o LunaGPT")
        return version

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, use_environment: bool = True) -> LunaConfig:
        """Read JSON (comments allowed) or YAML, chosen by the file's ending.

        Args:
            path: `.json`, `.jsonc`, `.yaml` or `.yml`.
            use_environment: let `LUNA_SECTION__KEY` variables win over the file. Turn it off for a file that
                describes existing weights.

        Raises:
            ConfigError: the file cannot be read, or a key or value in it is wrong.
        """
        return cls._build(read_settings(path), f'"{path}"', use_environment)

    @classmethod
    def from_environment(cls) -> LunaConfig:
        """The defaults, changed by the `LUNA_SECTION__KEY` variables.

        Raises:
            ConfigError: a variable is wrong.
        """
        return cls._build({}, None, use_environment=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str | os.PathLike[str] | None = None) -> LunaConfig:
        """Build from nested plain values; the environment is not looked at.

        Args:
            values: by section and key.
            source: the file that they are from, for the message of an error.

        Raises:
            ConfigError: a key or value is wrong.
        """
        return cls._build(dict(values), None if source is None else f'"{source}"', use_environment=False)

    @classmethod
    def preset(cls, name: str) -> LunaConfig:
        """The configuration of a size: `test` (1.2 M parameters), `nano` (14.5 M), `small` (26.4 M) or
        `mini` (91 M).

        Raises:
            ConfigError: there is no preset of that name.
        """
        training = dict(_TRAINING_PRESETS.get(name, {}))
        return cls.from_dict({"model": {"preset": name, "name": f"luna-{name}"}, "training": training})

    @classmethod
    def _build(cls, values: dict[str, Any], source: str | None, use_environment: bool) -> LunaConfig:
        origins: dict[str, str] = {}
        # A section whose keys are all commented out is read as null: it keeps its defaults.
        values = {section: keys for section, keys in values.items() if keys is not None}
        if use_environment:
            overrides, origins = read_environment(cls, os.environ)
            values = _merge(values, overrides)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(explain(error, cls, values, source, origins)) from None

    def replaced(self, **sections: Mapping[str, Any]) -> LunaConfig:
        """A copy with some keys changed together, e.g. `replaced(model={"num_heads": 8, "num_kv_heads": 4})`.

        Raises:
            ConfigError: a key or value is wrong.
        """
        return self.from_dict(_merge(self.to_dict(), sections))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write every setting as JSON or YAML, chosen by the file's ending, in one step.

        Raises:
            ConfigError: the ending is neither.
            OSError: the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix in (".json", ".jsonc"):
            atomic_write_text(path, json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n")
        elif suffix in (".yaml", ".yml"):
            atomic_write_text(path, dump_yaml(self.to_dict()))
        else:
            raise ConfigError(f'Não sei gravar a configuração em "{path}": use .json ou .yaml no nome.')

    def create_small_config(self) -> LunaConfig:
        """The same settings for a model of half the width and depth, e.g. a student for distillation.

        The vocabulary and the tokenizer stay, so that both models speak of the same tokens.
        """
        return LunaConfig.from_dict({**self.to_dict(), "model": halve(self.model).to_dict()})

    @property
    def use_attention(self) -> bool:
        return self.model.use_attention

    @property
    def use_state_space(self) -> bool:
        return self.model.use_state_space

    @property
    def use_moe(self) -> bool:
        return self.model.use_moe

    @property
    def use_hypernet(self) -> bool:
        return self.model.use_hypernet

    @property
    def use_growing(self) -> bool:
        return self.model.use_growing

    @property
    def device(self) -> str:
        """Where the model runs ("cpu", "cuda:0"…); with `auto_detect`, the first GPU if there is one."""
        hardware = self.hardware
        if hardware.force_cpu:
            return "cpu"
        if hardware.device is not None:
            return hardware.device
        if not hardware.auto_detect or importlib.util.find_spec("torch") is None:
            return "cpu"
        import torch

        if not torch.cuda.is_available():
            return "cpu"
        return f"cuda:{hardware.gpu_devices[0] if hardware.gpu_devices else 0}"


def create_small_config(config: LunaConfig | None = None) -> LunaConfig:
    """`config.create_small_config()`; of the defaults if no configuration is given."""
    return (config or LunaConfig()).create_small_config()


def _merge(values: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`values` with the keys of `changes` replaced, section by section; neither argument is altered."""
    merged = dict(values)
    for section, keys in changes.items():
        present = merged.get(section, {})
        if isinstance(present, Mapping):  # what is no section is left for validation to refuse
            merged[section] = {**present, **keys}
    return merged


PRESETS: tuple[str, ...] = tuple(MODEL_PRESETS)
