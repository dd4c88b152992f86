"""The default model is a Falcon-H1: same weights, same logits as transformers' implementation."""

import pytest
import torch
from tests.unit.test_model import make_model

from lunagpt.models import LunaModel

transformers = pytest.importorskip("transformers")

RENAMED = [
    ("embedding.", "model.embed_tokens."),
    ("final_norm", "model.final_layernorm"),
    ("layers.", "model.layers."),
    (".input_norm", ".input_layernorm"),
    (".feed_forward_norm", ".pre_ff_layernorm"),
    (".attention.", ".self_attn."),
    (".state_space.", ".mamba."),
    (".conv_weight", ".conv1d.weight"),
    (".conv_bias", ".conv1d.bias"),
]


def as_falcon_h1(model: LunaModel):
    m = model.config.model
    config = transformers.FalconH1Config(
        vocab_size=m.vocab_size,
        hidden_size=m.hidden_size,
        intermediate_size=m.intermediate_size,
        num_hidden_layers=m.num_layers,
        num_attention_heads=m.num_heads,
        num_key_value_heads=m.num_kv_heads,
        head_dim=m.head_dim,
        rms_norm_eps=m.norm_eps,
        mamba_d_ssm=m.ssm_inner_size,
        mamba_n_heads=m.ssm_num_heads,
        mamba_d_head=m.ssm_inner_size // m.ssm_num_heads,
        mamba_n_groups=m.ssm_num_groups,
        mamba_d_state=m.state_size,
        mamba_d_conv=m.conv_kernel,
        mamba_chunk_size=m.chunk_size,
        mamba_rms_norm=False,
        tie_word_embeddings=m.tie_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": m.rope_theta},
    )
    weights = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in RENAMED:
            name = name.replace(ours, theirs)
        weights[name] = tensor[:, None] if name.endswith("conv1d.weight") else tensor
    falcon = transformers.FalconH1ForCausalLM(config).eval()
    missing, unexpected = falcon.load_state_dict(weights, strict=False)
    assert unexpected == []
    assert missing == (["lm_head.weight"] if m.tie_embeddings else [])
    falcon.tie_weights()
    return falcon


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"ssm_num_groups": 3}, {"tie_embeddings": False}])
def test_logits_equal_falcon_h1(changes):
    model = make_model(seed=3, **changes)
    falcon = as_falcon_h1(model)
    ids = torch.randint(0, 16384, (2, 90))
    expected = falcon(ids, logits_to_keep=0, use_cache=False).logits
    assert (model(ids).logits - expected).abs().max() < 1e-4

    state, cached = model.new_state(), None
    for piece in ids.split([80, *[1] * 10], dim=1):
        ours = model(piece, state=state).logits[:, -1]
        theirs = falcon(piece, past_key_values=cached, use_cache=True)
        cached = theirs.past_key_values
        assert (ours - theirs.logits[:, -1]).abs().max() < 1e-4
