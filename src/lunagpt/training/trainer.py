"""The training loop, which exists once.

Other trainers (curriculum, preference, distillation…) change what a batch is and what the loss is: they
override `prepare` and `compute_loss`. Everything that happens beside the steps (progress, checkpoints,
pictures) is a callback.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lunagpt.data.token_cache import token_byte_lengths
from lunagpt.errors import ConfigError, LunaError
from lunagpt.models.parameters import train_only
from lunagpt.training import checkpoints
from lunagpt.training.batches import IGNORED, Batch, as_batch, batch_stream, num_batches, num_learned
from lunagpt.training.callbacks import Callback, resolve_callbacks
from lunagpt.training.compilation import restore_layers
from lunagpt.training.evaluation import bits_per_byte, evaluate_batches, fixed_batches
from lunagpt.training.numerics import choose_numerics
from lunagpt.training.optim import Optimizers, build_optimizer
from lunagpt.training.parallel import GradientWorkers
from lunagpt.training.progress import Progress, Session
from lunagpt.training.resuming import resumed, state_of
from lunagpt.training.schedule import plan_schedule
from lunagpt.training.settings import TrainingSettings
from lunagpt.training.signals import StopSignals


class TrainingError(LunaError):
    """Training cannot go on."""


class Trainer:
    """Trains a model.

    Args:
        model: has `loss(input_ids, labels, document_ids, traits) -> (sum in nats, number of targets)`; if it
            has `after_step() -> figures for the log`, that is called after each optimizer step.
        config: a LunaConfig whose section `training` gives the settings; default is the model's own.
        optimizer: a torch optimizer, or the name of one as in the settings.
        scheduler: a torch learning-rate scheduler, advanced once per epoch; without one, the schedule of
            the settings acts at every step.
        callbacks: `Callback` objects or names such as "early_stopping_callback"; see `resolve_callbacks`.
        train_dataset, train_dataloader, validation_dataset: see `batch_stream`; may also be given to `train`.
        options: any setting of `TrainingSettings` (`learning_rate=5e-5`, `num_epochs=3`, …).
    """

    def __init__(
        self,
        model: Any,
        config: Any = None,
        optimizer: torch.optim.Optimizer | str | None = None,
        scheduler: Any = None,
        callbacks: Sequence[Callback | str] | None = None,
        *,
        train_dataset: Any = None,
        train_dataloader: Any = None,
        validation_dataset: Any = None,
        **options: Any,
    ) -> None:
        self.model = model
        if isinstance(optimizer, str):
            options["optimizer"], optimizer = optimizer, None
        self.config: Any = config or getattr(model, "config", None)
        self.settings = TrainingSettings.of(self.config, **options)
        self.scheduler = scheduler
        self.train_dataset = train_dataloader if train_dataset is None else train_dataset
        self.validation_dataset = validation_dataset
        self.progress = Progress()
        self.callbacks: list[Callback] = []
        self.stop_reason: str | None = None
        self._asked_callbacks = callbacks
        self._optimizer = optimizer
        self.workers: GradientWorkers | None = None
        self.compute_dtype = torch.float32
        tokenizer = getattr(model, "tokenizer", None)
        self._token_bytes = None if tokenizer is None else torch.from_numpy(token_byte_lengths(tokenizer))
        self._validation: dict[str, list[Mapping[str, Any]]] | None = None

    # -- what other trainers change --------------------------------------------------------------------------

    def prepare(self, raw: Mapping[str, Any]) -> Batch:
        """A raw batch of the data set as tensors on the model's device, with the bytes of its targets."""
        batch = as_batch(raw, self.device)
        if batch["num_bytes"] is None and self._token_bytes is not None:
            targets = batch["labels"][batch["labels"] != IGNORED]
            batch["num_bytes"] = float(self._token_bytes[targets.cpu()].sum())
        return batch

    def compute_loss(self, batch: Batch) -> tuple[Tensor, int]:
        """The summed loss of a batch in nats, with gradient, and the number of targets in it."""
        return self.model.loss(batch["input_ids"], batch["labels"], batch["document_ids"], batch["traits"])

    # -- training --------------------------------------------------------------------------------------------

    def train(
        self,
        train_dataset: Any = None,
        validation_dataset: Any = None,
        *,
        resume: bool | str | Path = False,
        decay_now: int | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Train until `max_steps`, `num_epochs` or `max_minutes`, whichever comes first.

        An endless data set without steps or minutes trains on at a constant rate until Ctrl-C; SIGINT and
        SIGTERM finish the step and save. Then `resume` with `decay_now` brings the run to its end.

        Args:
            resume: go on from the newest sound checkpoint of `checkpoint_dir`, if there is one, or from the
                given checkpoint folder. Data position, optimizer and random states continue exactly.
            decay_now: lower the learning rate to its floor over so many steps from here, then stop.
            options: settings that go over those of the constructor.

        Returns:
            `steps`, `tokens`, `loss` (of the last step), `validation`, `seconds`, `skipped_steps`,
            `stop_reason`.

        Raises:
            TrainingError: the loss stayed no number for `max_bad_steps` steps.
            ConfigError, DataError: settings or data that do not fit.
        """
        settings = self.settings = self.settings.replace(**options)
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if validation_dataset is not None:
            self.validation_dataset, self._validation = validation_dataset, None
        if dataset is None:
            raise ConfigError("Faltam os dados de treino: passe train_dataset.")

        self.stop_reason = None
        self.optimizers = self._build_optimizers()
        self.stream = batch_stream(dataset, settings.batch_size, settings.seed, settings.epochs)
        self.callbacks = resolve_callbacks(self._asked_callbacks, self)
        try:
            saved = resumed(self, resume)
            self.schedule = plan_schedule(
                settings,
                step=self.progress.step,
                max_steps=settings.max_steps or self._steps_of_epochs(),
                decay_now=decay_now,
                begun=None if options.get("max_steps") else saved.get("schedule"),
            )
            metrics = self._loop(choose_numerics(self, iter(self.stream), saved))
        finally:
            restore_layers(self.model)
            if self.workers is not None:
                self.workers.close()
                self.workers = None
            for callback in self.callbacks:
                callback.close()
        progress = self.progress
        return {
            "steps": progress.step,
            "tokens": progress.tokens,
            "loss": metrics.get("loss"),
            "validation": progress.validation,
            "seconds": progress.seconds,
            "skipped_steps": progress.skipped_steps,
            "stop_reason": self.stop_reason,
        }

    def _loop(self, batches: Iterator[Mapping[str, Any]]) -> dict[str, Any]:
        """Step until something says stop; returns the metrics of the last step."""
        settings, progress = self.settings, self.progress
        metrics: dict[str, Any] = {}
        session, epoch = Session(progress), self.stream.epoch
        self.session = session
        self.model.train()
        self._notify("on_train_start")
        with StopSignals() as signals:
            while not self._finished(signals):
                micro_batches = list(itertools.islice(batches, settings.gradient_accumulation_steps))
                if not micro_batches:
                    self.stop("epochs")
                    break
                if self.scheduler is not None and self.stream.epoch > epoch:
                    self.scheduler.step()
                epoch = self.stream.epoch
                self._notify("on_step_start")
                metrics = self._step(micro_batches)
                session.advance_clock()
                self._notify("on_step_end", metrics)
                if self.evaluates_now:
                    self.validate()
            validated = progress.validation.get("step") == progress.step
            if self.validation_dataset is not None and metrics and not validated and not signals.received:
                self.validate()
            session.advance_clock()
            self._notify("on_train_end")
        return metrics

    def _step(self, micro_batches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One optimizer step over several micro-batches: the gradient of their mean loss per target."""
        started = time.perf_counter()
        progress, settings = self.progress, self.settings
        batches = [self.prepare(raw) for raw in micro_batches]
        nats, targets = self.add_gradients(batches)

        limit = math.inf if settings.gradient_clipping is None else settings.gradient_clipping
        norm = float(nn.utils.clip_grad_norm_(self.optimizers.parameters, limit))
        lr_factor = self.schedule.multiplier(progress.step)
        figures: dict[str, float] = {}
        if math.isfinite(norm) and math.isfinite(nats):
            if self.scheduler is None:
                self.optimizers.scale_lr(lr_factor)
            self.optimizers.step()
            if hasattr(self.model, "after_step"):
                figures = self.model.after_step()
            progress.bad_in_a_row = 0
        else:
            self._count_bad_step()
        self.optimizers.zero_grad()

        tokens = sum(batch["input_ids"].numel() for batch in batches)
        progress.step += 1
        progress.tokens += tokens
        seconds = time.perf_counter() - started
        metrics = {
            "step": progress.step,
            "tokens": progress.tokens,
            "epoch": self.stream.epoch,
            "loss": nats / max(targets, 1),
            "lr": self.optimizers.param_groups[0]["lr"],
            "lr_factor": lr_factor,
            "gradient_norm": norm,
            "seconds": seconds,
            "tokens_per_second": tokens / seconds,
            **figures,
        }
        if all(batch["num_bytes"] for batch in batches):
            metrics["bits_per_byte"] = bits_per_byte(nats, sum(batch["num_bytes"] for batch in batches))
        return metrics

    def add_gradients(self, batches: Sequence[Batch]) -> tuple[float, int]:
        """Adds the gradient of the mean loss per target; returns the summed loss (nats) and the targets."""
        targets = sum(num_learned(batch) for batch in batches)
        scale = 1 / max(targets, 1)

        def loss_of(i: int) -> Tensor:
            return self.compute_loss(batches[i])[0] * scale

        if self.workers is not None and len(batches) > 1:
            total = self.workers.add_gradients(self.optimizers.parameters, loss_of, len(batches))
        else:
            total = torch.zeros((), device=self.device)
            for i in range(len(batches)):
                loss = loss_of(i)
                loss.backward()
                total += loss.detach()
        return float(total) / scale, targets

    def evaluate(self, dataset: Any = None, max_batches: int | None = None) -> dict[str, Any]:
        """`loss`, `perplexity`, `tokens`, `bits_per_byte` (where the bytes are known) and, for a mapping of
        named data sets, the same under `groups`.

        Args:
            dataset: a data set or a mapping of them; default is the validation set, whose first
                `validation_batches` batches are read once and kept.
            max_batches: how much of another data set to read; default is all of it.
        """
        settings = self.settings
        if dataset is not None and dataset is not self.validation_dataset:
            groups = fixed_batches(dataset, settings.batch_size, max_batches)
        elif self.validation_dataset is None:
            raise ConfigError("Falta o conjunto de validação: passe validation_dataset.")
        else:
            if self._validation is None:
                limit = settings.validation_batches
                self._validation = fixed_batches(self.validation_dataset, settings.batch_size, limit)
            groups = self._validation
        return evaluate_batches(self.model, groups, self.prepare, self.compute_loss)

    def validate(self) -> None:
        """Evaluate on the validation set, keep the result, and tell the callbacks."""
        progress = self.progress
        results = progress.validation = {"step": progress.step, **self.evaluate()}
        if progress.best_loss is None or results["loss"] < progress.best_loss:
            progress.best_loss, progress.best_step = results["loss"], progress.step
        self._notify("on_evaluation", results)

    def _finished(self, signals: StopSignals) -> bool:
        limit = self.settings.max_minutes
        if signals.received:
            self.stop("signal")
        elif self.schedule.max_steps is not None and self.progress.step >= self.schedule.max_steps:
            self.stop("max_steps")
        elif limit is not None and self.session.seconds >= 60 * limit:
            self.stop("max_minutes")
        return self.stop_reason is not None

    def _count_bad_step(self) -> None:
        progress = self.progress
        progress.skipped_steps += 1
        progress.bad_in_a_row += 1
        self.notice(f"Passo {progress.step + 1}: a perda ou o gradiente não é um número; passo ignorado.")
        if progress.bad_in_a_row >= self.settings.max_bad_steps:
            raise TrainingError(
                f"O treino divergiu: {progress.bad_in_a_row} passos seguidos sem perda válida, até o passo "
                f"{progress.step + 1}. Diminua learning_rate (e muon_learning_rate) e continue do último "
                "ponto de retomada com --resume."
            )

    def _notify(self, event: str, *values: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *values)

    # -- for callbacks ---------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def run_dir(self) -> Path | None:
        return None if self.settings.run_dir is None else Path(self.settings.run_dir)

    @property
    def checkpoint_dir(self) -> Path | None:
        if self.settings.checkpoint_dir is not None:
            return Path(self.settings.checkpoint_dir)
        return None if self.run_dir is None else self.run_dir / "checkpoints"

    @property
    def evaluates_now(self) -> bool:
        """Whether an evaluation follows the step that was just done."""
        return self.validation_dataset is not None and self.progress.step % self.settings.eval_interval == 0

    def stop(self, reason: str) -> None:
        """Let the loop end after this step; the first reason given counts."""
        self.stop_reason = self.stop_reason or reason

    def notice(self, text: str) -> None:
        """Tell the user something through the callbacks that speak."""
        for callback in self.callbacks:
            callback.on_notice(self, text)

    def save_checkpoint(self) -> Path | None:
        """Write a checkpoint of this moment and delete old ones; None without a checkpoint folder."""
        folder = self.checkpoint_dir
        if folder is None:
            return None
        path = checkpoints.checkpoint_path(folder, self.progress.step)
        tensors = {
            f"{callback.name}/{name}": tensor
            for callback in self.callbacks
            for name, tensor in callback.tensors().items()
        }
        checkpoints.save_checkpoint(path, self.model, self.optimizers, state_of(self), tensors)
        protected = [] if self.schedule.decay_start is None else [self.schedule.decay_start]
        checkpoints.prune_checkpoints(folder, self.settings.keep_checkpoints, protected)
        return path

    # -- setting up ------------------------------------------------------------------------------------------

    def _build_optimizers(self) -> Optimizers:
        if self.settings.train_only:
            train_only(self.model, *self.settings.train_only)
        if self._optimizer is not None:
            return Optimizers([self._optimizer])
        return build_optimizer(self.model, self.settings)

    def _steps_of_epochs(self) -> int | None:
        batches, epochs = num_batches(self.stream), self.settings.epochs
        if batches is None or epochs is None:
            return None
        return math.ceil(batches * epochs / self.settings.gradient_accumulation_steps)
