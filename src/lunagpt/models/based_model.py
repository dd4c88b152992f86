"""A Luna whose core is a causal model of transformers, run as it is, with Luna's parts in its layers.

Letters: B batch, T time, D model width, V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.cache_utils import Cache, DynamicLayer

from lunagpt.config import LunaConfig
from lunagpt.errors import GenerationError, ModelFolderError
from lunagpt.models.base_parts import LunaParts, Pass, count_base, current_pass
from lunagpt.models.components import check_switches
from lunagpt.models.conditioning import ModelHyperNetwork
from lunagpt.models.cross_entropy import IGNORED, SLICE, linear_cross_entropy
from lunagpt.models.decoding_state import DecodingState, LayerState, extend_mask
from lunagpt.models.luna_model import LunaModel
from lunagpt.models.visibility import token_positions

if TYPE_CHECKING:
    from lunagpt.models.hybrid_block import Traits
    from lunagpt.models.low_rank import Adapters
    from lunagpt.tokenizer import LunaTokenizer


class LunaModelOnBase(LunaModel):
    """See `LunaModel`; made by `LunaModel.from_base` and by loading what it saved.

    Args:
        core: the causal model of transformers, which becomes part of this one; Luna's parts are put into it.

    Attributes:
        layers: Luna's parts of each layer of the core.

    Raises:
        ConfigError: a part does not fit this family. ModelFolderError: the family is not usable as a base.
    """

    on_base = True

    def __new__(cls, *args: Any, **kwargs: Any) -> LunaModelOnBase:
        return object.__new__(cls)

    def __init__(
        self,
        config: LunaConfig,
        tokenizer: LunaTokenizer | None = None,
        base_model: Any = None,
        *,
        core: Any = None,
    ) -> None:
        if base_model is not None:  # `LunaModel(config, base_model=…)` has built this object already
            return
        nn.Module.__init__(self)
        model = config.model
        self._tokenizer = tokenizer
        self.growth_history = []
        self.compute_dtype = torch.float32
        self.core: Any = core
        layers = decoder_layers(core)
        self.layers = nn.ModuleList([LunaParts(model, i, layer) for i, layer in enumerate(layers)])
        self.config = config.replaced(model={"base_parameters": count_base(core)})
        self.hypernet = ModelHyperNetwork(model) if model.use_hypernet else None
        self._cache_name = cache_argument(core.base_model)
        text = core.config.get_text_config()
        self._soft_cap: float | None = getattr(text, "final_logit_softcapping", None)
        learned = getattr(core.base_model, "wpe", None)
        self._longest = None if learned is None else learned.num_embeddings

    @torch.no_grad()
    def reset_parts(self) -> None:
        """Draws the weights of Luna's parts; the output stays that of the core."""
        for parts in self.layers:
            assert isinstance(parts, LunaParts)
            parts.reset_parameters()
        if self.hypernet is not None:
            self.hypernet.reset_parameters()

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """The core's token embedding."""
        return self.core.get_input_embeddings()

    @property
    def output_weight(self) -> Tensor:
        return self.core.get_output_embeddings().weight

    @property
    def adapter_prefixes(self) -> tuple[str, ...]:
        return ("layers.", "hypernet.")

    def finish_loading(self) -> None:
        self.core.tie_weights()

    # -- computing -----------------------------------------------------------------------------------------

    def hidden_states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        state: DecodingState | None = None,
        document_ids: Tensor | None = None,
        losses: list[Tensor] | None = None,
        traits: Traits | None = None,
        adapters: Adapters | None = None,
    ) -> Tensor:
        """See `LunaModel.hidden_states`. Positions begin anew with each packed document, as some families
        count them from its start."""
        batch, time = input_ids.shape
        if state is not None:
            check_switches(self, state)
        mask = extend_mask(state, attention_mask, batch, time)
        length = 0 if state is None else state.length
        self._check_length(length + time)
        starts = None
        if document_ids is None:
            real = None if mask is None else mask[:, length:]
            positions = token_positions(input_ids, real, None if state is None else state.positions)
        else:
            if mask is not None:  # padding becomes a document of its own
                document_ids, mask = document_ids.masked_fill(~mask, -1), None
            real = None
            starts = F.pad(document_ids[:, 1:] != document_ids[:, :-1], (1, 0))
            index = torch.arange(time, device=input_ids.device).expand(batch, time)
            positions = index - torch.where(starts, index, 0).cummax(dim=1).values
        adapters = adapters or (None if state is None else state.adapters)
        changes = [] if adapters is None else adapters.of_tokens(batch, time)
        arguments: dict[str, Any] = {
            "input_ids": input_ids,
            "attention_mask": None if mask is None else mask.long(),
            "position_ids": positions,
            "use_cache": state is not None,
        }
        if state is not None:
            arguments[self._cache_name] = _StateCache(state)
        dtype = self._dtype()
        with _under(Pass(dtype, real, starts, state, losses, traits, changes)), self._precision(dtype):
            hidden = self.core.base_model(**arguments).last_hidden_state
        if state is not None:
            state.advance(positions, mask)
        return hidden.to(dtype)

    def logits(self, hidden: Tensor) -> Tensor:
        """As `LunaModel.logits`, with the base's own head: its bias and its soft cap, if it has them."""
        head = self.core.get_output_embeddings()
        bias = None if head.bias is None else head.bias.to(hidden.dtype)
        scores = F.linear(hidden, head.weight.to(hidden.dtype), bias).float()
        return scores if self._soft_cap is None else torch.tanh(scores / self._soft_cap) * self._soft_cap

    def _cross_entropy(self, hidden: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        if self._soft_cap is None and self.core.get_output_embeddings().bias is None:
            return linear_cross_entropy(hidden, self.output_weight, labels)
        learned = labels != IGNORED
        hidden, labels = hidden[learned], labels[learned]

        def of_slice(part: Tensor, target: Tensor) -> Tensor:
            return F.cross_entropy(self.logits(part), target, reduction="sum")

        total = torch.zeros((), device=hidden.device)
        for part, target in zip(hidden.split(SLICE), labels.split(SLICE), strict=True):
            total = total + checkpoint(of_slice, part, target, use_reentrant=False)
        return total, len(labels)

    def _dtype(self) -> torch.dtype:
        """Of the activations: a core kept in 16 bits computes in them."""
        stored = self.output_weight.dtype
        return self.compute_dtype if stored == torch.float32 else stored

    def _precision(self, dtype: torch.dtype) -> Any:
        if dtype == self.output_weight.dtype:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=dtype)

    def _check_length(self, length: int) -> None:
        if self._longest is not None and length > self._longest:
            raise GenerationError(
                f"Esta base aprendeu uma posição para cada um dos seus {self._longest} lugares e não lê "
                f"{length} tokens. Encurte o texto ou a sequência de treino (training.sequence_length)."
            )

    # -- at birth ------------------------------------------------------------------------------------------

    @torch.no_grad()
    def check_core(self) -> None:
        """Compares with the core itself on a few tokens: whole, step by step, and packed.

        Raises:
            ModelFolderError: this family computes in a way that Luna does not follow.
        """
        training = self.training
        self.eval()
        vocabulary = self.core.config.get_text_config().vocab_size
        ids = torch.arange(12, device=self.device)[None] * 7 % vocabulary
        with _under(Pass(self._dtype())):
            expected = self.core(ids, use_cache=False).logits.float()
        state = self.new_state()
        stepped = [self(piece, state=state).logits for piece in ids.split([5, *[1] * 7], dim=1)]
        documents = torch.tensor([[0] * 5 + [1] * 7], device=self.device)
        packed = self(ids, document_ids=documents).logits[:, 5:]
        pairs = (
            (self(ids).logits, expected),
            (torch.cat(stepped, dim=1), expected),
            (packed, self(ids[:, 5:]).logits),
        )
        self.train(training)
        tolerance = (1e-3 if self._dtype() == torch.float32 else 1e-1) * float(expected.abs().max())
        for ours, theirs in pairs:
            if not float((ours - theirs).abs().max()) <= tolerance:
                raise ModelFolderError(
                    f"Uma base da família {self.config.model.base_family} calcula de um jeito que o LunaGPT "
                    "não reproduz: as saídas não são iguais. Use uma base das famílias Llama, Qwen, Gemma, "
                    "Mistral, GPT-2 ou Falcon-H1."
                )


