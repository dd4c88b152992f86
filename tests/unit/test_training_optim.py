"""Muon and the optimizers that are built from a model."""

import pytest
import torch
from tests.unit.train_helpers import (
    TinyModel,
    one_thread,  # noqa: F401 - acts on every test here
)
from torch import Tensor, nn

from lunagpt.training.muon import A, B, C, Muon, orthogonalize
from lunagpt.training.optim import Optimizers, build_optimizer
from lunagpt.training.settings import TrainingSettings


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 40), (2, 40, 8), (1, 12, 1)])
def test_singular_values_come_near_one(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    result = orthogonalize(matrices)
    values = torch.linalg.svdvals(result)
    assert values.max() < 1.3
    # The smallest singular values of a square matrix may stay below: a step lifts them by 3.44 at most.
    assert values.median() > 0.6
    if shape[1] != shape[2]:
        assert values.min() > 0.5
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.mT @ result @ right.mT  # diagonal if the singular vectors are the same
    assert torch.allclose(inner, torch.diag_embed(inner.diagonal(dim1=-2, dim2=-1)), atol=1e-3)


def reference_direction(gradient: Tensor) -> Tensor:
    """The Newton–Schulz iteration as the source writes it, one matrix in float64."""
    x = gradient.double()
    x = x.T if gradient.shape[0] > gradient.shape[1] else x
    x = x / x.norm()
    for _ in range(5):
        gram = x @ x.T
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x.T if gradient.shape[0] > gradient.shape[1] else x


def test_equals_a_plain_implementation_over_several_steps() -> None:
    torch.manual_seed(1)
    shapes = [(6, 6), (4, 12), (12, 4), (6, 6), (12, 4)]
    params = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    expected = [param.detach().double().clone() for param in params]
    momenta = [torch.zeros_like(weight) for weight in expected]
    optimizer = Muon(params, lr=0.05, momentum=0.9, weight_decay=0.3)
    for _ in range(4):
        for i, param in enumerate(params):
            param.grad = torch.randn_like(param)
            gradient = param.grad.double()
            momenta[i] = 0.9 * momenta[i] + 0.1 * gradient
            direction = reference_direction(0.1 * gradient + 0.9 * momenta[i])
            scale = max(1.0, param.shape[0] / param.shape[1]) ** 0.5
            expected[i] = expected[i] * (1 - 0.05 * 0.3) - 0.05 * scale * direction
        optimizer.step()
    for param, weight in zip(params, expected, strict=True):
        assert torch.allclose(param.double(), weight, atol=1e-5)


def test_equals_torch_muon() -> None:
    """torch runs the iteration in bfloat16, hence the tolerance."""
    torch.manual_seed(2)
    start = torch.randn(24, 16)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = Muon([ours], lr=0.1, weight_decay=0.1)
    reference = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.1, momentum=0.95, adjust_lr_fn="original")
    for _ in range(3):
        ours.grad = torch.randn_like(ours)
        theirs.grad = ours.grad.clone()
        mine.step()
        reference.step()
    assert torch.allclose(ours, theirs, atol=0.01)


def test_blocks_are_orthogonalised_separately() -> None:
    torch.manual_seed(3)
    weight = nn.Parameter(torch.zeros(10, 8))
    weight.grad = torch.cat((100 * torch.randn(4, 8), torch.randn(6, 8)))
    Muon([weight], lr=1.0, blocks={weight: [slice(0, 4), slice(4, 10)]}).step()
    for rows in (slice(0, 4), slice(4, 10)):
        alone = nn.Parameter(torch.zeros_like(weight[rows]))
        alone.grad = weight.grad[rows]
        Muon([alone], lr=1.0).step()
        assert torch.allclose(weight[rows], alone, atol=1e-5)


def test_refuses_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match="matrices"):
        Muon([nn.Parameter(torch.zeros(3))])


@pytest.mark.parametrize("kind", ["muon", "adamw", "adam"])
def test_each_parameter_has_one_optimizer(kind: str) -> None:
    model = TinyModel()
    optimizers = build_optimizer(model, TrainingSettings(optimizer=kind, weight_decay=0.5))
    assert {id(p) for p in optimizers.parameters} == {id(p) for p in model.parameters()}
    assert len(optimizers.parameters) == len(list(model.parameters()))
    decay = {id(p): group["weight_decay"] for group in optimizers.param_groups for p in group["params"]}
    assert decay[id(model.norm.weight)] == 0
    assert decay[id(model.layers[0][0].weight)] == 0.5
    assert any(isinstance(part, Muon) for part in optimizers.parts) == (kind == "muon")


def test_rates_follow_a_common_factor() -> None:
    settings = TrainingSettings(learning_rate=0.004, muon_learning_rate=0.02)
    optimizers = build_optimizer(TinyModel(), settings)
    optimizers.scale_lr(0.5)
    assert {group["lr"] for group in optimizers.param_groups} == {0.002, 0.01}
    optimizers.scale_lr(1.0)
    assert {group["lr"] for group in optimizers.param_groups} == {0.004, 0.02}


def test_state_by_name_goes_from_one_optimizer_to_another() -> None:
    def run(optimizers: Optimizers, model: TinyModel, seed: int) -> None:
        torch.manual_seed(seed)
        for param in model.parameters():
            param.grad = torch.randn_like(param)
        optimizers.step()

    settings = TrainingSettings()
    first = TinyModel()
    one = build_optimizer(first, settings)
    run(one, first, 1)
    second = TinyModel()
    second.load_state_dict(first.state_dict())
    two = build_optimizer(second, settings)
    tensors, values = one.named_state(first)
    two.load_named_state(second, {name: tensor.clone() for name, tensor in tensors.items()}, values)
    for model, optimizers in ((first, one), (second, two)):
        run(optimizers, model, 2)
    for left, right in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(left, right)
