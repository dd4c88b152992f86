"""A language model made of two functions: for tests of what is measured with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lunagpt.engines import Message
from lunagpt.evaluation.language_models import LogLikelihood


class FakeModel:
    """Scores with `nats(context, continuation)`, one token a byte; writes `reply(message, seed)`.

    Attributes:
        asked: the last message of every dialogue it answered.
    """

    name = "falso"
    kind = "engine"

    def __init__(
        self,
        nats: Callable[[str, str], float] | None = None,
        reply: Callable[[str, int], str] | None = None,
    ) -> None:
        self._nats = nats
        self._reply = reply
        self.capabilities = frozenset(
            name for name, given in (("loglikelihood", nats), ("generate", reply)) if given is not None
        )
        self.asked: list[str] = []

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        assert self._nats is not None
        sizes = [len(continuation.encode()) for _, continuation in pairs]
        return [
            LogLikelihood(self._nats(*pair), size, size, False)
            for pair, size in zip(pairs, sizes, strict=True)
        ]

    def generate(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        assert self._reply is not None
        messages = [prompt if isinstance(prompt, str) else prompt[-1]["content"] for prompt in prompts]
        self.asked += messages
        return [self._reply(message, seed) for message in messages]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        return {}
