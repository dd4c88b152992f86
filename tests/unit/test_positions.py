"""Positions, attention temperature and contextual embeddings: neutral at birth, exact on every path."""

import pytest
import torch
import torch.nn.functional as F
from tests.unit.test_model import TOLERANCE, make_model, random_ids, relative_error

from lunagpt.config import LunaConfig, count_parameters
from lunagpt.errors import ConfigError
from lunagpt.models import LunaModel, RelationalPositionalEmbedding, parameter_groups
from lunagpt.models.falcon_h1 import falcon_h1_config, falcon_h1_weights
from lunagpt.models.relational_embeddings import by_offset

KINDS = {
    "relative": {"positions": "relative", "relative_buckets": 8, "relative_distance": 40},
    "both": {"positions": "rotary+relative"},
    "none": {"positions": "none"},
    "temperature": {"attention_temperature": True},
    "convolution": {"embedding_convolution": True},
    "all, windowed": {
        "positions": "rotary+relative",
        "attention_temperature": True,
        "embedding_convolution": True,
        "sliding_window": 20,
        "window_layers": [1],
    },
}
PARTS = ("relative_positions.", "embedding_convolution.", ".temperature.")


def awake(seed: int = 0, **changes) -> LunaModel:
    """A model whose new parts have left their zero."""
    model = make_model(seed, **changes)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if any(part in name for part in PARTS):
                # an exponential: wide weights would make every rounding error large
                weight.normal_(std=0.05 if ".temperature." in name else 0.3, generator=generator)
    return model


@pytest.fixture(scope="module", params=KINDS)
def model(request) -> LunaModel:
    return awake(**KINDS[request.param])


@torch.no_grad()
def test_pieces_and_single_tokens_equal_one_pass(model):
    ids = random_ids(2, 150)
    whole = model(ids).logits
    state = model.new_state()
    pieces = [model(piece, state=state).logits for piece in ids.split([70, 1, 1, 58, *[1] * 20], dim=1)]
    assert relative_error(torch.cat(pieces, dim=1), whole) < TOLERANCE


@torch.no_grad()
def test_unequal_prompts_in_one_batch(model):
    lengths = [2, 41, 90]
    prompts = [random_ids(1, n) for n in lengths]
    ids = torch.cat([F.pad(p, (90 - n, 0), value=99) for p, n in zip(prompts, lengths, strict=True)])
    mask = torch.cat([F.pad(torch.ones(1, n), (90 - n, 0)) for n in lengths])
    more = random_ids(3, 6)
    whole = model(ids, mask).logits
    state = model.new_state()
    parts = [model(ids[:, a:b], mask[:, a:b], state).logits for a, b in ((0, 50), (50, 90))]
    parts += [model(more[:, t : t + 1], state=state).logits for t in range(6)]
    together = torch.cat(parts, dim=1)
    for row, (prompt, n) in enumerate(zip(prompts, lengths, strict=True)):
        alone = model(torch.cat((prompt, more[row : row + 1]), dim=1)).logits
        assert relative_error(together[row : row + 1, 90 - n :], alone) < TOLERANCE
        assert relative_error(whole[row : row + 1, 90 - n :], alone[:, :n]) < TOLERANCE


@torch.no_grad()
def test_packed_documents_do_not_see_each_other(model):
    lengths = [1, 140, 2, 57]
    documents = [random_ids(1, n) for n in lengths]
    numbers = torch.cat([torch.full((1, n), i) for i, n in enumerate(lengths)], dim=1)
    packed = model(torch.cat(documents, dim=1), document_ids=numbers).logits
    for alone, part in zip(documents, packed.split(lengths, dim=1), strict=True):
        assert relative_error(part, model(alone).logits) < TOLERANCE


def test_every_part_learns_and_is_grouped_and_counted(model):
    config = model.config.model
    assert model.num_parameters() == count_parameters(config)
    new = {name for name, _ in model.named_parameters() if any(part in name for part in PARTS)}
    assert new <= {name for name, _ in parameter_groups(model)["no_decay"]}
    assert bool(new) == (config.positions != "none")
    ids = random_ids(2, 60)
    loss, _ = model.loss(ids, ids.roll(-1, dims=1), torch.arange(60).div(25).long().expand(2, -1))
    loss.backward()
    for name, weight in model.named_parameters():
        if name in new:
            assert weight.grad.abs().max() > 0, name
    model.zero_grad()


@torch.no_grad()
def test_a_saved_model_answers_the_same(tmp_path):
    model = awake(**KINDS["all, windowed"])
    ids = random_ids(1, 50)
    again = LunaModel.from_pretrained(model.save(tmp_path / "m"))
    assert torch.equal(again(ids).logits, model(ids).logits)


@torch.no_grad()
@pytest.mark.parametrize("changes", [{"positions": "rotary+relative"}, {"embedding_convolution": True}])
def test_new_parts_change_nothing_at_birth(changes):
    plain = make_model(use_state_space=False)
    other = make_model(use_state_space=False, **changes)
    other.load_state_dict(plain.state_dict(), strict=False)
    ids = random_ids(2, 140)
    assert relative_error(other(ids).logits, plain(ids).logits) < 1e-5


