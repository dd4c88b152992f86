"""Emotional routing: nothing at birth, causal, the same in every way of reading, taught by labels alone."""

import numpy as np
import pytest
import torch
from tests.unit.test_model import TOLERANCE, make_model, random_ids, relative_error

from lunagpt.config import LunaConfig, count_parameters
from lunagpt.data.traits import EMOTIONS, UNKNOWN
from lunagpt.errors import ConfigError
from lunagpt.models import LunaModel
from lunagpt.models.decoding_state import LayerState
from lunagpt.models.emotional_routing import EmotionalRouting, emotion_loss
from lunagpt.models.emotions import read_emotions
from lunagpt.models.moe import MoEBlock
from lunagpt.models.parameters import parameter_groups
from lunagpt.models.upcycling import upcycle
from lunagpt.training.optim import build_optimizer
from lunagpt.training.settings import TrainingSettings

EMOTIONAL = {"use_moe": True, "num_experts": 4, "moe_layers": "all", "emotional_routing": True}


def feeling_model(**changes) -> LunaModel:
    """A model whose readings differ along a text and move tokens between experts."""
    model = make_model(**EMOTIONAL, **changes)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for block in model.moe_blocks:
            block.emotional_routing.projector.normal_(std=0.2, generator=generator)
            block.emotional_routing.biases.normal_(std=3.0, generator=generator)
    return model


def test_the_specification_s_argument():
    block = MoEBlock(16, None, 4, 2, 0.1, True, True)
    assert block.emotional_routing
    assert not MoEBlock(16).emotional_routing
    assert block(torch.randn(2, 5, 16)).shape == (2, 5, 16)


@torch.no_grad()
def test_nothing_changes_at_birth():
    plain = make_model(**EMOTIONAL | {"emotional_routing": False})
    with_reading = LunaModel.from_scratch(plain.config.replaced(model={"emotional_routing": True})).eval()
    missing = with_reading.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert len(missing) == 4
    ids = random_ids(2, 50)
    assert torch.equal(with_reading(ids).logits, plain(ids).logits)
    # an undecided reading moves nothing, whatever has been learned of its effect
    for block in with_reading.moe_blocks:
        block.emotional_routing.biases.normal_()
    assert torch.equal(with_reading(ids).logits, plain(ids).logits)


@torch.no_grad()
def test_scores_are_the_mean_of_what_came_before():
    torch.manual_seed(0)
    routing = EmotionalRouting(8, 4)
    routing.projector.normal_()
    x = torch.randn(1, 9, 8)
    starts = torch.zeros(1, 9, dtype=torch.bool)
    starts[0, [3, 4]] = True
    mask = torch.ones(1, 9, dtype=torch.bool)
    scores = routing.scores(x, mask, starts)
    own = x[0] @ routing.projector.T
    for position, first in enumerate([0, 0, 0, 3, 4, 4, 4, 4, 4]):
        assert torch.allclose(scores[0, position], own[first : position + 1].mean(0), atol=1e-6)
    mask[0, :2] = False
    assert torch.allclose(routing.scores(x, mask)[0, 5], own[2:6].mean(0), atol=1e-6)
    state = LayerState()
    pieces = [routing.scores(piece, state=state) for piece in x.split([4, 1, 4], dim=1)]
    assert torch.allclose(torch.cat(pieces, 1), routing.scores(x), atol=1e-6)


@torch.no_grad()
def test_every_way_of_reading_gives_the_same_logits():
    model = feeling_model()
    ids = random_ids(2, 150)
    whole = model(ids).logits
    state = model.new_state()
    pieces = [model(piece, state=state).logits for piece in ids.split([70, 1, 59, *[1] * 20], dim=1)]
    assert relative_error(torch.cat(pieces, dim=1), whole) < TOLERANCE
    # a copied state goes on as the original does
    assert torch.equal(model(ids[:, :3], state=state.clone()).logits, model(ids[:, :3], state=state).logits)
    # the future is not seen
    other = torch.cat((ids[:, :40], random_ids(2, 110)), dim=1)
    assert relative_error(model(other).logits[:, :40], whole[:, :40]) < TOLERANCE
    # unequal prompts in a batch
    padded = torch.cat((torch.zeros(1, 60, dtype=torch.int64), ids[:1, :90]), dim=1)
    mask = torch.ones(2, 150, dtype=torch.bool)
    mask[0, :60] = False
    together = model(torch.cat((padded, ids[1:])), attention_mask=mask).logits
    assert relative_error(together[0, 60:], model(ids[:1, :90]).logits[0]) < TOLERANCE
    assert relative_error(together[1], whole[1]) < TOLERANCE
    # packed documents
    documents = torch.arange(150).ge(64).long().expand(2, -1)
    packed = model(ids, document_ids=documents).logits
    assert relative_error(packed[:, 64:], model(ids[:, 64:]).logits) < TOLERANCE


