"""Loss on held-out text: per token, as perplexity, and per byte, which does not depend on the tokenizer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lunagpt.errors import DataError
from lunagpt.training.batches import Batch, ExampleStream, batch_stream
from lunagpt.training.compilation import uncompiled


@dataclass
class Tally:
    """Sums over batches.

    Attributes:
        nats: cross-entropy of all targets. tokens: number of targets.
        num_bytes: UTF-8 bytes of the targets, None where a data set does not say.
    """

    nats: float = 0.0
    tokens: int = 0
    num_bytes: float | None = 0.0

    def add(self, nats: float, tokens: int, num_bytes: float | None) -> None:
        self.nats += nats
        self.tokens += tokens
        self.num_bytes = None if num_bytes is None or self.num_bytes is None else self.num_bytes + num_bytes

    def metrics(self) -> dict[str, Any]:
        """`loss` (nats per token), `perplexity`, `tokens`, and `bits_per_byte` where the bytes are known."""
        loss = self.nats / self.tokens if self.tokens else math.nan
        result = {"loss": loss, "perplexity": math.exp(min(loss, 700.0)), "tokens": self.tokens}
        if self.num_bytes:
            result["bits_per_byte"] = bits_per_byte(self.nats, self.num_bytes)
        return result


def bits_per_byte(nats: float, num_bytes: float) -> float:
    """Cross-entropy in bits, divided by the UTF-8 bytes of the text that was predicted."""
    return nats / math.log(2) / num_bytes


def fixed_batches(dataset: Any, batch_size: int, limit: int | None) -> dict[str, list[Mapping[str, Any]]]:
    """The first `limit` batches (None: all) of each validation set, for all evaluations the same.

    Args:
        dataset: one data set, a mapping from a group's name to its data set, or a set that has `groups` and
            gives the `batches(group)` of each, such as `lunagpt.data.ValidationSet`.
    """
    if hasattr(dataset, "groups") and hasattr(dataset, "batches"):
        return {name: list(itertools.islice(dataset.batches(name), limit)) for name in dataset.groups}
    groups = dataset if isinstance(dataset, Mapping) else {"": dataset}
    return {name: _first_batches(group, batch_size, limit) for name, group in groups.items()}


def _first_batches(dataset: Any, batch_size: int, limit: int | None) -> list[Mapping[str, Any]]:
    stream = batch_stream(dataset, batch_size, seed=0, num_epochs=1)
    if isinstance(stream, ExampleStream):
        stream.shuffle = False
    start = dataset.state_dict() if hasattr(dataset, "state_dict") else None
    batches = list(itertools.islice(stream, limit))
    if start is not None:
        dataset.load_state_dict(start)
    if not batches:
        raise DataError("O conjunto de validação está vazio. Confira o caminho ou treine sem validação.")
    return batches


@torch.no_grad()
def evaluate_batches(
    model: nn.Module,
    groups: Mapping[str, Iterable[Mapping[str, Any]]],
    prepare: Callable[[Mapping[str, Any]], Batch],
    compute_loss: Callable[[Batch], tuple[Tensor, int]],
) -> dict[str, Any]:
    """Metrics over all batches (see `Tally.metrics`), and under `groups` those of each named group.

    The model's mode and the random generators are afterwards as they were before.
    """
    total, by_group = Tally(), {}
    was_training = model.training
    model.eval()
    with torch.random.fork_rng(), uncompiled(model):
        for name, batches in groups.items():
            tally = Tally()
            for raw in batches:
                batch = prepare(raw)
                nats, tokens = compute_loss(batch)
                for counter in (tally, total):
                    counter.add(float(nats), tokens, batch["num_bytes"])
            if name:
                by_group[name] = tally.metrics()
    model.train(was_training)
    return {**total.metrics(), **({"groups": by_group} if by_group else {})}
