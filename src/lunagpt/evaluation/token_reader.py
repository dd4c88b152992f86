"""Models as a stopwatch sees them: read a prompt, then write one token after another.

Letters: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Protocol

from lunagpt.errors import LunaError

if TYPE_CHECKING:
    from torch import Tensor


class TokenReader(Protocol):
    """Something that reads tokens and remembers them."""

    name: str
    model: Any
    vocab_size: int
    context: int | None  # longest text that the model was made for, in tokens

    @property
    def device(self) -> Any:
        """Where the model computes: a torch.device."""
        ...

    def start(self, ids: Tensor) -> Tensor:
        """Forgets what it has read, reads prompts (B, T), returns the scores (B, V) of what comes next."""
        ...

    def step(self, ids: Tensor) -> Tensor:
        """Reads one more token per row (B, 1), returns the scores (B, V) of what comes next."""
        ...

    def forget(self) -> None:
        """Frees what it has read."""
        ...


def token_reader(model: Any) -> TokenReader:
    """The model as a `TokenReader`.

    Args:
        model: a `LunaModel`, a causal model of transformers, or an object that holds one as `.model`.

    Raises:
        LunaError: it is none of these.
    """
    from torch import nn

    from lunagpt.models import LunaModel

    for candidate in (model, getattr(model, "model", None)):
        if isinstance(candidate, LunaModel):
            return LunaReader(candidate)
        if isinstance(candidate, nn.Module) and hasattr(candidate, "generate"):
            return TransformersReader(candidate)
    raise LunaError(
        f"Não sei medir a velocidade de {type(model).__name__}. "
        "Use um LunaModel ou um modelo causal do transformers."
    )


class LunaReader:
    """A `LunaModel`, with prompts read in the pieces in which the decoding loop reads them."""

    def __init__(self, model: Any) -> None:
        self.model: Any = model
        self.name: str = model.config.model.name
        self.vocab_size: int = model.config.model.vocab_size
        self.context: int | None = model.config.model.max_position_embeddings
        self._state: Any = None

    @property
    def device(self) -> Any:
        return self.model.device

    def start(self, ids: Tensor) -> Tensor:
        from lunagpt.generation import prefill

        self._state = self.model.new_state()
        scores = prefill(self.model, ids, state=self._state)
        assert scores is not None  # nothing stops it
        return scores[:, -1]

    def step(self, ids: Tensor) -> Tensor:
        output = self.model(ids, state=self._state, logits_to_keep=1)
        self._state = output.state
        scores: Tensor = output.logits[:, -1]
        return scores

    def forget(self) -> None:
        self._state = None


class TransformersReader:
    """A causal language model of transformers, with its own cache."""

    def __init__(self, model: Any) -> None:
        self.model: Any = model
        self.name: str = getattr(model.config, "name_or_path", "") or type(model).__name__
        self.vocab_size: int = model.config.vocab_size
        self.context: int | None = getattr(model.config, "max_position_embeddings", None)
        # Newer versions of transformers call it "cache" and warn about the old name.
        known = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in known else "past_key_values"
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self._cache: Any = None

    @property
    def device(self) -> Any:
        return self.model.device

    def start(self, ids: Tensor) -> Tensor:
        self._cache = None
        return self.step(ids)

    def step(self, ids: Tensor) -> Tensor:
        given = {self._cache_name: self._cache}
        output = self.model(input_ids=ids, use_cache=True, **given, **self._options)
        self._cache = output[self._cache_name]
        scores: Tensor = output.logits[:, -1]
        return scores

    def forget(self) -> None:
        self._cache = None
