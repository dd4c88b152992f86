"""The default model under another name: a dense hybrid Luna is a Falcon-H1, so that others can run it.

Source: Falcon-H1 (Zuo et al. 2025) as `FalconH1ForCausalLM` of transformers implements it. All of its
multipliers are 1 in a Luna model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from lunagpt.config import ModelConfig
from lunagpt.errors import ConfigError

if TYPE_CHECKING:
    from lunagpt.models.luna_model import LunaModel

_RENAMED = (
    ("embedding.", "model.embed_tokens."),
    ("final_norm", "model.final_layernorm"),
    ("layers.", "model.layers."),
    (".input_norm", ".input_layernorm"),
    (".feed_forward_norm", ".pre_ff_layernorm"),
    (".attention.", ".self_attn."),
    (".state_space.", ".mamba."),
    (".conv_weight", ".conv1d.weight"),
    (".conv_bias", ".conv1d.bias"),
)


def refuse_what_falcon_h1_lacks(model: ModelConfig) -> None:
    """
    Raises:
        ConfigError: the model has a part that Falcon-H1 does not have, or lacks one that it has.
    """
    differing = {
        "use_attention": not model.use_attention,
        "use_state_space": not model.use_state_space,
        "use_moe": model.use_moe,
        "use_hypernet": model.use_hypernet,
        "positions": model.positions != "rotary",
        "attention_temperature": model.attention_temperature,
        "embedding_convolution": model.embedding_convolution,
        "sliding_window": any(model.has_window(i) for i in range(model.num_layers)),
    }
    if names := [f"model.{name}" for name, differs in differing.items() if differs]:
        raise ConfigError(
            f"Este modelo não pode ser exportado como Falcon-H1, que não tem equivalente para "
            f"{', '.join(names)}. Exporte um modelo treinado sem isso, ou use este com o próprio LunaGPT."
        )


def falcon_h1_config(model: ModelConfig) -> dict[str, Any]:
    """Arguments of transformers' `FalconH1Config` for this shape.

    Raises:
        ConfigError: see `refuse_what_falcon_h1_lacks`.
    """
    refuse_what_falcon_h1_lacks(model)
    return {
        "vocab_size": model.vocab_size,
        "hidden_size": model.hidden_size,
        "intermediate_size": model.intermediate_size,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_heads,
        "num_key_value_heads": model.num_kv_heads,
        "head_dim": model.head_dim,
        "max_position_embeddings": model.max_position_embeddings,
        "rms_norm_eps": model.norm_eps,
        "mamba_d_ssm": model.ssm_inner_size,
        "mamba_n_heads": model.ssm_num_heads,
        "mamba_d_head": model.ssm_head_dim,
        "mamba_n_groups": model.ssm_num_groups,
        "mamba_d_state": model.state_size,
        "mamba_d_conv": model.conv_kernel,
        "mamba_chunk_size": model.chunk_size,
        "mamba_rms_norm": False,
        "tie_word_embeddings": model.tie_embeddings,
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_theta},
    }


def falcon_h1_weights(model: LunaModel) -> dict[str, Tensor]:
    """The weights as `FalconH1ForCausalLM` names and shapes them; no ``lm_head`` when embeddings are tied.

    Raises:
        ConfigError: see `refuse_what_falcon_h1_lacks`.
    """
    refuse_what_falcon_h1_lacks(model.config.model)
    weights = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in _RENAMED:
            name = name.replace(ours, theirs)
        weights[name] = tensor[:, None] if name.endswith("conv1d.weight") else tensor
    return weights
