"""Text ⇄ ids: :class:`LunaTokenizer`, the dialogue template and the training of vocabularies."""

from __future__ import annotations

from lunagpt.tokenizer.luna_tokenizer import LunaTokenizer
from lunagpt.tokenizer.portuguese import PortugueseTokenizerFixer
from lunagpt.tokenizer.pretokenization import LLAMA_CPP_PRE
from lunagpt.tokenizer.trainer import train_tokenizer

__all__ = ["LLAMA_CPP_PRE", "LunaTokenizer", "PortugueseTokenizerFixer", "train_tokenizer"]
