"""LunaModel: token ids -> logits.

A stack of hybrid blocks (attention in parallel with a state-space mixer, then a feed-forward network) between
a token embedding and a head that shares its weights. With the default settings it computes what transformers'
`FalconH1ForCausalLM` computes, so that exporting is renaming (`tests/unit/test_model_equality.py`).

Letters: B batch, T time, D model width, V vocabulary, S slots of the attention cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.conditions import Condition, DomainLike, StyleLike
from lunagpt.config import LunaConfig
from lunagpt.errors import ConfigError
from lunagpt.models.components import RuntimeSwitches, check_switches
from lunagpt.models.conditioned import adapters_of, adapters_of_rows, detect_domain, merged
from lunagpt.models.conditioning import ModelHyperNetwork, Rows
from lunagpt.models.convolution import EmbeddingConvolution
from lunagpt.models.cross_entropy import linear_cross_entropy
from lunagpt.models.decoding_state import DecodingState, extend_mask
from lunagpt.models.hybrid_block import Context, HybridBlock, Traits
from lunagpt.models.layers import Linear, RMSNorm, RotaryPositions
from lunagpt.models.low_rank import UNCHANGED, Adapters
from lunagpt.models.moe import MoEBlock
from lunagpt.models.parameters import initialise
from lunagpt.models.relational_embeddings import RelationalPositionalEmbedding
from lunagpt.models.text import TextMethods
from lunagpt.models.visibility import Passage, token_positions, views_of

if TYPE_CHECKING:
    from lunagpt.tokenizer import LunaTokenizer


@dataclass
class LunaOutput:
    """Result of a forward pass.

    Attributes:
        logits: (B, T or logits_to_keep, V) float32.
        state: the state that was passed in, brought up to date, or None.
    """

    logits: Tensor
    state: DecodingState | None = None


class LunaModel(RuntimeSwitches, TextMethods):
    """The language model. Holds weights only; what it has read lives in a `DecodingState`.

    Args:
        config: sizes are read from its section `model`.
        tokenizer: default is the tokenizer shipped with the package, loaded at first use.
        base_model: a model of transformers, or where it lies, to build this one around; see `from_base`.
    """

    def __new__(cls, config: Any = None, tokenizer: Any = None, base_model: Any = None) -> "LunaModel":
        if base_model is None:
            return super().__new__(cls)
        return cls.from_base(base_model, config, tokenizer=tokenizer)

    def __init__(
        self, config: LunaConfig, tokenizer: "LunaTokenizer | None" = None, base_model: Any = None
    ) -> None:
        if base_model is not None:  # `__new__` has built it
            return
        super().__init__()
        model = config.model
        if model.base_family is not None:
            raise ConfigError(
                f'Esta configuração é de um modelo montado sobre uma base da família "{model.base_family}", '
                "cujos pesos não estão aqui. Use LunaModel.from_base com a pasta da base."
            )
        self.config = config
        self._tokenizer = tokenizer
        self.growth_history: list[dict[str, Any]] = []  # see `lunagpt.models.growth`
        self.compute_dtype = torch.float32
        table = torch.empty(model.vocab_size, model.hidden_size)
        self.embedding = nn.Embedding(model.vocab_size, model.hidden_size, _weight=table)
        self.layers = nn.ModuleList([HybridBlock(model, i) for i in range(model.num_layers)])
        self.final_norm = RMSNorm(model.hidden_size, model.norm_eps)
        self.lm_head = None if model.tie_embeddings else Linear(model.hidden_size, model.vocab_size)
        self.rotary = RotaryPositions(model.head_dim, model.rope_theta)
        self.hypernet = ModelHyperNetwork(model) if model.use_hypernet else None
        self.relative_positions: RelationalPositionalEmbedding | None = None
        if model.has_relative_positions:
            self.relative_positions = RelationalPositionalEmbedding(
                model.relative_distance, model.num_heads, num_buckets=model.relative_buckets, absolute=False
            )
        self.embedding_convolution: EmbeddingConvolution | None = None
        if model.embedding_convolution:
            self.embedding_convolution = EmbeddingConvolution(model.hidden_size, model.conv_kernel)
        if not table.is_meta:  # loading builds on the meta device and brings its own weights
            initialise(self, model.hidden_size)

    # -- making and keeping --------------------------------------------------------------------------------

    @classmethod
    def from_scratch(
        cls,
        config: LunaConfig | None = None,
        use_lightweight: bool = False,
        *,
        seed: int | None = None,
        tokenizer: "LunaTokenizer | None" = None,
    ) -> "LunaModel":
        """A new model with random weights.

        Args:
            config: default is the preset "nano". use_lightweight: take the small sizes of
                `create_small_config` instead of those of `config`. seed: of the weights; None takes torch's
                global generator.
        """
        config = config or LunaConfig.preset("nano")
        if use_lightweight:
            config = config.create_small_config()
        with torch.random.fork_rng(enabled=seed is not None, devices=[]):
            if seed is not None:
                torch.manual_seed(seed)
            return cls(config, tokenizer)

    @classmethod
    def from_config(cls, config: LunaConfig) -> "LunaModel":
        """The model that `config.model.base_path` names, or a new one if it names none. A model of
        transformers gets the parts that `config` switches on; an existing model follows the section
        `hardware`.
        """
        if not config.model.base_path:
            return cls.from_scratch(config)
        model = cls.from_base(config.model.base_path, config, keep_dtype=config.hardware.low_memory)
        model.follow_settings(config.hardware)
        return model

    @classmethod
    def from_base(cls, path_or_id: Any, config: LunaConfig | None = None, **options: Any) -> "LunaModel":
        """A model around a causal model of transformers, which it equals at birth; see
        `lunagpt.models.from_base.build_on_base`.

        Args:
            path_or_id: its folder, its name in the local Hugging Face cache, or the model itself; also the
                folder of a Luna model, which is loaded. Nothing is downloaded.
            config: which of Luna's parts to add (`use_state_space`, `use_moe`, `use_hypernet`) and their
                sizes.
            options: `trainable` ("all" or "adapters"), `tokenizer`, `seed`, `keep_dtype`.
        """
        from lunagpt.models.from_base import build_on_base

        return build_on_base(path_or_id, config, **options)

    @classmethod
    def from_pretrained(
        cls, model_path: str | Path, config: LunaConfig | None = None, use_lightweight: bool = False
    ) -> "LunaModel":
        """Loads a model folder.

        Args:
            model_path: folder written by `save`, or that of a model of transformers, to which nothing is
                added (`from_base` adds Luna's parts).
            config: settings of everything but the model's sizes, which always come from the folder. Its
                section `hardware` may ask for less memory (`low_memory`, `quantization`) or fewer parts
                (`skip_components`).
            use_lightweight: keep the weights in the 16-bit type of the file (half the memory, slower
                products).

        Raises:
            ModelFolderError: the folder is missing, broken or not a LunaGPT model; says which file and what
                to do.
        """
        from lunagpt.models.checkpoint import load_model

        return load_model(model_path, config, keep_dtype=use_lightweight)

    def save(
        self,
        model_dir: str | Path,
        save_to_wandb: bool = False,
        run_name: str | None = None,
        *,
        dtype: torch.dtype | None = None,
        model_card: str | None = None,
    ) -> Path:
        """Writes the model folder (weights, config, tokenizer, manifest); replaces an old one in one step.

        Args:
            dtype: type of the stored weights, e.g. torch.float16; default as they are.
            model_card: text of the folder's README.md.
            save_to_wandb: also log the folder as an artifact of the run `run_name` (needs the package wandb).
        """
        from lunagpt.models.checkpoint import log_to_wandb, save_model

        folder = save_model(self, model_dir, dtype=dtype, model_card=model_card)
        if save_to_wandb:
            log_to_wandb(folder, run_name)
        return folder

    @property
    def tokenizer(self) -> "LunaTokenizer":
        """The tokenizer of this model."""
        if self._tokenizer is None:
            from lunagpt.tokenizer import LunaTokenizer

            self._tokenizer = LunaTokenizer.default()
        return self._tokenizer

    @property
    def device(self) -> torch.device:
        return self.embedding.weight.device

    def num_parameters(self, trainable: bool = False) -> int:
        """Number of weights, or of those that training changes; shared ones count once."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not trainable)

    @property
    def adapter_prefixes(self) -> tuple[str, ...]:
        """How the names of the parameters begin that `trainable="adapters"` trains."""
        experts = (f"layers.{i}.moe." for i in range(len(self.layers)) if self.config.model.has_experts(i))
        return ("hypernet.", *experts)

    def finish_loading(self) -> None:
        """Computes what is not among the weights, after a model built on the meta device got them."""
        self.rotary.reset_buffers()

    # -- computing -----------------------------------------------------------------------------------------

    def new_state(self, condition: Condition | Sequence[Condition | None] | None = None) -> DecodingState:
        """An empty state: pass it to `forward` to have it filled, pass it on to continue.

        Args:
            condition: style, domain and system prompt of the conversation, or of each row of a batch; needs a
                hypernetwork. See `lunagpt.models.conditioned`.
        """
        return DecodingState.empty(len(self.layers), adapters_of(self, condition))

    def conditioned(
        self,
        style: StyleLike | None = None,
        domain: DomainLike | None = None,
        system_prompt: str | None = None,
    ) -> "LunaModel":
        """A model that always speaks under a condition, at no cost while decoding: its own changed weights,
        all others shared with this one, which stays as it is. Arguments as in `Condition.of`.
        """
        return merged(self, Condition.of(style, domain, system_prompt))

    def detect_domain(self, text: str) -> dict[str, float]:
        """How likely each domain is for a question; see `lunagpt.models.conditioned.detect_domain`."""
        return detect_domain(self, text)

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
        """The final hidden states (B, T, D); arguments as in `forward`.

        Args:
            adapters: changes of the linear maps; default are those of the state.
            traits: what is known of each token's document, see `Context`.
            losses: receives what layers want minimised beside the cross-entropy (scalars, nats summed over
                tokens).
        """
        model = self.config.model
        batch, time = input_ids.shape
        if state is not None:
            check_switches(self, state)
        mask = extend_mask(state, attention_mask, batch, time)
        length = 0 if state is None else state.length
        real = None if mask is None else mask[:, length:]
        positions = token_positions(input_ids, real, None if state is None else state.positions)
        starts = None
        if document_ids is not None:
            starts = F.pad(document_ids[:, 1:] != document_ids[:, :-1], (1, 0))
        context = Context(
            rotary=self.rotary(positions) if model.has_rotary_positions else None,
            views=views_of(
                model,
                Passage(time, length, input_ids.device, mask, document_ids),
                self.relative_positions,
                self.compute_dtype,
            ),
            mask=real,
            starts=starts,
            losses=losses,
            traits=traits,
        )
        x = self.embedding(input_ids).to(self.compute_dtype)
        if self.embedding_convolution is not None and self.embedding_convolution.enabled:
            past = None if state is None else state.embeddings
            x, past = self.embedding_convolution(x, past, real, starts)
            if state is not None:
                state.embeddings = past
        adapters = adapters or (None if state is None else state.adapters)
        changes = [] if adapters is None else adapters.of_tokens(batch, time)
        for i, layer in enumerate(self.layers):
            x = layer(
                x, context, None if state is None else state.layers[i], changes[i] if changes else UNCHANGED
            )
        if state is not None:
            state.advance(positions, mask)
        return self.final_norm(x)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        state: DecodingState | None = None,
        document_ids: Tensor | None = None,
        logits_to_keep: int | None = None,
    ) -> LunaOutput:
        """
        Args:
            input_ids: (B, T) int64.
            attention_mask: (B, T), 0 at padding, which must stand on the left.
            state: what was read before; None reads from the start and keeps nothing.
            document_ids: (B, T) int, rising: tokens see only their own document (packed training rows).
            logits_to_keep: compute logits for the last so many positions only.
        """
        hidden = self.hidden_states(input_ids, attention_mask, state, document_ids)
        if logits_to_keep is not None:
            hidden = hidden[:, -logits_to_keep:]
        return LunaOutput(self.logits(hidden), state)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of the next token, (…, D) -> (…, V) float32."""
        return F.linear(hidden, self.output_weight.to(hidden.dtype)).float()

    def _cross_entropy(self, hidden: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        """Sum in nats and number of labels, see `linear_cross_entropy`."""
        return linear_cross_entropy(hidden, self.output_weight, labels)

    def loss(
        self,
        input_ids: Tensor,
        labels: Tensor,
        document_ids: Tensor | None = None,
        traits: Traits | None = None,
    ) -> tuple[Tensor, int]:
        """Sum of the cross-entropy in nats (scalar with gradient) and the number of labels counted.

        In training the gradient also holds that of the experts' balance losses; the value never does.

        Args:
            labels: (B, T) int64, the token that follows each input, -100 where nothing is to be learned.
            traits: as in `hidden_states`.
        """
        losses: list[Tensor] = []
        adapters = adapters_of_rows(self, Rows(input_ids, labels, document_ids, traits or {}), losses)
        hidden = self.hidden_states(
            input_ids, document_ids=document_ids, losses=losses, traits=traits, adapters=adapters
        )
        total, count = self._cross_entropy(hidden, labels)
        for loss in losses:
            # per target, as the cross-entropy: a dialogue's row has fewer targets than tokens
            loss = loss * (count / labels.numel())
            total = total + (loss - loss.detach())
        return total, count

    def after_step(self) -> dict[str, float]:
        """What must happen once after each optimizer step: experts are rebalanced.

        Returns:
            Figures for the log: the worst `expert_violation` (heaviest load over the mean, less 1) and the
            `dead_experts` of all layers; {} without experts.
        """
        figures = [figure for block in self.moe_blocks if (figure := block.rebalance())]
        if not figures:
            return {}
        return {
            "expert_violation": max(figure["violation"] for figure in figures),
            "dead_experts": sum(figure["dead_experts"] for figure in figures),
        }

    @property
    def moe_blocks(self) -> list[MoEBlock]:
        """The mixtures of experts, first layer first."""
        return [layer.moe for layer in self.layers if isinstance(layer.moe, MoEBlock)]

    @property
    def output_weight(self) -> Tensor:
        """(V, D) weight of the head."""
        return self.embedding.weight if self.lm_head is None else self.lm_head.weight
