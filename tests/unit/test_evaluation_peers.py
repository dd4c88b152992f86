"""Other kinds of model give the same numbers: Luna's own weights as a transformers folder, and an engine."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.unit.test_model import make_model

from lunagpt.engines import AnswerReport, AnswerStream, Message
from lunagpt.errors import EvaluationError, MissingDependencyError
from lunagpt.evaluation import open_language_model
from lunagpt.evaluation.luna_language_model import LunaLanguageModel
from lunagpt.generation import SamplingParams
from lunagpt.models import LunaModel
from lunagpt.models.falcon_h1 import falcon_h1_config, falcon_h1_weights


def save_as_transformers(model: LunaModel, folder: Path) -> Path:
    """Writes a Luna model as a folder that transformers loads."""
    transformers = pytest.importorskip("transformers")
    config = transformers.FalconH1Config(
        **falcon_h1_config(model.config.model),
        bos_token_id=None,
        eos_token_id=model.tokenizer.end_token_id,
        pad_token_id=model.tokenizer.pad_token_id,
    )
    falcon = transformers.FalconH1ForCausalLM(config).eval()
    falcon.load_state_dict(falcon_h1_weights(model), strict=False)
    falcon.tie_weights()
    falcon.save_pretrained(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=model.tokenizer.backend_tokenizer,
        eos_token=model.tokenizer.end_token,
        pad_token=model.tokenizer.pad_token,
    )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model() -> LunaModel:
    return make_model(seed=5, max_position_embeddings=64).eval()


@pytest.fixture(scope="module")
def folder(model: LunaModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_as_transformers(model, tmp_path_factory.mktemp("peer") / "luna-falcon")


def test_a_transformers_folder_scores_like_luna(model: LunaModel, folder: Path) -> None:
    peer = open_language_model(folder)
    assert (peer.kind, peer.name) == ("transformers", "luna-falcon")
    assert peer.describe()["parameters"] == model.num_parameters()
    pairs = [
        ("A capital do Brasil é", " Brasília"),
        ("A capital do Brasil é ", "uma cidade planejada, no centro do país."),
        ("Pergunta longa. " * 20, "Resposta"),
        ("", "Uma frase sem contexto nenhum."),
        ("", "O rio corre para o mar. " * 16),
    ]
    ours, theirs = LunaLanguageModel(model).loglikelihood(pairs), peer.loglikelihood(pairs)
    for one, other in zip(ours, theirs, strict=True):
        assert other.nats == pytest.approx(one.nats, abs=5e-3)
        assert (other.num_tokens, other.num_bytes, other.greedy) == (
            one.num_tokens,
            one.num_bytes,
            one.greedy,
        )


def test_a_transformers_folder_gives_the_vectors_of_luna(model: LunaModel, folder: Path) -> None:
    texts = ["um texto", "outro texto, bem mais longo que o primeiro"]
    ours, theirs = LunaLanguageModel(model).embed(texts), open_language_model(folder).embed(texts)
    assert np.allclose(ours, theirs, atol=1e-3)


def test_a_transformers_folder_without_dialogues_continues_them_as_text(folder: Path) -> None:
    peer = open_language_model(folder)
    dialogue = [{"role": "user", "content": "Oi"}]
    both = peer.generate([dialogue, "Oi\nResposta:"], max_new_tokens=5)
    assert both[0] == both[1]
    assert (
        peer.generate(["Oi", "Era uma vez um"], max_new_tokens=5)[1]
        == peer.generate(["Era uma vez um"], max_new_tokens=5)[0]
    )


def test_an_engine_only_writes() -> None:
    class Echo:
        name = "eco"

        def stream(
            self,
            messages: Sequence[Message],
            params: SamplingParams,
            *,
            cancel: threading.Event | None = None,
        ) -> AnswerStream:
            def pieces() -> Iterator[str]:
                yield from (messages[-1]["content"], f" {params.max_new_tokens} {params.temperature:g}")

            return AnswerStream(pieces(), AnswerReport())

    model = open_language_model(Echo())
    assert model.capabilities == {"generate"}
    assert model.generate(["Oi", [{"role": "user", "content": "Tchau"}]], max_new_tokens=7) == [
        "Oi 7 0",
        "Tchau 7 0",
    ]
    with pytest.raises(EvaluationError, match='"eco" não dá a probabilidade'):
        model.loglikelihood([("a", "b")])
    with pytest.raises(EvaluationError, match="vetores"):
        model.embed(["a"])


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="luna-nano"):
        open_language_model(tmp_path / "nada")
    with pytest.raises(EvaluationError, match="do tipo int"):
        open_language_model(3)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EvaluationError, match="transformers não conseguiu"):
        open_language_model(tmp_path)


def test_a_folder_without_some_of_its_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folder, tmp_path / "copia")
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.0.feed_forward.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(EvaluationError, match=r"Faltam pesos .*: 1, entre eles .*up_proj"):
        open_language_model(copy)
    (copy / "model.safetensors").write_bytes(b"nada disso")
    with pytest.raises(EvaluationError, match="transformers não conseguiu"):
        open_language_model(copy)


def test_a_gguf_file_needs_llama_cpp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(MissingDependencyError, match=r"lunagpt\[gguf\]"):
        open_language_model(tmp_path / "x.gguf")


def test_names_can_be_given(model: LunaModel) -> None:
    assert open_language_model(model, name="outro").name == "outro"
    assert open_language_model("luna-nano").describe()["path"] == "luna-nano"
