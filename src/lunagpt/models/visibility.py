"""Which earlier tokens the queries of one forward pass look at, and with what bias.

Letters: B batch, T time (the new tokens), S slots looked at, H heads.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lunagpt.config import ModelConfig
from lunagpt.models.relational_embeddings import RelationalPositionalEmbedding, by_offset

BLOCK = 128  # rows of a tile: smaller ones make thin matrix products, larger ones cover more hidden pairs


@dataclass
class Passage:
    """What one forward pass reads.

    Attributes:
        time: T. length: slots of the attention cache filled before; the new tokens take the next T.
        device: of the ids.
        mask: (B, length + T) bool, False at padding, or None.
        documents: (B, T) int, rising: numbers of packed documents, or None; only where length is 0.
    """

    time: int
    length: int
    device: torch.device
    mask: Tensor | None = None
    documents: Tensor | None = None


@dataclass
class Tile:
    """A rectangle of the (T, S) square outside of which these rows see nothing.

    Attributes:
        row, end: the queries. column: the first slot; the last one is that of the last query.
        hidden: (B or 1, 1, rows, columns) bool, True where a query must not look.
        bias: (H, rows, columns) added to the scores, or None.
    """

    row: int
    end: int
    column: int
    hidden: Tensor
    bias: Tensor | None


@dataclass
class Visibility:
    """What the layers with one reach look at.

    Attributes:
        length: slots of the attention cache filled before this pass.
        mask: (B or 1, 1, T, S) bool, True where a query may look, or (B or 1, H, T, S) numbers to add to the
            scores; None: plainly causal with nothing before, or a single new token that sees everything.
        tiles: takes the place of `mask`, see `tiles_of`.
    """

    length: int = 0
    mask: Tensor | None = None
    tiles: list[Tile] | None = None


def views_of(
    model: ModelConfig, passage: Passage, relative: RelationalPositionalEmbedding | None, dtype: torch.dtype
) -> dict[int | None, Visibility]:
    """What attention looks at, for each size of window that a layer of the model has (None: no window)."""
    if not model.use_attention:
        return {}
    distances = None
    if relative is not None:
        distances = relative.by_distance(passage.length + passage.time).to(dtype)
    windows = {model.window_of(i) for i in range(model.num_layers)}
    return {window: look(passage, window, distances) for window in windows}


def look(
    passage: Passage,
    window: int | None = None,
    distances: Tensor | None = None,
    in_tiles: bool | None = None,
) -> Visibility:
    """What the queries of `passage` look at.

    The S slots are those that at least one of them can see: all length + T, or with a window the T new ones
    and the window - 1 before.

    Args:
        window: tokens that a query sees, itself included; None for all.
        distances: (H, length + T or more) bias by distance, or None.
        in_tiles: compute tile by tile what is not plainly causal; default on a CPU. Skipping the empty part
            of the square wins there, fused kernels win on a GPU.
    """
    time, length = passage.time, passage.length
    end = length + time
    if window is not None and window >= end:
        window = None
    begin = 0 if window is None else max(0, length - window + 1)
    plain = passage.mask is None and passage.documents is None
    sparse = passage.documents is not None or window is not None or distances is not None
    if in_tiles is None:
        in_tiles = passage.device.type != "cuda"
    if sparse and in_tiles and time > 1:
        return Visibility(length, tiles=tiles_of(passage, begin, window, distances))
    mask = None
    if not (plain and (time == 1 or (length == 0 and window is None and distances is None))):
        mask = _visible(passage, range(length, end), range(begin, end), window)
    if distances is not None:
        bias = by_offset(distances, time, end - begin, length - begin)[None]
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    return Visibility(length, mask)


def tiles_of(
    passage: Passage, begin: int = 0, window: int | None = None, distances: Tensor | None = None
) -> list[Tile]:
    """Tiles that hold every pair of which one may see the other; what is outside is never computed.

    Packed rows of short documents, and windows, leave most of the (T, S) square empty.

    Args:
        begin: number of the slot in column 0; the others as in `look`.
    """
    time, length = passage.time, passage.length
    first = None
    if passage.documents is not None:
        documents = passage.documents.contiguous()
        first = torch.searchsorted(documents, documents)  # (B, T) start of the document
    tiles = []
    biases: dict[tuple[int, int, int], Tensor] = {}  # tiles of one shape and distance share theirs
    for row in range(0, time, BLOCK):
        end = min(row + BLOCK, time)
        start = begin if first is None else max(begin, int(first[:, row].min()))
        if window is not None:
            start = max(start, length + row - window + 1)
        hidden = ~_visible(passage, range(length + row, length + end), range(start, length + end), window)
        bias = None
        if distances is not None:
            shape = (end - row, length + end - start, length + row - start)
            if shape not in biases:
                biases[shape] = by_offset(distances, *shape)
            bias = biases[shape]
        tiles.append(Tile(row, end, start - begin, hidden, bias))
    return tiles


def token_positions(input_ids: Tensor, real: Tensor | None, before: Tensor | None) -> Tensor:
    """Positions (B, T) counted over real tokens only; `before` (B,) were read earlier."""
    if real is None:
        positions = torch.arange(input_ids.shape[1], device=input_ids.device).expand(input_ids.shape)
    else:
        positions = (real.cumsum(dim=1) - 1).clamp(min=0)
    return positions if before is None else positions + before[:, None]


def _visible(passage: Passage, rows: range, columns: range, window: int | None) -> Tensor:
    """(B or 1, 1, rows, columns) bool over slots, True where a query may look."""
    row = torch.arange(rows.start, rows.stop, device=passage.device)[:, None]
    column = torch.arange(columns.start, columns.stop, device=passage.device)
    visible = column <= row
    if window is not None:
        visible = visible & (column > row - window)
    visible = visible[None, None]
    if passage.documents is not None:
        asking, asked = (passage.documents[:, part.start : part.stop] for part in (rows, columns))
        visible = visible & (asking[:, None, :, None] == asked[:, None, None, :])
    if passage.mask is not None:
        itself = column == row  # padding looks at itself: a row that sees nothing would become NaN
        visible = (visible & passage.mask[:, None, None, columns.start : columns.stop]) | itself
    return visible
