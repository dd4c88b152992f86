"""Notices when an answer goes round in circles."""

from __future__ import annotations


class LoopGuard:
    """Watches a stream of tokens for an ending that is one block repeated again and again.

    A small model sometimes falls into a loop and would fill the whole answer with it. The guard fires when
    the last tokens are a block of at most `max_period` tokens, seen `min_repeats` times or more in a row,
    over at least `min_tokens` tokens. The last condition leaves short repetitions alone that people do write
    ("kkkkkkkk", "muito, muito, muito", rows of a table). Cost per token: one comparison per period.
    """

    def __init__(self, max_period: int = 64, min_repeats: int = 3, min_tokens: int = 24) -> None:
        self.max_period = max_period
        self.min_repeats = min_repeats
        self.min_tokens = min_tokens
        self._ids: list[int] = []
        # _run[p]: how many of the last tokens in a row equal the token p places before them
        self._run = [0] * (max_period + 1)

    def push(self, token_id: int) -> bool:
        """Takes the next token; True if the answer has fallen into a loop."""
        self._ids.append(token_id)
        looping = False
        for period in range(1, min(self.max_period, len(self._ids) - 1) + 1):
            if self._ids[-1 - period] != token_id:
                self._run[period] = 0
                continue
            self._run[period] += 1
            covered = self._run[period] + period
            if covered >= period * self.min_repeats and covered >= self.min_tokens:
                looping = True
        return looping
