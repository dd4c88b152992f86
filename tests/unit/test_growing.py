"""Growth of a model: what it says at birth, what it becomes in a folder, and the rule that asks for it."""

import math

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.test_model import make_model, random_ids, relative_error
from torch import nn

from lunagpt.cli import main
from lunagpt.config import LunaConfig
from lunagpt.errors import ConfigError, GenerationError
from lunagpt.models import GrowingNetwork, LunaModel
from lunagpt.models.growth import grow, grown_layers, new_layers, plan_origins, regrow
from lunagpt.models.upcycling import upcycle


@given(st.integers(1, 9), st.integers(1, 20), st.sampled_from(["end", "spread"]))
def test_every_old_layer_stays_once_and_before_what_is_made_from_it(old, new, position):
    origins = plan_origins(old, new, position)
    assert len(origins) == old + new
    assert [o for i, o in enumerate(origins) if i not in new_layers(origins)] == list(range(old))
    if position == "spread":
        assert max(origins.count(o) for o in range(old)) - min(origins.count(o) for o in range(old)) <= 1


def test_as_many_new_layers_as_old_ones_are_the_stack_twice():
    assert plan_origins(3, 3) == [0, 1, 2, 0, 1, 2]
    assert plan_origins(3, 3, "spread") == [0, 0, 1, 1, 2, 2]
    assert plan_origins(4, 1) == [0, 1, 2, 3, 3]


@torch.no_grad()
def test_a_stack_runs_the_layers_again():
    model = make_model(use_moe=True, moe_layers=[1], num_experts=4, expert_balancing="none")
    ids, before = random_ids(1, 30), None
    weights = [{k: v.clone() for k, v in layer.state_dict().items()} for layer in model.layers]
    before = model(ids).logits
    growth = grow(model, 2, "stack")
    assert (growth.origins, growth.layers) == ([0, 1, 0, 1], [2, 3])
    assert set(growth.made_from) == {p for i in (2, 3) for p in model.layers[i].parameters()}
    assert model.config.model.moe_layers == [1, 3]
    for layer, origin in zip(model.layers, growth.origins, strict=True):
        for name, tensor in layer.state_dict().items():
            assert torch.equal(tensor, weights[origin][name])
    assert relative_error(model(ids).logits, before) > 0.1
    model.layers[2].input_norm.weight += 1  # copies, not the same weights
    assert torch.equal(model.layers[0].input_norm.weight, weights[0]["input_norm.weight"])


def test_kinds_of_layers_follow_them():
    def experts(model: LunaModel) -> list[bool]:
        return [layer.moe is not None for layer in model.layers]

    model = make_model(use_moe=True, num_layers=4, num_experts=4)
    grow(model, 2, position="spread")
    assert experts(model) == [False, True, True, False, True, True]
    assert model.config.model.moe_layers == [1, 2, 4, 5]
    model = make_model(use_moe=True, num_layers=2, num_experts=4)
    grow(model, 2)
    assert model.config.model.moe_layers == "alternate"
    model = make_model(moe_layers=[0])  # experts are off; the choice is kept for when they come
    grow(model, 2, position="spread")
    assert model.config.model.moe_layers == [0, 1]
    model = make_model(sliding_window=16, num_layers=4)
    grow(model, 1)
    assert model.config.model.window_layers == [1]


def test_growth_leaves_other_models_of_the_configuration_alone():
    config = LunaConfig.preset("test")
    model = LunaModel.from_scratch(config, seed=0)
    grow(model)
    assert (config.model.num_layers, model.config.model.num_layers) == (2, 3)


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    models = [make_model() for _ in range(3)]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    for model, seed in zip(models, (4, 4, 5), strict=True):
        grow(model, seed=seed)
    assert torch.equal(torch.get_rng_state(), before)
    drawn = [model.layers[2].attention.q_proj.weight for model in models]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_history_says_where_the_new_layers_are_now():
    model = make_model()
    grow(model, 1, epoch=3)
    added = [model.layers[2]]
    grow(model, 2, position="spread")
    added += [layer for layer in model.layers if layer not in added][1::2]
    history = model.growth_history
    assert history[0] == {"epoch": 3, "method": "identity", "origins": [0, 1, 1]}
    assert history[1]["origins"] == [0, 1, 1, 2, 2]
    assert grown_layers(history) == [3, 2, 4]
    assert [model.layers[i] for i in grown_layers(history)] == [added[0], model.layers[2], model.layers[4]]
    again = make_model()
    regrow(again, history)
    assert again.growth_history == history
    again.load_state_dict(model.state_dict())  # every layer has its place
    regrow(again, history)  # it has them already
    assert len(again.layers) == 5
    other = make_model()
    grow(other, 1, "stack")
    assert regrow(other, history) == []
    assert len(other.layers) == 3


