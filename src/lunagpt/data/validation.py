"""`ValidationSet`: fixed batches for measuring, by group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lunagpt.config.sections import DataSource
from lunagpt.data.dataset import Batch, RowWriter, Unit
from lunagpt.data.packing import pack_best_fit
from lunagpt.data.sources import parse_sources
from lunagpt.data.token_cache import DataTokenizer, tokenize_sources
from lunagpt.data.units import cut_units


class ValidationSet:
    """The same batches at every evaluation, each of one group.

    A source is one group under its name; with ``sample_by`` it is one group for every value of that column,
    called ``name/value``. Iterating yields ``(group, batch)``, group after group; weights and repeats play
    no part. Long texts are measured in consecutive windows of `sequence_length` tokens; the first token of
    a window is given, not predicted, and its bytes are not counted.

    Args:
        sources: see `SourceSpec`.
        tokenizer: see `DataTokenizer`.
        sequence_length: slots of a row (T).
        batch_size: rows of a batch; the last batch of a group has fewer.
        max_tokens: at most about this many slots of each group (whole units, drawn by a fixed permutation);
            all if None.
        root: folder to which the paths are relative.
        cache_dir: folder of the tokenised sources; see `tokenize_source`.

    Raises:
        DataError: a source cannot be read, or nothing of it fits into a row.
    """

    def __init__(
        self,
        sources: Sequence[DataSource | Mapping[str, Any]],
        tokenizer: DataTokenizer,
        *,
        sequence_length: int,
        batch_size: int = 8,
        max_tokens: int | None = None,
        root: str | Path | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        specs = parse_sources(sources)
        tokenized = tokenize_sources(specs, tokenizer, cache_dir=cache_dir, root=root)
        self._writer = RowWriter(tokenized, tokenizer, sequence_length)
        self._batch_size = batch_size
        self._rows: dict[str, list[list[Unit]]] = {}
        for index, (spec, source) in enumerate(zip(specs, tokenized, strict=True)):
            units = cut_units(source, sequence_length, tokenizer.end_token_id)
            for number, value in enumerate(source.groups):
                members = np.flatnonzero(units.group == number)
                if max_tokens is not None:
                    members = np.random.default_rng(0).permutation(members)
                    members = members[: 1 + np.searchsorted(np.cumsum(units.slots[members]), max_tokens)]
                if not len(members):
                    continue
                packed = pack_best_fit(units.slots[members].tolist(), sequence_length)
                name = f"{spec.label}/{value}" if spec.sample_by else spec.label
                self._rows[name] = [
                    [(index, int(units.start[unit]), int(units.slots[unit])) for unit in members[row]]
                    for row in packed
                ]

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups, in the order of iteration."""
        return tuple(self._rows)

    def __len__(self) -> int:
        """Batches in all."""
        return sum(-(-len(rows) // self._batch_size) for rows in self._rows.values())

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        for group in self._rows:
            for batch in self.batches(group):
                yield group, batch

    def batches(self, group: str) -> Iterator[Batch]:
        """The batches of one group.

        Raises:
            KeyError: there is no such group.
        """
        rows = self._rows[group]
        for start in range(0, len(rows), self._batch_size):
            yield self._writer.batch(rows[start : start + self._batch_size])
