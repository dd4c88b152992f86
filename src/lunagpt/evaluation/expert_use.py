"""Which tokens go to which experts: load, balance and what each expert is asked for more than the others.

Letters: N tokens read, E experts, C experts per token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from lunagpt.errors import ConfigError, DataError
from lunagpt.models.emotions import expert_inputs, expert_layers
from lunagpt.rag.stop_words import PORTUGUESE

if TYPE_CHECKING:
    from lunagpt.models import LunaModel

# A token is of the first kind that fits. "piece" continues a word; the others begin one, or stand alone.
CATEGORIES: Final = ("punctuation", "number", "piece", "function", "name", "word", "space")
MOST_TOKENS = 8  # characteristic tokens kept per expert
_SHORT = 200  # in a text of fewer tokens each counts; in longer ones those that an expert got once do not


@dataclass(frozen=True)
class CharacteristicToken:
    """A token that an expert gets more often than it would by chance.

    Attributes:
        text: the token, with its leading space.
        count: how often the expert got it. lift: that over what the expert's load leads one to expect.
    """

    text: str
    count: int
    lift: float


@dataclass(frozen=True)
class ExpertUse:
    """What one expert did.

    Attributes:
        load: its share of all choices; 1/E if all are asked alike.
        tokens: the most characteristic first: those that add most to the divergence of the expert's tokens
            from the text's.
        categories: for each of `CATEGORIES` that the text has, how many times more (or less) often than its
            load leads one to expect the expert gets it; 1 is as expected. Empty for an expert without tokens.
    """

    load: float
    tokens: list[CharacteristicToken]
    categories: dict[str, float]


@dataclass(frozen=True)
class LayerUse:
    """What the experts of one layer did.

    Attributes:
        layer: its number. experts: one entry each.
        violation: the heaviest load over the mean, less 1. dead: numbers of the experts that got no token.
    """

    layer: int
    experts: list[ExpertUse]
    violation: float
    dead: list[int]


def inspect_experts(model: LunaModel, text: str, max_tokens: int | None = None) -> list[LayerUse]:
    """Reads a text and tells, layer by layer, which tokens went to which expert.

    Args:
        text: plain text; longer ones are read in pieces of the model's context.
        max_tokens: reads no more than so many tokens.

    Raises:
        ConfigError: the model has no experts.
        DataError: the text is empty.
    """
    blocks = expert_layers(model)
    if not blocks:
        raise ConfigError(
            f'O modelo "{model.config.model.name}" é denso: não tem especialistas. '
            "Faça uma versão com eles: luna upcycle MODELO SAÍDA"
        )
    ids = model.tokenizer.encode_content(text)[:max_tokens]
    if not ids:
        raise DataError("O texto está vazio: não há o que ler. Passe ao menos uma palavra.")
    chosen: dict[int, list[np.ndarray]] = {i: [] for i in blocks}
    window = model.config.model.max_position_embeddings
    with torch.no_grad():
        for start in range(0, len(ids), window):
            piece = torch.tensor([ids[start : start + window]], device=model.device)
            for i, x in expert_inputs(model, piece).items():
                chosen[i].append(blocks[i].route(x)[0].experts.cpu().numpy())
    pieces = [model.tokenizer.token_bytes(token) for token in ids]
    categories = token_categories(pieces)
    return [
        _layer_use(i, block.num_experts, ids, pieces, categories, np.concatenate(chosen[i]))
        for i, block in blocks.items()
    ]


def token_categories(pieces: Sequence[bytes]) -> list[str]:
    """The kind, of `CATEGORIES`, of each token of a text, from the bytes of all tokens in order.

    A capital letter marks a name, except at the start of a sentence or a line.
    """
    text = b"".join(pieces)
    decoded = text.decode("utf-8", errors="surrogateescape")
    words: list[tuple[int, int, str]] = []  # bytes from, to, kind
    place = before = 0
    for match in re.finditer(r"\w+", decoded):
        place += len(decoded[before : match.start()].encode("utf-8", errors="surrogateescape"))
        length = len(match[0].encode("utf-8", errors="surrogateescape"))
        words.append(
            (place, place + length, _word_kind(match[0], decoded[max(0, match.start() - 20) : match.start()]))
        )
        place, before = place + length, match.end()
    kinds, place, number = [], 0, 0
    for piece in pieces:
        first = place + len(piece) - len(piece.lstrip())
        end = place + len(piece)
        while number < len(words) and words[number][1] <= first:
            number += 1
        if number < len(words) and words[number][0] < end:
            begin, _, kind = words[number]
            kinds.append(kind if kind == "number" or begin >= place else "piece")
        else:
            kinds.append("punctuation" if piece.strip() else "space")
        place = end
    return kinds


def _word_kind(word: str, before: str) -> str:
    if word[0].isdigit():
        return "number"
    if word.lower() in PORTUGUESE:
        return "function"
    sentence_start = re.search(r"(^|[.!?…:\n])[\s\"'“”«»()*#—–-]*$", before) is not None
    return "name" if word[0].isupper() and not sentence_start else "word"


def _layer_use(
    layer: int,
    num_experts: int,
    ids: Sequence[int],
    pieces: Sequence[bytes],
    categories: Sequence[str],
    experts: np.ndarray,
) -> LayerUse:
    """experts (N, C): whom each token went to."""
    load = np.bincount(experts.ravel(), minlength=num_experts)
    types, of_type = np.unique(np.array(ids), return_inverse=True)
    text_of = {
        token: piece.decode("utf-8", errors="replace") for token, piece in zip(ids, pieces, strict=True)
    }
    by_type = _table(of_type, len(types), experts, num_experts)
    present = [name for name in CATEGORIES if name in categories]
    kinds = np.array([present.index(name) for name in categories])
    by_kind = _table(kinds, len(present), experts, num_experts)
    uses, least = [], 1 if len(ids) < _SHORT else 2
    for e in range(num_experts):
        if not load[e]:
            uses.append(ExpertUse(0.0, [], {}))
            continue
        lifts, kind_lifts = _lifts(by_type, e), _lifts(by_kind, e)
        weight = by_type[:, e] * np.log(np.maximum(lifts, 1e-9))
        order = [t for t in np.argsort(-weight, kind="stable") if by_type[t, e] >= least and lifts[t] > 1]
        tokens = [
            CharacteristicToken(text_of[int(types[t])], int(by_type[t, e]), float(lifts[t]))
            for t in order[:MOST_TOKENS]
        ]
        uses.append(
            ExpertUse(
                float(load[e] / load.sum()),
                tokens,
                {name: float(kind_lifts[number]) for number, name in enumerate(present)},
            )
        )
    dead = [int(e) for e in np.flatnonzero(load == 0)]
    return LayerUse(layer, uses, float(load.max() / load.mean() - 1), dead)


def _table(groups: np.ndarray, num_groups: int, experts: np.ndarray, num_experts: int) -> np.ndarray:
    """(groups, E) how often a token of a group went to an expert; groups (N,), experts (N, C)."""
    table = np.zeros((num_groups, num_experts), dtype=np.int64)
    np.add.at(table, (np.repeat(groups, experts.shape[1]), experts.ravel()), 1)
    return table


def _lifts(table: np.ndarray, expert: int) -> np.ndarray:
    """(groups,) how often the expert got each group, over what its load leads one to expect."""
    expected = table.sum(axis=1) * (table[:, expert].sum() / table.sum())
    return table[:, expert] / expected
