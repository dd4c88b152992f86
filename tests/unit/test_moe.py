"""Experts: fast evaluations equal the definition; load, balance, saving, upcycling."""

import pytest
import torch
from tests.unit.test_model import make_model, random_ids, relative_error

from lunagpt.config import LunaConfig, count_parameters
from lunagpt.errors import ConfigError
from lunagpt.models import LunaModel
from lunagpt.models.experts import Choice, mix_experts
from lunagpt.models.layers import FeedForward
from lunagpt.models.moe import MoEBlock
from lunagpt.models.upcycling import upcycle
from lunagpt.training.optim import build_optimizer
from lunagpt.training.settings import TrainingSettings

D, F, E, C = 16, 24, 6, 2


def random_case(num_tokens: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num_tokens, D, generator=generator)
    scores = torch.rand(num_tokens, E, generator=generator)
    scores[:, 0] = 0  # an expert without tokens
    gates, experts = scores.topk(C)
    weights = [torch.randn(shape, generator=generator) / 4 for shape in ((E, F, D), (E, F, D), (E, D, F))]
    return x, Choice(experts, gates / gates.sum(1, keepdim=True)), weights


@pytest.mark.parametrize("backend", ["loop", "grouped"])
@pytest.mark.parametrize("num_tokens", [1, 7, 64])
def test_fast_evaluations_equal_the_definition(backend, num_tokens):
    results = {}
    for name in ("reference", backend):
        x, choice, weights = random_case(num_tokens)
        leaves = [x, choice.gates, *weights]
        for leaf in leaves:
            leaf.requires_grad_()
        mixed = mix_experts(x, choice, *weights, backend=name)
        mixed.square().sum().backward()
        results[name] = [mixed.detach(), *(leaf.grad for leaf in leaves)]
    for ours, wanted in zip(results[backend], results["reference"], strict=True):
        assert relative_error(ours, wanted) < 1e-5


def test_a_token_costs_only_its_experts():
    """Experts that were not chosen may hold anything."""
    x, choice, (gate, up, down) = random_case(9)
    gate[0] = torch.nan
    assert mix_experts(x, choice, gate, up, down, backend="loop").isfinite().all()


def test_equal_experts_are_one_feed_forward_network():
    dense = FeedForward(D, F)
    block = MoEBlock(D, F, num_experts=E, sparse_top_k=3, expert_dropout=0.0).eval()
    with torch.no_grad():
        for name in ("gate_proj", "up_proj", "down_proj"):
            weight = getattr(dense, name).weight.normal_()
            getattr(block, name).weight.copy_(weight.repeat(E, 1))
    x = torch.randn(2, 5, D)
    with torch.no_grad():
        assert relative_error(block(x), dense(x)) < 1e-5


def test_dropout_acts_in_training_only():
    block = MoEBlock(D, F, expert_dropout=0.5)
    x = torch.randn(1, 8, D)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


@pytest.mark.parametrize("balancing", ["bias", "none"])
def test_the_bias_evens_out_the_load(balancing):
    torch.manual_seed(0)
    block = MoEBlock(D, F, num_experts=4, sparse_top_k=1, load_balancing=balancing)
    with torch.no_grad():
        block.router[0] += 0.3  # nearly everything would go to one expert
        x = torch.rand(1, 512, D)
        figures = []
        for _ in range(600):
            block(x)
            figures.append(block.rebalance())
    assert figures[0]["violation"] > 1.5
    assert (figures[-1]["violation"] < 0.5) == (balancing == "bias")
    assert block.rebalance() == {}


def test_the_balance_loss_pulls_the_router_towards_an_even_load():
    torch.manual_seed(0)
    block = MoEBlock(D, F, num_experts=4, sparse_top_k=1, load_balancing="loss", z_loss=0.0)
    with torch.no_grad():
        block.router[0] += 0.3
    x = torch.rand(1, 512, D)
    before = block.router.detach().clone()
    losses: list[torch.Tensor] = []
    block(x, losses)
    sum(losses).backward()
    with torch.no_grad():
        block.router -= 1e-2 * block.router.grad
    crowded = block.router_logits(x[0])[:, 0].mean() - block.router_logits(x[0])[:, 1:].mean()
    assert crowded < (x[0] @ before.T)[:, 0].mean() - (x[0] @ before.T)[:, 1:].mean()