def test_what_was_read_before_is_to_be_read_again():
    model = make_model()
    state = model.new_state()
    with torch.no_grad():
        model(random_ids(1, 5), state=state)
        grow(model)
        with pytest.raises(GenerationError, match="new_state"):
            model(random_ids(1, 5), state=state)
        model(random_ids(1, 5), state=model.new_state())


def test_new_layers_have_the_number_types_of_old_ones():
    model = make_model().to(torch.bfloat16)
    model.layers[1].input_norm.float()
    grow(model, 1)
    for new, old in zip(model.layers[2].parameters(), model.layers[1].parameters(), strict=True):
        assert new.dtype == old.dtype


def test_what_cannot_grow_is_refused():
    class Foreign(LunaModel):
        pass

    foreign = Foreign(LunaConfig.preset("test"))
    for growing in (grow, GrowingNetwork):
        with pytest.raises(ConfigError, match="núcleo"):
            growing(foreign)
    with pytest.raises(ConfigError, match="foram pedidas 0"):
        grow(make_model(), 0)


# -- luna grow ----------------------------------------------------------------------------------------------


def test_luna_grow(tmp_path, capsys):
    model = make_model()
    source, target = tmp_path / "a", tmp_path / "b"
    model.save(source, dtype=torch.float16, model_card="# pequeno\n")
    assert main(["grow", str(source), str(target), "--layers", "2", "--method", "stack"]) == 0
    assert "de 2 para 4 camadas" in capsys.readouterr().out
    grown = LunaModel.from_pretrained(target, use_lightweight=True)
    assert grown.growth_history == [{"method": "stack", "origins": [0, 1, 0, 1]}]
    assert grown.embedding.weight.dtype == torch.float16
    for layer, origin in zip(grown.layers, (0, 1, 0, 1), strict=True):
        assert torch.equal(layer.input_norm.weight, model.layers[origin].input_norm.weight)
        half = model.layers[origin].feed_forward.up_proj.weight.half()
        assert torch.equal(layer.feed_forward.up_proj.weight, half)
    card = (target / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# pequeno")
    assert "Camadas acrescentadas: 2, 3, cópias" in card
    assert main(["grow", str(source), str(target)]) == 1
    assert "Já existe" in capsys.readouterr().err
    assert main(["grow", str(source), str(target), "--method", "largo"]) == 2
    assert "largo não serve; use identity ou stack." in capsys.readouterr().err
    assert upcycle(grown, 2).growth_history == grown.growth_history


# -- GrowingNetwork -----------------------------------------------------------------------------------------


def test_the_rule():
    network = GrowingNetwork(nn.Linear(4, 4), growth_threshold=0.1, plateau_patience=2)
    assert [network.should_grow(loss) for loss in (2.0, 1.5, 1.45, 1.42)] == [False, False, False, True]
    assert network.best_loss == 1.5
    # small steps add up to progress
    assert [network.should_grow(loss) for loss in (1.42, 1.39, 1.30)] == [False, False, False]
    assert [network.should_grow(loss) for loss in (math.nan, math.inf, math.nan)] == [False] * 3
    assert (network.best_loss, network.plateau_counter) == (1.39, 1)


def test_the_rule_stops_when_there_is_no_room():
    network = GrowingNetwork(nn.Linear(4, 4), max_extra_layers=1, plateau_patience=1)
    assert [network.should_grow(loss) for loss in (1.0, 1.0)] == [False, True]
    assert network.add_layer(4) == 0
    assert [network.should_grow(1.0) for _ in range(5)] == [False] * 5
    with pytest.raises(ConfigError, match="max_extra_layers"):
        network.add_layer(4)


def test_the_rule_goes_by_the_smoothed_loss():
    noisy = [3.0, 2.0, 3.0, 2.0, 3.0, 2.0, 3.0, 2.0]
    for smoothing, expected in ((0.0, 2.0), (0.5, 2.5)):
        network = GrowingNetwork(
            nn.Linear(4, 4), smoothing=smoothing, growth_threshold=0.05, plateau_patience=3
        )
        assert not any(network.should_grow(loss) for loss in noisy[:2])
        assert network.best_loss == expected
    falling = GrowingNetwork(nn.Linear(4, 4), smoothing=0.5, growth_threshold=0.05, plateau_patience=2)
    assert not any(falling.should_grow(3.0 - 0.1 * step) for step in range(10))


def test_blocks_after_any_network_start_as_the_identity():
    torch.manual_seed(0)
    base = nn.Linear(6, 4)
    network = GrowingNetwork(base, hidden_expansion=1.5)
    x = torch.randn(3, 6)
    before = base(x)
    assert network.add_layer(4, epoch=7) == 0
    assert network.add_layer(4) == 1
    assert torch.equal(network(x), before)
    sizes = {"input_dim": 4, "hidden_dim": 6, "output_dim": 4}
    assert network.growth_history[0] == {"epoch": 7, "loss_before_growth": None, **sizes}
    network(x).square().sum().backward()
    assert network.extra_layers[1].output.weight.grad.any()
    wider = GrowingNetwork(base)
    wider.add_layer(4, 7)
    assert torch.equal(wider(x), nn.functional.pad(before, (0, 3)))
    with pytest.raises(ConfigError, match="input_dim"):
        wider.add_layer()


@pytest.mark.parametrize("kind", ["any", "luna"])
def test_a_grown_network_is_loaded_into_a_small_one(kind):
    def network() -> GrowingNetwork:
        base = nn.Linear(6, 4) if kind == "any" else make_model()
        return GrowingNetwork(base, smoothing=0.5, plateau_patience=2)

    saved = network()
    saved.should_grow(3.0)
    for _ in range(2):
        saved.add_layer(4 if kind == "any" else None, epoch=1)
    with torch.no_grad():
        for parameter in saved.parameters():
            parameter.add_(0.1)
    loaded = network()
    loaded.load_state_dict(safetensors.torch.load(safetensors.torch.save(saved.state_dict())))
    assert loaded.memory() == saved.memory()
    assert len(loaded.extra_layers) == 2
    x = torch.randn(2, 6) if kind == "any" else random_ids(1, 9)
    saved.eval(), loaded.eval()
    with torch.no_grad():
        ours, theirs = saved(x), loaded(x)
    assert torch.equal(*(y if kind == "any" else y.logits for y in (ours, theirs)))


def test_the_first_of_several_outputs_is_grown():
    class Pair(nn.Module):
        def forward(self, x, scale=1.0):
            return x * scale, "kept"

    network = GrowingNetwork(Pair())
    network.add_layer(4)
    nn.init.ones_(network.extra_layers[0].output.bias)
    first, second = network(torch.zeros(2, 4), scale=2.0)
    assert second == "kept"
    assert torch.equal(first, torch.ones(2, 4))


def test_a_luna_model_grows_inside():
    model = make_model()
    network = GrowingNetwork(model, max_extra_layers=3, layers_per_growth=2, position="spread")
    network.should_grow(3.0)
    ids = random_ids(1, 12)
    with torch.no_grad():
        before = network(ids).logits
        assert network.add_layer(64, epoch=1) == 1
        assert torch.equal(model(ids).logits, before)
        assert network.add_layer() == 2  # there was room for one more only
    assert network.room == 0
    assert len(model.layers) == 5
    assert network.growth_history is model.growth_history
    assert network.growth_history[0]["loss_before_growth"] == 3.0
    assert [id(p) for p in network.parameters()] == [id(p) for p in model.parameters()]
    with pytest.raises(ConfigError, match="largura 64"):
        GrowingNetwork(make_model()).add_layer(32)


def test_after_copies_the_loss_is_judged_anew():
    network = GrowingNetwork(make_model(), method="stack", plateau_patience=1)
    assert [network.should_grow(3.0), network.should_grow(3.0)] == [False, True]
    network.add_layer()
    assert [network.should_grow(4.0), network.should_grow(3.9)] == [False, False]
