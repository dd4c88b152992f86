"""Files → documents → examples → tokens → packed batches.

Names are loaded when they are first asked for: reading documents needs neither numpy nor the configuration.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunagpt.data.chunk import Chunk as Chunk
    from lunagpt.data.chunk import DocumentChunker as DocumentChunker
    from lunagpt.data.convert import FormatConverter as FormatConverter
    from lunagpt.data.dataset import Batch as Batch
    from lunagpt.data.dataset import PackedDataset as PackedDataset
    from lunagpt.data.documents import Document as Document
    from lunagpt.data.documents import Heading as Heading
    from lunagpt.data.examples import DialogueExample as DialogueExample
    from lunagpt.data.examples import TextExample as TextExample
    from lunagpt.data.grounding_format import format_evidence as format_evidence
    from lunagpt.data.loading import DataLoader as DataLoader
    from lunagpt.data.loading import Dataset as Dataset
    from lunagpt.data.normalize import TextNormalizer as TextNormalizer
    from lunagpt.data.processor import DataProcessor as DataProcessor
    from lunagpt.data.sentences import split_sentences as split_sentences
    from lunagpt.data.sources import SourceSpec as SourceSpec
    from lunagpt.data.sources import read_examples as read_examples
    from lunagpt.data.validation import ValidationSet as ValidationSet

_HOME_OF = {
    "Batch": "lunagpt.data.dataset",
    "Chunk": "lunagpt.data.chunk",
    "DataLoader": "lunagpt.data.loading",
    "DataProcessor": "lunagpt.data.processor",
    "Dataset": "lunagpt.data.loading",
    "DialogueExample": "lunagpt.data.examples",
    "Document": "lunagpt.data.documents",
    "DocumentChunker": "lunagpt.data.chunk",
    "FormatConverter": "lunagpt.data.convert",
    "Heading": "lunagpt.data.documents",
    "PackedDataset": "lunagpt.data.dataset",
    "SourceSpec": "lunagpt.data.sources",
    "TextExample": "lunagpt.data.examples",
    "TextNormalizer": "lunagpt.data.normalize",
    "ValidationSet": "lunagpt.data.validation",
    "format_evidence": "lunagpt.data.grounding_format",
    "read_examples": "lunagpt.data.sources",
    "split_sentences": "lunagpt.data.sentences",
}

__all__ = [
    "Batch",
    "Chunk",
    "DataLoader",
    "DataProcessor",
    "Dataset",
    "DialogueExample",
    "Document",
    "DocumentChunker",
    "FormatConverter",
    "Heading",
    "PackedDataset",
    "SourceSpec",
    "TextExample",
    "TextNormalizer",
    "ValidationSet",
    "format_evidence",
    "read_examples",
    "split_sentences",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lunagpt.data' has no attribute '{name}'")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
