"""Every two parts of the model work together: in training, in pieces, packed, saved and loaded, in writing;
all of them at once in a training that is resumed; and a model with any of them grows.
"""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.unit.test_model import TOLERANCE, make_model, random_ids, relative_error
from tests.unit.test_training_loop import QUIET, Recorder
from tests.unit.train_helpers import CountingData, assert_same_weights

from lunagpt.conditions import Condition
from lunagpt.config import count_parameters
from lunagpt.data.traits import EMOTIONS, PERSONAS
from lunagpt.generation import Decoding, SamplingParams, generate_batch
from lunagpt.models import LunaModel, parameter_groups
from lunagpt.models.growth import grow
from lunagpt.tokenizer import LunaTokenizer
from lunagpt.training import Trainer

PARTS = {
    "no attention": {"use_attention": False},
    "no state space": {"use_state_space": False},
    "experts": {"use_moe": True, "num_experts": 4},
    "emotions": {"use_moe": True, "num_experts": 4, "emotional_routing": True},
    "hypernetwork": {"use_hypernet": True},
    "relative": {"positions": "relative"},
    "rotary and relative": {"positions": "rotary+relative"},
    "no positions": {"positions": "none"},
    "temperature": {"attention_temperature": True},
    "convolution": {"embedding_convolution": True},
    "window": {"sliding_window": 16, "window_layers": "alternate"},
    "untied": {"tie_embeddings": False},
}
PAIRS = [
    pair
    for pair in itertools.combinations(PARTS, 2)
    if pair != ("no attention", "no state space")  # refused: such a model reads nothing
    # two values of one key
    and all(PARTS[pair[0]][key] == value for key, value in PARTS[pair[1]].items() if key in PARTS[pair[0]])
]


@pytest.fixture(scope="module")
def tokenizer() -> LunaTokenizer:
    return LunaTokenizer.default()


