"""LunaModel: every way of reading the same tokens gives the same logits."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lunagpt.config import LunaConfig, count_parameters
from lunagpt.errors import GenerationError, LunaError
from lunagpt.models import LunaModel, parameter_groups
from lunagpt.models.cross_entropy import linear_cross_entropy

TOLERANCE = 2e-5


def relative_error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def make_model(seed: int = 0, **changes) -> LunaModel:
    """A small model whose output projections are not zero, so that every part shows."""
    model = LunaModel.from_scratch(LunaConfig.preset("test").replaced(model=changes), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, weight in parameter_groups(model)["matrix"]:
            if not weight.any():
                weight.normal_(std=0.1, generator=generator)
    return model.eval()


KINDS = {
    "hybrid": {},
    "attention": {"use_state_space": False},
    "state_space": {"use_attention": False},
    "experts": {"use_moe": True, "num_experts": 4},
}


@pytest.fixture(scope="module", params=KINDS)
def model(request) -> LunaModel:
    return make_model(**KINDS[request.param])


def random_ids(*shape: int) -> torch.Tensor:
    return torch.randint(16, 16384, shape, generator=torch.Generator().manual_seed(sum(shape)))


@torch.no_grad()
def test_pieces_and_single_tokens_equal_one_pass(model):
    ids = random_ids(2, 150)
    whole = model(ids).logits
    state = model.new_state()
    pieces = [model(piece, state=state).logits for piece in ids.split([70, 1, 59, *[1] * 20], dim=1)]
    assert relative_error(torch.cat(pieces, dim=1), whole) < TOLERANCE
    assert state.length == 150


@torch.no_grad()
def test_unequal_prompts_in_one_batch(model):
    lengths = [3, 41, 90]
    prompts = [random_ids(1, n) for n in lengths]
    ids = torch.cat([F.pad(p, (90 - n, 0)) for p, n in zip(prompts, lengths, strict=True)])
    mask = torch.cat([F.pad(torch.ones(1, n), (90 - n, 0)) for n in lengths])
    more = random_ids(3, 8)
    state = model.new_state()
    first = [model(ids[:, :50], mask[:, :50], state).logits, model(ids[:, 50:], mask[:, 50:], state).logits]
    later = [model(more[:, t : t + 1], state=state).logits for t in range(8)]
    together = torch.cat(first + later, dim=1)
    for row, (prompt, n) in enumerate(zip(prompts, lengths, strict=True)):
        alone = model(torch.cat((prompt, more[row : row + 1]), dim=1)).logits
        assert relative_error(together[row : row + 1, 90 - n :], alone) < TOLERANCE


@torch.no_grad()
@settings(max_examples=20)
@given(lengths=st.lists(st.integers(1, 120), min_size=1, max_size=6))
def test_packed_documents_do_not_see_each_other(lengths):
    model = make_model()
    documents = [random_ids(1, n) for n in lengths]
    numbers = torch.cat([torch.full((1, n), i) for i, n in enumerate(lengths)], dim=1)
    packed = model(torch.cat(documents, dim=1), document_ids=numbers).logits
    for alone, part in zip(documents, packed.split(lengths, dim=1), strict=True):
        assert relative_error(part, model(alone).logits) < TOLERANCE


@torch.no_grad()
def test_a_cloned_state_goes_its_own_way(model):
    ids = random_ids(1, 60)
    state = model.new_state()
    model(ids[:, :40], state=state)
    snapshot = state.clone()
    model(random_ids(1, 9), state=state)
    continued = model(ids[:, 40:], state=snapshot).logits
    assert relative_error(continued, model(ids).logits[:, 40:]) < TOLERANCE


def test_loss_and_gradients_equal_plain_cross_entropy(model):
    ids = random_ids(2, 40)
    labels = ids.roll(-1, dims=1)
    labels[:, -1] = -100
    labels[0, :20] = -100
    loss, count = model.loss(ids, labels)
    logits = model(ids).logits.flatten(0, 1)
    expected = F.cross_entropy(logits, labels.flatten(), ignore_index=-100, reduction="sum")
    assert count == int((labels != -100).sum())
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    parameters = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        assert relative_error(ours, theirs) < 1e-4


def test_linear_cross_entropy_gradient_in_float64():
    hidden = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(11, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([1, -100, 3, 10, 0, -100, 2])
    assert torch.autograd.gradcheck(lambda h, w: linear_cross_entropy(h, w, labels)[0], (hidden, weight))


def test_nothing_to_learn_gives_a_zero_loss_with_gradient():
    model = make_model()
    loss, count = model.loss(random_ids(1, 5), torch.full((1, 5), -100))
    assert count == 0
    loss.backward()
    assert float(loss.detach()) == 0
    assert model.embedding.weight.grad.abs().max() == 0


@torch.no_grad()
def test_bfloat16_stays_close_and_keeps_the_state_in_float32():
    model = make_model()
    ids = random_ids(1, 100)
    exact = model(ids).logits
    model.compute_dtype = torch.bfloat16
    state = model.new_state()
    narrow = model(ids, state=state).logits
    assert narrow.dtype == torch.float32
    assert all(layer.recurrent.dtype == torch.float32 for layer in state.layers)
    assert relative_error(narrow, exact) < 0.05
    assert (narrow - exact).abs().max() > 0  # it did compute in bfloat16


def test_presets_have_the_size_that_the_formula_says():
    for name, low, high in (("test", 1.0e6, 1.5e6), ("nano", 14e6, 15e6)):
        config = LunaConfig.preset(name)
        model = LunaModel.from_scratch(config)
        assert model.num_parameters() == count_parameters(config.model)
        assert low < model.num_parameters() < high
    assert 90e6 < count_parameters(LunaConfig.preset("mini").model) < 94e6


def test_every_parameter_is_in_one_group_and_dynamics_are_not_decayed():
    model = make_model()
    groups = parameter_groups(model)
    names = [name for members in groups.values() for name, _ in members]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    undecayed = {name.rsplit(".", 1)[-1] for name, _ in groups["no_decay"]}
    assert {"A_log", "D", "dt_bias", "conv_weight", "conv_bias"} <= undecayed
    assert all(weight.dim() == 2 for _, weight in groups["matrix"])


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    a = LunaModel.from_scratch(LunaConfig.preset("test"), seed=1)
    assert torch.equal(torch.rand(3), expected)
    b = LunaModel.from_scratch(LunaConfig.preset("test"), seed=1)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_lightweight_is_smaller():
    config = LunaConfig.preset("nano")
    small = LunaModel.from_scratch(config, use_lightweight=True)
    assert small.num_parameters() < count_parameters(config.model) / 2


def test_encode_text_does_not_depend_on_its_batch(model):
    texts = ["Lisboa", "O rio corre devagar entre as pedras da serra.", "São Paulo é grande."]
    for pooling in ("mean", "last", "max"):
        together = model.encode_text(texts, pooling)
        assert together.shape == (3, model.config.model.hidden_size)
        for i, text in enumerate(texts):
            alone = model.encode_text(text, pooling)
            assert abs(alone - together[i]).max() < TOLERANCE * abs(together[i]).max()


def test_encode_text_refuses_what_it_cannot_do():
    model = make_model()
    with pytest.raises(LunaError, match="pooling"):
        model.encode_text("oi", pooling="cls")
    with pytest.raises(LunaError, match="vazio"):
        model.encode_text(["oi", ""])


def test_generate_text_streams_what_it_returns():
    model = make_model()
    settings = {"max_length": 12, "temperature": 0.9, "seed": 3}
    pieces = list(model.generate_text("Olá!", stream=True, **settings))
    assert "".join(pieces) == model.generate_text("Olá!", **settings)
    assert model.generate_text("Olá!", prefix="Bom dia", **settings).startswith("Bom dia")


def test_generate_continues_each_row_as_if_alone():
    model = make_model()
    long, short = random_ids(1, 12), random_ids(1, 5)
    ids = torch.cat((long, F.pad(short, (7, 0))))
    mask = torch.cat((torch.ones(1, 12), F.pad(torch.ones(1, 5), (7, 0))))
    together = model.generate(ids, mask, max_length=20, temperature=0)
    assert together.shape[1] <= 20
    alone = model.generate(short, max_length=13, temperature=0)
    assert together[1, 12:].tolist()[: alone.shape[1] - 5] == alone[0, 5:].tolist()


def test_generate_stops_at_the_end_of_the_turn_and_says_when_there_is_no_room():
    model = make_model()
    with torch.no_grad():
        model.embedding.weight.zero_()
        model.embedding.weight[model.tokenizer.end_token_id] = 1.0
        model.final_norm.weight.fill_(1.0)
    ids = torch.full((1, 4), model.tokenizer.end_token_id)
    assert model.generate(ids, max_length=30, temperature=0).shape[1] <= 5
    with pytest.raises(GenerationError, match="max_length"):
        model.generate(ids, max_length=4)
