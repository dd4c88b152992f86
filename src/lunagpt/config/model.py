"""Shape of the neural network, the named presets and the number of parameters they give."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, model_validator

from lunagpt.config.section import Section

# The shape of each preset; what is not named keeps the default of `ModelConfig`.
# Parameters with the shared vocabulary of 16,384: test 1.2 M, nano 14.5 M, small 26.4 M, mini 90.7 M.
MODEL_PRESETS: MappingProxyType[str, MappingProxyType[str, Any]] = MappingProxyType(
    {
        "test": MappingProxyType(
            {
                "hidden_size": 64,
                "num_layers": 2,
                "num_heads": 2,
                "num_kv_heads": 1,
                "head_dim": 32,
                "intermediate_size": 128,
                "ssm_inner_size": 96,
                "ssm_num_heads": 3,
            }
        ),
        "nano": MappingProxyType({}),
        "small": MappingProxyType(
            {
                "hidden_size": 320,
                "num_layers": 16,
                "intermediate_size": 512,
                "ssm_inner_size": 512,
                "ssm_num_heads": 16,
            }
        ),
        "mini": MappingProxyType(
            {
                "hidden_size": 512,
                "num_layers": 26,
                "num_heads": 8,
                "num_kv_heads": 2,
                "head_dim": 64,
                "intermediate_size": 768,
                "ssm_inner_size": 768,
                "ssm_num_heads": 24,
            }
        ),
    }
)

AdaptedMap = Literal[
    "q_proj", "k_proj", "v_proj", "o_proj", "in_proj", "out_proj", "gate_proj", "up_proj", "down_proj"
]


class ModelConfig(Section):
    """Section `model`: a decoder whose layers run attention beside a Mamba-2 mixer, then a feed-forward.

    `preset` fills in the shape; keys given beside it win over the preset's.
    """

    name: str = Field("luna", description="Nome do modelo, gravado na pasta e no cartão.")
    base_path: str | None = Field(None, description="Pasta do modelo a carregar; vazio usa o que vem junto.")
    base_family: str | None = Field(
        None, description="Família da base sobre a qual o modelo foi montado (llama, qwen3…); vazio: nenhuma."
    )
    base_parameters: int = Field(
        0,
        ge=0,
        description="Pesos da base, sem o que o LunaGPT pôs nela; contado ao montar o modelo.",
    )
    preset: str | None = Field(None, frozen=True, description="Tamanho pronto: test, nano, small ou mini.")
    vocab_size: int = Field(16384, ge=272, description="Entradas do vocabulário.")
    hidden_size: int = Field(256, ge=8, description="Largura do modelo (D).")
    num_layers: int = Field(12, ge=1, description="Número de camadas.")
    num_heads: int = Field(4, ge=1, description="Cabeças de atenção.")
    num_kv_heads: int = Field(2, ge=1, description="Cabeças de chave e valor; divide num_heads.")
    head_dim: int = Field(64, ge=2, description="Largura de cada cabeça de atenção; par.")
    intermediate_size: int = Field(384, ge=1, description="Largura interna do feed-forward.")
    ssm_inner_size: int = Field(384, ge=1, description="Largura interna do espaço de estados.")
    ssm_num_heads: int = Field(12, ge=1, description="Cabeças do espaço de estados; divide ssm_inner_size.")
    state_size: int = Field(128, ge=1, description="Tamanho do estado por canal (N).")
    ssm_num_groups: int = Field(1, ge=1, description="Grupos que partilham B e C; divide ssm_num_heads.")
    conv_kernel: int = Field(4, ge=1, le=4, description="Passo da convolução causal curta (1 a 4).")
    chunk_size: int = Field(64, ge=1, description="Tokens por bloco na forma paralela do espaço de estados.")
    rope_theta: float = Field(1e11, gt=0, description="Base das posições rotativas.")
    norm_eps: float = Field(1e-5, gt=0, description="Épsilon das normalizações.")
    max_position_embeddings: int = Field(2048, ge=1, description="Contexto para o qual o modelo é treinado.")
    tie_embeddings: bool = Field(True, description="Entrada e saída usam a mesma tabela de vocabulário.")
    positions: Literal["rotary", "relative", "rotary+relative", "none"] = Field(
        "rotary", description="Posições na atenção: rotary, relative (viés por distância), as duas ou none."
    )
    relative_buckets: int = Field(32, ge=2, description="Faixas de distância do viés relativo.")
    relative_distance: int = Field(
        1024, ge=2, description="Distância a partir da qual o viés relativo já não muda."
    )
    attention_temperature: bool = Field(
        False, description="Liga a temperatura da atenção, aprendida por cabeça, com QK-norm."
    )
    embedding_convolution: bool = Field(
        False, description="Liga a convolução causal curta sobre os embeddings (largura conv_kernel)."
    )
    sliding_window: int | None = Field(
        None, ge=1, description="Tokens que a atenção das camadas com janela vê; null: sem janela."
    )
    window_layers: Literal["inner", "alternate", "all"] | list[int] = Field(
        "inner",
        description="Camadas com janela: inner (menos a primeira, a do meio e a última), alternate, all ou "
        "números.",
    )
    use_attention: bool = Field(True, description="Liga a atenção.")
    use_state_space: bool = Field(True, description="Liga o espaço de estados (Mamba-2).")
    use_moe: bool = Field(False, description="Liga a mistura de especialistas.")
    moe_layers: Literal["alternate", "all"] | list[int] = Field(
        "alternate", description="Camadas com especialistas: alternate (uma sim, outra não), all ou números."
    )
    num_experts: int = Field(8, ge=1, description="Especialistas por camada.")
    experts_per_token: int = Field(2, ge=1, description="Especialistas que cada token usa.")
    expert_size: int | None = Field(
        None, ge=1, description="Largura de um especialista; null: intermediate_size / experts_per_token."
    )
    expert_dropout: float = Field(0.0, ge=0, lt=1, description="Parte descartada dentro dos especialistas.")
    expert_balancing: Literal["bias", "loss", "none"] = Field(
        "bias", description="O que equilibra a carga: bias (sem perda), loss (perda f·P) ou none."
    )
    emotional_routing: bool = Field(
        False, description="A emoção do que já foi dito pesa na escolha dos especialistas (com use_moe)."
    )
    use_hypernet: bool = Field(False, description="Liga as hiper-redes.")
    hypernet_rank: int = Field(4, ge=1, description="Posto das mudanças que a hiper-rede gera.")
    hypernet_size: int = Field(64, ge=1, description="Largura interna da hiper-rede.")
    hypernet_maps: list[AdaptedMap] = Field(
        default=["o_proj", "out_proj", "gate_proj", "up_proj", "down_proj"],
        min_length=1,
        description="Mapas lineares que a hiper-rede muda em cada camada.",
    )
    hypernet_dropout: float = Field(
        0.1, ge=0, lt=1, description="Parte das condições que o treino esquece de propósito."
    )
    hypernet_domains: int = Field(8, ge=1, description="Quantos domínios a hiper-rede distingue.")
    use_growing: bool = Field(False, description="Liga o crescimento durante o treino.")
    answers_from_passages: bool = Field(
        False, description="Responde bem a partir de trechos; false faz a resposta ser extraída deles."
    )

    decides_to_think: bool = Field(
        False, description="Foi treinado para decidir quando pensar; o treino escreve isto."
    )

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("preset") is None:
            return data
        preset = data["preset"]
        if not isinstance(preset, str) or preset not in MODEL_PRESETS:
            raise ValueError(
                f'não conheço o preset "{preset}"; os que existem são: {", ".join(MODEL_PRESETS)}'
            )
        return {**MODEL_PRESETS[preset], **data}

    @model_validator(mode="after")
    def _check_shape(self) -> ModelConfig:
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_kv_heads ({self.num_kv_heads}) precisa dividir num_heads ({self.num_heads})"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim ({self.head_dim}) precisa ser par, por causa das posições rotativas")
        if self.ssm_inner_size % self.ssm_num_heads:
            raise ValueError(
                f"ssm_num_heads ({self.ssm_num_heads}) precisa dividir ssm_inner_size ({self.ssm_inner_size})"
            )
        if self.ssm_num_heads % self.ssm_num_groups:
            raise ValueError(
                f"ssm_num_groups ({self.ssm_num_groups}) precisa dividir ssm_num_heads ({self.ssm_num_heads})"
            )
        if not (self.use_attention or self.use_state_space):
            raise ValueError("use_attention e use_state_space estão os dois desligados; ligue ao menos um")
        if self.emotional_routing and not self.use_moe:
            raise ValueError("emotional_routing escolhe entre especialistas; ligue também use_moe")
        if self.experts_per_token > self.num_experts:
            raise ValueError(
                f"experts_per_token ({self.experts_per_token}) não pode passar de num_experts "
                f"({self.num_experts})"
            )
        for field in ("moe_layers", "window_layers"):
            named = getattr(self, field)
            beyond = [i for i in named if not 0 <= i < self.num_layers] if isinstance(named, list) else []
            if beyond:
                raise ValueError(
                    f"{field} fala da camada {beyond[0]}, mas elas vão de 0 a {self.num_layers - 1}"
                )
        if self.use_hypernet and not self.hypernet_shapes:
            raise ValueError(
                f"nenhum dos hypernet_maps ({', '.join(self.hypernet_maps)}) existe neste modelo; escolha "
                "mapas das partes que estão ligadas"
            )
        if self.relative_buckets > self.relative_distance:
            raise ValueError(
                f"relative_buckets ({self.relative_buckets}) não pode passar de relative_distance "
                f"({self.relative_distance})"
            )
        return self

    def has_experts(self, layer: int) -> bool:
        """Whether layer number `layer` has experts in place of one feed-forward network."""
        if not self.use_moe or self.moe_layers == "all":
            return self.use_moe
        return layer % 2 == 1 if self.moe_layers == "alternate" else layer in self.moe_layers

    def has_window(self, layer: int) -> bool:
        """Whether the attention of layer number `layer` sees the last `sliding_window` tokens only."""
        if self.sliding_window is None or self.window_layers == "all":
            return self.sliding_window is not None
        if self.window_layers == "inner":  # as in Hymba (arXiv 2411.13676, section 2.3)
            return layer not in (0, self.num_layers // 2, self.num_layers - 1)
        return layer % 2 == 1 if self.window_layers == "alternate" else layer in self.window_layers

    def window_of(self, layer: int) -> int | None:
        """Tokens that the attention of layer number `layer` sees; None for all."""
        return self.sliding_window if self.has_window(layer) else None

    @property
    def drops_at_random(self) -> bool:
        """Whether training leaves something out by chance."""
        return (self.use_hypernet and self.hypernet_dropout > 0) or (self.use_moe and self.expert_dropout > 0)

    @property
    def has_rotary_positions(self) -> bool:
        return self.positions in ("rotary", "rotary+relative")

    @property
    def has_relative_positions(self) -> bool:
        """Whether attention has a bias by distance."""
        return self.use_attention and self.positions in ("relative", "rotary+relative")

    @property
    def expert_width(self) -> int:
        """Inner width of one expert."""
        return self.expert_size or max(1, self.intermediate_size // self.experts_per_token)

    @property
    def hypernet_shapes(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each linear map that the hypernetwork changes, in a fixed order."""
        width, inner = self.hidden_size, self.intermediate_size
        heads, kv_heads = self.num_heads * self.head_dim, self.num_kv_heads * self.head_dim
        convolved = self.ssm_inner_size + 2 * self.ssm_num_groups * self.state_size
        shapes: dict[str, tuple[int, int]] = {}
        if self.use_attention:
            shapes |= {"q_proj": (width, heads), "k_proj": (width, kv_heads), "v_proj": (width, kv_heads)}
            shapes |= {"o_proj": (heads, width)}
        if self.use_state_space:
            shapes |= {"in_proj": (width, self.ssm_inner_size + convolved + self.ssm_num_heads)}
            shapes |= {"out_proj": (self.ssm_inner_size, width)}
        if not all(self.has_experts(i) for i in range(self.num_layers)):
            shapes |= {"gate_proj": (width, inner), "up_proj": (width, inner), "down_proj": (inner, width)}
        return {name: shape for name, shape in shapes.items() if name in self.hypernet_maps}

    @property
    def ssm_head_dim(self) -> int:
        """Width of one state-space head."""
        return self.ssm_inner_size // self.ssm_num_heads