@torch.no_grad()
def test_a_new_temperature_is_one_and_follows_the_token_later():
    temperature = awake(attention_temperature=True).layers[0].attention.temperature
    x = torch.randn(1, 5, 64)
    assert temperature(x).std() > 0
    assert (temperature(x) > 0).all()
    fresh = make_model(attention_temperature=True).layers[0].attention.temperature
    assert torch.equal(fresh(x), torch.ones(1, 2, 5, 1))


@torch.no_grad()
def test_the_temperature_takes_the_length_of_queries_out_of_the_scores():
    model = awake(attention_temperature=True, use_state_space=False)
    ids = random_ids(1, 30)
    before = model(ids).logits
    for layer in model.layers:
        layer.attention.q_proj.weight.mul_(5)
        layer.attention.k_proj.weight.mul_(0.2)
    assert relative_error(model(ids).logits, before) < 1e-4


@torch.no_grad()
def test_without_positions_attention_alone_cannot_tell_the_order():
    model = make_model(use_state_space=False, positions="none", num_layers=1)
    ids = random_ids(1, 20)
    mixed = torch.cat((ids[:, :19].flip(1), ids[:, 19:]), dim=1)
    assert relative_error(model(ids).logits[:, -1], model(mixed).logits[:, -1]) < TOLERANCE
    other = awake(use_state_space=False, positions="relative", num_layers=1)
    assert relative_error(other(ids).logits[:, -1], other(mixed).logits[:, -1]) > 1e-3


def test_fused_attention_and_tiles_give_the_same_values_and_gradients(monkeypatch):
    """What a GPU computes with one bias for all pairs, a CPU computes tile by tile."""
    import lunagpt.models.visibility as module

    model = awake(positions="rotary+relative", sliding_window=30, window_layers="alternate")
    ids = random_ids(1, 200)
    documents = torch.arange(200).div(150).long()[None]
    results, look = [], module.look
    for in_tiles in (True, False):
        if not in_tiles:
            monkeypatch.setattr(module, "look", lambda *given: look(*given, in_tiles=False))
        loss, _ = model.loss(ids, ids.roll(-1, dims=1), documents)
        results.append(
            [loss.detach(), *torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad])]
        )
    for tiled, fused in zip(*results, strict=True):
        assert relative_error(tiled, fused) < 1e-4


def test_relational_embedding_as_the_specification_calls_it():
    embedding = RelationalPositionalEmbedding(16, 8)
    assert (embedding.max_seq_len, embedding.hidden_dim) == (16, 8)
    assert embedding.absolute_embeddings.weight.shape == (16, 8)
    assert embedding.relative_distance_embeddings.weight.shape == (31, 8)
    x = torch.randn(2, 5, 8)
    assert torch.equal(embedding(x), x)  # zero at birth
    with torch.no_grad():
        embedding.absolute_embeddings.weight.normal_()
        embedding.relative_distance_embeddings.weight.normal_()
    assert torch.equal(embedding(x, start=3)[0, 0], x[0, 0] + embedding.absolute_embeddings.weight[3])
    relations = embedding.relations(5)
    assert torch.equal(relations[4, 1], embedding.relative_distance_embeddings.weight[15 + 3])
    assert torch.equal(relations[1, 4], embedding.relative_distance_embeddings.weight[15 - 3])
    assert torch.equal(embedding.by_distance(20)[:, 19], embedding.by_distance(16)[:, 15])
    with pytest.raises(ValueError, match="16"):
        embedding(x, start=12)


def test_buckets_are_exact_nearby_and_logarithmic_far_away():
    embedding = RelationalPositionalEmbedding(1024, 1, num_buckets=32, absolute=False)
    with torch.no_grad():
        embedding.relative_distance_embeddings.weight.copy_(torch.arange(32.0)[:, None])
    rows = embedding.by_distance(5000)[0]
    assert rows[:16].tolist() == list(range(16))
    assert set(rows.diff().tolist()) == {0, 1}
    assert rows[1023] == rows[4999] == 31
    assert (rows[512:1024] == rows[512]).sum() > 90


def test_by_offset_follows_its_formula_and_carries_gradients():
    values = torch.randn(2, 30, dtype=torch.float64, requires_grad=True)
    bias = by_offset(values, 4, 6, 5)
    for i in range(4):
        for j in range(6):
            assert torch.equal(bias[:, i, j], values[:, 5 + i - j])
    assert torch.equal(by_offset(values, 3, 3, 0)[:, 0, 2], values[:, 0])
    assert torch.autograd.gradcheck(lambda v: by_offset(v, 4, 6, 5), (values,))


@pytest.mark.parametrize(
    "changes", [*KINDS.values(), {"use_moe": True}, {"use_hypernet": True}, {"use_attention": False}]
)
def test_what_falcon_h1_lacks_is_not_exported(changes):
    model = make_model(**changes)
    with pytest.raises(ConfigError, match="Falcon-H1"):
        falcon_h1_config(model.config.model)
    with pytest.raises(ConfigError, match="Falcon-H1"):
        falcon_h1_weights(model)


def test_impossible_settings_are_refused():
    for changes, message in (
        ({"window_layers": [5], "sliding_window": 4}, "window_layers"),
        ({"relative_buckets": 64, "relative_distance": 32}, "relative_buckets"),
        ({"positions": "absolute"}, "positions"),
    ):
        with pytest.raises(ConfigError, match=message):
            LunaConfig.preset("test").replaced(model=changes)
