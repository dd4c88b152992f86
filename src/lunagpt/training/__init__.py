"""Training: examples -> weights. One loop, `Trainer`, that every trainer shares."""

from lunagpt.training.callbacks import Callback
from lunagpt.training.settings import TrainingSettings
from lunagpt.training.trainer import Trainer, TrainingError

__all__ = ["Callback", "Trainer", "TrainingError", "TrainingSettings"]
