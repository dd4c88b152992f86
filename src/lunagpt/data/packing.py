"""Units → rows: best-fit packing of whole units into rows of T slots."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence


def pack_best_fit(slots: Sequence[int], row_slots: int) -> list[list[int]]:
    """Best-fit decreasing: place units, longest first, each in the fullest row that still has room.

    Args:
        slots: size of every unit, at most `row_slots` each.
        row_slots: size of a row.

    Returns:
        Rows as lists of unit indices. Every unit is in exactly one row.
    """
    order = sorted(range(len(slots)), key=lambda unit: (-slots[unit], unit))
    rows: list[list[int]] = []
    free: list[tuple[int, int]] = []
    for unit in order:
        place = bisect_left(free, (slots[unit], -1))
        if place < len(free):
            room, row = free.pop(place)
            rows[row].append(unit)
        else:
            room, row = row_slots, len(rows)
            rows.append([unit])
        if room > slots[unit]:
            insort(free, (room - slots[unit], row))
    return rows
