"""Hypernetworks: nothing at birth, causal, packed as alone, merged as beside the weights, trained."""

import pytest
import torch
import torch.nn.functional as F
from tests.unit.test_model import make_model, random_ids, relative_error

from lunagpt.conditions import STYLES, Condition
from lunagpt.config import LunaConfig, count_parameters
from lunagpt.data.traits import DOMAINS, PERSONAS
from lunagpt.errors import ConfigError, GenerationError
from lunagpt.models import (
    DomainSpecificHyperAdapter,
    HyperAdapter,
    HyperNetwork,
    LunaModel,
    parameter_groups,
)
from lunagpt.models.conditioned import add_hypernet, resolved
from lunagpt.models.conditioning import Rows, _system_prompts
from lunagpt.models.hypernet import RunningMean, running_mean
from lunagpt.models.low_rank import LowRank, TokenGroups, all_groups, by_group
from lunagpt.models.parameters import train_only
from lunagpt.training.optim import build_optimizer
from lunagpt.training.settings import TrainingSettings
from lunagpt.training.trainer import Trainer

TOLERANCE = 2e-5
ALL_MAPS = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "in_proj",
    "out_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
]
FRIENDLY = Condition.of("friendly", "health", "Fale como quem conversa com um amigo.")
ACADEMIC = Condition.of("academic")


def conditioned_model(**changes) -> LunaModel:
    return make_model(use_hypernet=True, hypernet_maps=ALL_MAPS, **changes)


