"""`Reading`: a file on its way to documents: its bytes, its name, its limits and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from lunagpt.data.loaders import problems
from lunagpt.data.loaders.builder import TextBuilder
from lunagpt.data.loaders.cleaning import clean_line
from lunagpt.data.loaders.encoding import decode
from lunagpt.data.loaders.limits import Limits

_METADATA_CHARACTERS = 500


@dataclass
class Reading:
    """A file being read.

    Attributes:
        id: path of the file relative to the folder, with "/".
        kind: one of `SUPPORTED`.
        data: its bytes.
        limits: see `Limits`.
        notes: notices for the user, Portuguese phrases.
        about: metadata of all its documents.
    """

    id: str
    kind: str
    data: bytes
    limits: Limits
    notes: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.about = {"source": self.id, "file_type": self.kind, **self.about}

    @property
    def name_title(self) -> str:
        """A title made of the file's name."""
        return clean_line(PurePosixPath(self.id).stem.replace("_", " ")) or self.id

    def text(self, declared: str | None = None) -> str:
        """The bytes as text, not yet cleaned; an unusual encoding is noted in the metadata.

        Raises:
            FileProblem: they are not text.
        """
        decoded = decode(self.data, declared)
        if decoded.encoding != "utf-8":
            self.about["encoding"] = decoded.encoding
        if decoded.doubtful:
            self.notes.append(problems.DOUBTFUL_ENCODING)
        return decoded.text

    def builder(self) -> TextBuilder:
        """An empty text under this file's limits."""
        return TextBuilder(self.limits)

    def tell(self, name: str, value: object) -> None:
        """Keep a property that the file tells of itself (author, date), if it is not empty."""
        text = clean_line(str(value))[:_METADATA_CHARACTERS] if value is not None else ""
        if text:
            self.about[name] = text
