"""Text ⇄ ids: :class:`LunaTokenizer`, the dialogue template and the training of vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lunagpt.tokenizer.base_tokenizer import CONFIG_FILE, BaseTokenizer
from lunagpt.tokenizer.luna_tokenizer import LunaTokenizer
from lunagpt.tokenizer.portuguese import PortugueseTokenizerFixer
from lunagpt.tokenizer.pretokenization import LLAMA_CPP_PRE
from lunagpt.tokenizer.trainer import train_tokenizer

__all__ = [
    "LLAMA_CPP_PRE",
    "BaseTokenizer",
    "LunaTokenizer",
    "PortugueseTokenizerFixer",
    "load_tokenizer",
    "train_tokenizer",
]


def load_tokenizer(folder: Path, config: Any = None) -> LunaTokenizer:
    """The tokenizer in a model folder: Luna's own, or that of the base it stands on.

    Raises:
        TokenizerError: there is none, or it is broken.
    """
    kind = BaseTokenizer if (folder / CONFIG_FILE).is_file() else LunaTokenizer
    return kind.from_pretrained(folder, config)
