"""The hypernetwork of the whole model: from what is known of a conversation to low-rank changes of its maps.

    condition = style + domain + pooled system prompt        (what is unknown has a learned vector)
    hidden    = network(condition + embedding of the layer + embedding of the linear map)
    W         → W + gain · up(hidden) down(hidden)           for each chosen map of each layer

One small network serves all layers. Its last maps are zero at birth, so that a new one changes nothing, and
a token whose condition is wholly unknown is never changed.

Letters: B batch, T time, D model width, V vocabulary, G conditions, C width of a condition, L layers,
R rank, K domains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lunagpt.conditions import STYLES, Condition, Style
from lunagpt.config import ModelConfig
from lunagpt.data.traits import PERSONAS, UNKNOWN
from lunagpt.models.hypernet import (
    DomainDetector,
    LowRankGenerator,
    context_network,
    draw_linear_maps,
    running_mean,
)
from lunagpt.models.layers import Linear, RMSNorm
from lunagpt.models.low_rank import Adapters, LowRank

DOMAIN_LOSS = 0.1  # weight of the detector's cross-entropy; it shares no weight with the language model


@dataclass(frozen=True)
class Knowledge:
    """G conditions as numbers, NaN where something is unknown.

    Attributes:
        style: (G, 4). domain: (G, K), probabilities. prompt: (G, D), mean embedding of the system prompt.
    """

    style: Tensor
    domain: Tensor
    prompt: Tensor

    def known(self) -> Tensor:
        """(G, 3) bool: which of the three are known."""
        return torch.stack([~values[:, 0].isnan() for values in (self.style, self.domain, self.prompt)], 1)


@dataclass(frozen=True)
class Rows:
    """A training batch as `LunaModel.loss` gets it; see there."""

    input_ids: Tensor
    labels: Tensor
    document_ids: Tensor | None
    traits: Mapping[str, Tensor]

    def starts(self) -> Tensor:
        """(B, T) bool, True at the first token of a document."""
        if self.document_ids is None:
            changes = torch.zeros_like(self.input_ids[:, 1:], dtype=torch.bool)
        else:
            changes = self.document_ids[:, 1:] != self.document_ids[:, :-1]
        return F.pad(changes, (1, 0), value=True)

    def trait(self, name: str) -> Tensor:
        """(B, T) number of the trait, UNKNOWN where it is not known."""
        trait = self.traits.get(name)
        return torch.full_like(self.input_ids, UNKNOWN) if trait is None else trait


class ModelHyperNetwork(nn.Module):
    """Generates the `Adapters` of a model.

    Args:
        config: its settings `hypernet_…` and the model's sizes.
    """

    enabled = True  # see `components`

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size = config.hypernet_size
        self.dropout = config.hypernet_dropout
        self.num_domains = config.hypernet_domains
        self.style = Linear(len(Style._fields), size)
        self.domain = Linear(self.num_domains, size)
        self.prompt_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.prompt = Linear(config.hidden_size, size)
        self.unknown = nn.Parameter(torch.zeros(3, size))
        self.layer_embedding = nn.Parameter(torch.empty(config.num_layers, size))
        self.layer_gain = nn.Parameter(torch.ones(config.num_layers))
        shapes = config.hypernet_shapes
        self.map_embedding = nn.Parameter(torch.empty(len(shapes), size))
        self.network = context_network(size, size)
        self.generators = nn.ModuleDict(
            {
                name: LowRankGenerator(size, inputs, outputs, config.hypernet_rank)
                for name, (inputs, outputs) in shapes.items()
            }
        )
        self.detector = DomainDetector(config.hidden_size, self.num_domains)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draws all parameters anew."""
        draw_linear_maps(self)
        for module in self.modules():
            if isinstance(module, LowRankGenerator):
                module.reset_parameters()
        for vectors in (self.layer_embedding, self.map_embedding):
            vectors.normal_()
        self.domain.weight.normal_()  # of its inputs one is 1, the others are 0
        self.unknown.zero_()
        self.layer_gain.fill_(1.0)

    # -- from knowledge to changes -------------------------------------------------------------------------

    def adapters(self, knowledge: Knowledge, groups: Tensor | None = None) -> Adapters:
        """The changes under each of G conditions; groups: see `Adapters`."""
        condition = self._condition(knowledge)[:, None]
        layers: list[dict[str, LowRank]] = [{} for _ in self.layer_embedding]
        for number, (name, generator) in enumerate(self.generators.items()):
            places = self.layer_embedding + self.map_embedding[number]
            down, up = generator(self.network(condition + places))  # (G, L, …)
            up = up * self.layer_gain[:, None, None]
            for layer, of_layer in zip(layers, zip(down.unbind(1), up.unbind(1), strict=True), strict=True):
                layer[name] = LowRank(*of_layer)
        return Adapters(layers, groups)

    def _condition(self, knowledge: Knowledge) -> Tensor:
        """(G, C)."""
        style, domain, prompt = (
            values.nan_to_num() for values in (knowledge.style, knowledge.domain, knowledge.prompt)
        )
        parts = (self.style(2 * style - 1), self.domain(domain), self.prompt(self.prompt_norm(prompt)))
        known = knowledge.known()
        return sum(
            (torch.where(known[:, i, None], part, self.unknown[i]) for i, part in enumerate(parts)),
            start=torch.zeros_like(parts[0]),
        )

    def knowledge(self, conditions: Sequence[Condition], prompts: Sequence[Tensor | None]) -> Knowledge:
        """Conditions as numbers.

        Args:
            prompts: the pooled system prompt (D,) of each, where it has one.
        """
        device = self.unknown.device

        def row(values: Sequence[float] | None, size: int) -> Tensor:
            if values is None:
                return torch.full((size,), torch.nan, device=device)
            return torch.tensor(values[:size], dtype=torch.float32, device=device)

        width = self.prompt.weight.shape[1]
        return Knowledge(
            torch.stack([row(condition.style, len(Style._fields)) for condition in conditions]),
            torch.stack([row(condition.domain, self.num_domains) for condition in conditions]),  # type: ignore[arg-type]
            torch.stack([row(None, width) if prompt is None else prompt for prompt in prompts]),
        )

    # -- training ------------------------------------------------------------------------------------------

    def of_rows(self, rows: Rows, embedding: Tensor, system_token: int, end_token: int) -> Adapters | None:
        """The changes for a training batch: generated once for each distinct condition in it.

        In training each part of a document's condition is forgotten with probability `hypernet_dropout`, so
        that any of them may be missing later.

        Args:
            embedding: (V, D), the model's table, which is read and not trained.
            system_token, end_token: what encloses a system prompt.

        Returns:
            None if nothing is known of any document.
        """
        starts = rows.starts()
        document = starts.flatten().cumsum(0).view_as(starts) - 1  # (B, T), counted over the whole batch
        prompt, pooled = _system_prompts(rows, document, embedding.detach(), (system_token, end_token))
        persona, domain = rows.trait("persona")[starts], self._learned(rows.trait("domain")[starts])
        codes = torch.stack((persona, domain, prompt))  # (3, documents)
        if self.training and self.dropout:
            codes = codes.masked_fill(torch.rand(codes.shape, device=codes.device) < self.dropout, UNKNOWN)
        found, groups = codes.unique(dim=1, return_inverse=True)
        if int(found[:, 0].max()) == UNKNOWN:  # they are sorted: the wholly unknown one stands first
            found, groups = found[:, 1:], groups - 1
        if not found.shape[1]:
            return None
        persona, domain, prompt = found
        styles = torch.tensor([STYLES[name] for name in PERSONAS], device=codes.device)
        domains = torch.eye(self.num_domains, device=codes.device)
        known = Knowledge(_rows_of(styles, persona), _rows_of(domains, domain), _rows_of(pooled, prompt))
        return self.adapters(known, groups[document])

    def _learned(self, domain: Tensor) -> Tensor:
        """Domains that came into the world after the model are unknown to it."""
        return domain.where(domain < self.num_domains, UNKNOWN)

    def domain_loss(self, rows: Rows, embedding: Tensor) -> Tensor:
        """The detector's loss on documents of known domain, after each of their tokens (nats, summed)."""
        domain = self._learned(rows.trait("domain"))
        known = domain != UNKNOWN
        mean = running_mean(F.embedding(rows.input_ids, embedding.detach()), rows.starts())
        scores = self.detector(mean[known])
        return DOMAIN_LOSS * F.cross_entropy(scores, domain[known], reduction="sum")

    # -- growth --------------------------------------------------------------------------------------------

    @torch.no_grad()
    def insert_layers(self, origins: Sequence[int]) -> None:
        """Makes room for a grown model: layer i is, or was made from, the old layer `origins[i]`.

        The first layer of an origin is the old one; those made from it begin unchanged by conditions.
        """
        new = [i for i, origin in enumerate(origins) if origin in origins[:i]]
        for field in ("layer_embedding", "layer_gain"):
            old = getattr(self, field)
            grown = old.detach()[list(origins)].clone()
            setattr(self, field, nn.Parameter(grown, requires_grad=old.requires_grad))
        self.layer_gain[new] = 0


