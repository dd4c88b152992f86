"""Weights in 8 bits: how near they are, how little they take, with every part, and what is refused."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.unit.test_combinations import PARTS, awake
from tests.unit.test_model import TOLERANCE, make_model, random_ids, relative_error
from tests.unit.train_helpers import CountingData

from lunagpt.conditions import Condition
from lunagpt.errors import ConfigError, GenerationError
from lunagpt.generation import Decoding, SamplingParams, generate_batch
from lunagpt.models import LunaModel
from lunagpt.models.eight_bit import EightBit, num_bytes
from lunagpt.models.falcon_h1 import falcon_h1_weights
from lunagpt.models.growth import grow
from lunagpt.models.upcycling import upcycle
from lunagpt.training import Trainer

#: Parts that have matrices of their own or leave some out.
WITH_WEIGHTS = ("no attention", "no state space", "emotions", "hypernetwork", "convolution", "untied")


def rounded(model: LunaModel) -> LunaModel:
    """The definition: an ordinary model whose weights are those that 8 bits can say."""
    quantized = copy.deepcopy(model, {id(model.tokenizer): model.tokenizer})
    quantized.use_8bit_quantization()
    weights = dict(quantized.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if isinstance(weights[name], EightBit):
                weight.copy_(weights[name].floats())
    return quantized


def test_a_matrix_is_rounded_row_by_row():
    weight = torch.randn(40, 24, generator=torch.Generator().manual_seed(0))
    weight[3] = 0
    weight[4] *= 1000
    near = EightBit.of(weight)
    assert near.codes.dtype == torch.int8
    step = weight.abs().amax(1, keepdim=True) / 127
    assert ((near.floats() - weight).abs() <= step / 2 * 1.0001).all()
    assert torch.equal(EightBit.of(near.floats()).codes, near.codes)
    assert near.num_bytes == 40 * 24 + 40 * 4


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_whatever_is_done_with_it_is_done_with_the_matrix_it_means(context, dtype, monkeypatch):
    monkeypatch.setattr("lunagpt.models.eight_bit._BLOCK", 100)  # several blocks of rows
    generator = torch.Generator().manual_seed(0)
    stored = EightBit.of(torch.randn(40, 24, generator=generator))
    plain = stored.floats()
    x = (torch.randn(2, 7, 24, generator=generator) * 50).to(dtype)
    tolerance = {torch.float16: 2e-2, torch.bfloat16: 2e-2}.get(dtype, 1e-6)
    with context():
        assert relative_error(F.linear(x, stored).float(), F.linear(x.double(), plain.double())) < tolerance
        same = stored.to(dtype)
        assert isinstance(same, EightBit)
        assert same.dtype == dtype
        for of_rows in (
            lambda w: w[3:9],
            lambda w: w.view(4, 10, 24).unbind()[2],
            lambda w: w.chunk(4)[1],
            lambda w: w.split(16)[2],
            lambda w: w.view(4, 10, 24)[1],
        ):
            assert isinstance(of_rows(stored), EightBit)
            assert torch.equal(of_rows(stored).floats(), of_rows(plain))
        for other in (
            lambda w: w + 1,
            lambda w: w.t() @ w,
            lambda w: w[:, 3:5],
            lambda w: w.view(24, 40),
            lambda w: w.unbind(1)[2],
            lambda w: torch.cat((w, w)),
            lambda w: F.embedding(torch.tensor([[3, 1], [0, 3]]), w),
        ):
            assert torch.equal(other(stored), other(plain))


@pytest.mark.parametrize("part", WITH_WEIGHTS)
@torch.no_grad()
def test_a_model_reads_and_writes_with_the_part(part):
    model = awake(**PARTS[part])
    quantized = rounded(model)
    condition = Condition.of("friendly") if model.hypernet is not None else None
    ids = random_ids(2, 60)

    def read(reader: LunaModel, *pieces: int) -> torch.Tensor:
        state = reader.new_state(condition)
        return torch.cat([reader(piece, state=state).logits for piece in ids.split(pieces, dim=1)], dim=1)

    whole = read(quantized, 60)
    assert relative_error(whole, read(model, 60)) < TOLERANCE
    assert relative_error(read(quantized, 40, 1, 17, 1, 1), whole) < TOLERANCE
    params = SamplingParams(temperature=0, max_new_tokens=4, stop_token_ids=())
    padded = torch.cat((ids[:1, :30], F.pad(ids[1:, :20], (10, 0))))
    mask = torch.ones(2, 30)
    mask[1, :10] = 0
    together = generate_batch(quantized, padded, mask, params, condition=condition)[:, 30:].tolist()
    for row, prompt in enumerate((ids[0, :30], ids[1, :20])):
        state = quantized.new_state(condition)
        assert list(Decoding(quantized, prompt.tolist(), params, state=state)) == together[row]
    if condition is not None:  # the changed weights are in 8 bits too
        merged = quantized.conditioned("friendly")
        assert isinstance(merged.layers[0].attention.o_proj.weight, EightBit)
        assert relative_error(merged(ids).logits, whole) < 0.05
        assert torch.equal(read(quantized, 60), whole)


def test_it_takes_a_quarter_of_the_memory():
    model = make_model(hidden_size=256, num_layers=2)
    before = num_bytes(model)
    tied = model.output_weight
    assert model.embedding.weight is tied
    model.use_8bit_quantization()
    assert model.output_weight is model.embedding.weight
    assert num_bytes(model) < 0.27 * before
    weight = model.embedding.weight
    model.use_8bit_quantization()
    assert model.embedding.weight is weight
    model.optimize_for_cpu(1)
    assert isinstance(model.embedding.weight, EightBit)
    assert model.to("meta").embedding.weight.codes.is_meta


def test_what_a_model_in_8_bits_does_not_do(tmp_path: Path):
    model = make_model()
    state = model.new_state()
    model(random_ids(1, 8), state=state)
    model.use_8bit_quantization()
    with pytest.raises(GenerationError, match="mudaram no meio"):
        model(random_ids(1, 1), state=state)
    for attempt in (
        lambda: model.train(),
        lambda: model.save(tmp_path / "modelo"),
        lambda: falcon_h1_weights(model),
        lambda: Trainer(model, max_steps=1).train(CountingData(rows=1, length=8)),
        lambda: model.embedding.weight.data.zero_(),
        lambda: model.embedding.weight.zero_(),
    ):
        with pytest.raises(ConfigError, match="em 8 bits, que servem para responder"):
            attempt()
    assert not (tmp_path / "modelo").exists()


def test_models_made_of_one_in_8_bits():
    model = make_model()
    model.use_8bit_quantization()
    ids = random_ids(1, 12)
    with torch.no_grad():
        before = model(ids).logits
        assert relative_error(upcycle(model, num_experts=2)(ids).logits, before) < TOLERANCE
        grow(model, 1)
        assert relative_error(model(ids).logits, before) < TOLERANCE
