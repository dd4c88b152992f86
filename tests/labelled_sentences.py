"""Reads ``tests/data/sentencas.txt``, whose head explains its format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_SECTION = re.compile(r"## (?P<domain>[^(\n⏎]+?)(?P<reserved> \(reserva\))?")
_BREAKS = {"⏎": "\n", "⏎⏎": "\n\n", "": " "}


@dataclass(frozen=True)
class Passage:
    """A text and the offsets ``(start, end)`` of its sentences."""

    domain: str
    reserved: bool
    text: str
    spans: tuple[tuple[int, int], ...]


def read_passages(path: Path) -> list[Passage]:
    """The passages of a labelled file, in order."""
    passages: list[Passage] = []
    domain, reserved, lines = "", False, []
    body = path.read_text(encoding="utf-8").replace("↵\n", "↵")
    for line in [*body.splitlines(), ""]:
        section = _SECTION.fullmatch(line)
        if line.strip() and not section:
            if domain:
                lines.append(line)
            continue
        if lines:
            passages.append(_passage(domain, reserved, lines))
            lines = []
        if section:
            domain, reserved = section["domain"], section["reserved"] is not None
    return passages


def _passage(domain: str, reserved: bool, lines: list[str]) -> Passage:
    text, spans, separator = "", [], ""
    for line in lines:
        sentence = line.rstrip("⏎")
        text += separator
        spans.append((len(text), len(text) + len(sentence)))
        text += sentence.replace("↵", "\n")
        separator = _BREAKS[line[len(sentence) :]]
    return Passage(domain, reserved, text, tuple(spans))
