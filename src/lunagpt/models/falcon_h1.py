"""The default model under another name: a dense hybrid Luna is a Falcon-H1, so that others can run it, and a
Falcon-H1 becomes a Luna.

Source: Falcon-H1 (Zuo et al. 2025) as `FalconH1ForCausalLM` of transformers implements it. All of its
multipliers are 1 in a Luna model; on the way in they are multiplied into the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lunagpt.config import ModelConfig
from lunagpt.errors import ConfigError, ModelFolderError
from lunagpt.models.eight_bit import refuse_eight_bits

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
        ConfigError: see `refuse_what_falcon_h1_lacks`; or the weights are in 8 bits.
    """
    refuse_what_falcon_h1_lacks(model.config.model)
    refuse_eight_bits(model)
    weights = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in _RENAMED:
            name = name.replace(ours, theirs)
        weights[name] = tensor[:, None] if name.endswith("conv1d.weight") else tensor
    return weights


def falcon_h1_settings(config: Any) -> dict[str, Any]:
    """Keys of section `model` for a `FalconH1Config`.

    Raises:
        ModelFolderError: it has something that Luna's blocks lack.
    """
    lacking = [name for name in _LACKING if getattr(config, name)]
    rope = config.rope_parameters
    lacking += ["mamba_conv_bias=false"] if not config.mamba_conv_bias else []
    lacking += ["hidden_act"] if config.hidden_act != "silu" else []
    lacking += ["rope_parameters"] if rope.get("rope_type", "default") != "default" else []
    lacking += ["time_step_limit"] if tuple(config.time_step_limit) != (0.0, float("inf")) else []
    if lacking:
        raise ModelFolderError(
            f"Este Falcon-H1 usa {', '.join(lacking)}, que os blocos do LunaGPT não têm. Use outro tamanho "
            "da família, como o de 0,5 bilhão, ou uma base de outra família."
        )
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_layers": config.num_hidden_layers,
        "num_heads": config.num_attention_heads,
        "num_kv_heads": config.num_key_value_heads,
        "head_dim": getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        "max_position_embeddings": config.max_position_embeddings,
        "norm_eps": config.rms_norm_eps,
        "ssm_inner_size": config.mamba_n_heads * config.mamba_d_head,
        "ssm_num_heads": config.mamba_n_heads,
        "ssm_num_groups": config.mamba_n_groups,
        "state_size": config.mamba_d_state,
        "conv_kernel": config.mamba_d_conv,
        "rope_theta": rope["rope_theta"],
        "tie_embeddings": _stays_tied(config),
        "use_attention": True,
        "use_state_space": True,
    }


def luna_weights(falcon: Any) -> dict[str, Tensor]:
    """The weights of a `FalconH1ForCausalLM` under Luna's names, its multipliers multiplied in."""
    config = falcon.config
    weights = {}
    for name, tensor in falcon.state_dict().items():
        for ours, theirs in _RENAMED:
            name = name.replace(theirs, ours)
        if name == "lm_head.weight" and _stays_tied(config):
            continue
        factor = _factor(name, tensor, config)
        tensor = tensor if factor is None else tensor * factor
        weights[name] = tensor[:, 0] if name.endswith("conv_weight") else tensor
    return weights


# switches of FalconH1Config that Luna's blocks have not
_LACKING = ("mamba_rms_norm", "attention_bias", "mlp_bias", "mamba_proj_bias", "projectors_bias")


def _stays_tied(config: Any) -> bool:
    """Input and output keep sharing a table if both are multiplied by the same."""
    same: bool = config.embedding_multiplier == config.lm_head_multiplier
    return bool(config.tie_word_embeddings) and same


def _factor(name: str, tensor: Tensor, config: Any) -> float | Tensor | None:
    """What the weight of Luna's `name` is multiplied by; None for nothing."""
    if name.endswith("state_space.in_proj.weight"):
        inner, groups = (
            config.mamba_n_heads * config.mamba_d_head,
            config.mamba_n_groups * config.mamba_d_state,
        )
        sizes = (inner, inner, groups, groups, config.mamba_n_heads)
        rows = [
            tensor.new_full((n, 1), value) for n, value in zip(sizes, config.ssm_multipliers, strict=True)
        ]
        return torch.cat(rows) * config.ssm_in_multiplier
    read = config.attention_in_multiplier
    gate, down = config.mlp_multipliers
    factors = {
        "embedding.weight": config.embedding_multiplier,
        "lm_head.weight": config.lm_head_multiplier,
        "q_proj.weight": read,
        "k_proj.weight": read * config.key_multiplier,
        "v_proj.weight": read,
        "o_proj.weight": config.attention_out_multiplier,
        "out_proj.weight": config.ssm_out_multiplier,
        "gate_proj.weight": gate,
        "down_proj.weight": down,
    }
    return next((factor for end, factor in factors.items() if name.endswith(end) and factor != 1.0), None)
