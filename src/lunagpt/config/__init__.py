"""Settings: typed, checked, from JSON with comments, YAML and `LUNA_*` variables."""

from lunagpt.config.growth import GrowthConfig
from lunagpt.config.luna_config import PRESETS, LunaConfig, create_small_config
from lunagpt.config.model import MODEL_PRESETS, ModelConfig, count_parameters
from lunagpt.config.section import Section
from lunagpt.config.sections import (
    CurriculumConfig,
    DataConfig,
    DataSource,
    FeedbackConfig,
    HardwareConfig,
    PersonasConfig,
    ProactiveConfig,
    RagConfig,
    ThinkingConfig,
    TokenizerConfig,
    TrainingConfig,
)

__all__ = [
    "MODEL_PRESETS",
    "PRESETS",
    "CurriculumConfig",
    "DataConfig",
    "DataSource",
    "FeedbackConfig",
    "GrowthConfig",
    "HardwareConfig",
    "LunaConfig",
    "ModelConfig",
    "PersonasConfig",
    "ProactiveConfig",
    "RagConfig",
    "Section",
    "ThinkingConfig",
    "TokenizerConfig",
    "TrainingConfig",
    "count_parameters",
    "create_small_config",
]