def count_parameters(model: ModelConfig) -> int:
    """Number of trained values of the model that `model` describes, without building it.

    Luna's own blocks are those of Falcon-H1 (no biases but the convolution's, no gated norm): the vocabulary
    table (twice if untied), per layer the mixers that are on, the feed-forward (or all experts and their
    router) and two norms, and the last norm. Of a base of another family `base_parameters` counts all that is
    not Luna's.
    """
    total = model.base_parameters if model.base_family is not None else _count_own(model)
    total += model.num_layers * _count_state_space(model) if model.use_state_space else 0
    expert_layers = sum(model.has_experts(i) for i in range(model.num_layers))
    experts = model.num_experts * model.hidden_size * (3 * model.expert_width + 1)
    if model.emotional_routing:
        experts += 8 * (model.hidden_size + model.num_experts)
    return total + expert_layers * experts + (_count_hypernet(model) if model.use_hypernet else 0)


def _count_own(model: ModelConfig) -> int:
    """Values of Luna's own blocks without state space, experts and hypernetwork."""
    width = model.hidden_size
    layer = 2 * width
    if model.use_attention:
        layer += 2 * width * model.head_dim * (model.num_heads + model.num_kv_heads)
        layer += model.num_heads * (width + 1) if model.attention_temperature else 0
    tables = model.vocab_size * width * (1 if model.tie_embeddings else 2)
    tables += model.relative_buckets * model.num_heads if model.has_relative_positions else 0
    tables += model.conv_kernel * width if model.embedding_convolution else 0
    dense_layers = sum(not model.has_experts(i) for i in range(model.num_layers))
    return tables + model.num_layers * layer + dense_layers * 3 * width * model.intermediate_size + width


