"""LunaConfig from and to files and the environment: JSON with comments, YAML, LUNA_* variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.config import LunaConfig, TrainingConfig
from lunagpt.config.reading import MAX_FILE_BYTES, dump_yaml, parse_json, parse_yaml, strip_comments
from lunagpt.errors import ConfigError

EXAMPLES = sorted((Path(__file__).parents[2] / "configs").glob("*.*"))

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_ready_made_files_load(path: Path) -> None:
    assert isinstance(LunaConfig.from_file(path), LunaConfig)


def test_there_are_ready_made_files() -> None:
    names = {path.name for path in EXAMPLES}
    assert {"default.json", "test_config.json", "training_config.json", "pequeno.yaml", "nano.yaml"} <= names


def test_the_default_file_is_the_default() -> None:
    path = next(path for path in EXAMPLES if path.name == "default.json")
    assert LunaConfig.from_file(path) == LunaConfig()


EXAMPLE = """
{
  // a basic file, as the documentation shows it
  "model": {"name": "luna-2.6", "base_path": "./models/luna-2.6", "use_moe": true, "use_state_space": true,
            "use_hypernet": false, "use_growing": false},
  "tokenizer": {"vocab_path": "./t/vocab.json", "merges_path": "./t/merges.txt", "max_length": 2048,
                "truncation_strategy": "right"},
  "hardware": {"auto_detect": true, "force_cpu": false, "gpu_devices": [0, 1], "mixed_precision": true,
               "quantization": "int8", "gpu_memory_fraction": 0.9, "cpu_threads": 4,
               "offload_strategy": "balanced", "low_memory": true, "sequential_offload": true,
               "cache_limit_mb": 512, "skip_components": ["moe"]},   /* every key of hardware */
  "rag": {"enabled": true, "k_retrieval": 5, "relevance_threshold": 0.7, "enable_fallback": true},
  "proactive": {"enabled": true, "threshold": 0.7, "max_suggestions": 2},
  "personas": {"default": "balanced", "definitions_path": "./configs/personas.json"}
}
"""


def test_every_key_of_the_documented_examples_is_accepted(tmp_path: Path) -> None:
    config = LunaConfig.from_file(write(tmp_path / "config.json", EXAMPLE))
    assert config.to_dict() == LunaConfig().replaced(**parse_json(EXAMPLE)).to_dict()
    assert config.hardware.skip_components == ["moe"]
    assert config.hardware.quantization == "int8"
    assert config.use_moe


def test_comments_are_blanked_in_place_and_strings_are_left_alone() -> None:
    text = '{"a": "http://x /* y */ \\" // z", // c\n "b": /* d\n e */ 1}'
    stripped = strip_comments(text)
    assert len(stripped) == len(text)
    assert stripped.count("\n") == text.count("\n")
    assert parse_json(text) == {"a": 'http://x /* y */ " // z', "b": 1}


@given(VALUES, st.sampled_from(["// fim\n", "/* fim */", "/* // */", '// "\n', '/* " */']))
def test_json_means_the_same_with_and_without_comments(value: Any, comment: str) -> None:
    text = json.dumps(value, indent=1)
    commented = "\n".join(f"{comment}{line}{comment}" for line in text.splitlines()) + "\n"
    assert parse_json(commented) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1,\n "b": }', ["linha 2", "coluna"]),
        ('{"a": 1,}', ["linha 1", "vírgulas"]),
        ('{"rag": {"enabled": true, "enabled": false}}', ['"enabled" aparece duas vezes']),
        ('{"a": NaN}', ["NaN não é um número"]),
        ('{"a": 1} /* sem fim', ["linha 1"]),
        ("[" * 100_000, ["grupos demais"]),
        ('{"a": ' + "9" * 5000 + "}", ["grande demais"]),
    ],
)
def test_badly_written_json_is_located(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write(tmp_path / "ruim.json", text)
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_file(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-3", -3),
        ("0x1f", 31),
        ("0o17", 15),
        ("010", "010"),
        ("1_000", "1_000"),
        ("no", "no"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("'1'", "1"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_yaml_scalars_are_those_of_version_1_2(scalar: str, value: Any) -> None:
    assert parse_yaml(f"chave: {scalar}") == {"chave": value}
    assert type(parse_yaml(f"chave: {scalar}")["chave"]) is type(value)


def test_a_single_value_can_be_named_and_reused() -> None:
    assert parse_yaml("a: &x 'ção'\nb: [*x, *x]") == {"a": "ção", "b": ["ção", "ção"]}
    with pytest.raises(ConfigError, match="linha 1"):
        parse_yaml("a: *sem_dono")


def test_yaml_keys_are_texts() -> None:
    assert parse_yaml("{no: 1, 12: 2, null: 3}") == {"no": 1, "12": 2, "null": 3}


def test_the_field_decides_what_a_doubtful_spelling_means(tmp_path: Path) -> None:
    text = """
    rag: {enabled: no, k_retrieval: 010}
    proactive: {enabled: sim}
    training: {learning_rate: 1e-4, run_name: no, output_dir: 010, precision: auto, compile: off}
    model: {name: 12:30, preset: null}
    curriculum:
    """
    config = LunaConfig.from_file(write(tmp_path / "c.yaml", text))
    assert (config.rag.enabled, config.rag.k_retrieval, config.proactive.enabled) == (False, 10, True)
    assert (config.training.learning_rate, config.training.run_name) == (1e-4, "no")
    assert (config.training.output_dir, config.training.compile) == ("010", False)
    assert (config.model.name, config.model.preset) == ("12:30", None)
    assert config.curriculum == LunaConfig().curriculum


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: [1,\n", ["linha"]),
        ("a:\n\t- 1", ["linha 2", "tabulações"]),
        ("rag:\n  enabled: true\n  enabled: no\n", ['linha 3 a chave "enabled" aparece outra vez']),
        ("a: &x [1, 2]\nb: *x\n", ["linha 2", "apelido (*x)"]),
        ("[a]: 1", ["linha 1", "grupo no lugar de uma chave"]),
        ("a: !!python/object/apply:os.system ['true']", ["linha 1"]),
        ("a: !!int muito", ["não combina"]),
        ("a: \x07", ["caracteres"]),
        ("[" * 20_000, ["grupos demais"]),
        ("- 1\n- 2", ["grupo de seções"]),
        ("só um texto", ["grupo de seções"]),
    ],
)
def test_badly_written_yaml_is_located(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write(tmp_path / "ruim.yaml", text)
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_file(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_yaml_reads_back_what_was_written_here_and_elsewhere(values: dict[str, Any]) -> None:
    text = dump_yaml(values)
    assert parse_yaml(text) == values
    assert yaml.safe_load(text) == values


@pytest.mark.parametrize(
    ("name", "text"),
    [("c.json", "{}"), ("c.json", "// só um comentário\n"), ("c.json", ""), ("c.yaml", "# só isto\n")],
)
def test_an_empty_file_gives_the_defaults(tmp_path: Path, name: str, text: str) -> None:
    assert LunaConfig.from_file(write(tmp_path / name, text)) == LunaConfig()


def test_files_that_cannot_be_read_are_explained(tmp_path: Path) -> None:
    (tmp_path / "pasta.json").mkdir()
    (tmp_path / "latin.json").write_bytes('{"model": {"name": "ção"}}'.encode("latin-1"))
    write(tmp_path / "enorme.json", " " * (MAX_FILE_BYTES + 1))
    for name, words in {
        "não-existe.json": "não existe",
        "pasta.json": "é uma pasta",
        "latin.json": "UTF-8",
        "enorme.json": "grande demais",
        "config.toml": ".yaml",
    }.items():
        with pytest.raises(ConfigError, match=words) as caught:
            LunaConfig.from_file(tmp_path / name)
        assert name in str(caught.value)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b"\xef\xbb\xbf" + b'{"rag": {"k_retrieval": 2}}')
    assert LunaConfig.from_file(tmp_path / "c.json").rag.k_retrieval == 2


def test_errors_name_file_and_full_key(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "training: {batch_sise: 3}")
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_file(path)
    assert str(path) in str(caught.value)
    assert '"training.batch_sise" não existe; você quis dizer "training.batch_size"?' in str(caught.value)


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.fixed_dictionaries({"name": TEXTS, "norm_eps": st.floats(1e-12, 1.0)}),
        "training": st.fixed_dictionaries(
            {
                "run_name": st.none() | TEXTS,
                "seed": st.integers(0, 2**62),
                "compile": st.sampled_from(["auto", True, False]),
            }
        ),
        "rag": st.fixed_dictionaries({"stop_words": TEXTS | st.lists(TEXTS), "enabled": st.booleans()}),
        "data": st.fixed_dictionaries(
            {
                "sources": st.lists(
                    st.fixed_dictionaries(
                        {
                            "path": TEXTS | st.lists(TEXTS),
                            "where": st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS)),
                        }
                    ),
                    max_size=3,
                )
            }
        ),
    },
)


@given(changes=CHANGES, suffix=st.sampled_from([".json", ".yaml"]))
def test_saving_and_loading_gives_the_same_settings(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any], suffix: str
) -> None:
    config = LunaConfig.from_dict(changes)
    path = tmp_path_factory.mktemp("config") / f"c{suffix}"
    config.save(path)
    assert LunaConfig.from_file(path) == config
    assert LunaConfig.from_dict(config.to_dict()) == config


def test_saving_needs_a_known_ending(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.json ou \.yaml"):
        LunaConfig().save(tmp_path / "c.toml")
    assert not list(tmp_path.iterdir())


def test_environment_wins_over_file_and_file_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        tmp_path / "c.json", '{"rag": {"k_retrieval": 3, "enabled": true}, "tokenizer": {"max_length": 9}}'
    )
    monkeypatch.setenv("LUNA_RAG__ENABLED", "false")
    monkeypatch.setenv("LUNA_TOKENIZER__MAX_LENGTH", "512")
    config = LunaConfig.from_file(path)
    assert (config.rag.enabled, config.rag.k_retrieval, config.tokenizer.max_length) == (False, 3, 512)
    assert config.rag.max_context_length == 1500
    assert LunaConfig.from_environment().tokenizer.max_length == 512
    assert LunaConfig.from_file(path, use_environment=False).tokenizer.max_length == 9
    assert LunaConfig.from_dict({}).tokenizer.max_length == 1024
    assert LunaConfig().tokenizer.max_length == 1024


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("LUNA_TRAINING__LEARNING_RATE", "1e-4", "training", "learning_rate", 1e-4),
        ("LUNA_RAG__ENABLED", "não", "rag", "enabled", False),
        ("LUNA_HARDWARE__QUANTIZATION", "null", "hardware", "quantization", None),
        ("LUNA_HARDWARE__GPU_DEVICES", "[0, 1]", "hardware", "gpu_devices", [0, 1]),
        ("LUNA_RAG__STOP_WORDS", "[de, no, não]", "rag", "stop_words", ["de", "no", "não"]),
        ("LUNA_MODEL__NAME", "a: b # c", "model", "name", "a: b # c"),
        ("LUNA_TRAINING__RUN_NAME", "010", "training", "run_name", "010"),
        ("luna_rag__k_retrieval", "2", "rag", "k_retrieval", 2),
        ("LUNA_RAG__K_RETRIEVAL", "  ", "rag", "k_retrieval", 5),
    ],
)
def test_environment_values_are_read_by_their_field(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, section: str, key: str, value: Any
) -> None:
    monkeypatch.setenv(variable, text)
    assert LunaConfig.from_environment()[section][key] == value


def test_environment_can_name_a_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNA_MODEL__PRESET", "mini")
    assert LunaConfig.from_environment().model.hidden_size == 512


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("LUNA_RAGG__ENABLED", "1", ["LUNA_RAGG__ENABLED", '"ragg"', "LUNA_RAG__ENABLED?"]),
        ("LUNA_XYZ__ENABLED", "1", ['"xyz"', "não existe"]),
        ("LUNA_VERSION__X", "1", ['"version"', "não existe"]),
        ("LUNA_RAG__ENABLE", "1", ["LUNA_RAG__ENABLE", '"rag.enabled"?']),
        ("LUNA_RAG__A__B", "1", ["LUNA_RAG__A__B", "não existe"]),
        ("LUNA_RAG_ENABLED", "1", ["LUNA_RAG__ENABLED", "um sublinhado só"]),
        ("LUNA_RAG__K_RETRIEVAL", "três", ["LUNA_RAG__K_RETRIEVAL", '"três"', "um número inteiro"]),
        ("LUNA_HARDWARE__GPU_DEVICES", "[0, 1", ["LUNA_HARDWARE__GPU_DEVICES", "linha 1"]),
    ],
)
def test_wrong_variables_are_explained(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, words: list[str]
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError) as caught:
        LunaConfig.from_environment()
    for word in words:
        assert word in str(caught.value)


def test_other_programs_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNA_HOME", "/tmp")
    monkeypatch.setenv("LUNAR_RAG__ENABLED", "false")
    assert LunaConfig.from_environment() == LunaConfig()


def test_a_file_that_holds_no_section_where_the_environment_sets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNA_RAG__ENABLED", "false")
    with pytest.raises(ConfigError, match='"rag" recebeu o número 3'):
        LunaConfig.from_file(write(tmp_path / "c.json", '{"rag": 3}'))
    assert not LunaConfig.from_file(write(tmp_path / "c.yaml", "rag:")).rag.enabled


def test_everything_a_trainer_needs_is_there() -> None:
    wanted = {
        *(
            "learning_rate",
            "muon_learning_rate",
            "min_learning_rate",
            "weight_decay",
            "optimizer",
            "schedule",
        ),
        *("warmup_steps", "decay_fraction", "max_steps", "num_epochs", "batch_size", "sequence_length"),
        *("gradient_accumulation_steps", "gradient_clipping", "precision", "compile", "seed"),
        *("checkpoint_dir", "checkpoint_interval_minutes", "keep_checkpoints", "eval_interval", "output_dir"),
        *("run_name", "use_wandb", "from_scratch", "base_model_path"),
    }
    assert wanted <= set(TrainingConfig.model_fields)
