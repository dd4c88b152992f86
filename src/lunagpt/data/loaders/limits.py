"""What a file may cost before its reading is given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one file. Sizes are in bytes unless named otherwise.

    Attributes:
        file_bytes: size on disk.
        characters: text that may come out of a file.
        rows: documents that may come out of a file of rows.
        depth: nested levels of JSON, YAML, XML, HTML and the like.
        nodes: values of a nested file, those repeated through YAML aliases counted each time.
        pages: pages of a PDF; those after it are left out, with a notice.
        zip_entries, zip_bytes, zip_ratio: members of a docx, their size when unpacked, and how many times
            larger than packed one of them may be (members under 1 MB may be as packed as they like).
        memory_bytes: memory of the reading process above what it needs when idle, where the system can
            enforce it (not on Windows).
        cpu_seconds: processor time, where the system can enforce it (not on Windows).
        wall_seconds: time on the clock, everywhere.
    """

    file_bytes: int = 50 << 20
    characters: int = 50_000_000
    rows: int = 500_000
    depth: int = 100
    nodes: int = 2_000_000
    pages: int = 2_000
    zip_entries: int = 2_000
    zip_bytes: int = 200 << 20
    zip_ratio: int = 100
    memory_bytes: int = 3 << 29
    cpu_seconds: int = 60
    wall_seconds: float = 120.0


DEFAULT_LIMITS = Limits()