def test_hardware_and_limits_change_only_who_is_asked():
    block = MoEBlock(D, F, num_experts=E, sparse_top_k=2).eval()
    weights = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    assert [block.adapt_to_hardware({"available_memory_mb": mb}) for mb in (500, 3000, 64000)] == [1, 2, 3]
    block.limit_experts(2)
    choice = block.choose(block.router_logits(torch.randn(50, D)))
    assert choice.experts.shape == (50, 2)
    assert choice.experts.max() == 1
    block.limit_experts(None)
    assert block.choose(block.router_logits(torch.randn(200, D))).experts.max() == E - 1
    assert all(torch.equal(block.state_dict()[name], tensor) for name, tensor in weights.items())
    with pytest.raises(ValueError, match="max_experts"):
        block.limit_experts(0)


EXPERTS = {"use_moe": True, "num_experts": 4, "experts_per_token": 2}


def test_balance_losses_have_a_gradient_and_no_value():
    model = make_model(**EXPERTS).train()
    ids = random_ids(2, 40)
    labels = torch.full_like(ids, -100)
    labels[:, 20:] = ids[:, 20:]
    loss, count = model.loss(ids, labels)
    assert count == 40
    router = model.moe_blocks[0].router
    (with_losses,) = torch.autograd.grad(loss, router)
    for block in model.moe_blocks:
        block.z_loss = 0.0
    plain, _ = model.loss(ids, labels)
    (without,) = torch.autograd.grad(plain, router)
    assert torch.equal(loss, plain)
    assert not torch.allclose(with_losses, without)
    figures = model.after_step()
    assert set(figures) == {"expert_violation", "dead_experts"}
    assert model.after_step() == {}


def test_parameters_are_counted_and_placed():
    model = make_model(**EXPERTS, moe_layers=[1])
    assert [layer.moe is not None for layer in model.layers] == [False, True]
    assert count_parameters(model.config.model) == model.num_parameters()


@torch.no_grad()
def test_saved_and_loaded(tmp_path):
    model = make_model(**EXPERTS)
    model.moe_blocks[0].balance_bias.uniform_(-0.1, 0.1)
    model.save(tmp_path / "m")
    assert (tmp_path / "m" / "components" / "moe" / "model.safetensors").is_file()
    ids = random_ids(1, 30)
    assert torch.equal(LunaModel.from_pretrained(tmp_path / "m")(ids).logits, model(ids).logits)


def test_muon_treats_every_expert_as_a_matrix():
    """Scaling one expert's gradient leaves the direction of every expert's step as it was."""
    steps = []
    for scale in (1.0, 100.0):
        model = make_model(**EXPERTS).train()
        block = model.moe_blocks[0]
        optimizer = build_optimizer(model, TrainingSettings(weight_decay=0.0))
        before = block.up_proj.weight.detach().clone()
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
        block.up_proj.weight.grad[: block.hidden_dim] *= scale
        optimizer.step()
        steps.append(block.up_proj.weight.detach() - before)
    assert relative_error(steps[1], steps[0]) < 1e-3


@torch.no_grad()
@pytest.mark.parametrize("layers", ["alternate", "all", [0]])
def test_upcycling_keeps_the_output(layers):
    dense = make_model(seed=5)
    experts = upcycle(dense, num_experts=4, experts_per_token=2, layers=layers)
    ids = random_ids(2, 60)
    assert relative_error(experts(ids).logits, dense(ids).logits) < 1e-5
    assert experts.moe_blocks
    assert not experts.training


def test_upcycled_experts_drift_apart():
    model = upcycle(make_model(seed=5), num_experts=4, layers="all").train()
    optimizer = build_optimizer(model, TrainingSettings())
    ids = random_ids(2, 60)
    for _ in range(2):
        model.loss(ids[:, :-1], ids[:, 1:])[0].backward()
        optimizer.step()
        optimizer.zero_grad()
    first, second = model.moe_blocks[0].up_proj.weight.view(4, -1)[:2]
    assert not torch.equal(first, second)


def test_what_cannot_be_upcycled():
    with pytest.raises(ConfigError, match="já tem especialistas"):
        upcycle(make_model(**EXPERTS))
    with pytest.raises(ConfigError, match="experts_per_token"):
        upcycle(make_model(), num_experts=1, experts_per_token=2)


def test_layers_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="moe_layers"):
        LunaConfig.preset("test").replaced(model={"use_moe": True, "moe_layers": [2]})
