"""What happens beside the steps: one class per concern, each told by the loop what just took place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lunagpt.errors import ConfigError, LunaError
from lunagpt.reporting.numbers import number

if TYPE_CHECKING:
    from torch import Tensor

    from lunagpt.training.trainer import Trainer


class Callback:
    """Base: does nothing at every event. `state_dict` is kept in checkpoints under `name`."""

    name = "callback"

    def on_train_start(self, trainer: Trainer) -> None:
        """Before the first step; a resumed run has its state by now."""

    def on_step_start(self, trainer: Trainer) -> None:
        """Before each optimizer step."""

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        """After each optimizer step; `metrics` as `Trainer._step` returns them."""

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        """After each evaluation; `results` as `Trainer.evaluate`, with `step`."""

    def on_notice(self, trainer: Trainer, text: str) -> None:
        """Something the user should know, a Portuguese sentence."""

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last step, unless training ended by an error."""

    def close(self) -> None:
        """Let go of files and screen; always called."""

    def state_dict(self) -> dict[str, Any]:
        """What must survive a restart, as JSON values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""

    def tensors(self) -> dict[str, Tensor]:
        """What must survive a restart and is too big for JSON."""
        return {}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave."""


class CheckpointCallback(Callback):
    """A checkpoint every few minutes, at the end, and where a decay begins, to extend the run from there."""

    name = "checkpoint"

    def on_train_start(self, trainer: Trainer) -> None:
        self.saved_at, self.saved_step = time.perf_counter(), trainer.progress.step

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        if not trainer.evaluates_now:
            self._save_if_due(trainer)

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        self._save_if_due(trainer)  # with what the other callbacks make of the results

    def on_train_end(self, trainer: Trainer) -> None:
        if trainer.progress.step != self.saved_step:
            self._save(trainer)
        if trainer.stop_reason == "signal":
            trainer.notice(
                f"Interrompido no passo {trainer.progress.step}; tudo salvo em {trainer.checkpoint_dir}. "
                "Continue com --resume."
            )

    def _save_if_due(self, trainer: Trainer) -> None:
        due = time.perf_counter() - self.saved_at >= 60 * trainer.settings.checkpoint_interval_minutes
        if due or trainer.progress.step == trainer.schedule.decay_start:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint()
        self.saved_at, self.saved_step = time.perf_counter(), trainer.progress.step


class EarlyStoppingCallback(Callback):
    """Ends training after `early_stopping_patience` evaluations (default 5) without a better loss."""

    name = "early_stopping"

    def __init__(self, patience: int | None = None) -> None:
        self.patience = patience

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        patience = self.patience or trainer.settings.early_stopping_patience or 5
        evaluations = (trainer.progress.step - trainer.progress.best_step) // trainer.settings.eval_interval
        if evaluations >= patience:
            best = trainer.progress.best_step
            trainer.notice(f"Parada antecipada: {evaluations} avaliações sem melhora desde o passo {best}.")
            trainer.stop("early_stopping")


class WandbCallback(Callback):
    """Sends the curves to Weights & Biases, into the run that is open or a new one."""

    name = "wandb"

    def __init__(self) -> None:
        try:
            import wandb  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            raise LunaError(
                'use_wandb precisa do pacote "wandb", que não está instalado. Instale com: pip install wandb '
                "ou desligue use_wandb: o registro local (log.jsonl, curves.png) funciona sem ele."
            ) from None
        self.wandb = wandb

    def on_train_start(self, trainer: Trainer) -> None:
        if self.wandb.run is None:
            settings = trainer.settings.to_dict()
            self.wandb.init(project="lunagpt", name=trainer.settings.run_name, config=settings)

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        if trainer.progress.step % trainer.settings.log_interval == 0:
            values = {f"treino/{key}": value for key, value in metrics.items() if key != "step"}
            self.wandb.log(values, step=metrics["step"])

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        values = {
            f"validação/{key}": v
            for key, v in results.items()
            if isinstance(v, int | float) and key != "step"
        }
        for group, metrics in results.get("groups", {}).items():
            values |= {f"validação/{group}/{key}": value for key, value in metrics.items()}
        self.wandb.log(values, step=results["step"])


