"""Logits to text: sampling, the decoding loop, the loop guard and the incremental detokeniser.

Only the decoding loop needs torch; its names are loaded when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lunagpt.generation.loop_guard import LoopGuard
from lunagpt.generation.sampling import SamplingParams, sample
from lunagpt.generation.streaming import TextStreamer

if TYPE_CHECKING:
    from lunagpt.generation.decoding import Decoding, generate_batch, generate_tokens

_DECODING = ("Decoding", "generate_batch", "generate_tokens")

__all__ = [
    "Decoding",
    "LoopGuard",
    "SamplingParams",
    "TextStreamer",
    "generate_batch",
    "generate_tokens",
    "sample",
]


def __getattr__(name: str) -> Any:
    """Import the decoding loop, and with it torch, on first use.

    Raises:
        AttributeError: the package has no such name.
        ModuleNotFoundError: torch is not installed.
    """
    if name not in _DECODING:
        raise AttributeError(f"module 'lunagpt.generation' has no attribute '{name}'")
    from lunagpt.generation import decoding

    return getattr(decoding, name)
