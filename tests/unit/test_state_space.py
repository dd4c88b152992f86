"""The recurrence has one definition: all evaluations agree, and gradients are those of the formula."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lunagpt.models.decoding_state import LayerState
from lunagpt.models.scan import scan_chunked, scan_sequential, scan_step
from lunagpt.models.state_space_layer import StateSpaceLayer

TOLERANCE = 2e-5  # relative to the largest value, float32


def relative_error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).detach().abs().max() / b.detach().abs().max().clamp_min(1e-12))


def random_inputs(batch, time, heads, width, groups, size, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    dt = torch.nn.functional.softplus(normal(batch, time, heads) - 2)
    A = -torch.exp(normal(heads))
    B, C = normal(batch, time, groups, size), normal(batch, time, groups, size)
    return normal(batch, time, heads, width), dt, A, B, C, normal(heads), normal(batch, heads, size, width)


@given(
    time=st.integers(1, 70),
    groups=st.sampled_from([1, 2]),
    chunk=st.sampled_from([1, 7, 16, 64]),
    seed=st.integers(0, 1000),
    cuts=st.lists(st.booleans(), min_size=70, max_size=70),
    carried=st.booleans(),
)
def test_chunked_equals_sequential(time, groups, chunk, seed, cuts, carried):
    x, dt, A, B, C, D, state = random_inputs(2, time, 4, 6, groups, 5, seed=seed)
    starts = torch.tensor(cuts[:time]).expand(2, time)
    initial = state if carried else None
    y, final = scan_chunked(x, dt, A, B, C, D, initial, starts, chunk)
    expected, expected_final = scan_sequential(x, dt, A, B, C, D, initial, starts)
    assert relative_error(y, expected) < TOLERANCE
    assert relative_error(final, expected_final) < TOLERANCE


def test_a_document_start_forgets_everything_before_it():
    x, dt, A, B, C, D, state = random_inputs(1, 40, 2, 4, 1, 3)
    starts = torch.zeros(1, 40, dtype=torch.bool)
    starts[0, 23] = True
    packed, _ = scan_chunked(x, dt, A, B, C, D, state, starts, 16)
    alone, _ = scan_sequential(x[:, 23:], dt[:, 23:], A, B[:, 23:], C[:, 23:], D)
    assert relative_error(packed[:, 23:], alone) < TOLERANCE


@pytest.mark.parametrize("evaluate", [scan_chunked, scan_sequential])
def test_gradients_are_exact_in_float64(evaluate):
    *inputs, state = random_inputs(1, 7, 2, 2, 1, 2, dtype=torch.float64)
    starts = torch.zeros(1, 7, dtype=torch.bool)
    starts[0, 4] = True
    leaves = [t.requires_grad_() for t in (*inputs, state)]

    def run(*tensors):
        if evaluate is scan_chunked:
            return scan_chunked(*tensors, starts, 3)
        return scan_sequential(*tensors, starts)

    assert torch.autograd.gradcheck(run, leaves, atol=1e-6)


def test_both_evaluations_have_the_same_gradients():
    *inputs, state = random_inputs(2, 50, 4, 8, 2, 16)
    leaves = [t.requires_grad_() for t in (*inputs, state)]
    gradients = []
    for y, final in (scan_chunked(*leaves, None, 16), scan_sequential(*leaves)):
        gradients.append(torch.autograd.grad(y.square().sum() + final.sum(), leaves))
    for chunked, sequential in zip(*gradients, strict=True):
        assert relative_error(chunked, sequential) < TOLERANCE


def test_bfloat16_inputs_keep_a_float32_state():
    x, dt, A, B, C, D, _ = random_inputs(1, 300, 2, 8, 1, 16)
    narrow = [t.bfloat16() for t in (x, B, C)]
    wide = [t.float() for t in narrow]  # the same numbers: what differs is only the arithmetic inside
    y, final = scan_chunked(narrow[0], dt, A, narrow[1], narrow[2], D)
    expected, expected_final = scan_sequential(wide[0], dt, A, wide[1], wide[2], D)
    assert y.dtype == torch.bfloat16
    assert final.dtype == torch.float32
    assert relative_error(final, expected_final) < TOLERANCE
    assert relative_error(y.float(), expected) < 2**-8  # one rounding to bfloat16, at the end


def test_step_is_one_position_of_the_sequence():
    x, dt, A, B, C, D, state = random_inputs(3, 1, 4, 8, 2, 16)
    y, new = scan_step(x[:, 0], dt[:, 0], A, B[:, 0], C[:, 0], D, state)
    expected, expected_new = scan_sequential(x, dt, A, B, C, D, state)
    assert torch.equal(y, expected[:, 0])
    assert torch.equal(new, expected_new)


# -- the layer ---------------------------------------------------------------------------------------------


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return StateSpaceLayer(hidden_size=64, state_size=16)


def test_the_layer_as_the_specification_uses_it():
    layer = StateSpaceLayer(hidden_size=64, state_size=16)
    batch_size, seq_len = 2, 10
    x = torch.randn(batch_size, seq_len, 64)
    output = layer(x)
    assert output.shape == (batch_size, seq_len, 64)
    first = layer(x[:, :5, :], use_cache=True)
    assert layer.has_cached_state
    continuation = layer(x[:, 5:, :], use_cache=True)
    assert torch.allclose(torch.cat([first, continuation], dim=1), output, atol=1e-5)
    assert torch.allclose(output, layer.parallel_forward(x), atol=1e-5)
    assert torch.allclose(output, layer.sequential_forward(x), atol=1e-5)
    layer.reset_cache()
    assert not layer.has_cached_state
    assert torch.allclose(layer(x[:, :5], use_cache=True), output[:, :5], atol=1e-5)


@settings(max_examples=12)  # the reference takes a step per token
@given(pieces=st.lists(st.integers(1, 40), min_size=1, max_size=4), seed=st.integers(0, 100))
def test_reading_in_pieces_equals_reading_at_once(pieces, seed):
    torch.manual_seed(seed)
    layer = StateSpaceLayer(32, 8, num_heads=4, num_groups=2)
    x = torch.randn(2, sum(pieces), 32)
    state = LayerState()
    with torch.no_grad():
        parts = [layer.mix(piece, state) for piece in x.split(pieces, dim=1)]
        assert relative_error(torch.cat(parts, dim=1), layer.sequential_forward(x)) < TOLERANCE


def test_left_padding_changes_nothing(layer):
    x = torch.randn(2, 20, 64)
    padding = torch.randn(2, 7, 64)  # whatever stands there
    mask = torch.cat((torch.zeros(2, 7), torch.ones(2, 20)), dim=1).bool()
    padded = layer.mix(torch.cat((padding, x), dim=1), mask=mask)
    assert relative_error(padded[:, 7:], layer(x)) < TOLERANCE


def test_two_conversations_do_not_share_a_state(layer):
    a, b = torch.randn(1, 12, 64), torch.randn(1, 12, 64)
    state_a, state_b = LayerState(), LayerState()
    layer.mix(a[:, :6], state_a)
    layer.mix(b[:, :6], state_b)
    assert relative_error(layer.mix(a[:, 6:], state_a), layer(a)[:, 6:]) < TOLERANCE
    assert relative_error(layer.mix(b[:, 6:], state_b), layer(b)[:, 6:]) < TOLERANCE


def test_the_future_does_not_reach_the_past(layer):
    x = torch.randn(1, 30, 64, requires_grad=True)
    layer(x)[0, 12].sum().backward()
    assert x.grad[0, 13:].abs().max() == 0
    assert x.grad[0, 0].abs().max() > 0


def test_wrong_sizes_and_initializers_are_refused():
    with pytest.raises(ValueError, match="num_heads"):
        StateSpaceLayer(64, 16, inner_size=100, num_heads=3)
    with pytest.raises(ValueError, match="initializer"):
        StateSpaceLayer(64, 16, initializer="xavier")