class SampleCallback(Callback):
    """At each evaluation, the model's answers to `sample_prompts`, added to `samples.txt`."""

    name = "samples"

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        import torch

        from lunagpt.training.compilation import uncompiled

        model, folder = trainer.model, trainer.run_dir
        if folder is None:
            return
        texts = []
        model.eval()
        try:
            with torch.random.fork_rng(), uncompiled(model):
                for prompt in trainer.settings.sample_prompts:
                    answer = model.generate_text(prompt, max_length=128, temperature=0.7, seed=0)
                    texts.append(f"> {prompt}\n{answer}\n")
        except Exception as error:  # hours of training must not end because a sample could not be drawn
            trainer.notice(
                f"Não consegui gerar as amostras ({type(error).__name__}: {error}); o treino segue."
            )
        finally:
            model.train()
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "samples.txt").open("a", encoding="utf-8") as stream:
            heading = f"=== passo {results['step']}, perda {number(results['loss'], 4)} ===\n"
            stream.write(heading + "\n".join(texts) + "\n")


def _curves() -> Callback:
    from lunagpt.training.curves import CurvesCallback

    return CurvesCallback()


def _growth() -> Callback:
    from lunagpt.training.growth import GrowthCallback

    return GrowthCallback()


def _weight_average() -> Callback:
    from lunagpt.training.weight_average import WeightAverageCallback

    return WeightAverageCallback()


NAMES: dict[str, Callable[[], Callback] | None] = {
    "checkpoint_callback": CheckpointCallback,
    "early_stopping_callback": EarlyStoppingCallback,
    "lr_scheduler_callback": None,  # the loop itself follows the schedule
    "wandb_callback": WandbCallback,
    "curves_callback": _curves,
    "growing_network_callback": _growth,
    "weight_average_callback": _weight_average,
}


def resolve_callbacks(asked: Sequence[Callback | str] | None, trainer: Trainer) -> list[Callback]:
    """The callbacks of a run, in the order in which they act: checkpoints after all that changes what they
    hold, and after them the mean of the weights, which takes their place when the run ends.

    Args:
        asked: objects or names. Whatever is asked, there is progress on the screen; with a `run_dir` log,
        curves and
            samples; with a checkpoint folder checkpoints; with `early_stopping_patience`, `use_wandb` or
            `model.use_growing` those too.

    Raises:
        ConfigError: an unknown name.
    """
    from lunagpt.training.journal import JournalCallback
    from lunagpt.training.screen import ScreenCallback

    settings, config = trainer.settings, trainer.config
    grows = (
        config is not None and config.model.use_growing and "growing" not in config.hardware.skip_components
    )
    chosen: list[Callback] = []
    for item in asked or []:
        if isinstance(item, Callback):
            chosen.append(item)
        elif item not in NAMES:
            raise ConfigError(f'Não existe o callback "{item}" nesta versão. Há: {", ".join(NAMES)}.')
        elif (factory := NAMES[item]) is not None:
            chosen.append(factory())
    wanted: list[tuple[bool, Callable[[], Callback]]] = [
        (True, ScreenCallback),
        (trainer.run_dir is not None, JournalCallback),
        (trainer.run_dir is not None and bool(settings.sample_prompts), SampleCallback),
        (trainer.run_dir is not None, _curves),
        (settings.early_stopping_patience is not None, EarlyStoppingCallback),
        (settings.use_wandb, WandbCallback),
        (grows, _growth),
        (settings.average_fraction > 0, _weight_average),
        (trainer.checkpoint_dir is not None, CheckpointCallback),
    ]
    for condition, factory in wanted:
        if condition and (callback := factory()).name not in {c.name for c in chosen}:
            chosen.append(callback)
    last = (CheckpointCallback.name, "weight_average")
    return sorted(chosen, key=lambda callback: last.index(callback.name) if callback.name in last else -1)
