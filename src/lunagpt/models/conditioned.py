"""A model under a condition: changes kept beside the weights, or merged into them.

Beside the weights (`adapters_of`) the changes belong to a conversation's state, so that one model serves
many; merged (`merged`), they cost nothing while decoding.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lunagpt.conditions import Condition
from lunagpt.data.traits import DOMAINS
from lunagpt.errors import ConfigError, GenerationError
from lunagpt.models.eight_bit import as_stored
from lunagpt.models.layers import Linear
from lunagpt.models.low_rank import Adapters

if TYPE_CHECKING:
    from lunagpt.models.conditioning import ModelHyperNetwork, Rows
    from lunagpt.models.luna_model import LunaModel


@torch.no_grad()
def adapters_of(
    model: LunaModel, conditions: Condition | Sequence[Condition | None] | None
) -> Adapters | None:
    """The changes for conversations.

    Args:
        conditions: of all rows of a batch, or of each row; None or an empty condition changes nothing.

    Returns:
        None if nothing is known of any row.

    Raises:
        GenerationError: the model has no hypernetwork, or a domain is still to be found out.
    """
    rows = [conditions] if isinstance(conditions, Condition) or conditions is None else list(conditions)
    distinct = list(dict.fromkeys(condition for condition in rows if condition))
    if not distinct:
        return None
    hypernet = _hypernet(model)
    if any(condition.domain == "auto" for condition in distinct):
        raise GenerationError(
            'domain="auto" precisa de uma conversa: sem pergunta não há domínio a descobrir. Indique o '
            "domínio pelo nome, ou use detect_domain."
        )
    pooled = [
        None if condition.system_prompt is None else _mean_embedding(model, condition.system_prompt)
        for condition in distinct
    ]
    groups = None
    if len(rows) > 1:
        numbers = [distinct.index(condition) if condition else -1 for condition in rows]
        groups = torch.tensor(numbers, device=model.device)[:, None]
    return hypernet.adapters(hypernet.knowledge(distinct, pooled), groups)


def adapters_of_rows(model: LunaModel, rows: Rows, losses: list[Tensor]) -> Adapters | None:
    """The changes for a training batch; `losses` receives that of the domain detector, in training."""
    hypernet, table = model.hypernet, model.embedding.weight
    if hypernet is None or not hypernet.enabled:
        return None
    if model.training:
        losses.append(hypernet.domain_loss(rows, table))
    opening = model.tokenizer.system_token_id
    # a base's chat template opens system turns in its own way: there they are not told apart
    return hypernet.of_rows(rows, table, -1 if opening is None else opening, model.tokenizer.end_token_id)


@torch.no_grad()
def merged(model: LunaModel, condition: Condition) -> LunaModel:
    """The model with the changes of a condition in its weights: a model without a hypernetwork.

    Changed weights are its own, all others are shared with `model`, which stays exactly as it is. It is for
    reading and writing text, not for training; saved, it is an ordinary model folder.

    Raises:
        GenerationError: as `adapters_of`.
    """
    adapters = adapters_of(model, condition)
    known: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    known[id(model.hypernet)] = None
    known[id(model.tokenizer)] = model.tokenizer
    if adapters is not None:
        for layer, changes in zip(model.layers, adapters.layers, strict=True):
            for name, linear in _linear_maps(layer):
                if name in changes:
                    weight = linear.weight + changes[name].matrix()
                    known[id(linear.weight)] = as_stored(weight, linear.weight)
    view = copy.deepcopy(model, known)
    view.config = model.config.replaced(model={"use_hypernet": False})
    return view.eval()


@torch.no_grad()
def detect_domain(model: LunaModel, text: str) -> dict[str, float]:
    """How likely each domain is for a question.

    Raises:
        GenerationError: the model has no hypernetwork, or the text is empty.
    """
    hypernet = _hypernet(model)
    if not text.strip():
        raise GenerationError("Não há texto cujo domínio descobrir: escreva alguma coisa.")
    ids = model.tokenizer.encode_dialog([{"role": "user", "content": text}])
    scores = hypernet.detector(_mean_of(model, ids))
    return dict(zip(DOMAINS, scores.softmax(-1).tolist(), strict=False))


def resolved(
    model: LunaModel, condition: Condition | None, system_prompt: str | None, question: str | None
) -> Condition | None:
    """The condition of a conversation with its system prompt, and its domain found out if that is asked for;
    None if nothing is known or the model does not take conditions.

    Args:
        question: the first message of the user.

    Raises:
        GenerationError: a condition was given to a model that takes none.
    """
    condition = condition or Condition()
    if model.hypernet is None or not model.hypernet.enabled:
        if condition:
            _hypernet(model)
        return None
    condition = replace(condition, system_prompt=(system_prompt or "").strip() or condition.system_prompt)
    if condition.domain == "auto":
        found = detect_domain(model, question) if question and question.strip() else {}
        probabilities = tuple(found.get(name, 0.0) for name in DOMAINS)
        condition = replace(condition, domain=probabilities if found else None)
    return condition or None


def _hypernet(model: LunaModel) -> ModelHyperNetwork:
    if model.hypernet is None:
        raise GenerationError(
            "Este modelo não tem hiper-rede, por isso não muda de estilo nem de domínio. Use um modelo "
            'treinado com "use_hypernet": true (veja add_hypernet).'
        )
    if not model.hypernet.enabled:
        raise GenerationError(
            'A hiper-rede está desligada: as condições não agem. Ligue-a com enable_component("hypernet").'
        )
    return model.hypernet


def _mean_embedding(model: LunaModel, text: str) -> Tensor:
    return _mean_of(model, model.tokenizer.encode_content(text))


def _mean_of(model: LunaModel, ids: list[int]) -> Tensor:
    """(D,) float32."""
    return model.embedding(torch.tensor(ids, device=model.device)).float().mean(dim=0)


def _linear_maps(layer: nn.Module) -> list[tuple[str, Any]]:
    """The linear maps of a layer's parts by their own name."""
    if hasattr(layer, "linear_maps"):  # Luna's parts in a layer of another family
        return layer.linear_maps()  # type: ignore[operator]
    parts = [getattr(layer, part, None) for part in ("attention", "state_space", "feed_forward")]
    return [
        (name, child)
        for part in parts
        if part is not None
        for name, child in part.named_children()
        if isinstance(child, Linear)
    ]


def add_hypernet(model: LunaModel, seed: int = 0, **settings: Any) -> LunaModel:
    """A copy of a model with a hypernetwork that changes nothing yet; train it alone with
    `train_only(model, "hypernet.")`, or with the rest.

    Args:
        seed: of the new weights. settings: those of section `model` that begin with "hypernet_".

    Raises:
        ConfigError: it has one already, or a setting does not fit.
    """
    from lunagpt.models.conditioning import ModelHyperNetwork

    if model.hypernet is not None:
        raise ConfigError("Este modelo já tem uma hiper-rede.")
    extended = copy.deepcopy(model, {id(model.tokenizer): model.tokenizer})
    extended.config = model.config.replaced(model={"use_hypernet": True, **settings})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hypernet = ModelHyperNetwork(extended.config.model)
        hypernet.reset_parameters()
    for layer in extended.layers:
        if hasattr(layer, "attach_changes"):  # Luna's parts in a layer of another family
            layer.attach_changes(extended.config.model)  # type: ignore[operator]
    extended.hypernet = hypernet.to(model.device).train(model.training)
    return extended
