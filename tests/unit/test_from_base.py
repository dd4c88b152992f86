"""A Luna around a model of another family: equal at birth, then whatever its parts are taught."""

import copy
import json
from functools import cache
from pathlib import Path

import pytest
import torch
from tests.unit.based_models import (
    CHATML,
    FAMILIES,
    byte_tokenizer,
    random_core,
    save_base,
    sentence_piece_tokenizer,
)
from tests.unit.test_eight_bit import rounded

from lunagpt import LunaChat, LunaConfig, LunaModel
from lunagpt.conditions import Condition
from lunagpt.config import count_parameters
from lunagpt.engines import LunaEngine
from lunagpt.errors import ConfigError, GenerationError, ModelFolderError
from lunagpt.evaluation.luna_language_model import LunaLanguageModel
from lunagpt.evaluation.transformers_language_model import TransformersLanguageModel
from lunagpt.generation import SamplingParams
from lunagpt.models import parameter_groups
from lunagpt.models.components import ComponentWarning
from lunagpt.models.conditioned import add_hypernet
from lunagpt.models.eight_bit import num_bytes
from lunagpt.models.upcycling import upcycle
from lunagpt.tokenizer import BaseTokenizer

transformers = pytest.importorskip("transformers")

KNOWN = 380  # ids of the base's own tokens; Luna's role tokens stand behind them
MAX_ERROR = 1e-4
PECULIAR = (
    "qwen3",
    "mistral",
    "gemma3",
    "gpt2",
    "falcon_h1",
)  # what the others do, one of these does


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bases")
    return {name: save_base(root / name, name) for name in FAMILIES}


def settings(**model) -> LunaConfig:
    return LunaConfig.from_dict({"model": model})


def everything(family: str) -> LunaConfig:
    """All parts that a family can have."""
    gated = family != "gpt2"
    maps = ["o_proj", "gate_proj", "up_proj", "down_proj"] if gated else ["out_proj"]
    experts = {"use_moe": gated, "moe_layers": [1], "num_layers": 3, "emotional_routing": gated}
    return settings(**experts, use_hypernet=True, hypernet_maps=maps)


def build(folders, family: str, config: LunaConfig | None = None) -> LunaModel:
    if config is None:
        return copy.deepcopy(_with_everything(folders[family]))
    return LunaModel.from_base(folders[family], config)


@cache
def _with_everything(folder: Path) -> LunaModel:
    return LunaModel.from_base(folder, everything(folder.name))


