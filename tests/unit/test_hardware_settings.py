"""What the section `hardware` of a configuration does to models, trainings and conversations."""

import warnings
from pathlib import Path

import pytest
import torch
from tests.unit.test_model import make_model
from tests.unit.train_helpers import CountingData

from lunagpt import LunaChat
from lunagpt.config import LunaConfig
from lunagpt.models import LunaModel
from lunagpt.models.components import ComponentWarning
from lunagpt.models.eight_bit import EightBit
from lunagpt.training import Trainer


def test_the_settings_of_the_machine_act_on_a_model_that_answers(tmp_path: Path):
    folder = make_model(use_moe=True, num_experts=2, moe_layers="all").save(
        tmp_path / "modelo", dtype=torch.float16
    )

    def opened(**hardware) -> LunaModel:
        return LunaModel.from_pretrained(folder, LunaConfig(hardware=hardware))

    assert opened().embedding.weight.dtype == torch.float32
    assert opened(low_memory=True).embedding.weight.dtype == torch.float16
    assert isinstance(opened(quantization="int8").embedding.weight, EightBit)
    with pytest.warns(ComponentWarning, match="não tem pesos de 4 bits"):
        assert isinstance(opened(quantization="int4").embedding.weight, EightBit)
    with pytest.warns(ComponentWarning, match="vão piorar"):
        without = opened(skip_components=["moe", "hypernet", "growing", "rag"])
    assert not any(block.enabled for block in without.moe_blocks)
    config = LunaConfig(
        model={"base_path": str(folder)}, hardware={"quantization": "int8", "low_memory": True}
    )
    model = LunaModel.from_config(config)
    assert isinstance(model.embedding.weight, EightBit)
    assert model.embedding.weight.dtype == torch.float16
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainable = LunaModel.from_base(folder, LunaConfig(hardware=config.hardware.to_dict()))
    assert trainable.embedding.weight.dtype == torch.float32
    trainable.train()


@pytest.mark.parametrize(
    ("allowed", "asked", "requested"),
    [
        (True, "auto", "auto"),
        (False, "auto", "float32"),
        (False, "bfloat16", "bfloat16"),  # whoever asks for it by name gets it
    ],
)
def test_training_uses_half_precision_only_where_it_may(allowed, asked, requested, monkeypatch):
    model, seen = make_model(), []

    def choose(model: LunaModel, precision: str, device: torch.device) -> torch.dtype:
        seen.append(precision)
        return torch.float32

    monkeypatch.setattr("lunagpt.training.numerics.choose_compute_dtype", choose)
    config = model.config.replaced(hardware={"mixed_precision": allowed})
    Trainer(model, config, precision=asked, compile=False, max_steps=1).train(CountingData(rows=1, length=8))
    assert seen == [requested]


@pytest.mark.parametrize("skipped", [[], ["growing"]])
def test_training_grows_unless_growth_is_skipped(skipped):
    model = make_model(use_growing=True)
    config = model.config.replaced(hardware={"skip_components": skipped}, growth={"steps": [1]})
    trainer = Trainer(model, config, compile=False, precision="float32", max_steps=2)
    trainer.train(CountingData(rows=1, length=8))
    assert len(model.growth_history) == 1 - len(skipped)


def test_a_conversation_looks_nothing_up_if_search_is_skipped(tmp_path: Path):
    class Lookup:
        def retrieve(self, query: str) -> list[str]:
            return []

    config = LunaConfig(hardware={"skip_components": ["rag"]})
    assert LunaChat(make_model(), Lookup(), config=LunaConfig()).rag_enabled
    assert not LunaChat(make_model(), Lookup(), config=config).rag_enabled
