"""Log-likelihoods of LunaModel under evaluation: batches and copied states change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.unit.test_model import make_model

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.language_models import LanguageModel
from lunagpt.evaluation.luna_language_model import LunaLanguageModel, select_rows
from lunagpt.evaluation.scoring_plan import windows
from lunagpt.models import LunaModel


@pytest.fixture(scope="module")
def model() -> LunaModel:
    return make_model(seed=5, max_position_embeddings=48).eval()


def direct(model: LunaModel, prefix: list[int], target: list[int]) -> tuple[float, bool]:
    """One plain forward pass over everything."""
    ids = torch.tensor([prefix + target])
    with torch.no_grad():
        scores = model(ids).logits[0, len(prefix) - 1 : -1].double().log_softmax(-1)
    chosen = torch.tensor(target)
    return float(scores.gather(1, chosen[:, None]).sum()), bool((scores.argmax(-1) == chosen).all())


def test_many_pairs_at_once_equal_each_alone(model: LunaModel) -> None:
    common = "Pergunta: qual é a capital do país vizinho, e quantos moram nela hoje?\n"
    contexts = [common + "Resposta:", common + "Diga em uma palavra:", "Oi", "A"]
    pairs = [(c, f" {w}") for c in contexts for w in ("Paris", "a cidade de Lima, no Peru", "não sei", "x")]
    found = LunaLanguageModel(model).loglikelihood(pairs)
    tokenizer = model.tokenizer
    for (context, text), entry in zip(pairs, found, strict=True):
        whole = tokenizer.encode_content(context + text)
        start = len(tokenizer.encode_content(context))
        nats, greedy = direct(model, whole[:start], whole[start:])
        assert entry.nats == pytest.approx(nats, abs=2e-4)
        assert entry.num_tokens == len(whole) - start
        assert entry.num_bytes == len(text.encode())
        assert entry.greedy == greedy


def test_greedy_continuation_is_recognised(model: LunaModel) -> None:
    tokenizer = model.tokenizer
    prefix = tokenizer.encode_content("Era uma vez")
    with torch.no_grad():
        best = int(model(torch.tensor([prefix])).logits[0, -1].argmax())
    text = tokenizer.decode([best])
    if tokenizer.encode_content("Era uma vez" + text) != [*prefix, best]:
        pytest.skip("the best token does not survive encoding")
    assert LunaLanguageModel(model).loglikelihood([("Era uma vez", text)])[0].greedy


def test_space_at_the_end_of_a_context_belongs_to_the_continuation(model: LunaModel) -> None:
    one, two = LunaLanguageModel(model).loglikelihood([("O gato ", "dorme"), ("O gato", " dorme")])
    assert one == two


def test_without_context_the_first_token_is_not_predicted(model: LunaModel) -> None:
    text = "Canções de ninar são antigas."
    entry = LunaLanguageModel(model).loglikelihood([("", text)])[0]
    ids = model.tokenizer.encode_content(text)
    assert entry.num_tokens == len(ids) - 1
    assert entry.num_bytes == len(text.encode()) - len(model.tokenizer.token_bytes(ids[0]))
    assert entry.nats == pytest.approx(direct(model, ids[:1], ids[1:])[0], abs=2e-4)


def test_text_longer_than_the_window_is_scored_once(model: LunaModel) -> None:
    text = "O rio corre para o mar. " * 20
    ids = model.tokenizer.encode_content(text)
    assert len(ids) > 2 * 48
    entry = LunaLanguageModel(model).loglikelihood([("", text)])[0]
    pieces = list(windows(ids[:1], ids[1:], 48))
    assert entry.num_tokens == len(ids) - 1 == sum(len(target) for _, target in pieces)
    assert all(len(prefix) + len(target) <= 48 for prefix, target in pieces)
    assert entry.nats == pytest.approx(sum(direct(model, *piece)[0] for piece in pieces), abs=1e-3)


def test_context_longer_than_the_window_loses_its_beginning(model: LunaModel) -> None:
    context = "Uma frase que se repete muito. " * 30 + "Fim:"
    entry = LunaLanguageModel(model).loglikelihood([(context, " nada")])[0]
    whole = model.tokenizer.encode_content(context + " nada")
    start = len(model.tokenizer.encode_content(context))
    target = whole[start:]
    assert entry.nats == pytest.approx(
        direct(model, whole[start - 48 + len(target) : start], target)[0], abs=2e-4
    )


def test_empty_continuation_is_refused(model: LunaModel) -> None:
    with pytest.raises(EvaluationError, match="continuação está vazia"):
        LunaLanguageModel(model).loglikelihood([("Oi", "")])


def test_selected_rows_go_on_independently(model: LunaModel) -> None:
    ids = torch.randint(0, 16384, (2, 9))
    with torch.no_grad():
        state = model.new_state()
        model(ids, state=state)
        copied = select_rows(state, torch.tensor([1, 0, 1]))
        after = torch.randint(0, 16384, (3, 4))
        found = model(after, state=copied).logits
        whole = torch.cat((ids[[1, 0, 1]], after), dim=1)
        assert torch.allclose(found, model(whole).logits[:, 9:], atol=1e-4)
        assert state.length == 9


def test_answers_do_not_depend_on_their_neighbours(model: LunaModel) -> None:
    wrapped = LunaLanguageModel(model)
    dialogue = [{"role": "system", "content": "Seja breve."}, {"role": "user", "content": "Oi, tudo bem?"}]
    alone = wrapped.generate(["Era uma vez"], max_new_tokens=6)
    together = wrapped.generate([dialogue, "Era uma vez", "O"], max_new_tokens=6)
    assert together[1] == alone[0]
    assert together[0] != together[1]


def test_vectors_are_the_means_of_hidden_states(model: LunaModel) -> None:
    wrapped = LunaLanguageModel(model)
    vectors = wrapped.embed(["um texto", "outro texto, mais longo"])
    ids = torch.tensor([model.tokenizer.encode_content("um texto")])
    with torch.no_grad():
        expected = model.hidden_states(ids)[0].mean(0).numpy()
    assert vectors.shape == (2, model.config.model.hidden_size)
    assert np.allclose(vectors[0], expected, atol=1e-5)


def test_is_a_language_model_that_describes_itself(model: LunaModel) -> None:
    wrapped = LunaLanguageModel(model)
    assert isinstance(wrapped, LanguageModel)
    assert wrapped.describe()["parameters"] == model.num_parameters()
    assert math.isfinite(wrapped.loglikelihood([("a", " b")])[0].nats)
