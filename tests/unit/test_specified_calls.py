"""The calls of the specification for the parts of the model, as they are written there."""

import pytest
import torch
from tests.unit.test_model import make_model
from torch import nn

from lunagpt.models.components import ComponentWarning
from lunagpt.models.growing_network import GrowingNetwork
from lunagpt.models.hypernet import DomainSpecificHyperAdapter, HyperAdapter, HyperNetwork
from lunagpt.models.moe import MoEBlock
from lunagpt.models.relational_embeddings import RelationalPositionalEmbedding
from lunagpt.models.state_space_layer import StateSpaceLayer


def test_state_space_layer():
    layer = StateSpaceLayer(64, state_size=16, activation=nn.Tanh(), initializer="orthogonal")
    x = torch.randn(2, 10, 64)
    with torch.no_grad():
        output = layer(x)
        assert output.shape == (2, 10, 64)
        assert not layer.has_cached_state
        first = layer(x[:, :5, :], use_cache=True)
        assert layer.has_cached_state
        second = layer(x[:, 5:, :], use_cache=True)
        assert torch.allclose(torch.cat((first, second), dim=1), output, atol=1e-5)
        assert torch.allclose(layer.parallel_forward(x), output, atol=1e-5)
        for memory in (1000, 16000):  # only what leaves the result as it is
            layer.adapt_to_hardware(memory)
            assert layer.state_size == 16
            assert torch.allclose(layer(x), output, atol=1e-5)
    assert StateSpaceLayer(64).state_size == 16


def test_moe_block():
    block = MoEBlock(
        32,
        hidden_dim=None,
        num_experts=4,
        sparse_top_k=2,
        expert_dropout=0.1,
        load_balancing=True,
        emotional_routing=True,
    )
    assert (block.input_dim, block.hidden_dim, block.num_experts, block.sparse_top_k) == (32, 128, 4, 2)
    assert block(torch.randn(2, 7, 32)).shape == (2, 7, 32)
    block.adapt_to_hardware({"available_memory_mb": 1500})
    assert block.sparse_top_k == 1
    block.adapt_to_hardware({})
    assert block.sparse_top_k == 2
    assert MoEBlock(32, num_experts=2, sparse_top_k=5).sparse_top_k == 2


def test_hypernetworks():
    network = HyperNetwork(12, 20, hidden_dim=None, activation=nn.GELU, layer_norm=True)
    weight, bias = network(torch.randn(3, 12))
    assert (weight.shape, bias.shape, network.hidden_dim) == ((3, 20, 12), (3, 20), 24)
    x = torch.randn(2, 7, 32)
    assert HyperAdapter(32, meta_dim=64)(x).shape == x.shape
    adapted, domain_probs = DomainSpecificHyperAdapter(32, num_domains=5, domain_emb_dim=32)(x)
    assert adapted.shape == x.shape
    assert domain_probs.shape[-1] == 5  # after each token, so that nothing of the future is used
    assert torch.allclose(domain_probs.sum(-1), torch.ones(2, 7))


def test_growing_network():
    network = GrowingNetwork(
        nn.Linear(8, 8),
        max_extra_layers=3,
        growth_threshold=0.001,
        plateau_patience=5,
        hidden_expansion=2.0,
    )
    x = torch.randn(4, 8)
    before = network(x)
    assert not any(network.should_grow(current_loss) for current_loss in [1.0] * 5)
    assert network.should_grow(1.0)
    assert network.add_layer(8, output_dim=None) == 0
    assert len(network.extra_layers) == 1
    assert network.growth_history[0]["loss_before_growth"] == network.best_loss == 1.0
    assert network.plateau_counter == 0
    assert torch.allclose(network(x), before, atol=1e-6)


def test_relational_positional_embedding():
    embedding = RelationalPositionalEmbedding(max_seq_len=16, hidden_dim=8)
    assert embedding.absolute_embeddings.weight.shape == (16, 8)
    assert embedding.relative_distance_embeddings.weight.shape == (31, 8)
    assert embedding(torch.randn(2, 5, 8)).shape == (2, 5, 8)


def test_switches_of_a_running_model():
    model = make_model(use_moe=True, num_experts=8, use_hypernet=True)
    model.enable_all_components()
    model.enable_component("moe")
    with pytest.warns(ComponentWarning):
        model.disable_component("state_space")
    with pytest.warns(ComponentWarning):
        model.enable_moe_with_limited_experts(max_experts=4)
    model.optimize_for_cpu(num_threads=1)
    model.use_8bit_quantization()
    assert model.generate_text("Oi!", max_length=4, temperature=0) is not None