def trained(module: torch.nn.Module) -> torch.nn.Module:
    """With weights where the zeros of birth were."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3, generator=generator)
    return module.eval()


def traits_of(*documents: tuple[int, int, int]) -> dict[str, torch.Tensor]:
    """Persona and domain of documents (length, persona, domain) that stand in one row."""
    rows = [torch.cat([torch.full((1, d[0]), d[i]) for d in documents], dim=1) for i in (1, 2)]
    return {"persona": rows[0], "domain": rows[1]}


# -- the standalone classes --------------------------------------------------------------------------------


@torch.no_grad()
def test_the_generated_map_is_zero_at_birth_and_of_low_rank_later():
    network = HyperNetwork(context_dim=12, target_dim=20, activation=torch.nn.SiLU, rank=3)
    context = torch.randn(5, 12)
    weight, bias = network(context)
    assert weight.shape == (5, 20, 12)
    assert bias.shape == (5, 20)
    assert not weight.any()
    assert not bias.any()
    weight, bias = trained(network)(context)
    assert all(torch.linalg.matrix_rank(w) == 3 for w in weight)
    x = torch.randn(5, 7, 12)
    expected = torch.einsum("btd,bod->bto", x, weight) + bias[:, None]
    assert relative_error(network.change(x, context), expected) < 1e-5
    per_token = network.change(x, context[:, None].expand(5, 7, 12))
    assert relative_error(per_token, expected) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("adapter", [HyperAdapter(16, meta_dim=8), DomainSpecificHyperAdapter(16)])
def test_adapters_begin_as_the_identity_and_are_causal_and_can_go_in_pieces(adapter):
    def outputs(x, **settings):
        y = adapter(x, **settings)
        return y[0] if isinstance(y, tuple) else y

    x = torch.randn(2, 9, 16)
    assert torch.equal(outputs(x), x)
    trained(adapter)
    whole = outputs(x)
    assert relative_error(whole, x) > 0.01
    other = torch.cat((x[:, :5], torch.randn(2, 4, 16)), dim=1)
    assert torch.equal(outputs(other)[:, :5], whole[:, :5])
    state = RunningMean()
    pieces = [outputs(piece, state=state) for piece in x.split([4, 1, 4], dim=1)]
    assert relative_error(torch.cat(pieces, dim=1), whole) < 1e-5


@torch.no_grad()
def test_an_adapter_can_be_told_its_condition():
    adapter = trained(HyperAdapter(16))
    x = torch.randn(2, 9, 16)
    swapped = adapter(x.flip(0), torch.eye(2, 16).flip(0)).flip(0)
    assert relative_error(swapped, adapter(x, torch.eye(2, 16))) < 1e-5
    assert relative_error(adapter(x, torch.eye(2, 16)), adapter(x)) > 1e-3
    adapter = trained(DomainSpecificHyperAdapter(16, num_domains=3, domain_emb_dim=8))
    _, probabilities = adapter(x)
    assert probabilities.shape == (2, 9, 3)
    assert torch.allclose(probabilities.sum(-1), torch.ones(2, 9))
    told, known = adapter(x, domain_probs=torch.eye(2, 3))
    assert torch.equal(known, torch.eye(2, 3))
    assert relative_error(told, x) > 1e-3


def test_running_means_stay_within_their_document():
    x = torch.randn(1, 10, 4)
    starts = torch.zeros(1, 10, dtype=torch.bool)
    starts[0, [0, 3]] = True
    expected = torch.cat((running_mean(x[:, :3]), running_mean(x[:, 3:])), dim=1)
    assert relative_error(running_mean(x, starts), expected) < 1e-5


@pytest.mark.parametrize("numbers", [[-1, 2, 0, 2, -1, 2, 0], [-1] * 7, [1] * 7])
def test_both_evaluations_of_grouped_changes_equal_one_token_at_a_time(numbers):
    down, up, x = torch.randn(3, 2, 5), torch.randn(3, 6, 2), torch.randn(1, 7, 5)
    ids = torch.tensor([numbers])
    tokens = TokenGroups.of(ids, 3)
    changes = LowRank(down, up)
    expected = torch.stack(
        [changes.matrix(n) @ x[0, t] if n >= 0 else torch.zeros(6) for t, n in enumerate(numbers)]
    )
    for evaluate in (all_groups, by_group):
        assert torch.allclose(evaluate(x[0], down, up, tokens), expected, atol=1e-5)


# -- in the model ------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"use_moe": True, "num_experts": 4}, {"use_attention": False}])
def test_a_new_hypernetwork_changes_nothing(changes):
    config = LunaConfig.preset("test").replaced(model=changes)
    base = LunaModel.from_scratch(config, seed=3).eval()
    with_it = LunaModel.from_scratch(config.replaced(model={"use_hypernet": True}), seed=3).eval()
    added = add_hypernet(base)
    assert with_it.num_parameters() == count_parameters(with_it.config.model) == added.num_parameters()
    ids = random_ids(1, 30)
    for model in (with_it, added):
        assert torch.equal(model(ids, state=model.new_state(FRIENDLY)).logits, base(ids).logits)
    with pytest.raises(ConfigError, match="já tem"):
        add_hypernet(added)


@torch.no_grad()
def test_a_condition_acts_and_no_condition_does_not():
    model = conditioned_model()
    ids = random_ids(1, 40)
    plain = model(ids).logits
    results = [
        model(ids, state=model.new_state(condition)).logits
        for condition in (FRIENDLY, ACADEMIC, Condition.of((0.9, 0.8, 0.7, 0.2)), Condition.of(domain="law"))
    ]
    for i, result in enumerate(results):
        assert relative_error(result, plain) > 0.01
        assert all(relative_error(result, other) > 1e-4 for other in results[:i])
    assert torch.equal(model(ids, state=model.new_state(Condition())).logits, plain)


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"use_moe": True, "num_experts": 4}, {"use_attention": False}])
def test_merged_equals_beside_the_weights_and_leaves_the_model_alone(changes):
    model = conditioned_model(**changes)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ids = random_ids(1, 40)
    beside = model(ids, state=model.new_state(FRIENDLY)).logits
    view = model.conditioned("friendly", "health", "Fale como quem conversa com um amigo.")
    assert relative_error(view(ids).logits, beside) < 1e-5
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert view.layers[0].input_norm.weight.data_ptr() == model.layers[0].input_norm.weight.data_ptr()
    assert view.embedding.weight.data_ptr() == model.embedding.weight.data_ptr()


@torch.no_grad()
def test_pieces_single_tokens_and_clones_keep_the_condition():
    model = conditioned_model()
    ids = random_ids(1, 90)
    whole = model(ids, state=model.new_state(FRIENDLY)).logits
    state = model.new_state(FRIENDLY)
    pieces = []
    for piece in ids.split([50, 1, 19, *[1] * 20], dim=1):
        pieces.append(model(piece, state=state).logits)
        state = state.clone()
    assert relative_error(torch.cat(pieces, dim=1), whole) < TOLERANCE


@torch.no_grad()
def test_rows_of_a_batch_have_their_own_conditions_padded_or_not():
    model = conditioned_model()
    conditions = [FRIENDLY, None, ACADEMIC, FRIENDLY]
    lengths = [12, 30, 7, 30]
    prompts = [random_ids(1, n) for n in lengths]
    ids = torch.cat([F.pad(prompt, (30 - n, 0)) for prompt, n in zip(prompts, lengths, strict=True)])
    mask = torch.cat([F.pad(torch.ones(1, n), (30 - n, 0)) for n in lengths])
    state = model.new_state(conditions)
    more = random_ids(4, 1)
    together = torch.cat((model(ids, mask, state).logits, model(more, state=state).logits), dim=1)
    for row, (prompt, condition, n) in enumerate(zip(prompts, conditions, lengths, strict=True)):
        alone = model(torch.cat((prompt, more[row, None]), 1), state=model.new_state(condition)).logits
        assert relative_error(together[row, None, 30 - n :], alone) < TOLERANCE


def system_row(model: LunaModel, system: str, question: str) -> list[int]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return model.tokenizer.encode_dialog([*messages, {"role": "assistant", "content": "Sim, posso ajudar."}])


@torch.no_grad()
def test_packed_documents_are_read_as_alone_under_their_conditions():
    """The loss of a packed row is that of its documents, each read with the state of its condition."""
    model = conditioned_model(hypernet_dropout=0.5)
    first = system_row(model, "Fale pouco.", "Oi?")
    second = system_row(model, "Fale muito e devagar.", "Tudo bem?")
    documents = [first, random_ids(20)[:20].tolist(), second, random_ids(9).tolist()]
    personas = ["friendly", "academic", "friendly", None]
    conditions = [
        Condition.of("friendly", "law", "Fale pouco."),
        Condition.of("academic"),
        Condition.of("friendly", "law", "Fale muito e devagar."),
        None,
    ]
    domains = [DOMAINS.index("law"), -1, DOMAINS.index("law"), -1]
    expected = 0.0
    rows, labels, numbers, described = [], [], [], []
    for i, (ids, condition) in enumerate(zip(documents, conditions, strict=True)):
        wanted = [*ids[1:], -100]
        skipped = 8 if i in (0, 2) else 0  # a system turn is not learned
        wanted[:skipped] = [-100] * skipped
        logits = model(torch.tensor([ids]), state=model.new_state(condition)).logits
        expected += float(
            F.cross_entropy(logits[0], torch.tensor(wanted), ignore_index=-100, reduction="sum")
        )
        rows += ids
        labels += wanted
        numbers += [i] * len(ids)
        persona = -1 if personas[i] is None else PERSONAS.index(personas[i])
        described.append((len(ids), persona, domains[i]))
    loss, _ = model.loss(
        torch.tensor([rows]), torch.tensor([labels]), torch.tensor([numbers]), traits_of(*described)
    )
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_system_turn_that_is_to_be_predicted_is_no_condition():
    model = conditioned_model()
    ids = torch.tensor([system_row(model, "Fale pouco.", "Oi?")])
    tokens = model.tokenizer.system_token_id, model.tokenizer.end_token_id
    end = int((ids[0] == tokens[1]).nonzero()[0])

    def prompts(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return _system_prompts(
            Rows(ids, labels, None, {}), torch.zeros_like(ids), model.embedding.weight, tokens
        )

    hidden = ids.roll(-1, 1).clone()
    hidden[0, :end] = -100
    number, pooled = prompts(hidden)
    assert number.tolist() == [0]
    expected = model.embedding.weight[model.tokenizer.encode_content("Fale pouco.")].mean(0)
    assert torch.allclose(pooled[0], expected, atol=1e-6)
    shown = hidden.clone()
    shown[0, end - 1] = ids[0, end]
    assert prompts(shown)[0].tolist() == [-1]


@torch.no_grad()
def test_reading_is_causal_under_conditions():
    model = conditioned_model()
    traits = traits_of((15, 2, 1), (25, 3, -1))
    numbers = torch.tensor([[0] * 15 + [1] * 25])
    ids = random_ids(1, 40)
    labels = ids.roll(-1, 1)

    def losses(row: torch.Tensor, upto: int) -> float:
        wanted = labels.clone()
        wanted[:, upto:] = -100
        return float(model.loss(row, wanted, numbers, traits)[0])

    changed = torch.cat((ids[:, :30], random_ids(1, 11)[:, 1:]), dim=1)
    assert losses(ids, 30) == losses(changed, 30)
    assert losses(ids, 40) != losses(changed, 40)


def training_batch(model: LunaModel) -> dict[str, torch.Tensor]:
    row = system_row(model, "Fale pouco.", "Oi? Tudo bem?")
    other = random_ids(24).tolist()
    ids = torch.tensor([row + other])
    labels = ids.roll(-1, 1)
    labels[0, :10] = -100
    labels[0, len(row) - 1] = -100
    numbers = torch.tensor([[0] * len(row) + [1] * len(other)])
    traits = traits_of((len(row), 1, 4), (len(other), -1, 0))
    return {"input_ids": ids, "labels": labels, "document_ids": numbers, "traits": traits}


def test_every_parameter_of_the_hypernetwork_gets_a_gradient():
    model = conditioned_model(hypernet_dropout=0.0).train()
    model.loss(**training_batch(model))[0].backward()
    missing = {
        name
        for name, parameter in model.hypernet.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    assert not missing
    new = add_hypernet(make_model(), hypernet_maps=ALL_MAPS).train()  # at birth what writes learns first
    new.loss(**training_batch(new))[0].backward()
    assert all(generator.up.weight.grad.any() for generator in new.hypernet.generators.values())


def test_the_hypernetwork_can_be_trained_alone_and_its_groups_are_right():
    model = conditioned_model()
    groups = {name: kind for kind, members in parameter_groups(model).items() for name, _ in members}
    assert groups["hypernet.generators.o_proj.up.weight"] == "matrix"
    assert groups["hypernet.detector.scores.weight"] == "matrix"
    assert {groups[f"hypernet.{name}"] for name in ("unknown", "layer_embedding", "layer_gain")} == {
        "no_decay"
    }
    train_only(model, "hypernet.")
    frozen = {name: p.clone() for name, p in model.named_parameters() if not name.startswith("hypernet.")}
    optimizers = build_optimizer(model, TrainingSettings())
    before, batch = None, training_batch(model)
    model.train()
    torch.manual_seed(0)  # which conditions are forgotten
    for _ in range(10):
        loss, count = model.loss(**batch)
        before = before or float(loss.detach())
        (loss / count).backward()
        optimizers.step()
        optimizers.zero_grad()
    assert float(loss.detach()) < 0.95 * before
    assert all(torch.equal(p, frozen[name]) for name, p in model.named_parameters() if name in frozen)
    train_only(model)
    assert all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(ConfigError, match="Nada a treinar"):
        train_only(model, "adapter.")


def test_the_detector_learns_domains_and_its_answer_can_be_read():
    model = conditioned_model()
    texts = {"health": "O médico trata a febre e a dor.", "technology": "O programa roda no computador."}
    train_only(model, "hypernet.detector")
    optimizers = build_optimizer(model, TrainingSettings())
    model.train()
    for _ in range(25):
        for name, text in texts.items():
            ids = torch.tensor([model.tokenizer.encode_dialog([{"role": "user", "content": text}])])
            domain = torch.full_like(ids, DOMAINS.index(name))
            rows = Rows(ids, torch.full_like(ids, -100), None, {"domain": domain})
            (model.hypernet.domain_loss(rows, model.embedding.weight) / ids.numel()).backward()
            optimizers.step()
            optimizers.zero_grad()
    model.eval()
    for name, text in texts.items():
        probabilities = model.detect_domain(text)
        assert list(probabilities) == list(DOMAINS)
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert probabilities[name] > 0.8
    found = resolved(model, Condition.of("friendly", "auto"), None, texts["health"])
    assert found.style == STYLES["friendly"]
    assert max(found.domain) == found.domain[DOMAINS.index("health")]


@torch.no_grad()
def test_save_and_load(tmp_path):
    model = conditioned_model()
    model.save(tmp_path / "luna")
    assert (tmp_path / "luna/components/hypernet/model.safetensors").exists()
    loaded = LunaModel.from_pretrained(tmp_path / "luna")
    ids = random_ids(1, 30)
    ours, theirs = (m(ids, state=m.new_state(ACADEMIC)).logits for m in (model, loaded))
    assert torch.equal(ours, theirs)
    view = model.conditioned("academic")
    view.save(tmp_path / "academica", dtype=torch.float16)
    narrow = LunaModel.from_pretrained(tmp_path / "academica", use_lightweight=True)
    assert narrow.hypernet is None
    assert narrow.layers[0].feed_forward.up_proj.weight.dtype == torch.float16
    assert relative_error(narrow(ids).logits, ours) < 0.01


@torch.no_grad()
def test_sixteen_bit_weights_and_products():
    model = conditioned_model()
    ids = random_ids(1, 30)
    exact = model(ids, state=model.new_state(FRIENDLY)).logits
    model.compute_dtype = torch.bfloat16
    assert 0 < relative_error(model(ids, state=model.new_state(FRIENDLY)).logits, exact) < 0.05
    model.compute_dtype = torch.float32
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = parameter.data.half()
    assert 0 < relative_error(model(ids, state=model.new_state(FRIENDLY)).logits, exact) < 0.01
    assert model.conditioned("friendly").layers[0].feed_forward.up_proj.weight.dtype == torch.float16


def test_a_resumed_run_equals_an_unbroken_one(tmp_path):
    def train(folder: str, steps: list[int]) -> LunaModel:
        for number, last in enumerate(steps):
            model = conditioned_model(hypernet_dropout=0.3)
            train_only(model, "hypernet.")
            trainer = Trainer(model, checkpoint_dir=str(tmp_path / folder), max_steps=last, warmup_steps=0)
            batch = {name: value for name, value in training_batch(model).items() if name != "num_bytes"}
            torch.manual_seed(1)
            trainer.train([batch] * 4, schedule="constant", resume=number > 0, compile=False)
            trainer.save_checkpoint()
        return model

    unbroken, resumed = train("a", [4]), train("b", [2, 4])
    for (name, ours), theirs in zip(unbroken.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(ours, theirs), name


@torch.no_grad()
def test_layers_inserted_by_growth_are_not_changed_by_conditions():
    model = conditioned_model()
    hypernet = model.hypernet
    knowledge = hypernet.knowledge([ACADEMIC], [None])
    before = hypernet.adapters(knowledge).layers
    hypernet.insert_layers([0, 0, 1])
    after = hypernet.adapters(knowledge).layers
    for old, new in ((0, 0), (1, 2)):
        assert all(
            torch.equal(after[new][name].matrix(), change.matrix()) for name, change in before[old].items()
        )
    assert not any(change.matrix().any() for change in after[1].values())
    assert hypernet.layer_embedding.shape[0] == 3


# -- conditions --------------------------------------------------------------------------------------------


def test_conditions_are_checked():
    assert Condition.of("friendly") == Condition.of(STYLES["friendly"])
    assert Condition.of(domain="law").domain == Condition.of(domain={"law": 1.0}).domain
    assert not Condition.of(None, None, "  ")
    assert Condition.of(system_prompt=" Oi ").system_prompt == "Oi"
    refused = [{"style": "rude"}, {"style": (0.5, 0.5)}, {"style": (0, 0, 0, 1.5)}, {"domain": "xadrez"}]
    refused += [{"domain": {"law": 0.4}}, {"domain": [1.0]}, {"domain": {"law": 2.0, "health": -1.0}}]
    for wrong in refused:
        with pytest.raises(GenerationError):
            Condition.of(**wrong)


def test_what_cannot_be_done_is_said():
    plain = make_model()
    with pytest.raises(GenerationError, match="hiper-rede"):
        plain.conditioned("friendly")
    with pytest.raises(GenerationError, match="hiper-rede"):
        resolved(plain, ACADEMIC, None, "Oi")
    assert resolved(plain, None, "Seja breve.", "Oi") is None
    model = conditioned_model()
    with pytest.raises(GenerationError, match="auto"):
        model.conditioned(domain="auto")
    with pytest.raises(GenerationError, match="domínio descobrir"):
        model.detect_domain(" ")
    with pytest.raises(ConfigError, match="hypernet_maps"):
        LunaConfig.preset("test").replaced(
            model={"use_hypernet": True, "use_attention": False, "hypernet_maps": ["q_proj"]}
        )


def test_the_configuration_knows_how_many_domains_there_are():
    assert LunaConfig().model.hypernet_domains == len(DOMAINS)
