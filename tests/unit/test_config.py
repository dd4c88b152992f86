"""LunaConfig as a tree of checked values: access, presets, sizes, messages."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt import LunaConfig
from lunagpt.config import (
    PRESETS,
    DataSource,
    ModelConfig,
    TrainingConfig,
    count_parameters,
    create_small_config,
)
from lunagpt.errors import ConfigError, LunaError

SECTIONS = {name: type(getattr(LunaConfig(), name)) for name in LunaConfig.model_fields if name != "version"}
KEYS = [(section, key) for section, kind in SECTIONS.items() for key in kind.model_fields]


def test_has_the_sections_of_the_specification() -> None:
    names = "model, tokenizer, hardware, rag, proactive, personas, feedback, training, curriculum, data"
    assert set(names.split(", ")) <= set(SECTIONS)


@pytest.mark.parametrize(
    ("section", "key", "default"),
    [
        ("rag", "k_retrieval", 5),
        ("rag", "relevance_threshold", 0.7),
        ("rag", "max_context_length", 1500),
        ("rag", "enable_fallback", True),
        ("rag", "stop_words", "portuguese"),
        ("proactive", "enabled", False),
        ("proactive", "threshold", 0.7),
        ("proactive", "max_suggestions", 2),
        ("curriculum", "stages", 3),
        ("curriculum", "progress_metrics", ["loss", "accuracy"]),
        ("curriculum", "progression_threshold", 0.8),
        ("curriculum", "patience", 2),
        ("curriculum", "min_epochs_per_stage", 1),
        ("feedback", "db_path", "feedback.jsonl"),
        ("feedback", "dimensions", ["helpful", "relevant", "accurate", "detailed", "concise"]),
        ("feedback", "enable_reflection", True),
        ("feedback", "weakness_threshold", 3.5),
        ("personas", "default", "balanced"),
        ("tokenizer", "max_length", 1024),
        ("tokenizer", "truncation_strategy", "right"),
    ],
)
def test_defaults_are_those_of_the_specification(section: str, key: str, default: Any) -> None:
    config = LunaConfig()
    assert config.get(section).get(key, "outro") == default
    assert config[section][key] == getattr(getattr(config, section), key) == default


def test_get_returns_the_default_for_what_is_not_set_or_does_not_exist() -> None:
    config = LunaConfig()
    assert config.personas.get("definitions_path", "personas.json") == "personas.json"
    assert config.tokenizer.get("não_existe", 3) == 3
    assert config.get("não_existe") is None
    assert "rag" in config
    assert "não_existe" not in config.rag
    assert dict(config.proactive) == config.proactive.to_dict()
    with pytest.raises(KeyError):
        config.rag["não_existe"]


def test_shortcuts_follow_the_model_section() -> None:
    config = LunaConfig.from_dict({"model": {"use_moe": True, "use_growing": True, "use_attention": False}})
    assert config.use_moe
    assert config.use_growing
    assert config.use_state_space
    assert not config.use_attention
    assert not config.use_hypernet


def test_device_obeys_the_settings() -> None:
    assert LunaConfig.from_dict({"hardware": {"device": "cuda:1"}}).device == "cuda:1"
    assert LunaConfig.from_dict({"hardware": {"device": "cuda:1", "force_cpu": True}}).device == "cpu"
    assert LunaConfig.from_dict({"hardware": {"auto_detect": False}}).device == "cpu"


def test_device_detects_the_first_allowed_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert LunaConfig().device == "cuda:0"
    assert LunaConfig.from_dict({"hardware": {"gpu_devices": [2, 0]}}).device == "cuda:2"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert LunaConfig().device == "cpu"


@pytest.mark.parametrize(
    ("preset", "millions"),
    [("test", (1.0, 1.5)), ("nano", (14, 15)), ("small", (26, 27)), ("mini", (89, 94))],
)
def test_presets_have_the_promised_size(preset: str, millions: tuple[float, float]) -> None:
    model = LunaConfig.preset(preset).model
    assert millions[0] <= count_parameters(model) / 1e6 <= millions[1]
    assert model.state_size == 128
    assert model.preset == preset


def test_mini_has_the_depth_closest_to_92_million() -> None:
    model = LunaConfig.preset("mini").model
    distances = {
        layers: abs(count_parameters(ModelConfig(**{**model.to_dict(), "num_layers": layers})) - 92e6)
        for layers in range(24, 29)
    }
    assert model.num_layers == min(distances, key=distances.__getitem__)


def test_defaults_are_the_preset_nano() -> None:
    nano = LunaConfig.preset("nano")
    assert nano.replaced(model={"preset": None, "name": "luna"}) == LunaConfig()


def test_keys_beside_a_preset_win() -> None:
    config = LunaConfig.from_dict({"model": {"preset": "mini", "num_layers": 3}})
    assert (config.model.hidden_size, config.model.num_layers) == (512, 3)


def test_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="test, nano, small, mini"):
        LunaConfig.preset("enorme")


def test_a_preset_cannot_be_swapped_under_an_existing_shape() -> None:
    config = LunaConfig.preset("nano")
    with pytest.raises(ConfigError, match="crie outra"):
        config.model.preset = "mini"


@pytest.mark.parametrize("use_attention", [True, False])
@pytest.mark.parametrize("use_state_space", [True, False])
@pytest.mark.parametrize("tie", [True, False])
def test_parameter_count_equals_the_built_model(
    use_attention: bool, use_state_space: bool, tie: bool
) -> None:
    if not (use_attention or use_state_space):
        with pytest.raises(ConfigError, match="ligue ao menos um"):
            ModelConfig(use_attention=False, use_state_space=False)
        return
    pytest.importorskip("torch")
    from lunagpt.models import LunaModel

    config = LunaConfig.preset("test").replaced(
        model={"use_attention": use_attention, "use_state_space": use_state_space, "tie_embeddings": tie}
    )
    model = LunaModel.from_scratch(config)
    assert count_parameters(config.model) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("preset", PRESETS)
def test_small_config_keeps_vocabulary_and_halves_the_rest(preset: str) -> None:
    config = LunaConfig.preset(preset).replaced(rag={"k_retrieval": 9})
    small = config.create_small_config()
    assert count_parameters(small.model) < count_parameters(config.model) / 2
    assert small.model.vocab_size == config.model.vocab_size
    assert small.model.head_dim == config.model.head_dim
    assert small.model.ssm_head_dim == config.model.ssm_head_dim
    assert small.rag.k_retrieval == 9
    assert create_small_config(config) == small


def test_small_config_of_the_defaults() -> None:
    assert create_small_config().model.hidden_size == 128


SHAPES = st.fixed_dictionaries(
    {
        "hidden_size": st.integers(8, 600),
        "num_layers": st.integers(1, 40),
        "num_kv_heads": st.integers(1, 5),
        "head_dim": st.sampled_from([2, 32, 64]),
        "intermediate_size": st.integers(1, 900),
        "ssm_num_groups": st.integers(1, 4),
    }
)


@given(SHAPES, st.integers(1, 6), st.integers(1, 6), st.integers(1, 64))
def test_every_valid_shape_has_a_valid_smaller_one(
    shape: dict[str, int], queries_per_key: int, ssm_heads_per_group: int, ssm_head_dim: int
) -> None:
    ssm_heads = shape["ssm_num_groups"] * ssm_heads_per_group
    model = ModelConfig(
        **shape,
        num_heads=shape["num_kv_heads"] * queries_per_key,
        ssm_num_heads=ssm_heads,
        ssm_inner_size=ssm_heads * ssm_head_dim,
    )
    small = LunaConfig(model=model).create_small_config().model
    assert count_parameters(small) <= count_parameters(model)
    assert small.ssm_head_dim == model.ssm_head_dim


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"num_heads": 5, "num_kv_heads": 2}, "num_kv_heads (2) precisa dividir num_heads (5)"),
        ({"head_dim": 33}, "head_dim (33) precisa ser par"),
        ({"ssm_num_heads": 7}, "ssm_num_heads (7) precisa dividir ssm_inner_size (384)"),
        ({"ssm_num_groups": 5}, "ssm_num_groups (5) precisa dividir ssm_num_heads (12)"),
    ],
)
def test_shapes_that_cannot_be_built_are_explained(shape: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_dict({"model": shape})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model": {"hiden_size": 3}}, ['"model.hiden_size" não existe', 'quis dizer "model.hidden_size"?']),
        ({"modell": {}}, ['"modell" não existe', 'quis dizer "model"?']),
        ({"rag": {"temperatura": 1}}, ['"rag.temperatura" não existe', "k_retrieval"]),
        ({"learning_rate": 1}, ["fora de uma seção", '"training"']),
        ({"model": {"learning_rate": 1}}, ['fica na seção "training"']),
        (
            {"model": {"num_layers": "muitas"}},
            ['"model.num_layers"', '"muitas"', "um número inteiro (no mínimo 1)"],
        ),
        ({"model": {"num_layers": True}}, ['"model.num_layers" recebeu true', "um número inteiro"]),
        ({"model": {"num_layers": 2.5}}, ["o número 2.5", "um número inteiro"]),
        (
            {"training": {"max_steps": 1.000}},
            ["o número 1.0", "um número inteiro", "escreva sem ponto"],
        ),
        ({"training": {"max_steps": "10.000"}}, ['o texto "10.000"', "escreva sem ponto"]),
        ({"rag": {"relevance_threshold": "0,5"}}, ['o texto "0,5"', "escreva 0.5, com ponto"]),
        ({"rag": {"relevance_threshold": "72,5 %"}}, ["escreva 0.725 em vez de 72,5 %"]),
        ({"rag": {"stop_words": ["a", 1]}}, ['inválida: "rag.stop_words[1]" recebeu o número 1']),
        ({"temperatura": 1}, ['"temperatura" não existe', "as chaves daqui são: version, model, tokenizer"]),
        ({"model": {"norm_eps": 0}}, ["o número 0", "um número (maior que 0)"]),
        ({"model": {"norm_eps": float("nan")}}, ['"model.norm_eps"', "um número"]),
        ({"model": [1, 2]}, ['"model" recebeu uma lista de 2 itens', "um grupo de chaves e valores"]),
        (
            {"rag": {"enabled": "talvez"}},
            ['"rag.enabled"', '"talvez"', "verdadeiro ou falso (true ou false)"],
        ),
        ({"rag": {"relevance_threshold": 3}}, ["no mínimo 0, no máximo 1"]),
        ({"hardware": {"quantization": "int16"}}, ['"int8", "int4" ou null']),
        ({"hardware": {"device": "tpu"}}, ['"tpu"', "cpu, mps, cuda"]),
        ({"hardware": {"gpu_devices": [0, "x"]}}, ['"hardware.gpu_devices[1]"', '"x"', "um número inteiro"]),
        ({"feedback": {"dimensions": []}}, ["no mínimo 1"]),
        ({"training": {"run_name": 7}}, ["um texto ou null; escreva entre aspas"]),
        ({"training": {"from_scratch": False}}, ["base_model_path não diz"]),
        (
            {"training": {"learning_rate": 1e-3, "min_learning_rate": 1e-2}},
            ["não pode passar de learning_rate"],
        ),
        ({"training": {"compile": "sempre"}}, ['"auto" ou verdadeiro ou falso']),
        (
            {"data": {"sources": [{"path": "a"}, {"wieght": 1}]}},
            ['falta a chave "data.sources[1].path"', "weight"],
        ),
        (
            {"data": {"sources": [{"path": 3}]}},
            ['"data.sources[0].path" recebeu o número 3', "um texto ou uma lista"],
        ),
        ({"version": 99}, ["só conhece a versão 1", "atualize"]),
    ],
)
def test_errors_say_what_came_and_what_was_expected(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_dict(values)
    message = str(caught.value)
    for word in words:
        assert word in message
    assert isinstance(caught.value, LunaError)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_dict({"model": {"num_layers": 0}, "rag": {"k_retrival": 3}, "extra": 1})
    for word in ("model.num_layers", "rag.k_retrieval", '"extra"'):
        assert word in str(caught.value)


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_dict({"rag": {"k_retrieval": "x" * 10_000}})
    assert len(str(caught.value)) < 300


def test_building_a_section_by_hand_gives_the_same_kind_of_error() -> None:
    with pytest.raises(ConfigError, match='quis dizer "seed"'):
        TrainingConfig(sed=3)
    with pytest.raises(ConfigError, match="falta"):
        DataSource()


def test_assignment_is_checked_and_a_refused_one_changes_nothing() -> None:
    config = LunaConfig()
    config.rag.k_retrieval = 7
    config["rag"]["enabled"] = False
    assert (config.rag.k_retrieval, config.rag.enabled) == (7, False)
    for section, key, value in [
        ("rag", "k_retrieval", 0),
        ("rag", "k_retrival", 3),
        ("model", "num_heads", 7),
        ("training", "min_learning_rate", 9.0),
    ]:
        before = config[section].to_dict()
        with pytest.raises(ConfigError):
            setattr(config[section], key, value)
        assert config[section].to_dict() == before
    with pytest.raises(ConfigError):
        config.training = 3  # type: ignore[assignment]
    assert isinstance(config.training, TrainingConfig)


def test_replaced_changes_keys_together_and_only_in_the_copy() -> None:
    config = LunaConfig()
    wider = config.replaced(model={"num_heads": 9, "num_kv_heads": 3}, rag={"enabled": False})
    assert (wider.model.num_heads, wider.model.num_kv_heads, wider.rag.enabled) == (9, 3, False)
    assert config == LunaConfig()
    with pytest.raises(ConfigError, match="num_kv_heads"):
        config.replaced(model={"num_kv_heads": 3})


def test_last_rate_is_also_given_as_a_fraction_of_the_peak() -> None:
    assert TrainingConfig(
        learning_rate=1e-3, min_learning_rate=1e-4
    ).min_learning_rate_ratio == pytest.approx(0.1)


@given(st.sampled_from(KEYS), st.data())
def test_every_mistyped_key_is_caught_and_the_right_one_named(
    place: tuple[str, str], data: st.DataObject
) -> None:
    section, key = place
    position = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz_"))
    change = data.draw(st.sampled_from(["delete", "insert", "replace"]))
    rest = key[position:] if change == "insert" else key[position + 1 :]
    typo = key[:position] + ("" if change == "delete" else letter) + rest
    if typo in SECTIONS[section].model_fields:
        return
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_dict({section: {typo: None}})
    message = str(caught.value)
    assert f'"{section}.{typo}" não existe' in message
    assert key in message or typo in message.partition("não existe")[2]


@given(st.sampled_from(KEYS))
def test_every_key_has_a_description_and_a_default(place: tuple[str, str]) -> None:
    section, key = place
    field = SECTIONS[section].model_fields[key]
    assert field.description
    assert field.description.endswith(".")
    assert not field.is_required()


def test_the_public_name_needs_no_torch() -> None:
    code = "import sys; from lunagpt import LunaConfig; LunaConfig(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
