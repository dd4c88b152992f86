"""How many tokens texts have, without making the tokens: :func:`token_counter`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from tokenizers import Tokenizer

from lunagpt.errors import DataError
from lunagpt.tokenizer import BaseTokenizer, LunaTokenizer, storage
from lunagpt.tokenizer.pretokenization import canonical, cut_at_spaces
from lunagpt.tokenizer.stretches import StretchEncoder

#: ``texts → number of tokens of each``.
CountTokens = Callable[[Sequence[str]], list[int]]

# Characters of stretches that are remembered before the memory starts anew: about 50 MB.
_CAPACITY = 4_000_000


class StretchCounter:
    """Counts tokens by looking up the stretches between spaces, of which ordinary text repeats nearly all.

    Args:
        backend: one that :meth:`StretchEncoder.suits`, so that the tokens of a stretch do not depend on its
            neighbours.
    """

    def __init__(self, backend: Tokenizer) -> None:
        self._backend = backend
        self._firsts: dict[str, int] = {}
        self._others: dict[str, int] = {}  # each without the space that leads it
        self._characters = 0

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """Number of content tokens of each text."""
        cut = [cut_at_spaces(canonical(text)) for text in texts]
        # Local on purpose: a second thread that starts a new memory leaves this one its own.
        firsts, others = self._firsts, self._others
        if self._characters > _CAPACITY:
            firsts, others = self._firsts, self._others = {}, {}
            self._characters = 0
        new_firsts = [first for first in {first for first, _ in cut} if first not in firsts]
        new_others = [stretch for stretch in set().union(*(rest for _, rest in cut)) if stretch not in others]
        if new_firsts or new_others:
            new = [*new_firsts, *(" " + stretch for stretch in new_others)]
            encodings = self._backend.encode_batch_fast(new, add_special_tokens=False)
            counts = [len(encoding) for encoding in encodings]
            firsts.update(zip(new_firsts, counts, strict=False))
            others.update(zip(new_others, counts[len(new_firsts) :], strict=True))
            self._characters += sum(map(len, new))
        return [firsts[first] + sum(map(others.__getitem__, rest)) for first, rest in cut]


def token_counter(tokenizer: Any = None) -> CountTokens:
    """A function that counts the tokens of many texts.

    Args:
        tokenizer: a :class:`~lunagpt.tokenizer.LunaTokenizer` (by default the one that ships with the
            package), any tokenizer whose ``encode(text)`` gives the ids (or an object with ``ids``), or a
            function ``text → number of tokens``.

    Raises:
        DataError: it is nothing of the kind.
    """
    if tokenizer is None:
        return _default_counter()
    if isinstance(tokenizer, LunaTokenizer):
        if not isinstance(tokenizer, BaseTokenizer):
            content = storage.without_control_tokens(tokenizer.backend_tokenizer)
            if StretchEncoder.suits(content):
                return StretchCounter(content)
        return lambda texts: [len(ids) for ids in tokenizer.encode_batch_content(texts)]
    if hasattr(tokenizer, "encode"):
        return lambda texts: [_number_of_ids(tokenizer.encode(text)) for text in texts]
    if callable(tokenizer):
        return lambda texts: [int(tokenizer(text)) for text in texts]
    raise DataError(
        f"Não sei contar tokens com um {type(tokenizer).__name__}. Passe um LunaTokenizer, um tokenizador "
        "com o método encode ou uma função que recebe o texto e devolve o número de tokens."
    )


def _number_of_ids(encoding: Any) -> int:
    return len(getattr(encoding, "ids", encoding))


@lru_cache(maxsize=1)
def _default_counter() -> CountTokens:
    return token_counter(LunaTokenizer.default())
