"""What an evaluation asks of a model: one protocol for Luna, transformers, GGUF and any engine.

Letters: n texts or pairs, D width of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from lunagpt.errors import EvaluationError, missing_extra
from lunagpt.model_folders import shipped_models

if TYPE_CHECKING:
    from lunagpt.engines import Engine, Message

#: What a model can be asked: the probability of a text, a text, a vector of a text.
Capability = Literal["loglikelihood", "generate", "embed"]


@dataclass(frozen=True, slots=True)
class LogLikelihood:
    """How probable a continuation is after its context.

    Attributes:
        nats: natural logarithm of the probability, 0 or less.
        num_tokens: tokens that were predicted.
        num_bytes: UTF-8 bytes of the text that was predicted.
        greedy: whether each of these tokens was the most probable one.
    """

    nats: float
    num_tokens: int
    num_bytes: int
    greedy: bool


@runtime_checkable
class LanguageModel(Protocol):
    """A model under evaluation.

    Attributes:
        name: for tables.
        kind: "luna", "transformers", "gguf" or "engine".
        capabilities: which of the methods below the model has.
    """

    name: str
    kind: str
    capabilities: frozenset[Capability]

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        """Of each continuation after its context, in order.

        Args:
            pairs: (context, continuation). White space at the end of a context counts as the beginning of the
                continuation, as tokenizers see it. After an empty context, a model that knows no token for
                the start of a text does not predict the first token: `num_tokens` and `num_bytes` leave it
                out. A context too long for the model loses its beginning; a continuation too long is read in
                windows, each after the last half of the window before.

        Raises:
            EvaluationError: an empty continuation.
        """
        ...

    def generate(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[str]:
        """Continues each text, or answers each dialogue, until the model ends or the tokens run out.

        Args:
            temperature: 0 always takes the most probable token.
            stop: strings that end the continuation of a plain text, and the answer of a model that knows no
                dialogues (for such a model a dialogue is written out, see `plain_dialogue`).
        """
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, (n, D) float32: the mean of the last hidden states."""
        ...

    def describe(self) -> dict[str, Any]:
        """Facts for the record: path, parameters, hash of the weights."""
        ...


class PartialModel:
    """Base of models that lack some of the methods: asking for one is an error, never a guess."""

    name: str
    kind: str
    capabilities: frozenset[Capability] = frozenset()

    def _lacks(self, what: str) -> EvaluationError:
        return EvaluationError(
            f'O modelo "{self.name}" não dá {what}. Use no lugar dele uma pasta de modelo ou um arquivo '
            "GGUF, ou escolha tarefas de geração."
        )

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        raise self._lacks("a probabilidade de um texto")

    def generate(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[str]:
        raise self._lacks("respostas em texto")

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        raise self._lacks("vetores de textos")

    def describe(self) -> dict[str, Any]:
        return {}


class EngineLanguageModel(PartialModel):
    """Any engine of the conversation: it writes answers and nothing else."""

    kind = "engine"
    capabilities = frozenset({"generate"})

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = engine.name

    def generate(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[str]:
        """A plain text is sent as the message of a user: an engine knows only dialogues."""
        from lunagpt.generation import SamplingParams

        params = SamplingParams(temperature=temperature, seed=seed, max_new_tokens=max_new_tokens)
        return ["".join(self.engine.stream(as_messages(prompt), params)) for prompt in prompts]


def as_messages(prompt: str | Sequence[Message]) -> Sequence[Message]:
    """A dialogue as it is; a plain text as the message of a user."""
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt


def plain_dialogue(messages: Sequence[Message]) -> str:
    """A dialogue written out for a model that only continues texts."""
    return "\n\n".join(message["content"] for message in messages) + "\nResposta:"


def cut_at(text: str, stop: Sequence[str]) -> str:
    """The text up to the first of the strings that end it."""
    places = [place for place in map(text.find, stop) if place >= 0]
    return text[: min(places)].rstrip() if places else text


def open_language_model(model: Any, name: str | None = None) -> LanguageModel:
    """Makes anything that can be evaluated a `LanguageModel`.

    Args:
        model: the name of a shipped model ("luna-nano"), a Luna folder, a transformers folder, a .gguf file,
            a `LunaModel`, an engine, or a `LanguageModel`, which is returned as it is.
        name: shown in tables; default is the model's own or that of its folder.

    Raises:
        EvaluationError: it is none of these.
        ModelFolderError: a Luna folder is broken.
        MissingDependencyError: the package that reads this kind of model is not installed.
    """
    opened = _open(model)
    if name is not None:
        opened.name = name
    return opened


def _open(model: Any) -> LanguageModel:
    if isinstance(model, str | Path):
        return _open_path(model)
    if isinstance(model, LanguageModel):
        return model
    if hasattr(model, "stream") and hasattr(model, "name"):
        return EngineLanguageModel(model)
    if hasattr(model, "new_state") and hasattr(model, "encode_text"):
        from lunagpt.evaluation.luna_language_model import LunaLanguageModel

        return LunaLanguageModel(model)
    raise EvaluationError(
        f"Não sei avaliar um objeto do tipo {type(model).__name__}. Passe uma pasta de modelo, um arquivo "
        ".gguf, um LunaModel ou um motor de conversa (Engine)."
    )


def _open_path(given: str | Path) -> LanguageModel:
    path = Path(given).expanduser()
    if not path.exists():
        path = shipped_models().get(str(given), path)
    if path.suffix.lower() == ".gguf" and path.is_file():
        from lunagpt.evaluation.gguf_language_model import GGUFLanguageModel

        return GGUFLanguageModel(path)
    if not path.is_dir():
        raise EvaluationError(
            f'Não há modelo em "{given}". Indique a pasta de um modelo, um arquivo .gguf ou um destes nomes: '
            f"{', '.join(sorted(shipped_models()))}."
        )
    if (path / "config.json").is_file():
        from lunagpt.evaluation.transformers_language_model import TransformersLanguageModel

        return TransformersLanguageModel(path)
    try:
        from lunagpt.evaluation.luna_language_model import LunaLanguageModel
        from lunagpt.models import LunaModel
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "torch", "torch", "avaliar modelos") from error
    return LunaLanguageModel(LunaModel.from_pretrained(path), path=path)
