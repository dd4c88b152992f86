"""On a base of another family, every two of Luna's parts work together: in training, in pieces, in a padded
batch, packed, saved and loaded."""

import copy
import itertools
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.unit.based_models import byte_tokenizer, random_core
from tests.unit.test_model import TOLERANCE, relative_error

from lunagpt import LunaConfig, LunaModel
from lunagpt.conditions import Condition
from lunagpt.config import count_parameters
from lunagpt.data.traits import EMOTIONS, PERSONAS
from lunagpt.generation import Decoding, SamplingParams, generate_batch
from lunagpt.models import parameter_groups
from lunagpt.tokenizer import BaseTokenizer, LunaTokenizer

PARTS = {
    "no state space": {"use_state_space": False},
    "experts": {"use_moe": True, "num_experts": 3, "moe_layers": "all"},
    "emotions": {"use_moe": True, "num_experts": 3, "moe_layers": [1], "emotional_routing": True},
    "hypernetwork": {"use_hypernet": True, "hypernet_maps": ["o_proj", "q_proj"]},
}
PAIRS = [pair for pair in itertools.combinations(PARTS, 2) if pair != ("experts", "emotions")]
FAMILIES = ("llama", "qwen3", "gemma3")
KNOWN = 380  # ids of the base's own tokens


@cache
def base_tokenizer() -> LunaTokenizer:
    return BaseTokenizer(byte_tokenizer())


@pytest.fixture(autouse=True)
def one_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and writing the same tokenizer for every pair would take most of the time."""
    monkeypatch.setattr("lunagpt.tokenizer.load_tokenizer", lambda *_: base_tokenizer())
    monkeypatch.setattr(BaseTokenizer, "save_pretrained", lambda *_: None)


@cache
def core(family: str):
    return random_core(family)


@torch.no_grad()
def awake(family: str, **changes) -> LunaModel:
    """A model on a base in which no part is neutral any more."""
    config = LunaConfig(model={"num_layers": 3, "expert_dropout": 0.0, "hypernet_dropout": 0.0, **changes})
    model = LunaModel.from_base(copy.deepcopy(core(family)), config, tokenizer=base_tokenizer())
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        if name.startswith(("layers.", "hypernet.")):
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_parts_work_together_on_a_base(pair: tuple[str, str], family: str, tmp_path: Path) -> None:
    model = awake(family, **(PARTS[pair[0]] | PARTS[pair[1]]))
    assert model.num_parameters() == count_parameters(model.config.model)
    condition = Condition.of(style="friendly") if model.hypernet is not None else None
    ids = torch.randint(2, KNOWN, (2, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model(ids, state=model.new_state(condition)).logits
        state = model.new_state(condition)
        pieces = [model(piece, state=state).logits for piece in ids.split([20, 1, 7, 1, 1], dim=1)]
        assert relative_error(torch.cat(pieces, dim=1), whole) < TOLERANCE
        loaded = LunaModel.from_pretrained(model.save(tmp_path / "modelo"))
        assert relative_error(loaded(ids, state=loaded.new_state(condition)).logits, whole) < TOLERANCE

        padded = F.pad(ids[1:, :14], (6, 0))
        mask = F.pad(torch.ones(1, 14), (6, 0))
        both, masks = torch.cat((ids[:1, :20], padded)), torch.cat((torch.ones(1, 20), mask))
        params = SamplingParams(temperature=0, max_new_tokens=3, stop_token_ids=())
        together = generate_batch(model, both, masks, params, condition=condition)[:, 20:].tolist()
        for written, prompt in zip(together, (ids[0, :20], ids[1, :14]), strict=True):
            assert list(Decoding(model, prompt.tolist(), params, state=model.new_state(condition))) == written

    documents = torch.tensor([[0] * 12 + [1] * 18, [0] * 17 + [1] * 13])
    traits = {
        "persona": torch.where(documents == 0, PERSONAS.index("friendly"), -1),
        "emotion": torch.where(documents == 1, EMOTIONS.index("joy"), -1),
        "domain": torch.full_like(documents, -1),
    }
    with torch.no_grad():
        packed, _ = model.loss(ids, ids, documents, traits)
        apart = 0.0
        for row, cut in enumerate((12, 17)):
            for part in (slice(0, cut), slice(cut, 30)):
                here = {name: trait[row : row + 1, part] for name, trait in traits.items()}
                piece = ids[row : row + 1, part]
                apart += float(model.loss(piece, piece, None, here)[0])
    assert float(packed) == pytest.approx(apart, rel=1e-4)

    model.train()
    loss, count = model.loss(ids, ids, documents, traits)
    (loss / count).backward()
    model.after_step()
    grouped = [parameter for group in parameter_groups(model).values() for _, parameter in group]
    assert len(grouped) == len(list(model.parameters()))
    assert torch.isfinite(torch.stack([p.grad.norm() for p in grouped if p.grad is not None])).all()
