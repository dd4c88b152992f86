"""A GGUF file under evaluation: Luna's own weights through llama.cpp give the numbers of Luna.

Needs the packages llama-cpp-python (extra `gguf`) and gguf.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.test_model import make_model

from lunagpt.errors import EvaluationError
from lunagpt.evaluation import open_language_model
from lunagpt.evaluation.luna_language_model import LunaLanguageModel
from lunagpt.models import LunaModel
from lunagpt.models.falcon_h1 import falcon_h1_weights

gguf = pytest.importorskip("gguf")
pytest.importorskip("llama_cpp", reason='pip install "lunagpt[gguf]"')

# as transformers names them and as GGUF does
MATRICES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "feed_forward.gate_proj": "ffn_gate",
    "feed_forward.up_proj": "ffn_up",
    "feed_forward.down_proj": "ffn_down",
    "mamba.in_proj": "ssm_in",
    "mamba.out_proj": "ssm_out",
}


def save_as_gguf(model: LunaModel, path: Path) -> Path:
    """Writes a Luna model in float32 as the architecture falcon-h1 of llama.cpp."""
    m, tokenizer = model.config.model, model.tokenizer
    writer = gguf.GGUFWriter(path, "falcon-h1")
    writer.add_context_length(m.max_position_embeddings)
    writer.add_embedding_length(m.hidden_size)
    writer.add_block_count(m.num_layers)
    writer.add_feed_forward_length(m.intermediate_size)
    writer.add_head_count(m.num_heads)
    writer.add_head_count_kv(m.num_kv_heads)
    writer.add_key_length(m.head_dim)
    writer.add_value_length(m.head_dim)
    writer.add_layer_norm_rms_eps(m.norm_eps)
    writer.add_rope_freq_base(m.rope_theta)
    writer.add_rope_dimension_count(m.head_dim)
    writer.add_vocab_size(m.vocab_size)
    writer.add_ssm_conv_kernel(m.conv_kernel)
    writer.add_ssm_inner_size(m.ssm_inner_size)
    writer.add_ssm_state_size(m.state_size)
    writer.add_ssm_time_step_rank(m.ssm_num_heads)
    writer.add_ssm_group_count(m.ssm_num_groups)
    content = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    control = tokenizer.special_token_ids
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([tokenizer.id_to_token(i) for i in range(m.vocab_size)])
    writer.add_token_types([3 if i in control else 1 for i in range(m.vocab_size)])
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in content["merges"]]
    )
    writer.add_eos_token_id(tokenizer.end_token_id)
    writer.add_add_bos_token(False)

    weights = falcon_h1_weights(model)

    def put(name: str, tensor: Any) -> None:
        writer.add_tensor(name, tensor.detach().float().contiguous().numpy().astype(np.float32))

    put("token_embd.weight", weights["model.embed_tokens.weight"])
    put("output_norm.weight", weights["model.final_layernorm.weight"])
    for i in range(m.num_layers):
        theirs, ours = f"model.layers.{i}.", f"blk.{i}."
        put(ours + "attn_norm.weight", weights[theirs + "input_layernorm.weight"])
        put(ours + "ffn_norm", weights[theirs + "pre_ff_layernorm.weight"])
        for name, short in MATRICES.items():
            put(f"{ours}{short}.weight", weights[f"{theirs}{name}.weight"])
        put(ours + "ssm_conv1d.weight", weights[theirs + "mamba.conv1d.weight"].squeeze(1))
        put(ours + "ssm_conv1d.bias", weights[theirs + "mamba.conv1d.bias"])
        put(ours + "ssm_dt.bias", weights[theirs + "mamba.dt_bias"])
        put(ours + "ssm_a", -weights[theirs + "mamba.A_log"].exp()[:, None])
        put(ours + "ssm_d", weights[theirs + "mamba.D"][:, None])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def model() -> LunaModel:
    return make_model(seed=5).eval()


@pytest.fixture(scope="module")
def file(model: LunaModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_as_gguf(model, tmp_path_factory.mktemp("gguf") / "luna.gguf")


def test_a_gguf_file_scores_like_luna(model: LunaModel, file: Path) -> None:
    peer = open_language_model(file)
    assert (peer.kind, peer.name) == ("gguf", "luna")
    pairs = [
        ("A capital do Brasil é", " Brasília"),
        ("A capital do Brasil é", " Lima, no Peru"),
        ("A capital do Brasil é ", "uma cidade planejada, no centro do país."),
        ("Pergunta longa. " * 40, "Resposta"),
        ("Pergunta longa. " * 40, "Outra resposta, bem mais comprida que a primeira"),
        ("Pergunta longa. " * 40, "Nada"),
        ("", "Uma frase sem contexto nenhum."),
        ("", "O rio corre para o mar. " * 110),  # more than one pass
    ]
    for one, other in zip(
        LunaLanguageModel(model).loglikelihood(pairs), peer.loglikelihood(pairs), strict=True
    ):
        assert other.nats == pytest.approx(one.nats, rel=2e-3, abs=2e-2)
        assert (other.num_tokens, other.num_bytes) == (one.num_tokens, one.num_bytes)
    alone, among_others = peer.loglikelihood(pairs[:1])[0], peer.loglikelihood(pairs)[0]
    assert alone.nats == pytest.approx(among_others.nats, abs=2e-2)


def test_a_gguf_file_gives_vectors_and_writes(
    model: LunaModel, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    peer = open_language_model(file)
    texts = ["um texto", "outro texto, bem mais longo que o primeiro"]
    assert np.allclose(peer.embed(texts), LunaLanguageModel(model).embed(texts), atol=2e-2)
    written = peer.generate(["Era uma vez", [{"role": "user", "content": "Oi"}]], max_new_tokens=4)
    assert len(written) == 2
    expected = LunaLanguageModel(model).generate(["Era uma vez"], max_new_tokens=4)[0]
    assert written[0] == expected
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF, mas nem tanto")
    with pytest.raises(EvaluationError, match=r"llama\.cpp não conseguiu abrir"):
        open_language_model(tmp_path / "x.gguf")