def taught(model: LunaModel) -> LunaModel:
    """The same with parts that do something, as after training."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(model.adapter_prefixes) and parameter.dim() > 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def expected(folder: Path, ids: torch.Tensor) -> torch.Tensor:
    core = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    keep = {"logits_to_keep": 0} if core.config.model_type == "falcon_h1" else {}
    with torch.no_grad():
        return core(ids, use_cache=False, **keep).logits


def error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs)[..., :KNOWN].abs().max())


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.randint(2, KNOWN, (2, 40), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_logits_are_those_of_the_base_until_something_is_trained(folders, ids, family):
    theirs = expected(folders[family], ids)
    model = build(folders, family)
    assert error(model(ids).logits, theirs) < MAX_ERROR
    if family == "falcon_h1":
        assert type(model) is LunaModel
        assert model.config.model.base_family is None
    assert count_parameters(model.config.model) == model.num_parameters()
    changed = taught(model)(ids).logits
    assert error(changed, theirs) > 0.01


@pytest.mark.parametrize("family", PECULIAR)
@torch.no_grad()
def test_read_in_pieces_equals_read_at_once(folders, ids, family):
    model = taught(build(folders, family))
    whole = model(ids).logits
    state = model.new_state()
    pieces = [model(piece, state=state).logits for piece in ids.split([20, *[1] * 15, 5], dim=1)]
    assert error(torch.cat(pieces, dim=1), whole) < MAX_ERROR
    branched = state.clone()
    following = ids[:, :3]
    assert torch.equal(model(following, state=branched).logits, model(following, state=state).logits)


@pytest.mark.parametrize("family", PECULIAR)
@torch.no_grad()
def test_padding_on_the_left_changes_nothing(folders, ids, family):
    model = taught(build(folders, family))
    mask = torch.ones_like(ids)
    mask[1, :13] = 0
    alone = model(ids[1:, 13:]).logits[0]
    assert error(model(ids, attention_mask=mask).logits[1, 13:], alone) < MAX_ERROR
    state = model.new_state()
    model(ids[:, :30], attention_mask=mask[:, :30], state=state)
    stepped = [model(ids[:, i : i + 1], state=state).logits[1, 0] for i in range(30, 40)]
    assert error(torch.stack(stepped), alone[-10:]) < MAX_ERROR


@pytest.mark.parametrize("family", PECULIAR)
def test_packed_documents_do_not_see_each_other(folders, ids, family):
    model = taught(build(folders, family))
    documents = torch.tensor([[0] * 15 + [1] * 1 + [2] * 24, [0] * 40])
    with torch.no_grad():
        packed = model(ids, document_ids=documents).logits
        for row, start, end in ((0, 0, 15), (0, 15, 16), (0, 16, 40), (1, 0, 40)):
            assert error(packed[row, start:end], model(ids[row : row + 1, start:end]).logits[0]) < MAX_ERROR
    labels = ids.roll(-1, dims=1)
    labels[:, 12:20] = -100
    total, count = model.loss(ids, labels, documents)
    logits = model(ids, document_ids=documents).logits
    plain = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    assert count == int((labels >= 0).sum())
    torch.testing.assert_close(total, plain, rtol=1e-4, atol=1e-3)
    mask = torch.ones_like(ids)  # padding and documents at once
    mask[0, :3] = 0
    with torch.no_grad():
        both = model(ids, attention_mask=mask, document_ids=documents).logits
        assert error(both[0, 3:15], model(ids[:1, 3:15]).logits[0]) < MAX_ERROR


@pytest.mark.parametrize("family", ["qwen2", "gemma3", "gpt2", "falcon_h1"])
@torch.no_grad()
def test_a_saved_model_needs_its_base_no_more(tmp_path, ids, family):
    base = save_base(tmp_path / "base", family)
    model = taught(LunaModel.from_base(base, everything(family)))
    folder = model.save(tmp_path / "luna")
    for file in base.iterdir():
        file.unlink()
    loaded = LunaModel.from_pretrained(folder)
    assert type(loaded) is type(model)
    assert torch.equal(loaded(ids).logits, model(ids).logits)
    assert loaded.num_parameters() == model.num_parameters()
    text = "Olá, lua! <|user|>"
    assert loaded.tokenizer.encode_content(text) == model.tokenizer.encode_content(text)
    assert loaded.tokenizer.added_tokens == {}
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelFolderError, match="não confere"):
        LunaModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("family", "trainable"), [("llama", "adapters"), ("gpt2", "adapters"), ("gemma2", "all"), ("gpt2", "all")]
)
def test_parts_are_trained_alone_or_with_the_base(folders, ids, family, trainable):
    model = LunaModel.from_base(folders[family], everything(family), trainable=trainable).train()
    parts = [name for name, _ in model.named_parameters() if name.startswith(("layers.", "hypernet."))]
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    everything_of_it = {name for name, _ in model.named_parameters()}
    assert learned == (set(parts) if trainable == "adapters" else everything_of_it)
    assert model.num_parameters(trainable=True) < model.num_parameters() or trainable == "all"
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    losses = []
    for _ in range(3):
        total, count = model.loss(ids, ids.roll(-1, dims=1))
        losses.append(total.item() / count)
        (total / count).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert any(".state_space." in name for name in moved)
    assert any(name.startswith("core.") for name in moved) == (trainable == "all")
    groups = parameter_groups(model)
    assert sum(map(len, groups.values())) == len(before)
    kind = {name: group for group, members in groups.items() for name, _ in members}
    assert {group for name, group in kind.items() if name.endswith(("norm.weight", "bias"))} == {"no_decay"}
    assert kind["layers.0.state_space.in_proj.weight"] == "matrix"
    assert all(p.dim() == 2 for group in ("matrix", "embedding") for _, p in groups[group])
    embeddings = {id(p) for _, p in groups["embedding"]}
    assert {id(model.embedding.weight), id(model.output_weight)} <= embeddings


def test_experts_begin_as_copies_and_come_apart(folders, ids):
    config = settings(use_moe=True, moe_layers="all", num_experts=4, use_state_space=False)
    model = build(folders, "gemma", config).train()
    assert len(model.moe_blocks) == 3
    assert model.moe_blocks[0].activation == "gelu_tanh"
    assert not [name for name, _ in model.named_parameters() if ".mlp." in name]
    losses: list[torch.Tensor] = []
    model.hidden_states(ids, losses=losses)
    assert len(losses) == 3  # the router z-loss of each layer
    figures = model.after_step()
    assert figures["expert_violation"] >= 0
    with pytest.raises(ConfigError, match=r"(?s)use_moe.*GPT2MLP"):
        build(folders, "gpt2", config)


@torch.no_grad()
def test_a_condition_changes_a_base_and_can_be_merged_into_it(folders, ids):
    model = taught(build(folders, "qwen3"))
    plain = model(ids[:1]).logits
    state = model.new_state(condition=Condition.of("friendly"))
    under = model(ids[:1], state=state).logits
    assert error(under, plain) > 1e-3
    merged = model.conditioned("friendly")
    assert error(merged(ids[:1]).logits, under) < MAX_ERROR
    assert torch.equal(model(ids[:1]).logits, plain)


@torch.no_grad()
def test_parts_can_be_added_later(folders, tmp_path, ids):
    theirs = expected(folders["mistral"], ids)
    plain = LunaModel.from_pretrained(folders["mistral"])
    assert not any(name.startswith("layers.") for name, _ in plain.named_parameters())
    model = upcycle(add_hypernet(plain, hypernet_maps=["o_proj", "up_proj"]), num_experts=2, seed=1)
    assert [block.num_experts for block in model.moe_blocks] == [2]
    assert count_parameters(model.config.model) == model.num_parameters()
    state = model.new_state(Condition.of("friendly"))
    assert error(model(ids, state=state).logits, theirs) < MAX_ERROR
    loaded = LunaModel.from_pretrained(taught(model).save(tmp_path / "luna"))
    under = loaded(ids, state=loaded.new_state(Condition.of("friendly"))).logits
    assert error(under, loaded(ids).logits) > 1e-3
    assert error(loaded(ids).logits, theirs) > 1e-3
    assert error(plain(ids).logits, theirs) < MAX_ERROR
    with pytest.raises(ConfigError, match="hiper-rede"):
        upcycle(add_hypernet(plain, hypernet_maps=["o_proj", "up_proj"]), layers="all")


@torch.no_grad()
def test_parts_are_switched_off_and_on(folders, ids):
    theirs = expected(folders["qwen2"], ids)
    model = taught(build(folders, "qwen2", settings()))
    whole = model(ids).logits
    state = model.new_state()
    model(ids, state=state)
    with pytest.warns(ComponentWarning, match="espaço de estados"):
        model.disable_component("state_space")
    assert error(model(ids).logits, theirs) < MAX_ERROR
    with pytest.raises(GenerationError, match="mudaram no meio"):
        model(ids, state=state)
    with pytest.raises(ConfigError, match="da sua base"):
        model.disable_component("attention")
    model.enable_all_components()
    assert torch.equal(model(ids).logits, whole)


def test_a_copy_is_independent(folders, ids):
    model = build(folders, "llama")
    twin = copy.deepcopy(model)
    taught(twin)
    with torch.no_grad():
        assert error(twin(ids).logits, model(ids).logits) > 0.01
        assert error(model(ids).logits, expected(folders["llama"], ids)) < MAX_ERROR


@pytest.mark.parametrize("family", PECULIAR)
@torch.no_grad()
def test_eight_bits(folders, ids, family):
    model = taught(build(folders, family))
    quantized = rounded(model)
    small, large = (num_bytes(m) - num_bytes(m.hypernet) for m in (quantized, model))
    assert small < 0.4 * large  # rows of 32 numbers with a scale each
    whole = quantized(ids).logits
    assert error(whole, model(ids).logits) < MAX_ERROR
    state = quantized.new_state()
    pieces = [quantized(piece, state=state).logits for piece in ids.split([30, 1, 9], dim=1)]
    assert error(torch.cat(pieces, dim=1), whole) < MAX_ERROR


@torch.no_grad()
def test_sixteen_bits(folders, tmp_path, ids):
    exact = build(folders, "gemma3")
    wanted = exact(ids).logits
    exact.compute_dtype = torch.bfloat16
    assert 0 < error(exact(ids).logits, wanted) < 0.1
    folder = exact.save(tmp_path / "luna", dtype=torch.bfloat16)
    light = LunaModel.from_pretrained(folder, use_lightweight=True)
    assert light.output_weight.dtype == torch.bfloat16
    assert error(light(ids).logits, wanted) < 0.1
    state = light.new_state()
    stepped = torch.cat([light(piece, state=state).logits for piece in ids.split(8, dim=1)], dim=1)
    assert error(stepped, wanted) < 0.1


# -- ways in -------------------------------------------------------------------------------------------------


def test_every_way_in_leads_to_the_base(folders, ids):
    folder = folders["mistral"]
    theirs = expected(folder, ids)
    config = settings(base_path=str(folder))
    core = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ways = {
        "the constructor": LunaModel(config, base_model=folder),
        "a built model": LunaModel(config, base_model=core),
        "base_path": LunaModel.from_config(config),
        "from_pretrained": LunaModel.from_pretrained(folder),
    }
    for name, model in ways.items():
        with torch.no_grad():
            assert error(model(ids).logits, theirs) < MAX_ERROR, name
        assert model.tokenizer.vocab_size == KNOWN + 5, name
        assert model.config.model.name == ("mistral" if name == "a built model" else folder.name)
    added = {
        name: any(".state_space." in p for p, _ in model.named_parameters()) for name, model in ways.items()
    }
    assert added == {name: name != "from_pretrained" for name in ways}
    again = ways["base_path"].tokenizer
    assert LunaModel.from_base(folder, config, tokenizer=again).tokenizer is again


def test_a_name_is_looked_up_in_the_local_cache_only(folders, tmp_path, monkeypatch, ids):
    import socket

    from huggingface_hub import constants

    def no_network(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelFolderError, match=r"(?s)acme/lua-1b.*não baixa modelos.*hf download"):
        LunaModel.from_base("acme/lua-1b")
    with pytest.raises(ModelFolderError, match="Não há pasta"):
        LunaModel.from_base("não é um nome: nem pasta")
    snapshot = tmp_path / "models--acme--lua-1b" / "snapshots" / "0"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(folders["llama"])
    (tmp_path / "models--acme--lua-1b" / "refs").mkdir()
    (tmp_path / "models--acme--lua-1b" / "refs" / "main").write_text(snapshot.name)
    model = LunaModel.from_base("acme/lua-1b")
    assert model.config.model.name == "lua-1b"
    with torch.no_grad():
        assert error(model(ids).logits, expected(folders["llama"], ids)) < MAX_ERROR


def test_what_cannot_be_a_base_is_refused(tmp_path, folders):
    unknown = tmp_path / "unknown"
    unknown.mkdir()
    (unknown / "config.json").write_text(json.dumps({"model_type": "lua_cheia", "auto_map": {"x": "m.X"}}))
    (unknown / "m.py").write_text("raise SystemExit('code of the folder ran')")
    with pytest.raises(ModelFolderError, match="não conseguiu carregar"):
        LunaModel.from_base(unknown)
    pickled = save_base(tmp_path / "pickled", "llama")
    torch.save({}, pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    with pytest.raises(ModelFolderError, match="safetensors"):
        LunaModel.from_base(pickled)
    recurrent = tmp_path / "mamba"
    config = transformers.MambaConfig(vocab_size=400, hidden_size=16, num_hidden_layers=2, state_size=4)
    transformers.MambaForCausalLM(config).save_pretrained(recurrent)
    byte_tokenizer().save_pretrained(recurrent)
    with pytest.raises((ModelFolderError, ConfigError), match="base"):
        LunaModel.from_base(recurrent, settings(use_state_space=False))
    with pytest.raises(ModelFolderError, match="mamba_rms_norm"):
        LunaModel.from_base(save_base(tmp_path / "normed", "falcon_h1", mamba_rms_norm=True))


def test_settings_that_do_not_fit_are_refused(folders):
    for family in ("llama", "falcon_h1"):
        with pytest.raises(ConfigError, match=r"model\.sliding_window.*de uma base"):
            build(folders, family, settings(sliding_window=8))
    with pytest.raises(ConfigError, match=r"trainable=.*não existe"):
        LunaModel.from_base(folders["llama"], trainable="experts")
    with pytest.raises(ConfigError, match="Nada a treinar"):
        LunaModel.from_base(folders["llama"], settings(use_state_space=False), trainable="adapters")
    with pytest.raises(ConfigError, match=r"use_hypernet.*o_proj"):
        build(folders, "gpt2", settings(use_hypernet=True))
    model = build(folders, "gpt2")
    with pytest.raises(ConfigError, match="from_base"):
        LunaModel(model.config)
    with pytest.raises(GenerationError, match="256 lugares"):
        model(torch.zeros(1, 257, dtype=torch.int64))


def test_a_core_that_computes_otherwise_is_refused(tmp_path):
    class Doubled(transformers.LlamaForCausalLM):
        def forward(self, *args, **kwargs):
            output = super().forward(*args, **kwargs)
            output.logits = 2 * output.logits
            return output

    core = random_core("llama")
    core.__class__ = Doubled
    with pytest.raises(ModelFolderError, match="não são iguais"):
        LunaModel(settings(), byte_model_tokenizer(), base_model=core)


def byte_model_tokenizer():
    return BaseTokenizer(byte_tokenizer())


# -- what others do with it ----------------------------------------------------------------------------------


@torch.no_grad()
def test_generation_continues_as_transformers_does(folders, ids):
    for family in ("qwen3", "gpt2"):
        model = build(folders, family)
        core = transformers.AutoModelForCausalLM.from_pretrained(folders[family]).eval()
        theirs = core.generate(ids, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=1)
        banned = tuple(range(KNOWN, 400))  # Luna's own tokens, which the core does not know
        ours = model.generate(
            ids,
            max_new_tokens=12,
            temperature=0.0,
            stop_token_ids=(),
            banned_token_ids=banned,
            repetition_penalty=1.0,
        )
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("template", [None, CHATML])
def test_a_conversation(tmp_path, template):
    folder = save_base(tmp_path / "base", "gemma3", byte_tokenizer(template))
    model = taught(LunaModel.from_base(folder, settings()))
    params = SamplingParams(max_new_tokens=8, seed=3, temperature=1.0)
    text = model.generate_text("Olá!", max_length=8, seed=3, temperature=1.0)
    assert "".join(model.generate_text("Olá!", max_length=8, seed=3, temperature=1.0, stream=True)) == text
    unknown = set(range(model.tokenizer.vocab_size, 400))  # the table of the weights is larger
    assert unknown
    assert unknown <= set(model.unspeakable_token_ids)
    engine = LunaEngine(model)
    chat = LunaChat(engine, system_prompt="Responda em português.", params=params)
    first = chat.send_message("Olá!")
    second = chat.send_message("E agora?")
    assert engine.context_window == 256
    fresh = LunaEngine(LunaModel.from_base(folder, settings()))
    fresh.model.load_state_dict(model.state_dict())
    history = chat.history[:-1]
    assert [turn["content"] for turn in chat.history if turn["role"] == "assistant"] == [first, second]
    stream = fresh.stream([{"role": "system", "content": "Responda em português."}, *history], params)
    assert "".join(stream).strip() == second.strip()
    long = [{"role": "user", "content": "Olá! Tudo bem? " * 200}]
    stream = engine.stream(long, params)
    assert stream.report.skipped_tokens > 0
    assert stream.report.prompt_tokens + 8 <= 256


def test_a_base_is_measured_like_itself(tmp_path):
    folder = save_base(tmp_path / "base", "gemma", sentence_piece_tokenizer())
    pairs = [
        ("Quem descobriu o Brasil?", " Pedro Álvares Cabral"),
        ("", "Olá, lua cheia"),
        ("A", " casa é azul"),
    ]
    ours = LunaLanguageModel(LunaModel.from_pretrained(folder)).loglikelihood(pairs)
    theirs = TransformersLanguageModel(folder).loglikelihood(pairs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.nats == pytest.approx(other.nats, abs=2.0)  # five more tokens share the probability
        assert (one.num_tokens, one.num_bytes) == (other.num_tokens, other.num_bytes)


def test_training_from_the_command(tmp_path, folders):
    from lunagpt.training.command import train_command
    from lunagpt.training.preparation import prepare

    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Olá {i}"},
                {"role": "assistant", "content": "Oi! Tudo bem?"},
            ]
        }
        for i in range(30)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    recipe = {
        "root": str(tmp_path),
        "sources": [{"path": "rows.jsonl", "kind": "dialogue"}],
        "model": {"use_moe": True, "moe_layers": [0], "num_experts": 2},
        "training": {
            "trainable": "adapters",
            "sequence_length": 64,
            "batch_size": 2,
            "gradient_accumulation_steps": 2,
            "max_steps": 3,
            "optimizer": "adamw",
            "precision": "float32",
            "compile": False,
            "sample_prompts": [],
        },
    }
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    sources, _ = prepare(tmp_path / "recipe.json", base_model=folders["qwen2"])
    tokenizer = BaseTokenizer.from_pretrained(folders["qwen2"])
    assert sources[0].tokens == sum(len(tokenizer.encode_dialog(row["messages"])) for row in rows)
    result = train_command(tmp_path / "recipe.json", tmp_path / "run", base_model=folders["qwen2"])
    assert result["steps"] == 3
    trained = LunaModel.from_pretrained(tmp_path / "run" / "model").requires_grad_(False)
    base = transformers.AutoModelForCausalLM.from_pretrained(folders["qwen2"])
    for name, tensor in base.model.layers[1].state_dict().items():
        assert torch.equal(trained.core.model.layers[1].state_dict()[name], tensor), name
    assert float(trained.layers[2].state_space.out_proj.weight.abs().max()) > 0
    more = train_command(
        tmp_path / "recipe.json", tmp_path / "run", base_model=folders["qwen2"], resume=True, max_steps=4
    )
    assert more["steps"] == 4
