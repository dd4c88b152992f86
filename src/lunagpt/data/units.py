"""Examples → units: the pieces, at most one row long, that are packed, and the order in which they come.

A unit of n slots covers n + 1 tokens: inputs are the first n, labels the last n. So a document of L tokens
fills L - 1 slots and nothing is ever predicted from another document.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lunagpt.data.token_cache import TokenizedSource
from lunagpt.errors import DataError

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """Pieces of one source (U units).

    Attributes:
        start: (U,) position of the first token.
        slots: (U,) inputs that the unit fills.
        group: (U,) number of the unit's group.
        dropped: dialogues without any learned token inside the first row, which were left out.
    """

    start: Integers
    slots: Integers
    group: Integers
    dropped: int

    def __len__(self) -> int:
        return len(self.start)


def cut_units(source: TokenizedSource, sequence_length: int, end_token_id: int) -> Units:
    """Cut the examples of `source` into units of at most `sequence_length` slots.

    Texts are cut into consecutive pieces (each later shuffled on its own, so that a novel does not fill a
    batch). Dialogues stay whole from their beginning; a longer one ends with the last learned turn that
    fits, or, if not even one fits, in the middle of it.

    Raises:
        DataError: no unit remains, because no dialogue has an answer within the row.
    """
    start: Integers = source.offsets[:-1]
    slots: Integers = np.diff(source.offsets) - 1
    long_dialogue = source.dialogue & (slots > sequence_length)
    slots = slots.copy()
    for number in np.flatnonzero(long_dialogue):
        slots[number] = _dialogue_slots(source, int(start[number]), sequence_length, end_token_id)
    usable = slots > 0
    dropped = int(np.count_nonzero(long_dialogue & ~usable))
    if not usable.any():
        raise DataError(
            f'Nenhum exemplo de "{source.name}" cabe em {sequence_length} tokens com a resposta incluída. '
            "Aumente o comprimento das sequências (training.sequence_length) ou retire a fonte."
        )
    start, slots, group = start[usable], slots[usable], source.group[usable].astype(np.int64)
    pieces = -(-slots // sequence_length)
    example = np.repeat(np.arange(len(slots)), pieces)
    ordinal = np.arange(len(example)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return Units(
        start=start[example] + ordinal * sequence_length,
        slots=np.minimum(sequence_length, slots[example] - ordinal * sequence_length),
        group=group[example],
        dropped=dropped,
    )


def _dialogue_slots(source: TokenizedSource, start: int, limit: int, end_token_id: int) -> int:
    assert source.mask is not None, "a source with dialogues has a mask"
    learned = source.mask[start : start + limit + 1] == 1
    turns = np.flatnonzero(learned & (source.tokens[start : start + limit + 1] == end_token_id))
    if len(turns):
        return int(turns[-1])
    return limit if learned[1:].any() else 0


class UnitOrder:
    """The endless, reproducible order of a source's units: unit number ``order[k]`` is the k-th to be used.

    Every epoch is a permutation drawn from (seed, source name, epoch). With several groups, units are drawn
    from the groups in turn, each group passing through its own permutations: a group of ten rows weighs as
    much as one of a thousand. Position k alone decides, so a position is all that has to be saved.
    """

    def __init__(self, units: Units, name: str, seed: int) -> None:
        numbers = np.unique(units.group)
        self._members = [np.flatnonzero(units.group == number) for number in numbers]
        self._seed = (seed, zlib.crc32(name.encode()))
        self._permutations: dict[int, tuple[int, Integers]] = {}
        self._round: tuple[int, Integers] = (-1, numbers)

    def __len__(self) -> int:
        """Units in an epoch: of all, or with groups, of the largest group once per group."""
        return max(map(len, self._members)) * len(self._members)

    def __getitem__(self, position: int) -> int:
        if len(self._members) == 1:
            return self._draw(0, position)
        turn, place = divmod(position, len(self._members))
        if self._round[0] != turn:
            self._round = (turn, self._generator(-1, turn).permutation(len(self._members)))
        return self._draw(int(self._round[1][place]), turn)

    def _draw(self, group: int, position: int) -> int:
        members = self._members[group]
        epoch, place = divmod(position, len(members))
        known = self._permutations.get(group)
        if known is None or known[0] != epoch:
            known = (epoch, self._generator(group, epoch).permutation(members))
            self._permutations[group] = known
        return int(known[1][place])

    def _generator(self, group: int, epoch: int) -> np.random.Generator:
        return np.random.default_rng([*self._seed, group + 1, epoch])