def _rows_of(table: Tensor, numbers: Tensor) -> Tensor:
    """The row of each number (G,), NaN for UNKNOWN."""
    if not len(table):
        return table.new_full((len(numbers), table.shape[1]), torch.nan)
    return table[numbers.clamp(min=0)].masked_fill(numbers[:, None] == UNKNOWN, torch.nan)


def _system_prompts(
    rows: Rows, document: Tensor, embedding: Tensor, tokens: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The system turns that open documents, pooled.

    A turn that is to be predicted is no condition: it would give its own tokens away.

    Args:
        document: (B, T) number of each token's document. tokens: those that open and end a system turn.

    Returns:
        (documents,) number of the document's system prompt, UNKNOWN for none; (prompts, D) their mean
        embeddings.
    """
    ids, starts = rows.input_ids, rows.starts()
    opening, ending = tokens
    is_end = (ids == ending).flatten().long()
    ends_before = is_end.cumsum(0) - is_end
    of_document = ends_before[starts.flatten()][document.flatten()].view_as(ids)
    opened = (ids[starts] == opening)[document]
    turn = opened & (ends_before.view_as(ids) == of_document) & (ids != ending)  # without its end
    content = turn & ~starts

    def count(tokens: Tensor) -> Tensor:
        return torch.bincount(document[tokens], minlength=int(document[-1, -1]) + 1)

    length = count(content)
    usable = (length > 0) & (count(turn & (rows.labels >= 0)) == 0)
    number = torch.where(usable, usable.cumsum(0) - 1, UNKNOWN)
    content = content & usable[document]
    total = embedding.new_zeros(int(usable.sum()), embedding.shape[1], dtype=torch.float32)
    total.index_add_(0, number[document[content]], F.embedding(ids[content], embedding).float())
    return number, total / length[usable][:, None]
