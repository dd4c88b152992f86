"""Switching parts of a running model: what changes, what is warned about, what is refused."""

import warnings

import pytest
import torch
from tests.unit.test_model import make_model, random_ids, relative_error

from lunagpt.conditions import Condition
from lunagpt.config import LunaConfig
from lunagpt.engines import LunaEngine
from lunagpt.errors import ConfigError, GenerationError
from lunagpt.generation import SamplingParams
from lunagpt.models import LunaModel, parameter_groups
from lunagpt.models.components import COMPONENTS, ComponentWarning
from lunagpt.models.upcycling import upcycle
from lunagpt.utils.hardware import physical_cores

EVERYTHING = {
    "use_moe": True,
    "num_experts": 4,
    "moe_layers": "all",
    "emotional_routing": True,
    "use_hypernet": True,
    "embedding_convolution": True,
}


def everything() -> LunaModel:
    """A model with every part, none of whose weights are zero."""
    model = make_model(**EVERYTHING)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for _, weight in parameter_groups(model)["no_decay"]:
            if not weight.any():
                weight.normal_(std=0.3, generator=generator)
    return model


@torch.no_grad()
def read(model: LunaModel, condition: Condition | None = None) -> torch.Tensor:
    return model(random_ids(2, 60), state=model.new_state(condition)).logits


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_part_is_switched_off_with_a_warning_and_on_again(name):
    model = everything()
    condition = Condition.of("friendly")
    before = read(model, condition)
    names = list(model.state_dict())
    with pytest.warns(ComponentWarning, match="vão piorar") as caught:
        model.disable_component(name)
    assert caught[0].filename == __file__
    without = read(model, None if name == "hypernet" else condition)
    assert relative_error(without, before) > 1e-3
    assert list(model.state_dict()) == names  # what is saved is the whole model
    model.enable_component(name)
    assert torch.equal(read(model, condition), before)


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "switch"), [("attention", "use_attention"), ("state_space", "use_state_space")]
)
def test_a_part_that_is_off_is_as_if_it_had_not_been_built(name, switch):
    model = make_model()
    built = LunaModel.from_scratch(LunaConfig.preset("test").replaced(model={f"use_{name}": False})).eval()
    built.load_state_dict({key: model.state_dict()[key] for key in built.state_dict()})
    with pytest.warns(ComponentWarning):
        model.disable_component(name)
    assert torch.equal(read(model), read(built))
    state, other = model.new_state(), built.new_state()
    model(random_ids(1, 40), state=state)
    built(random_ids(1, 40), state=other)
    assert state.num_bytes() == other.num_bytes()


def test_parts_on_which_nothing_depends_are_switched_in_silence():
    """A model at birth: its output projections are zero, its experts copies of one another."""
    born = LunaModel.from_scratch(LunaConfig.preset("test").replaced(model=EVERYTHING), seed=0).eval()
    experts = upcycle(make_model(), num_experts=4, layers="all")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in COMPONENTS.keys() - {"attention", "moe"}:
            born.disable_component(name)
        before = read(experts)
        experts.enable_moe_with_limited_experts(max_experts=2)
        assert relative_error(read(experts), before) < 1e-5
        experts.disable_component("moe")
        assert relative_error(read(experts), before) < 1e-5


def test_one_expert_is_left_without_the_mixture():
    model = everything()
    block = model.moe_blocks[0]
    x = torch.randn(30, block.input_dim)
    with pytest.warns(ComponentWarning):
        model.disable_component("moe")
    choice = block.choose(block.router_logits(x))
    assert choice.experts.shape == (30, 1)
    assert not choice.experts.any()
    assert (choice.gates == 1).all()


def test_limited_experts():
    model = everything()
    block = model.moe_blocks[0]
    logits = block.router_logits(torch.randn(300, block.input_dim))
    with pytest.warns(ComponentWarning, match="só os 3 primeiros"):
        model.enable_moe_with_limited_experts(max_experts=3)
    assert set(block.choose(logits).experts.flatten().tolist()) == {0, 1, 2}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.enable_moe_with_limited_experts(max_experts=4)
        model.enable_all_components()
    assert set(block.choose(logits).experts.flatten().tolist()) == {0, 1, 2, 3}
    with pytest.raises(ConfigError, match="max_experts"):
        model.enable_moe_with_limited_experts(0)


def test_all_parts_come_back_at_once():
    model = everything()
    before = read(model)
    for name in COMPONENTS.keys() - {"attention"}:
        with pytest.warns(ComponentWarning):
            model.disable_component(name)
    model.enable_all_components()
    assert torch.equal(read(model), before)
    make_model().enable_all_components()  # a model without the optional parts


def test_what_cannot_be_switched():
    model = make_model()
    with pytest.raises(ConfigError, match="luna upcycle"):
        model.enable_component("moe")
    with pytest.raises(ConfigError, match="luna upcycle"):
        model.enable_moe_with_limited_experts()
    with pytest.raises(ConfigError, match="As que existem: attention"):
        model.disable_component("memoria")
    with pytest.warns(ComponentWarning):
        model.disable_component("attention")
    with pytest.raises(ConfigError, match="antes de desligar o outro"):
        model.disable_component("state_space")
    alone = make_model(use_state_space=False)
    with pytest.raises(ConfigError, match="antes de desligar o outro"):
        alone.disable_component("attention")


@torch.no_grad()
def test_a_conversation_does_not_go_on_with_other_parts():
    model = everything()
    state = model.new_state()
    model(random_ids(1, 5), state=state)
    copied = state.clone()
    with pytest.warns(ComponentWarning):
        model.disable_component("attention")
    for old in (state, copied):
        with pytest.raises(GenerationError, match="new_state"):
            model(random_ids(1, 5), state=old)
    model(random_ids(1, 5), state=model.new_state())
    with pytest.warns(ComponentWarning):
        model.disable_component("hypernet")
    with pytest.raises(GenerationError, match="hiper-rede está desligada"):
        model.new_state(Condition.of("friendly"))


def test_the_engine_reads_its_conversation_anew_after_a_switch():
    engine = LunaEngine(make_model())
    messages = [{"role": "user", "content": "Olá, tudo bem?"}]
    params = SamplingParams(temperature=0.0, max_new_tokens=3)

    def reused() -> int:
        stream = engine.stream(messages, params)
        list(stream)
        return stream.report.reused_tokens

    assert reused() == 0
    assert reused() > 0
    with pytest.warns(ComponentWarning):
        engine.model.disable_component("attention")
    assert reused() == 0
    assert reused() > 0


def test_optimize_for_cpu():
    model = make_model()
    expected = read(model)
    model.to(torch.float16).train()
    assert model.optimize_for_cpu() == physical_cores() == torch.get_num_threads()
    assert model.optimize_for_cpu(num_threads=1) == 1 == torch.get_num_threads()
    assert model.optimize_for_cpu(num_threads=10_000) == physical_cores()
    assert not model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert relative_error(read(model), expected) < 0.02  # it was rounded to 16 bits in between
    with pytest.raises(ConfigError, match="num_threads"):
        model.optimize_for_cpu(0)
