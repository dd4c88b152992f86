"""`DataLoader.load_dataset`: from a path to a data set that a trainer takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from lunagpt.data.dataset import IGNORED, PackedDataset
from lunagpt.data.readers import SUPPORTED
from lunagpt.data.sources import SourceSpec
from lunagpt.data.token_cache import DataTokenizer, tokenize_source
from lunagpt.data.units import cut_units
from lunagpt.errors import DataError

Format = Literal["auto", "text", "dialogue", "instruction", "qa"]

# Instructions and question–answer pairs become dialogues of two turns, so both are "dialogue" to the reader.
KINDS: dict[str, Literal["auto", "text", "dialogue"]] = {
    "auto": "auto",
    "text": "text",
    "dialogue": "dialogue",
    "instruction": "dialogue",
    "qa": "dialogue",
}
_UNCUT = 1 << 62


class Item(TypedDict):
    """One example: ``input_ids`` (T) and ``labels`` (T), the same ids with -100 where nothing is learned."""

    input_ids: list[int]
    labels: list[int]


class Dataset(Sequence[Item]):
    """The examples of one source, in the order of its files: `len`, `[i]`, iteration; or see `packed`.

    Labels stand for the token at their own place (not the next one), as transformers and torch data loaders
    expect.

    Args:
        spec: the source.
        tokenizer: see `DataTokenizer`.
        max_length: most tokens of an example: longer texts give several examples, longer dialogues end
            after the last answer that fits. No limit if None.
        cache_dir: folder of the tokenised sources; see `tokenize_source`.

    Raises:
        DataError: the source cannot be read or nothing of it is usable.
    """

    def __init__(
        self,
        spec: SourceSpec,
        tokenizer: DataTokenizer,
        max_length: int | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        self.spec, self.tokenizer, self.max_length, self._cache_dir = spec, tokenizer, max_length, cache_dir
        self._source = tokenize_source(spec, tokenizer, cache_dir=cache_dir)
        self._units = cut_units(
            self._source, max_length - 1 if max_length else _UNCUT, tokenizer.end_token_id
        )

    def __len__(self) -> int:
        return len(self._units)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start = int(self._units.start[index])
        span = slice(start, start + int(self._units.slots[index]) + 1)
        ids = self._source.tokens[span].astype(np.int64)
        labels = ids
        if self._source.mask is not None and not self._source.learn_all:
            labels = np.where(self._source.mask[span] == 1, ids, IGNORED)
        return Item(input_ids=ids.tolist(), labels=labels.tolist())

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(len(self)))

    def packed(
        self,
        *,
        batch_size: int,
        sequence_length: int | None = None,
        seed: int = 0,
        epochs: float | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> PackedDataset:
        """The same examples as shuffled, packed and resumable batches.

        Args:
            batch_size, sequence_length, seed, rank, world_size: see `PackedDataset`; the length defaults to
                `max_length`.
            epochs: passes over the examples; endless if None.

        Raises:
            DataError: no length is known, or no example fits.
        """
        length = sequence_length or self.max_length
        if length is None:
            raise DataError(
                "Diga o comprimento das sequências: max_length ao carregar, ou sequence_length aqui."
            )
        return PackedDataset(
            [self.spec if epochs is None else self.spec.model_copy(update={"max_repeat": epochs})],
            self.tokenizer,
            sequence_length=length,
            batch_size=batch_size,
            seed=seed,
            rank=rank,
            world_size=world_size,
            cache_dir=self._cache_dir,
        )


class DataLoader:
    """Opens training data by path."""

    @staticmethod
    def load_dataset(
        path: str | Path | Sequence[str | Path],
        tokenizer: DataTokenizer | None = None,
        max_length: int | None = None,
        format: Format = "auto",
        cache_dir: str | Path | None = None,
    ) -> Dataset:
        """Load dialogues, instructions, question–answer pairs or texts.

        Args:
            path: file, folder, glob, or a list of them: parquet, JSONL (also .gz), JSON, CSV, TXT, MD. Their
                layouts are listed in `lunagpt.data.examples`.
            tokenizer: by default the one that ships with LunaGPT.
            max_length: most tokens of an example; see `Dataset`.
            format: ``auto`` goes by the columns; ``text`` or ``dialogue`` (``instruction``, ``qa``) keeps
                only that kind.
            cache_dir: folder of the tokens, kept for the next time; see `tokenize_source`.

        Raises:
            DataError: nothing is there, the format is unknown, or no row is usable.
        """
        if format not in KINDS:
            raise DataError(
                f'O formato "{format}" não existe. Use {", ".join(KINDS)}; '
                f"o tipo do arquivo ({', '.join(SUPPORTED)}) é reconhecido pelo nome."
            )
        if tokenizer is None:
            from lunagpt.tokenizer import LunaTokenizer

            tokenizer = LunaTokenizer.default()
        paths = [str(path)] if isinstance(path, str | Path) else [str(one) for one in path]
        return Dataset(SourceSpec(path=paths, kind=KINDS[format]), tokenizer, max_length, cache_dir)
