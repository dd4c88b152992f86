"""Logits to text: sampling, the decoding loop, replies with thinking, the loop guard, the incremental
detokeniser.

Only the decoding loop needs torch; its names are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lunagpt.generation.loop_guard import LoopGuard
from lunagpt.generation.sampling import SamplingParams, ThinkingMode, sample
from lunagpt.generation.streaming import TextStreamer, stream_text
from lunagpt.generation.thinking import Thought, settle_thinking

if TYPE_CHECKING:
    from lunagpt.generation.decoding import Decoding, generate_batch, generate_tokens, prefill
    from lunagpt.generation.reply import Reply, before_reply

# Name -> the module that has it, and needs torch.
_LAZY = {
    "Decoding": "decoding",
    "Reply": "reply",
    "before_reply": "reply",
    "generate_batch": "decoding",
    "generate_tokens": "decoding",
    "prefill": "decoding",
}

__all__ = [
    "Decoding",
    "LoopGuard",
    "Reply",
    "SamplingParams",
    "TextStreamer",
    "ThinkingMode",
    "Thought",
    "before_reply",
    "generate_batch",
    "generate_tokens",
    "prefill",
    "sample",
    "settle_thinking",
    "stream_text",
]


def __getattr__(name: str) -> Any:
    """Import the decoding loop, and with it torch, on first use.

    Raises:
        AttributeError: the package has no such name.
        ModuleNotFoundError: torch is not installed.
    """
    if name not in _LAZY:
        raise AttributeError(f"module 'lunagpt.generation' has no attribute '{name}'")
    return getattr(import_module(f"lunagpt.generation.{_LAZY[name]}"), name)
