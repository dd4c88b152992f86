"""The default model is a Falcon-H1: same weights, same logits as transformers' implementation."""

import pytest
import torch
from tests.unit.test_model import make_model

from lunagpt.models import LunaModel
from lunagpt.models.falcon_h1 import falcon_h1_config, falcon_h1_weights

transformers = pytest.importorskip("transformers")


def as_falcon_h1(model: LunaModel):
    config = transformers.FalconH1Config(**falcon_h1_config(model.config.model))
    falcon = transformers.FalconH1ForCausalLM(config).eval()
    missing, unexpected = falcon.load_state_dict(falcon_h1_weights(model), strict=False)
    assert unexpected == []
    assert missing == (["lm_head.weight"] if model.config.model.tie_embeddings else [])
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
