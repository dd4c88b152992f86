"""From whatever holds training data to one stream of batches whose position can be saved and found again."""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, default_collate

from lunagpt.errors import DataError

IGNORED = -100  # label of a position that is not learned

Batch = dict[str, Any]


def as_batch(raw: Mapping[str, Any], device: torch.device) -> Batch:
    """Tensors of one shape on one device.

    Packed batches (they carry `document_ids`) have the target that comes *after* each input in `labels`. All
    others follow the convention of transformers, where `labels[t]` stands for token t itself, and are
    shifted here.

    Returns:
        `input_ids`, `labels` (B, T) int64; `document_ids` (B, T) or None; `num_bytes` float or None;
        `traits` name → (B, T) int64, see `lunagpt.data.traits`, or None.
    """
    ids = _rows(raw["input_ids"])
    labels = _rows(raw["labels"]) if raw.get("labels") is not None else ids
    documents = raw.get("document_ids")
    if documents is None:
        labels = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
        if raw.get("attention_mask") is not None:
            mask = torch.nn.functional.pad(_rows(raw["attention_mask"])[:, 1:], (0, 1))
            labels = labels.masked_fill(mask == 0, IGNORED)
    num_bytes = raw.get("num_bytes")
    traits = raw.get("traits")
    return {
        "input_ids": ids.to(device),
        "labels": labels.to(device),
        "document_ids": None if documents is None else _rows(documents).to(device),
        "num_bytes": None if num_bytes is None else float(num_bytes),
        "traits": None if traits is None else {name: _rows(t).to(device) for name, t in traits.items()},
    }


def num_learned(batch: Batch) -> int:
    """Number of positions with a target."""
    return int((batch["labels"] != IGNORED).sum())


def _rows(values: Any) -> Tensor:
    tensor = torch.as_tensor(np.asarray(values) if isinstance(values, list) else values, dtype=torch.int64)
    return tensor.reshape(-1, tensor.size(-1))


class BatchStream(Protocol):
    """An endless or finite stream of raw batches; `epoch` counts the finished passes over the data."""

    epoch: int

    def __iter__(self) -> Iterator[Mapping[str, Any]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def batch_stream(dataset: Any, batch_size: int, seed: int, num_epochs: int | None = None) -> BatchStream:
    """The stream for a data set of any of these kinds:

    - one that keeps its own position (`state_dict`, `load_state_dict`), such as `lunagpt.data.PackedDataset`;
    - a sequence of examples (`len`, `[i]`), each with `input_ids` and optionally `labels`, or a torch
      DataLoader over one: shuffled anew each epoch, padded, `batch_size` rows at a time;
    - any other iterable of batches, which is read again from its start to find a saved position.
    """
    if hasattr(dataset, "state_dict") and hasattr(dataset, "load_state_dict"):
        return StatefulStream(dataset, num_epochs)
    if isinstance(dataset, DataLoader) and dataset.collate_fn is default_collate and dataset.batch_size:
        shuffle = isinstance(dataset.sampler, RandomSampler)
        return ExampleStream(dataset.dataset, dataset.batch_size, seed, num_epochs, shuffle)
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        return ExampleStream(dataset, batch_size, seed, num_epochs)
    if isinstance(dataset, Iterable) and not isinstance(dataset, Iterator):
        return ReplayedStream(dataset, num_epochs)
    raise DataError(
        f"Não sei ler dados de treino do tipo {type(dataset).__name__}. Passe um PackedDataset, uma lista de "
        'exemplos com "input_ids", ou um DataLoader do torch.'
    )


class StatefulStream:
    """Batches of a data set that knows its own position."""

    def __init__(self, dataset: Any, num_epochs: int | None) -> None:
        self.dataset, self.num_epochs, self.epoch, self.begun = dataset, num_epochs, 0, False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        while self.num_epochs is None or self.epoch < self.num_epochs:
            empty = True
            for batch in self.dataset:
                empty = False
                self.begun = True
                yield batch
            if empty and self.begun:
                return  # it reads through only once
            _refuse_empty(empty)
            self.epoch += 1

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "dataset": self.dataset.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.begun = state["epoch"], True
        self.dataset.load_state_dict(state["dataset"])


class ExampleStream:
    """Single examples, shuffled by (seed, epoch), padded on the right to the longest of their batch."""

    def __init__(
        self, examples: Any, batch_size: int, seed: int, num_epochs: int | None, shuffle: bool = True
    ) -> None:
        _refuse_empty(len(examples) == 0)
        self.examples, self.batch_size, self.seed, self.shuffle = examples, batch_size, seed, shuffle
        self.num_epochs, self.epoch, self.position = num_epochs, 0, 0

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.batch_size)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        while self.num_epochs is None or self.epoch < self.num_epochs:
            order = np.arange(len(self.examples))
            if self.shuffle:
                np.random.default_rng([self.seed, self.epoch]).shuffle(order)
            while self.position < len(order):
                chosen = order[self.position : self.position + self.batch_size]
                self.position += len(chosen)
                yield pad_examples([self.examples[int(i)] for i in chosen])
            self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.position = state["epoch"], state["position"]


class ReplayedStream:
    """Batches of a plain iterable; a saved position is found by reading the epoch again, shuffled alike."""

    def __init__(self, batches: Iterable[Mapping[str, Any]], num_epochs: int | None) -> None:
        self.batches, self.num_epochs = batches, num_epochs
        self.epoch, self.position, self.random = 0, 0, torch.get_rng_state()

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        while self.num_epochs is None or self.epoch < self.num_epochs:
            empty = self.position == 0
            for batch in self._open_epoch():
                empty = False
                self.position += 1
                yield batch
            _refuse_empty(empty)
            self.epoch, self.position = self.epoch + 1, 0

    def _open_epoch(self) -> Iterator[Mapping[str, Any]]:
        """The batches of this epoch from `position` on; what is read over again leaves the random state."""
        if not self.position:
            self.random = torch.get_rng_state()
            return iter(self.batches)
        now = torch.get_rng_state()
        torch.set_rng_state(self.random)
        batches = iter(self.batches)
        for _ in itertools.islice(batches, self.position):
            pass
        torch.set_rng_state(now)
        return batches

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        random = base64.b64encode(self.random.numpy().tobytes()).decode()
        return {"epoch": self.epoch, "position": self.position, "random": random}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.position = state["epoch"], state["position"]
        self.random = torch.frombuffer(bytearray(base64.b64decode(state["random"])), dtype=torch.uint8)


def pad_examples(examples: list[Mapping[str, Any]]) -> Batch:
    """One batch of examples of unequal length; the padding, on the right, is neither seen nor a target."""
    ids = [torch.as_tensor(example["input_ids"], dtype=torch.int64).flatten() for example in examples]
    labels = [
        torch.as_tensor(example.get("labels", example["input_ids"]), dtype=torch.int64).flatten()
        for example in examples
    ]
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad(ids, batch_first=True),
        "labels": pad(labels, batch_first=True, padding_value=IGNORED),
    }


def num_batches(stream: BatchStream) -> int | None:
    """Batches per epoch, where that is known."""
    try:
        return len(stream)  # type: ignore[arg-type]
    except TypeError:
        return None


def _refuse_empty(empty: bool) -> None:
    if empty:
        raise DataError(
            "Os dados de treino estão vazios: nenhum exemplo foi lido. Confira os caminhos e os filtros."
        )
