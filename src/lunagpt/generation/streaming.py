"""Tokens to text, piece by piece, without ever showing half a character."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class _Decoder(Protocol):
    def decode(self, ids: list[int], skip_special_tokens: bool = ...) -> str: ...


class TextStreamer:
    """Incremental detokeniser for a byte-level vocabulary.

    A token may end in the middle of a UTF-8 character, which decodes to U+FFFD at the end. Such tokens wait
    for the rest of the character; everything else is handed out at once. For any tokens, the pieces joined
    with the last one from `finish` equal `tokenizer.decode` of them all: a text without U+FFFD at its end
    stops between two characters, and there a byte-level text may be cut and decoded in parts.
    """

    def __init__(self, tokenizer: _Decoder, skip_special_tokens: bool = True) -> None:
        self._tokenizer = tokenizer
        self._skip_special_tokens = skip_special_tokens
        self._waiting: list[int] = []

    def put(self, token_id: int) -> str:
        """Takes the next token; returns the text that has become certain, "" if there is none."""
        self._waiting.append(token_id)
        text = self._tokenizer.decode(self._waiting, skip_special_tokens=self._skip_special_tokens)
        if text.endswith(_REPLACEMENT):
            return ""
        self._waiting.clear()
        return text

    def finish(self) -> str:
        """The text still waiting, with U+FFFD where bytes are missing; the streamer is then empty."""
        waiting, self._waiting = self._waiting, []
        return (
            self._tokenizer.decode(waiting, skip_special_tokens=self._skip_special_tokens) if waiting else ""
        )


def stream_text(tokenizer: _Decoder, tokens: Iterable[int]) -> Iterator[str]:
    """The text of tokens as they come, control tokens left out."""
    streamer = TextStreamer(tokenizer)
    for token in tokens:
        if piece := streamer.put(token):
            yield piece
    if piece := streamer.finish():
        yield piece
