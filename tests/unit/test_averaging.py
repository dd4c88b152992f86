"""The mean of two models, and the commands that write what is handed out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.unit.test_model import make_model

from lunagpt import LunaModel, cli
from lunagpt.config import LunaConfig
from lunagpt.errors import ConfigError, ModelFolderError
from lunagpt.models.averaging import average

# The shape does not matter here; the vocabulary must be that of the shipped tokenizer.
SMALL = {"hidden_size": 32, "num_layers": 1, "num_heads": 1, "num_kv_heads": 1, "ssm_inner_size": 32}
SMALL |= {"ssm_num_heads": 1, "intermediate_size": 32, "state_size": 16}


def small(seed: int = 0) -> LunaModel:
    model = make_model(seed=seed, **SMALL)
    with torch.no_grad():  # what writes to the residual stream is born zero: make every weight count
        for parameter in model.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(seed))
    return model


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_every_weight_is_the_point_between(weight: float) -> None:
    first, second = small(0), small(1)
    expected = {
        name: torch.lerp(tensor, second.state_dict()[name], weight)
        for name, tensor in first.state_dict().items()
    }
    made = average(first, second, weight).state_dict()
    assert all(torch.equal(made[name], tensor) for name, tensor in expected.items())


def test_sixteen_bits_are_averaged_in_thirty_two() -> None:
    first, second = small(0).half(), small(1).half()
    exact = torch.lerp(first.embedding.weight.float(), second.embedding.weight.float(), 0.3).half()
    assert torch.equal(average(first, second, 0.3).embedding.weight, exact)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"hidden_size": 64}, "model.hidden_size"), ({"num_layers": 2}, "model.num_layers")],
)
def test_models_of_other_shapes_have_no_mean(changes: dict[str, int], said: str) -> None:
    with pytest.raises(ModelFolderError, match=said):
        average(small(), make_model(**SMALL | changes))


def test_a_weight_outside_is_refused() -> None:
    with pytest.raises(ConfigError, match="entre 0 e 1"):
        average(small(), small(), 1.5)


def test_the_command_and_its_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = small(0), small(1)
    places = [str(model.save(tmp_path / name)) for model, name in ((first, "ajuste"), (second, "fim"))]
    made = tmp_path / "media"
    assert cli.main(["average", *places, str(made), "--weight", "0,4"]) == 0
    assert f"60 % de {places[0]} e 40 % de {places[1]}" in capsys.readouterr().out
    assert "40 %" in (made / "README.md").read_text(encoding="utf-8")
    loaded = LunaModel.from_pretrained(made)
    average(first, second, 0.4)
    assert all(torch.equal(loaded.state_dict()[name], w) for name, w in first.state_dict().items())

    assert cli.main(["average", *places, str(made)]) == 1
    assert "Já existe" in capsys.readouterr().err
    other = make_model(**SMALL, positions="none").save(tmp_path / "outro")
    assert cli.main(["average", places[0], str(other), str(tmp_path / "x")]) == 1
    assert "model.positions" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_packing_stores_sixteen_bits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small()
    source = model.save(tmp_path / "modelo")
    assert cli.main(["pack", str(source), str(tmp_path / "models/luna-x"), "--dtype", "bfloat16"]) == 0
    assert "MB em 2 arquivos" in capsys.readouterr().out
    loaded = LunaModel.from_pretrained(tmp_path / "models/luna-x", LunaConfig())
    assert torch.equal(loaded.embedding.weight, model.embedding.weight.bfloat16().float())
    assert not (tmp_path / "models/luna-x/README.md").exists()
