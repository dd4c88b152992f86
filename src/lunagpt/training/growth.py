"""Growth in training: more layers when the validation loss stands still, or after steps fixed beforehand."""

from __future__ import annotations

from typing import Any

from lunagpt.errors import ConfigError
from lunagpt.models.growing_network import GrowingNetwork
from lunagpt.models.luna_model import LunaModel
from lunagpt.reporting.numbers import in_words
from lunagpt.training.callbacks import Callback
from lunagpt.training.compilation import compile_layers, is_compiled
from lunagpt.training.trainer import Trainer


class GrowthCallback(Callback):
    """Follows the section `growth` of the trainer's configuration.

    An evaluation decides, and the model grows before the next step: so every checkpoint lies between whole
    steps, and a run that ends does not grow for nothing. Losses count at the full learning rate only.
    """

    name = "growing_network"

    def __init__(self) -> None:
        self.due = False  # the next step finds a bigger model
        self.grown_at: int | None = None  # step before which it grew last
        self._memory: dict[str, Any] | None = None
        self.network: GrowingNetwork

    def on_train_start(self, trainer: Trainer) -> None:
        """
        Raises:
            ConfigError: model, data or settings with which growth could never come or never pay.
        """
        growth = self.settings = trainer.config.growth
        _check(trainer)
        self.network = GrowingNetwork(
            trainer.model,
            growth.max_extra_layers,
            growth.threshold,
            growth.patience,
            smoothing=growth.smoothing,
            method=growth.method,
            position=growth.position,
            layers_per_growth=growth.layers_per_growth,
        )
        if self._memory is not None:
            self.network.recall(self._memory)
        if self.grown_at is not None:
            trainer.schedule = trainer.schedule.rewarmed(self.grown_at, growth.warmup_steps)
        if not self.network.room:
            trainer.notice(
                f"Camadas que o modelo já ganhou: {len(self.network.extra_layers)}. growth.max_extra_layers "
                "não deixa crescer mais."
            )

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        # an evaluation at the end of a run would not have taken place in a longer one
        watched = self.settings.steps is None and trainer.evaluates_now
        if watched and (trainer.scheduler is not None or _at_full_rate(trainer)):
            self.due |= self.network.should_grow(results["loss"])

    def on_step_start(self, trainer: Trainer) -> None:
        step = trainer.progress.step
        fixed = step in (self.settings.steps or ()) and step != self.grown_at
        if (self.due or fixed) and self.network.room:
            self._grow(trainer, step)

    def _grow(self, trainer: Trainer, step: int) -> None:
        model, progress = trainer.model, trainer.progress
        before = len(model.layers)
        growth = self.network.grow_model(step=step, seed=trainer.settings.seed + step)
        trainer.optimizers.grow(growth)
        trainer.schedule = trainer.schedule.rewarmed(step, self.settings.warmup_steps)
        self.due, self.grown_at = False, step
        progress.best_loss, progress.best_step = None, step  # early stopping waits for the grown model
        if is_compiled(model):
            compile_layers(model)
        trainer.notice(
            f"Passo {step}: o modelo cresceu de {before} para {len(model.layers)} camadas "
            f"({self.settings.method}); agora tem {in_words(model.num_parameters(), 'parâmetros')}."
        )

    def state_dict(self) -> dict[str, Any]:
        return {"due": self.due, "grown_at": self.grown_at, "network": self.network.memory()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.due, self.grown_at, self._memory = state["due"], state["grown_at"], state["network"]


def _at_full_rate(trainer: Trainer) -> bool:
    """Whether the last step was at the full learning rate, and the one after the next will be."""
    step = trainer.progress.step
    return trainer.schedule.multiplier(step - 1) == 1 == trainer.schedule.multiplier(step + 1)


def _check(trainer: Trainer) -> None:
    if not isinstance(trainer.model, LunaModel):
        raise ConfigError("Só um LunaModel cresce durante o treino; para outra rede, use GrowingNetwork.")
    trained = set(trainer.optimizers.parameters)
    if not trained.issuperset(trainer.model.layers.parameters()):
        raise ConfigError(
            "Para crescer, o treino precisa treinar todas as camadas. Tire training.train_only, ou desligue "
            "model.use_growing."
        )
    if trainer.config.growth.steps is not None:
        return
    if trainer.validation_dataset is None:
        raise ConfigError(
            "Para saber quando crescer falta um conjunto de validação. Passe um (validation, na receita), ou "
            "diga em growth.steps depois de que passos crescer."
        )
    if trainer.scheduler is None and trainer.schedule.kind in ("cosine", "linear"):
        raise ConfigError(
            f"Com training.schedule {trainer.schedule.kind} a taxa cai desde o começo, e não se vê quando a "
            "perda para de cair. Use wsd ou constant, ou diga em growth.steps depois de que passos crescer."
        )