def _count_state_space(model: ModelConfig) -> int:
    """Values of the state space of one layer."""
    width, inner, heads = model.hidden_size, model.ssm_inner_size, model.ssm_num_heads
    convolved = inner + 2 * model.ssm_num_groups * model.state_size
    projections = width * (inner + convolved + heads) + inner * width
    return projections + convolved * (model.conv_kernel + 1) + 3 * heads


def _count_hypernet(model: ModelConfig) -> int:
    """Values of `lunagpt.models.conditioning.ModelHyperNetwork`."""
    width, size, shapes = model.hidden_size, model.hypernet_size, model.hypernet_shapes
    encoders = size * (4 + model.hypernet_domains + width + 3) + width
    network = 2 * size * (size + 2)  # two layers, each with a norm
    per_layer = (size + 1) * model.num_layers
    generators = size * model.hypernet_rank * sum(sum(shape) for shape in shapes.values())
    detector = (width // 2) * (width + model.hypernet_domains)
    return encoders + network + per_layer + size * len(shapes) + generators + detector


def halve(model: ModelConfig) -> ModelConfig:
    """The model with half the width, heads and depth; head sizes and vocabulary stay."""
    heads = max(1, model.num_heads // 2)
    kv_heads = max(1, model.num_kv_heads // 2)
    groups = max(1, model.ssm_num_groups // 2)
    ssm_heads = max(groups, model.ssm_num_heads // 2 // groups * groups)
    shape = {
        "name": f"{model.name}-pequeno",
        "base_path": None,
        "base_family": None,
        "base_parameters": 0,
        "preset": None,
        "hidden_size": max(8, model.hidden_size // 2),
        "num_layers": max(1, model.num_layers // 2),
        "num_heads": heads // kv_heads * kv_heads,
        "num_kv_heads": kv_heads,
        "intermediate_size": max(1, model.intermediate_size // 2),
        "expert_size": model.expert_size and max(1, model.expert_size // 2),
        "moe_layers": "alternate" if isinstance(model.moe_layers, list) else model.moe_layers,
        "window_layers": "inner" if isinstance(model.window_layers, list) else model.window_layers,
        "ssm_inner_size": ssm_heads * model.ssm_head_dim,
        "ssm_num_heads": ssm_heads,
        "ssm_num_groups": groups,
    }
    return ModelConfig(**{**model.to_dict(), **shape})
