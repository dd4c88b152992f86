"""Nested values (JSON, YAML, XML) → text that reads like a page: "chave: valor" under headings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, TypeAlias

from lunagpt.data.documents import TITLE_FIELDS
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.builder import TextBuilder
from lunagpt.data.loaders.cleaning import clean_line, clean_text, tidy_lines
from lunagpt.data.loaders.limits import Limits
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.reporting.numbers import decimal

# A value is a text (cleaned, see `scalar_text`) or labelled values in order; what is repeated has the same
# label each time.
Node: TypeAlias = "str | list[tuple[str, Node]]"

_VALUE_CHARACTERS = 200
_LINE_CHARACTERS = 500
_JOINED_CHARACTERS = 300
_MAX_LEVEL = 6


class NodeReader:
    """Turns parsed JSON or YAML into a `Node`, within the limits of depth and number of values.

    Raises (all methods):
        FileProblem: a limit is passed. YAML aliases count at every place they stand, so that small files
            cannot grow without end.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._nodes = 0

    def node(self, value: Any, depth: int = 0) -> Node:
        """The node of a value; empty values are left out."""
        self.count(depth)
        if isinstance(value, Mapping):
            return self._pairs(value, depth)
        if isinstance(value, list | tuple):
            return self._items("", value, depth)
        return scalar_text(value)

    def count(self, depth: int) -> None:
        """Count a value at `depth` levels below the top."""
        self._nodes += 1
        if depth > self._limits.depth:
            raise FileProblem(problems.TOO_DEEP.format(limit=self._limits.depth))
        if self._nodes > self._limits.nodes:
            raise FileProblem(problems.TOO_MANY_NODES.format(limit=decimal(self._limits.nodes / 1e6, 6)))

    def _pairs(self, value: Mapping[Any, Any], depth: int) -> list[tuple[str, Node]]:
        pairs: list[tuple[str, Node]] = []
        for key, item in value.items():
            if key == "<<" and isinstance(item, Mapping):  # the merge key of YAML
                pairs.extend(pair for pair in self._pairs(item, depth + 1) if pair[0] not in value)
            elif isinstance(item, list | tuple):
                pairs.extend(self._items(label_text(str(key)), item, depth + 1))
            else:
                node = self.node(item, depth + 1)
                if node:
                    pairs.append((label_text(str(key)), node))
        return pairs

    def _items(self, label: str, items: Sequence[Any], depth: int) -> list[tuple[str, Node]]:
        nodes = [node for item in items if (node := self.node(item, depth + 1))]
        texts = [node for node in nodes if isinstance(node, str)]
        if label and len(texts) == len(nodes) and sum(map(len, texts)) <= _JOINED_CHARACTERS:
            return [(label, ", ".join(texts))] if texts else []
        return [(label, node) for node in nodes]


def scalar_text(value: Any) -> str:
    """A scalar as people write it; "" for nothing at all."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "sim" if value else "não"
    return tidy_lines(clean_text(str(value))).strip()


@lru_cache(4096)
def label_text(key: str) -> str:
    """A key as a label: on one line, with spaces for underscores."""
    return clean_line(key.replace("_", " "))


def write_node(node: Node, builder: TextBuilder, level: int = 1) -> None:
    """Write a node: first its texts as lines, then what it contains, under headings of `level` and below."""
    if isinstance(node, str):
        builder.clean_block(node)
        return
    write_record(((label, value) for label, value in node if isinstance(value, str)), builder)
    inner = ((label, value) for label, value in node if isinstance(value, list))
    for label, run in groupby(inner, key=lambda pair: pair[0]):
        nodes = [value for _, value in run]
        if label:
            builder.heading(label, min(level, _MAX_LEVEL))
        for number, value in enumerate(nodes, start=1):
            deeper = level + bool(label)
            if len(nodes) > 1 and not _is_flat(value):
                name = _title(value) or (f"{label} {number}" if label else "")
                if name:
                    builder.heading(name, min(deeper, _MAX_LEVEL))
                    deeper += 1
            write_node(value, builder, deeper)


def write_record(pairs: Iterable[tuple[str, str]], builder: TextBuilder) -> None:
    """Write a record: "rótulo: valor; rótulo: valor", a line of which reads (and is quoted) as one sentence.

    Records too long for a line take several; long values stand apart.
    """
    lines: list[str] = []
    for label, value in pairs:
        text = f"{label}: {value}" if label else value
        if not label or len(value) > _VALUE_CHARACTERS:
            builder.clean_block("\n".join(lines))
            builder.clean_block(text)
            lines = []
            continue
        if "\n" in text:
            text = clean_line(text)
        if lines and len(lines[-1]) + len(text) < _LINE_CHARACTERS:
            lines[-1] += f"; {text}"
        else:
            lines.append(text)
    builder.clean_block("\n".join(lines))


def plain_value(value: Any, depth: int = 0) -> Any:
    """A value that fits in JSON, with its texts cleaned; what is nested more than a few levels is text."""
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and depth < 4:
        return {clean_line(str(key)): plain_value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth < 4:
        return [plain_value(item, depth + 1) for item in value]
    return clean_text(str(value))


def _is_flat(node: Node) -> bool:
    return isinstance(node, str) or all(isinstance(value, str) for _, value in node)


def _title(node: Node) -> str:
    """What a record calls itself."""
    if isinstance(node, list):
        for label, value in node:
            if label.lower() in TITLE_FIELDS and isinstance(value, str) and len(value) <= _VALUE_CHARACTERS:
                return value
    return ""