@pytest.fixture(autouse=True)
def one_tokenizer(tokenizer: LunaTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and writing the same tokenizer for every pair would take most of the time."""
    monkeypatch.setattr(LunaTokenizer, "default", lambda: tokenizer)
    monkeypatch.setattr(LunaTokenizer, "from_pretrained", lambda *_: tokenizer)
    monkeypatch.setattr(LunaTokenizer, "save_pretrained", lambda *_: None)


def awake(**changes) -> LunaModel:
    """A model in which nothing is neutral any more."""
    model = make_model(**changes)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_parts_work_together(pair: tuple[str, str], tmp_path: Path) -> None:
    model = awake(**(PARTS[pair[0]] | PARTS[pair[1]]))
    assert model.num_parameters() == count_parameters(model.config.model)
    condition = Condition.of(style="friendly") if model.hypernet is not None else None

    ids = random_ids(2, 80)
    with torch.no_grad():
        state = model.new_state(condition)
        whole = model(ids, state=state).logits
        state = model.new_state(condition)
        pieces = [model(piece, state=state).logits for piece in ids.split([50, 1, 20, *[1] * 9], dim=1)]
        assert relative_error(torch.cat(pieces, dim=1), whole) < TOLERANCE

        loaded = LunaModel.from_pretrained(model.save(tmp_path / "modelo"))
        assert torch.equal(loaded(ids, state=loaded.new_state(condition)).logits, whole)

    documents = torch.tensor([[0] * 30 + [1] * 50, [0] * 45 + [1] * 35])
    traits = {
        "persona": torch.where(documents == 0, PERSONAS.index("friendly"), -1),
        "emotion": torch.where(documents == 1, EMOTIONS.index("joy"), -1),
        "domain": torch.full_like(documents, -1),
    }
    with torch.no_grad():
        packed, _ = model.loss(ids, ids, documents, traits)
        apart = sum(
            model.loss(ids[row : row + 1, part], ids[row : row + 1, part], None, _part(traits, row, part))[0]
            for row, cut in enumerate((30, 45))
            for part in (slice(0, cut), slice(cut, 80))
        )
    assert float(packed) == pytest.approx(float(apart), rel=1e-4)

    model.train()
    loss, count = model.loss(ids, ids, documents, traits)
    (loss / count).backward()
    model.after_step()
    grouped = [parameter for group in parameter_groups(model).values() for _, parameter in group]
    assert len(grouped) == len(list(model.parameters()))
    assert torch.isfinite(torch.stack([p.grad.norm() for p in grouped if p.grad is not None])).all()


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
@torch.no_grad()
def test_two_parts_write_the_same_with_and_without_cache_and_in_a_batch(pair: tuple[str, str]) -> None:
    model = awake(**(PARTS[pair[0]] | PARTS[pair[1]]))
    condition = Condition.of(style="friendly") if model.hypernet is not None else None
    params = SamplingParams(temperature=0, max_new_tokens=4, stop_token_ids=())
    prompts = [random_ids(1, 37), random_ids(1, 22)]  # longer than the window
    padding = (15, 0)
    ids = torch.cat((prompts[0], F.pad(prompts[1], padding)))
    mask = torch.cat((torch.ones(1, 37), F.pad(torch.ones(1, 22), padding)))
    together = generate_batch(model, ids, mask, params, condition=condition)[:, 37:]
    for prompt, of_batch in zip(prompts, together, strict=True):
        alone = list(Decoding(model, prompt[0].tolist(), params, state=model.new_state(condition)))
        assert alone == of_batch.tolist()
        read = torch.cat((prompt, of_batch[None, :-1]), dim=1)
        at_once = model(read, state=model.new_state(condition), logits_to_keep=4).logits
        assert at_once.argmax(-1)[0].tolist() == alone


EVERY_PART = {
    key: value
    for name in (
        "emotions",
        "hypernetwork",
        "rotary and relative",
        "temperature",
        "convolution",
        "window",
        "untied",
    )
    for key, value in PARTS[name].items()
}


class TalkingData(CountingData):
    """Two documents a row, whose persona, domain and emotion are known."""

    def batch(self, number: int) -> dict[str, Any]:
        batch = super().batch(number)
        documents = np.zeros_like(batch["labels"])
        documents[:, self.length // 2 :] = 1
        names = ("persona", "domain", "emotion")
        traits = {name: (documents + number + i) % 4 for i, name in enumerate(names)}
        return {**batch, "document_ids": documents, "traits": traits}


@pytest.mark.parametrize("without", [None, "no attention", "no state space"])
def test_training_with_every_part_goes_on_after_a_restart_as_without_one(
    without: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = EVERY_PART | PARTS.get(without or "", {})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)  # would be two workers, racing for the draws

    def run(folder: Path, steps: int, resume: bool = False) -> tuple[LunaModel, list[float]]:
        """A new process in small: new weights, new trainer, other random state."""
        torch.manual_seed(999 if resume else 7)  # dropout of experts and conditions draws from it
        model, recorder = make_model(seed=1 if resume else 0, **changes), Recorder()
        Trainer(
            model,
            callbacks=[recorder],
            checkpoint_dir=str(folder),
            schedule="constant",
            gradient_accumulation_steps=2,
            **QUIET,
        ).train(TalkingData(rows=2, length=24), max_steps=steps, resume=resume)
        return model, [metrics["loss"] for metrics in recorder.metrics]

    whole, losses = run(tmp_path / "whole", 4)
    _, first = run(tmp_path / "parts", 2)
    model, rest = run(tmp_path / "parts", 4, resume=True)
    assert first + rest == losses
    assert_same_weights(whole, model)


def _part(traits: dict[str, torch.Tensor], row: int, part: slice) -> dict[str, torch.Tensor]:
    return {name: trait[row : row + 1, part] for name, trait in traits.items()}


@pytest.mark.parametrize("part", PARTS)
def test_a_model_with_the_part_grows(part: str) -> None:
    model = awake(num_layers=3, **PARTS[part])
    condition = Condition.of(style="friendly") if model.hypernet is not None else None
    ids = random_ids(2, 40)

    def read(reader: LunaModel, *pieces: int) -> torch.Tensor:
        state = reader.new_state(condition)
        return torch.cat([reader(piece, state=state).logits for piece in ids.split(pieces, dim=1)], dim=1)

    with torch.no_grad():
        before = read(model, 40)
        old_layers = list(model.layers)
        growth = grow(model, 2, position="spread", seed=5)
        assert [layer for i, layer in enumerate(model.layers) if i not in growth.layers] == old_layers
        # the conditions of all layers come from one product, which rounds otherwise with more of them
        assert relative_error(read(model, 40), before) <= (0 if condition is None else 1e-6)
    model.train()
    loss, count = model.loss(ids, ids)
    (loss / count).backward()
    model.after_step()
    for i in growth.layers:
        writes = [
            parameter
            for name, parameter in model.layers[i].named_parameters()
            if name.endswith(("o_proj.weight", "out_proj.weight", "down_proj.weight"))
        ]
        assert all(parameter.grad.any() for parameter in writes)

    model.eval()
    growth = grow(model, 5, "stack")
    assert model.num_parameters() == count_parameters(model.config.model)
    grouped = [parameter for group in parameter_groups(model).values() for _, parameter in group]
    assert len(grouped) == len(list(model.parameters()))
    with torch.no_grad():
        whole = read(model, 40)
        assert relative_error(whole, before) > 0.01
        assert relative_error(read(model, 25, 1, 14), whole) < TOLERANCE
        loaded = LunaModel(model.config).eval()  # what its folder says it is
        loaded.load_state_dict(model.state_dict())
        assert torch.equal(read(loaded, 40), whole)
    for layer, other in zip(model.layers, loaded.layers, strict=True):
        assert (layer.moe is None) == (other.moe is None)
        assert layer.attention is None or layer.attention.window == other.attention.window
