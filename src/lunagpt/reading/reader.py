"""The reader: a question and a passage in, the words that answer and how sure it is out.

An encoder reads question and passage together; two scores per token say how well an answer starts and ends
there, and those of the first token, before everything, that there is none (Devlin et al., 2018; SQuAD 2,
Rajpurkar et al., 2018).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from lunagpt.errors import ModelFolderError
from lunagpt.reading.encoder import Encoder, Floats

_ASSET = "assets/reader"
_QUESTION_TOKENS = 64
_WINDOW_TOKENS = 320  # question and passage together, as trained
_LONGEST_ANSWER = 30  # tokens


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a passage.

    Attributes:
        start, end: offsets in the passage.
        margin: logarithm of how much likelier this is the answer than that there is none; 0 is even.
    """

    start: int
    end: int
    margin: float


@dataclass(frozen=True, slots=True)
class Window:
    """The scores of a stretch of a passage.

    Attributes:
        offsets: (tokens, 2) where each token starts and ends in the passage.
        starts, ends: (tokens,) scores of an answer starting and ending there, less those of no answer.
    """

    offsets: NDArray[np.int64]
    starts: Floats
    ends: Floats

    def best(self, low: int, high: int) -> Span | None:
        """The best span inside [low, high); None if no token lies there."""
        inside = np.flatnonzero((self.offsets[:, 1] > low) & (self.offsets[:, 0] < high))
        if not len(inside):
            return None
        first, last = inside[0], inside[-1] + 1
        scores = self.starts[first:last, None] + self.ends[None, first:last]
        width = last - first
        allowed = np.triu(np.ones((width, width), dtype=bool)) & ~np.triu(
            np.ones((width, width), dtype=bool), _LONGEST_ANSWER
        )
        place = int(np.where(allowed, scores, -np.inf).argmax())
        start, end = divmod(place, width)
        return Span(
            int(self.offsets[first + start, 0]), int(self.offsets[first + end, 1]), float(scores[start, end])
        )


@dataclass(frozen=True, slots=True)
class PassageReading:
    """What the reader makes of one passage; a long one was read in windows that overlap."""

    windows: tuple[Window, ...]

    def best(self, low: int = 0, high: int | None = None) -> Span | None:
        """The best span of the passage, or of its stretch [low, high); None if there are no words there."""
        top = sys.maxsize if high is None else high
        spans = [span for window in self.windows if (span := window.best(low, top)) is not None]
        return max(spans, key=lambda span: span.margin, default=None)


class SpanReader:
    """An encoder with its tokenizer.

    Args:
        encoder: the network, with the two rows of "scores.weight" and "scores.bias".
        tokenizer: its pieces; "<s>" and "</s>" must be among them.
    """

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer) -> None:
        self.encoder = encoder
        self.tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab()
        self._begin, self._end = vocabulary["<s>"], vocabulary["</s>"]

    @classmethod
    def from_folder(cls, folder: Path) -> SpanReader:
        """Load `config.json`, `tokenizer.json` and `model.safetensors`.

        Raises:
            ModelFolderError: a file is missing or broken.
        """
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            weights = dequantize(load_file(folder / "model.safetensors"))
            return cls(Encoder(weights, config["num_heads"], config["norm_eps"]), tokenizer)
        except Exception as error:  # tokenizers and safetensors raise their own kinds
            raise ModelFolderError(
                f"O leitor de trechos em {folder} não pôde ser aberto ({error}). Instale o lunagpt de novo."
            ) from error

    def read(self, question: str, passage: str, title: str = "") -> PassageReading:
        """Score every span of a passage.

        Args:
            question: one that can be understood by itself.
            passage: any length; beyond about 250 tokens it costs one run of the encoder for each 190.
            title: what the passage is about, if it does not say so itself. No answer is taken from it.
        """
        asked = self._ids(f"query: {question}")[:_QUESTION_TOKENS]
        lead = f"passage: {title}. " if title else "passage: "
        encoding = self.tokenizer.encode(lead + passage)
        offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2) - len(lead)
        lead_tokens = int(np.searchsorted(offsets[:, 1], 1))
        head = [self._begin, *asked, self._end, self._end, *encoding.ids[:lead_tokens]]
        offsets = np.maximum(offsets[lead_tokens:], 0)
        for number, (start, _) in enumerate(offsets):
            offsets[number, 0] += passage[start].isspace()  # a token begins with the space before it
        return PassageReading(tuple(self._windows(head, encoding.ids[lead_tokens:], offsets)))

    def _windows(self, head: list[int], ids: list[int], offsets: NDArray[np.int64]) -> Iterator[Window]:
        room = max(_WINDOW_TOKENS - len(head) - 1, _WINDOW_TOKENS // 2)
        for start in range(0, max(len(ids) - room // 4, 1), room - room // 4):
            piece = ids[start : start + room]
            states = self.encoder(np.array([*head, *piece, self._end]))
            scores = states @ self.encoder.weights["scores.weight"].T + self.encoder.weights["scores.bias"]
            scores = scores[len(head) : -1] - scores[0]
            yield Window(offsets[start : start + room], scores[:, 0], scores[:, 1])

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text).ids
        return ids


def dequantize(tensors: dict[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """Matrices kept as whole numbers of 8 bits with one scale per row (`NAME.scale`) → float32."""
    out = {}
    for name, tensor in tensors.items():
        if name.endswith(".scale"):
            continue
        values = tensor.astype(np.float32)
        if (scale := tensors.get(f"{name}.scale")) is not None:
            values *= scale.astype(np.float32)[:, None]
        out[name] = values
    return out


@lru_cache(maxsize=1)
def load_reader() -> SpanReader:
    """The reader that ships with the package; loaded once.

    Raises:
        ModelFolderError: its files are missing or broken.
    """
    with resources.as_file(resources.files("lunagpt") / _ASSET) as folder:
        return SpanReader.from_folder(folder)
