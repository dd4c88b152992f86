"""`luna inspect experts` and `luna upcycle`: who gets which tokens, told so that one can check it by hand."""

import pytest
import torch
from tests.unit.test_model import make_model, random_ids, relative_error

from lunagpt.cli import main
from lunagpt.errors import ConfigError, DataError
from lunagpt.evaluation.expert_use import CATEGORIES, inspect_experts, token_categories
from lunagpt.models import LunaModel

TEXT = "Em 1822, a Maria foi a Lisboa. Depois voltou; ela não gostou do frio!\nO mar, o sal e o sol."


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A dense model and what `luna upcycle` makes of it."""
    place = tmp_path_factory.mktemp("models")
    make_model(seed=5).save(place / "denso", dtype=torch.float16, model_card="# denso\n\nDados: nenhum.\n")
    arguments = ["--experts", "4", "--layers", "0,1", "--emotional-routing"]
    assert main(["upcycle", str(place / "denso"), str(place / "misto"), *arguments]) == 0
    return place


def test_each_token_has_one_kind():
    model = make_model()
    ids = model.tokenizer.encode_content(TEXT)
    pieces = [model.tokenizer.token_bytes(token) for token in ids]
    kinds = token_categories(pieces)
    assert set(kinds) <= set(CATEGORIES)
    kind_of = {}
    for piece, kind in zip(pieces, kinds, strict=True):
        kind_of.setdefault(piece.decode().strip(), kind)
    assert kind_of["Em"] == "function"
    assert kind_of["1"] == "number"
    assert kind_of["."] == kind_of[";"] == "punctuation"
    assert kind_of["ela"] == kind_of["não"] == "function"
    assert kind_of["mar"] == kind_of["sol"] == "word"
    by_hand = [b"Casa", b" a", b" Ana", b"\n", b"Anali", b"sou", b" 12", b"3", b"?"]
    assert token_categories(by_hand) == [
        "word",
        "function",
        "name",
        "space",
        "word",
        "piece",
        "number",
        "number",
        "punctuation",
    ]


@torch.no_grad()
def test_load_balance_and_dead_experts_are_counted():
    model = make_model(use_moe=True, num_experts=4, experts_per_token=1, moe_layers=[1])
    block = model.moe_blocks[0]
    block.balance_bias.copy_(torch.tensor([0.0, 0.0, -9.0, 9.0]))  # all go to the last
    (layer,) = inspect_experts(model, TEXT)
    assert layer.layer == 1
    assert [use.load for use in layer.experts] == [0, 0, 0, 1]
    assert layer.dead == [0, 1, 2]
    assert layer.violation == pytest.approx(3)
    assert set(layer.experts[3].categories.values()) == {1.0}
    assert not layer.experts[3].tokens  # it gets everything: nothing is characteristic of it
    assert not layer.experts[0].tokens


@torch.no_grad()
def test_what_an_expert_is_asked_for_is_found():
    """A router that looks for one token sends it, and that is what the inspection tells."""
    model = make_model(use_moe=True, num_experts=2, experts_per_token=1, moe_layers=[0])
    comma = model.tokenizer.encode_content(",")[0]
    for layer in model.layers:  # nothing but the embedding reaches the first router
        layer.attention.o_proj.weight.zero_()
        layer.state_space.out_proj.weight.zero_()
    block = model.moe_blocks[0]
    embedding = model.embedding.weight[comma]
    block.router.copy_(torch.stack((embedding / embedding.norm(), torch.zeros_like(embedding))))
    block.balance_bias.copy_(torch.tensor([-0.4, 0.0]))
    (layer,) = inspect_experts(model, "um, dois, três, quatro, cinco, seis e sete")
    assert [token.text for token in layer.experts[0].tokens] == [","]
    assert layer.experts[0].tokens[0].count == 5
    assert layer.experts[0].categories["punctuation"] == pytest.approx(
        max(layer.experts[0].categories.values())
    )
    assert "," not in [token.text for token in layer.experts[1].tokens]


@torch.no_grad()
def test_long_texts_are_read_in_pieces_and_cut_where_asked():
    model = make_model(use_moe=True, num_experts=4, moe_layers=[1], max_position_embeddings=16)
    (layer,) = inspect_experts(model, TEXT * 3, max_tokens=40)
    assert sum(use.load for use in layer.experts) == pytest.approx(1)
    assert len(model.tokenizer.encode_content(TEXT * 3)) > 40
    model.train()
    inspect_experts(model, TEXT)
    assert model.training
    assert model.after_step() == {}  # an inspection is no training step


def test_what_cannot_be_inspected():
    with pytest.raises(ConfigError, match="luna upcycle"):
        inspect_experts(make_model(), TEXT)
    with pytest.raises(DataError, match="vazio"):
        inspect_experts(make_model(use_moe=True, num_experts=2), "")


@torch.no_grad()
def test_upcycle_keeps_answers_card_and_storage(folders):
    dense, mixed = (LunaModel.from_pretrained(folders / name) for name in ("denso", "misto"))
    ids = random_ids(1, 40)
    assert relative_error(mixed(ids).logits, dense(ids).logits) < 1e-5
    assert [layer.moe is not None for layer in mixed.layers] == [True, True]
    assert mixed.config.model.emotional_routing
    stored = LunaModel.from_pretrained(folders / "misto", use_lightweight=True)
    assert stored.moe_blocks[0].up_proj.weight.dtype == torch.float16
    card = (folders / "misto" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# denso")
    assert "4 especialistas" in card


def test_inspect_on_the_screen(folders, capsys, tmp_path):
    assert main(["inspect", "experts", str(folders / "misto"), "--text", TEXT, "--layer", "1"]) == 0
    shown = capsys.readouterr().out
    assert "Camada 1: 4 especialistas, violação máxima" in shown
    assert "Camada 0" not in shown
    assert "alegria" in shown
    assert "ainda não foi treinada" in shown
    path = tmp_path / "texto.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert main(["inspect", "experts", str(folders / "misto"), "--file", str(path)]) == 0
    assert "Camada 0" in capsys.readouterr().out
    assert main(["inspect", "experts", str(folders / "misto"), "--max-tokens", "300"]) == 0
    shown = capsys.readouterr().out
    assert "300 tokens de verbetes da Enciclopédia Luna" in shown
    assert "alegria" not in shown


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["inspect", "experts", "denso"], "luna upcycle MODELO SAÍDA", 1),
        (["inspect", "experts", "misto", "--text", "a", "--file", "b"], "não combinam", 2),
        (["inspect", "experts", "misto", "--text", "a", "--layer", "7"], "As camadas que os têm: 0, 1.", 1),
        (["inspect", "experts", "misto", "--file", "nada.txt"], "Não consegui ler", 1),
        (["upcycle", "denso", "misto"], "Já existe", 1),
        (["upcycle", "misto", "outro"], "já tem especialistas", 1),
        (["upcycle", "denso", "outro", "--layers", "um"], "alternate, all ou números", 1),
    ],
)
def test_mistakes_are_explained(folders, capsys, monkeypatch, arguments, message, code):
    monkeypatch.chdir(folders)
    assert main(arguments) == code
    assert message in capsys.readouterr().err
    assert not (folders / "outro").exists()