def decoder_layers(core: Any) -> nn.ModuleList:
    """The layers of a causal model of transformers.

    Raises:
        ModelFolderError: there is no such list, or the model is more than a language model, or remembers in
            another way than by keys and values.
    """
    text = core.config.get_text_config()
    lists = [m for m in core.base_model.children() if isinstance(m, nn.ModuleList)]
    found = next((m for m in lists if len(m) == text.num_hidden_layers), None)
    if found is None or text is not core.config:
        raise ModelFolderError(
            f"Não sei usar um {type(core).__name__} como base: preciso de um modelo de linguagem causal, só "
            "de texto. Use uma base das famílias Llama, Qwen, Gemma, Mistral, GPT-2 ou Falcon-H1."
        )
    cache_argument(core.base_model)
    return found


def cache_argument(decoder: nn.Module) -> str:
    """The argument that takes the cache; transformers has renamed it."""
    known = inspect.signature(decoder.forward).parameters
    name = next((name for name in ("cache", "past_key_values") if name in known), None)
    if name is None or "position_ids" not in known:
        raise ModelFolderError(
            f"Não sei usar um {type(decoder).__name__} como base: ele não guarda chaves e valores como os "
            "modelos de atenção. Use uma base das famílias Llama, Qwen, Gemma, Mistral, GPT-2 ou Falcon-H1."
        )
    return name


@contextmanager
def _under(reading: Pass) -> Iterator[None]:
    token = current_pass.set(reading)
    try:
        yield
    finally:
        current_pass.reset(token)


class _StateCache(Cache):
    """transformers' view of a `DecodingState`: keys and values live there, nothing is kept here."""

    def __init__(self, state: DecodingState) -> None:
        super().__init__(layers=[_StateLayer(layer, state.length) for layer in state.layers])


class _StateLayer(DynamicLayer):
    def __init__(self, state: LayerState, length: int) -> None:
        super().__init__()
        self._state = state
        self._length = length

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        return self._state.append_attention(key_states, value_states, self._length)

    def get_seq_length(self, *args: Any) -> int:
        """Tokens read before this pass."""
        return self._length