def test_labels_teach_the_projector_and_nothing_else():
    model = feeling_model().train()
    ids = random_ids(2, 40)
    labels = ids.roll(-1, dims=1)

    def gradients(emotion: torch.Tensor | None) -> dict[str, torch.Tensor]:
        model.zero_grad()
        traits = None if emotion is None else {"emotion": emotion}
        loss, _ = model.loss(ids, labels, traits=traits)
        loss.backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    plain = gradients(None)
    assert not any("projector" in name for name in plain)
    assert any("emotional_routing.biases" in name for name in plain)
    unlabelled = gradients(torch.full_like(ids, UNKNOWN))
    emotion = torch.full_like(ids, UNKNOWN)
    emotion[0, 10:30] = EMOTIONS.index("fear")
    labelled = gradients(emotion)
    for name, gradient in labelled.items():
        if "projector" in name:
            assert gradient.any()
            assert not unlabelled[name].any()
        else:
            assert torch.allclose(gradient, plain[name], atol=1e-7)


def test_the_loss_is_the_labels_cross_entropy():
    scores = torch.randn(1, 5, 8)
    emotions = torch.tensor([[UNKNOWN, 2, 2, UNKNOWN, 7]])
    by_hand = -sum(scores[0, t].log_softmax(-1)[e] for t, e in ((1, 2), (2, 2), (4, 7)))
    assert torch.allclose(emotion_loss(scores, emotions), 0.1 * by_hand)
    assert emotion_loss(scores, torch.full((1, 5), UNKNOWN)) == 0


def test_it_learns_to_tell_emotions_apart_and_can_be_read():
    model = upcycle(make_model(seed=5), num_experts=4, layers="all", emotional_routing=True).train()
    texts = {"fear": "tenho medo do escuro", "joy": "que alegria passar na prova"}
    rows = {e: torch.tensor([model.tokenizer.encode_content(text)]) for e, text in texts.items()}
    optimizer = build_optimizer(model, TrainingSettings(learning_rate=1e-2))
    for _ in range(20):
        for emotion, ids in rows.items():
            traits = {"emotion": torch.full_like(ids, EMOTIONS.index(emotion))}
            model.loss(ids, torch.full_like(ids, -100).index_fill(1, torch.tensor([0]), 5), traits=traits)[
                0
            ].backward()
        optimizer.step()
        optimizer.zero_grad()
    for emotion, text in texts.items():
        reading = read_emotions(model, text)
        assert reading.strongest == emotion
        assert list(reading.probabilities) == list(EMOTIONS)
        assert sum(reading.probabilities.values()) == pytest.approx(1)
        assert reading.by_layer.shape == (2, 8)
    assert model.training


def test_the_influence_on_the_routing_is_told():
    reading = read_emotions(feeling_model(), "tenho medo do escuro")
    assert reading.layers == [0, 1]
    assert reading.influence.shape == (2, 4)
    assert np.abs(reading.influence).max() > 0.01
    assert np.allclose(reading.influence.sum(1), 0, atol=1e-6)
    born = read_emotions(make_model(**EMOTIONAL), "tenho medo do escuro")
    assert not born.influence.any()
    assert set(born.probabilities.values()) == {1 / 8}


def test_counted_placed_saved_and_loaded(tmp_path):
    model = feeling_model()
    assert count_parameters(model.config.model) == model.num_parameters()
    names = {name for name, _ in parameter_groups(model)["no_decay"]}
    assert {"layers.0.moe.emotional_routing.projector", "layers.0.moe.emotional_routing.biases"} <= names
    model.save(tmp_path / "m")
    ids = random_ids(1, 30)
    with torch.no_grad():
        assert torch.equal(LunaModel.from_pretrained(tmp_path / "m")(ids).logits, model(ids).logits)


def test_what_has_no_experts_has_no_emotions():
    with pytest.raises(ConfigError, match="use_moe"):
        LunaConfig.preset("test").replaced(model={"emotional_routing": True})
    with pytest.raises(ConfigError, match="não lê emoções"):
        read_emotions(make_model(use_moe=True, num_experts=4), "olá")
