"""Sliding-window attention: what it sees, what it keeps, and that every path agrees."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_model import TOLERANCE, make_model, random_ids, relative_error

from lunagpt.config import LunaConfig
from lunagpt.engines import LunaEngine
from lunagpt.generation import SamplingParams
from lunagpt.models.decoding_state import LayerState
from lunagpt.models.visibility import Passage, look, tiles_of

WINDOW = 20


@pytest.fixture(scope="module", params=["all", "alternate"])
def model(request):
    return make_model(sliding_window=WINDOW, window_layers=request.param)


def test_the_layers_with_a_window():
    config = LunaConfig.preset("nano").model

    def windowed(**changes) -> list[int]:
        other = type(config)(**{**config.to_dict(), "preset": None, **changes})
        return [i for i in range(12) if other.window_of(i) == 64]

    assert windowed(sliding_window=64) == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert windowed(sliding_window=64, window_layers="all") == list(range(12))
    assert windowed(sliding_window=64, window_layers="alternate") == [1, 3, 5, 7, 9, 11]
    assert windowed(sliding_window=64, window_layers=[0, 4]) == [0, 4]
    assert windowed(window_layers="all") == []


@torch.no_grad()
def test_a_token_sees_the_window_and_nothing_before():
    """One layer of attention alone: the reach is exactly the window."""
    model = make_model(use_state_space=False, num_layers=1, sliding_window=WINDOW, window_layers="all")
    ids = random_ids(1, 160)
    changed = ids.clone()
    changed[0, 100] += 1
    moved = (model(ids).logits != model(changed).logits).any(-1)[0].nonzero().flatten()
    assert (int(moved.min()), int(moved.max())) == (100, 100 + WINDOW - 1)


@torch.no_grad()
def test_within_the_window_it_is_full_attention(model):
    full = make_model()
    ids = random_ids(2, WINDOW)
    assert torch.equal(model(ids).logits, full(ids).logits)
    longer = random_ids(2, WINDOW + 30)
    assert relative_error(model(longer).logits, full(longer).logits) > 1e-3


@torch.no_grad()
@settings(max_examples=8)
@given(pieces=st.lists(st.integers(1, 70), min_size=1, max_size=5))
def test_any_pieces_equal_one_pass(pieces):
    model = make_model(sliding_window=WINDOW, window_layers="alternate")
    ids = random_ids(2, sum(pieces) + 3)
    state = model.new_state()
    parts = [model(piece, state=state).logits for piece in ids.split([*pieces, 1, 1, 1], dim=1)]
    assert relative_error(torch.cat(parts, dim=1), model(ids).logits) < TOLERANCE


@torch.no_grad()
def test_decoding_far_beyond_the_window_and_its_memory(model):
    ids = random_ids(1, 150)
    whole = model(ids).logits
    state, sizes, parts = model.new_state(), [], []
    for step in ids.split([5, *[1] * 145], dim=1):
        parts.append(model(step, state=state).logits)
        sizes.append([layer.key.shape[2] for layer in state.layers])
    assert relative_error(torch.cat(parts, dim=1), whole) < TOLERANCE
    for layer, slots in enumerate(zip(*sizes, strict=True)):
        if model.config.model.has_window(layer):
            assert max(slots) <= 2 * WINDOW
        else:
            assert slots[-1] >= 150
    if model.config.model.window_layers == "all":
        before = state.num_bytes()
        for step in random_ids(1, 100).split(1, dim=1):
            model(step, state=state)
        assert state.num_bytes() <= before * 2  # 250 tokens, and still at most two windows


@torch.no_grad()
def test_a_long_piece_leaves_only_a_window_behind(model):
    state = model.new_state()
    model(random_ids(1, 900), state=state)
    for i, layer in enumerate(state.layers):
        assert (layer.key.shape[2] <= 2 * WINDOW) == model.config.model.has_window(i)


@torch.no_grad()
def test_unequal_prompts_in_one_batch(model):
    lengths = [3, 41, 90]
    prompts = [random_ids(1, n) for n in lengths]
    ids = torch.cat([F.pad(p, (90 - n, 0)) for p, n in zip(prompts, lengths, strict=True)])
    mask = torch.cat([F.pad(torch.ones(1, n), (90 - n, 0)) for n in lengths])
    more = random_ids(3, 45)
    state = model.new_state()
    parts = [model(ids[:, a:b], mask[:, a:b], state).logits for a, b in ((0, 50), (50, 90))]
    parts += [model(more[:, t : t + 1], state=state).logits for t in range(45)]
    together, whole = torch.cat(parts, dim=1), model(ids, mask).logits
    for row, (prompt, n) in enumerate(zip(prompts, lengths, strict=True)):
        alone = model(torch.cat((prompt, more[row : row + 1]), dim=1)).logits
        assert relative_error(together[row : row + 1, 90 - n :], alone) < TOLERANCE
        assert relative_error(whole[row : row + 1, 90 - n :], alone[:, :n]) < TOLERANCE


@torch.no_grad()
@settings(max_examples=8)
@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=5))
def test_packed_documents_do_not_see_each_other(lengths):
    model = make_model(sliding_window=WINDOW, window_layers="alternate")
    documents = [random_ids(1, n) for n in lengths]
    numbers = torch.cat([torch.full((1, n), i) for i, n in enumerate(lengths)], dim=1)
    packed = model(torch.cat(documents, dim=1), document_ids=numbers).logits
    for alone, part in zip(documents, packed.split(lengths, dim=1), strict=True):
        assert relative_error(part, model(alone).logits) < TOLERANCE


def test_tiles_leave_out_what_the_window_hides():
    def area(window: int | None, documents: torch.Tensor | None = None) -> int:
        passage = Passage(2048, 0, torch.device("cpu"), documents=documents)
        return sum(tile.hidden[0, 0].numel() for tile in tiles_of(passage, window=window))

    packed = torch.arange(2048).div(500).long()[None]
    assert area(128) < area(None) / 4
    assert area(128, packed) < area(None, packed) * 0.7
    mask = look(Passage(300, 0, torch.device("cpu")), 50, in_tiles=False).mask
    square = torch.ones(300, 300, dtype=torch.bool)
    expected = square.tril() & square.triu(-49)
    assert torch.equal(mask[0, 0], expected)
    for tile in tiles_of(Passage(300, 0, torch.device("cpu")), window=50):
        columns = slice(tile.column, tile.column + tile.hidden.shape[-1])
        assert torch.equal(~tile.hidden[0, 0], expected[tile.row : tile.end, columns])
        assert int(expected[tile.row : tile.end].sum()) == int((~tile.hidden).sum())


@torch.no_grad()
def test_a_clone_and_chosen_rows_go_their_own_way(model):
    ids = random_ids(2, 90)
    state = model.new_state()
    for piece in ids[:, :60].split([30, *[1] * 30], dim=1):
        model(piece, state=state)
    snapshot, second = state.clone(), state.mapped(lambda tensor: tensor[1:])
    model(random_ids(2, 33), state=state)
    expected = model(ids).logits[:, 60:]
    assert relative_error(model(ids[:, 60:], state=snapshot).logits, expected) < TOLERANCE
    assert relative_error(model(ids[1:, 60:], state=second).logits, expected[1:]) < TOLERANCE


def test_the_window_of_a_layer_state_is_what_was_given():
    state, given = LayerState(), torch.arange(60.0)[None, None, :, None]
    length = 0
    for piece in given.split([7, 1, 1, 25, *[1] * 20, 6], dim=2):
        seen, _ = state.append_attention(piece, -piece, length, 10)
        assert torch.equal(seen, given[:, :, max(0, length - 9) : length + piece.shape[2]])
        length += piece.shape[2]


def test_the_engine_goes_on_where_it_was(model):
    params = SamplingParams(max_new_tokens=30, temperature=0)
    talk = [{"role": "user", "content": "Conte uma história comprida sobre um rio e uma pedra. " * 3}]
    engine = LunaEngine(model)
    talk += [{"role": "assistant", "content": "".join(engine.stream(talk, params))}]
    talk += [{"role": "user", "content": "E depois?"}]
    stream = engine.stream(talk, params)
    continued = "".join(stream)
    assert stream.report.reused_tokens > 2 * WINDOW
    assert continued == "".join(LunaEngine(model).stream(talk, params))
