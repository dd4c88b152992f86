"""The mean of the weights over the last part of a training: what its steps agree on, without their noise.

At a constant learning rate the weights move about in a valley of the loss; their mean lies lower than any of
them, and costs no step (Izmailov et al., "Averaging weights leads to wider optima", 2018, arXiv 1803.05407;
Kaddour, "Stop wasting my time", 2022, arXiv 2209.14981).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lunagpt.errors import ConfigError
from lunagpt.models.parameters import unique_state
from lunagpt.training.callbacks import Callback

if TYPE_CHECKING:
    from lunagpt.training.trainer import Trainer


class WeightAverageCallback(Callback):
    """Every `average_interval` steps of the last `average_fraction` of the run the weights go into a mean, in
    float32. When the run ends, and is not merely interrupted, the model takes the mean and is validated.

    The checkpoints keep the weights of the steps: a run that goes on goes on as if it had not ended.
    """

    name = "weight_average"

    def __init__(self) -> None:
        self.count = 0
        self.mean: dict[str, Tensor] = {}

    def on_train_start(self, trainer: Trainer) -> None:
        """
        Raises:
            ConfigError: nobody knows where the last part of the run begins.
        """
        if trainer.schedule.max_steps is None:
            raise ConfigError(
                "Para tirar a média dos últimos pesos (training.average_fraction) é preciso saber onde o "
                "treino acaba. Diga training.max_steps, ou tire training.average_fraction."
            )

    def on_step_start(self, trainer: Trainer) -> None:
        self._add_if_due(trainer)  # what the step before left, also where a resumed run begins with it

    def on_train_end(self, trainer: Trainer) -> None:
        if trainer.stop_reason == "signal":
            return
        self._add_if_due(trainer)
        if self.count:
            put(self.mean, trainer.model)
            trainer.notice(f"O modelo que fica é a média dos pesos de {self.count} passos.")
            if trainer.validation_dataset is not None:
                trainer.validate()

    def _add_if_due(self, trainer: Trainer) -> None:
        settings, step = trainer.settings, trainer.progress.step
        first = (1 - settings.average_fraction) * (trainer.schedule.max_steps or 0)
        if step > 0 and step >= first and step % settings.average_interval == 0:
            self._add(trainer.model)

    @torch.no_grad()
    def _add(self, model: nn.Module) -> None:
        weights = {name: tensor.float() for name, tensor in unique_state(model).items()}
        shapes = {name: tensor.shape for name, tensor in self.mean.items()}
        if shapes != {name: tensor.shape for name, tensor in weights.items()}:  # the first, or it has grown
            self.mean, self.count = {name: tensor.clone() for name, tensor in weights.items()}, 1
            return
        self.count += 1
        for name, tensor in weights.items():
            self.mean[name].lerp_(tensor, 1 / self.count)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]

    def tensors(self) -> dict[str, Tensor]:
        return self.mean

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        self.mean = tensors


@torch.no_grad()
def put(mean: dict[str, Tensor], model: nn.Module) -> None:
    """Copies a mean into the model, in the types of its weights; what is no floating-point number stays."""
    for name, tensor in unique_state(model).items():
        if tensor.is_floating_point():
            tensor.copy_(mean[name])
