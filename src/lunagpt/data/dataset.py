"""`PackedDataset`: an endless, reproducible stream of packed batches from a weighted mixture of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from lunagpt.config.sections import DataSource
from lunagpt.data.packing import pack_best_fit
from lunagpt.data.sources import SourceSpec, parse_sources
from lunagpt.data.token_cache import DataTokenizer, TokenizedSource, token_byte_lengths, tokenize_sources
from lunagpt.data.traits import TRAITS, UNKNOWN
from lunagpt.data.units import UnitOrder, cut_units
from lunagpt.errors import DataError

IGNORED = -100

# Rows that are packed together. More rows fill better (one row of a block stays part empty) and mix better;
# fewer cost less to rebuild on resuming.
_BLOCK_ROWS = 128
_STATE_VERSION = 1

# A unit of a row: number of the source, position of the first token, slots.
Unit = tuple[int, int, int]


class Batch(TypedDict):
    """B rows of T slots (numpy int64).

    ``input_ids`` (B, T); ``labels`` (B, T), the token that follows each input, -100 where nothing is learned;
    ``document_ids`` (B, T), number of the document within its row (padding counts as one more document);
    ``num_bytes``, UTF-8 bytes of the learned labels; ``traits``, for each name in `TRAITS` (B, T), the number
    of the document's trait, -1 where its row says nothing.
    """

    input_ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    document_ids: npt.NDArray[np.int64]
    num_bytes: float
    traits: dict[str, npt.NDArray[np.int64]]


class RowWriter:
    """Writes units into rows.

    Args:
        sources: the tokenised sources.
        tokenizer: gives the padding token and the bytes of every token.
        sequence_length: slots of a row (T).
    """

    def __init__(
        self, sources: Sequence[TokenizedSource], tokenizer: DataTokenizer, sequence_length: int
    ) -> None:
        self._sources = sources
        self._pad = tokenizer.pad_token_id
        self._bytes = token_byte_lengths(tokenizer)
        self.sequence_length = sequence_length

    def batch(self, rows: Sequence[Sequence[Unit]]) -> Batch:
        """The batch of `rows`; a row is a list of units (source, position of the first token, slots)."""
        shape = (len(rows), self.sequence_length)
        input_ids = np.full(shape, self._pad, dtype=np.int64)
        labels = np.full(shape, IGNORED, dtype=np.int64)
        document_ids = np.zeros(shape, dtype=np.int64)
        traits = np.full((len(TRAITS), *shape), UNKNOWN, dtype=np.int64)
        for number, row in enumerate(rows):
            end = 0
            for document, (index, start, slots) in enumerate(row):
                source, here = self._sources[index], slice(end, end + slots)
                tokens = source.tokens[start : start + slots + 1]
                input_ids[number, here] = tokens[:-1]
                labels[number, here] = tokens[1:]
                if source.mask is not None and not source.learn_all:
                    labels[number, here][source.mask[start + 1 : start + slots + 1] == 0] = IGNORED
                document_ids[number, here] = document
                example = np.searchsorted(source.offsets, start, side="right") - 1
                traits[:, number, here] = source.traits[example][:, None]
                end += slots
            document_ids[number, end:] = len(row)
        return Batch(
            input_ids=input_ids,
            labels=labels,
            document_ids=document_ids,
            num_bytes=float(self._bytes[labels[labels != IGNORED]].sum()),
            traits=dict(zip(TRAITS, traits, strict=True)),
        )


class PackedDataset:
    """Iterator of training batches.

    The next example always comes from the source that has produced the fewest tokens for its weight;
    each source passes through its own permutation of pieces, a new one every epoch. Examples are gathered
    into blocks of rows, packed whole by best fit, and the rows of a block are shuffled. All of it follows
    from the seed and a few counters, so the saved state is small and a resumed run sees exactly the batches
    of an unbroken one.

    Args:
        sources: the mixture (see `SourceSpec`).
        tokenizer: see `DataTokenizer`; `LunaTokenizer` fits.
        sequence_length: slots of a row (T).
        batch_size: rows of a batch (B), on each rank.
        seed: seed of every permutation.
        rank: number of this process among `world_size`; every batch of the whole is split evenly, in order.
        world_size: number of processes.
        root: folder to which the paths are relative.
        cache_dir: folder of the tokenised sources; see `tokenize_source`.

    Raises:
        DataError: a source cannot be read, or nothing of it fits into a row.
        ConfigError: a setting of a source is wrong.
    """

    def __init__(
        self,
        sources: Sequence[DataSource | Mapping[str, Any]],
        tokenizer: DataTokenizer,
        *,
        sequence_length: int,
        batch_size: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        root: str | Path | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} is not below world_size {world_size}")
        if sequence_length < 1 or batch_size < 1:
            raise ValueError("sequence_length and batch_size must be positive")
        self.specs: list[SourceSpec] = parse_sources(sources)
        self.sequence_length, self.batch_size, self.seed = sequence_length, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.tokenized = tokenize_sources(self.specs, tokenizer, cache_dir=cache_dir, root=root)
        self._units = [
            cut_units(source, sequence_length, tokenizer.end_token_id) for source in self.tokenized
        ]
        self._orders = [
            UnitOrder(units, spec.label, seed) for units, spec in zip(self._units, self.specs, strict=True)
        ]
        self._writer = RowWriter(self.tokenized, tokenizer, sequence_length)
        weights = np.asarray([spec.weight for spec in self.specs])
        self._weights = weights / weights.sum()
        self._limits = [
            np.inf if spec.max_repeat is None else max(1, round(spec.max_repeat * len(order)))
            for spec, order in zip(self.specs, self._orders, strict=True)
        ]
        self._block_number = 0
        self._cursors = [0] * len(self.specs)
        self._produced = np.zeros(len(self.specs))
        self._row = 0
        self._fill_block()

    def __iter__(self) -> PackedDataset:
        return self

    def __next__(self) -> Batch:
        """The next batch of this rank.

        Of several processes all get a full batch or none; a single one gets the last rows as a smaller batch.

        Raises:
            StopIteration: every source has reached its ``max_repeat``.
        """
        rows: list[list[Unit]] = []
        for place in range(self.batch_size * self.world_size):
            while self._row == len(self._rows) and self._rows:
                self._next_block()
            if not self._rows:
                if rows and self.world_size == 1:
                    break
                raise StopIteration
            if place // self.batch_size == self.rank:
                rows.append(self._rows[self._row])
            self._row += 1
        return self._writer.batch(rows)

    def progress(self) -> dict[str, dict[str, float]]:
        """For every source: tokens of the blocks begun so far, and epochs (passes through its units)."""
        return {
            spec.label: {
                "tokens": int(self._produced_next[i]),
                "epochs": self._cursors_next[i] / len(self._orders[i]),
            }
            for i, spec in enumerate(self.specs)
        }

    def sizes(self) -> dict[str, dict[str, int]]:
        """For every source: examples, tokens in the cache, slots of an epoch, dialogues that did not fit."""
        return {
            spec.label: {
                "examples": len(self.tokenized[i]),
                "tokens": len(self.tokenized[i].tokens),
                "slots": int(self._units[i].slots.sum()),
                "dropped": self._units[i].dropped,
            }
            for i, spec in enumerate(self.specs)
        }

    def state_dict(self) -> dict[str, Any]:
        """The place in the stream as JSON values, the same on every rank.

        It holds the counters at the beginning of the current block, and how many rows of it are used.
        """
        return {
            "version": _STATE_VERSION,
            "seed": self.seed,
            "sequence_length": self.sequence_length,
            "block": self._block_number,
            "row": self._row,
            "sources": {
                spec.label: {
                    "key": self.tokenized[i].key,
                    "weight": float(spec.weight),
                    "cursor": self._cursors[i],
                    "tokens": int(self._produced[i]),
                }
                for i, spec in enumerate(self.specs)
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a saved place; the batches that follow are those that followed there.

        Raises:
            DataError: the state belongs to other data, another mixture, seed or length.
        """
        expected = self.state_dict()
        for field in ("version", "seed", "sequence_length"):
            if state.get(field) != expected[field]:
                raise DataError(
                    f"Este ponto de retomada usa {field} = {state.get(field)}, e a configuração atual, "
                    f"{expected[field]}. Volte ao valor anterior ou comece um treino novo."
                )
        saved = state.get("sources", {})
        if list(saved) != list(expected["sources"]):
            raise DataError(
                f"Este ponto de retomada é de outra mistura de dados (fontes: {', '.join(saved)}). "
                "Use a mesma configuração ou comece um treino novo."
            )
        for name, source in saved.items():
            for field in ("key", "weight"):
                if source[field] != expected["sources"][name][field]:
                    raise DataError(
                        f'A fonte "{name}" mudou desde o ponto de retomada ({field}). '
                        "Restaure os arquivos e ajustes de antes ou comece um treino novo."
                    )
        self._block_number = int(state["block"])
        self._cursors = [int(source["cursor"]) for source in saved.values()]
        self._produced = np.asarray([float(source["tokens"]) for source in saved.values()])
        self._fill_block()
        self._row = int(state["row"])

    def _next_block(self) -> None:
        self._block_number += 1
        self._cursors, self._produced, self._row = self._cursors_next, self._produced_next, 0
        self._fill_block()

    def _fill_block(self) -> None:
        """Choose the units of the block that begins at the counters, and pack them into shuffled rows."""
        cursors, produced = list(self._cursors), self._produced.copy()
        # Tokens produced per weight: the least is next, so that shares of the tokens approach the weights.
        served = produced / self._weights
        for index, limit in enumerate(self._limits):
            if cursors[index] >= limit:
                served[index] = np.inf
        units: list[Unit] = []
        missing = _BLOCK_ROWS * self.sequence_length
        while missing > 0:
            index = int(served.argmin())
            if served[index] == np.inf:
                break
            unit = self._orders[index][cursors[index]]
            slots = int(self._units[index].slots[unit])
            units.append((index, int(self._units[index].start[unit]), slots))
            missing -= slots
            cursors[index] += 1
            produced[index] += slots
            exhausted = cursors[index] >= self._limits[index]
            served[index] = np.inf if exhausted else produced[index] / self._weights[index]
        packed = pack_best_fit([slots for _, _, slots in units], self.sequence_length)
        order = np.random.default_rng([self.seed, self._block_number]).permutation(len(packed))
        self._rows = [[units[unit] for unit in packed[row]] for row in order]
        self._cursors_next, self._produced_next = cursors, produced
