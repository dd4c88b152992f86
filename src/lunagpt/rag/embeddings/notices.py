"""Telling the user that search by meaning is off: once, in one sentence, wherever the reason turns up."""

from __future__ import annotations

import logging
from collections.abc import Callable

Notify = Callable[[str], None]

_logger = logging.getLogger("lunagpt.rag")
_told: set[str] = set()


def tell(message: str, notify: Notify | None) -> None:
    """Hands `message` to `notify`; without one, to the log, where the same sentence appears only once."""
    if notify is not None:
        notify(message)
    elif message not in _told:
        _told.add(message)
        _logger.warning(message)


def lexical_only(reason: str) -> str:
    """The notice: what happened, then what still works."""
    # A reason that ends in a command gets no full stop: it would be copied along.
    space = " " if reason.endswith((".", "!", "?")) else "\n"
    return f"{reason}{space}Enquanto isso, a busca usa só as palavras dos documentos."
