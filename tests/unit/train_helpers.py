"""A tiny model and tiny data for the tests of the training loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.config import LunaConfig
from lunagpt.models.layers import Linear, RMSNorm

VOCABULARY = 32


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """With tensors this small a second thread only costs time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class TinyModel(nn.Module):
    """Predicts the next token from the present one. Its dropout makes the loss depend on the random state."""

    def __init__(self, seed: int = 0, dropout: float = 0.1, width: int = 16) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.config = LunaConfig()
        self.embedding = nn.Embedding(VOCABULARY, width)
        layer = nn.Sequential(Linear(width, 2 * width), nn.SiLU(), Linear(2 * width, width))
        for linear in (layer[0], layer[2]):
            nn.init.normal_(linear.weight, std=linear.weight.shape[1] ** -0.5)
        self.layers = nn.ModuleList([layer])
        self.norm = RMSNorm(width, 1e-5)
        self.dropout = nn.Dropout(dropout)

    def loss(
        self, input_ids: Tensor, labels: Tensor, document_ids: Tensor | None = None, traits: Any = None
    ) -> tuple[Tensor, int]:
        x = self.embedding(input_ids)
        for layer in self.layers:
            x = x + self.dropout(layer(x))
        logits = F.linear(self.norm(x), self.embedding.weight)
        total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        return total, int((labels != -100).sum())


class CountingData:
    """Endless packed batches that know their position, as `lunagpt.data.PackedDataset` does.

    Token t is followed by t + 1 with probability 0.9, so there is something to learn.
    """

    def __init__(self, seed: int = 0, rows: int = 4, length: int = 12, masked: float = 0.2) -> None:
        self.seed, self.rows, self.length, self.masked, self.position = seed, rows, length, masked, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            self.position += 1
            yield self.batch(self.position)

    def batch(self, number: int) -> dict[str, Any]:
        random = np.random.default_rng([self.seed, number])
        steps = np.where(random.random((self.rows, self.length + 1)) < 0.9, 1, 7)
        tokens = steps.cumsum(axis=1) % VOCABULARY
        labels = tokens[:, 1:].copy()
        labels[random.random(labels.shape) < self.masked] = -100
        return {
            "input_ids": tokens[:, :-1],
            "labels": labels,
            "document_ids": np.zeros_like(labels),
            "num_bytes": 3.0 * (labels != -100).sum(),
        }

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.position = state["position"]


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_weights(left: nn.Module, right: nn.Module) -> None:
    for (name, one), two in zip(left.state_dict().items(), right.state_dict().values(), strict=True):
        assert torch.equal(one, two), name
