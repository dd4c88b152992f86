"""Data for training: files → examples → tokens → packed batches."""

from lunagpt.data.dataset import Batch, PackedDataset
from lunagpt.data.examples import DialogueExample, TextExample
from lunagpt.data.grounding_format import format_evidence
from lunagpt.data.loading import DataLoader, Dataset
from lunagpt.data.sources import SourceSpec, read_examples
from lunagpt.data.validation import ValidationSet

__all__ = [
    "Batch",
    "DataLoader",
    "Dataset",
    "DialogueExample",
    "PackedDataset",
    "SourceSpec",
    "TextExample",
    "ValidationSet",
    "format_evidence",
    "read_examples",
]
