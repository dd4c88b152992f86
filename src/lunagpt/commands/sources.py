"""What an answer leans on, as the user sees it: footnotes under it, and the passages in full."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from lunagpt.chat.grounding.hostile import clean_text
from lunagpt.chat.report import ChatReport
from lunagpt.commands import texts
from lunagpt.reporting.numbers import decimal

_INDENT = "    "
_AROUND = 200  # characters shown before and after a quote
_MOST_WIDTH = 100


def footnotes(report: ChatReport) -> str:
    """A line for each citation: "[1] Regulamento da piscina, p. 2 (regras/piscina.pdf)"; "" if there is
    none."""
    lines = []
    for citation in sorted(report.citations, key=lambda citation: citation.number):
        lines.append(f"[{citation.number}] {described(citation.passage)}")
    return "\n".join(dict.fromkeys(lines))


def passages_text(report: ChatReport, *, answered: bool) -> str:
    """The passages of the last answer with title, page, relevance and text; what was quoted stands in «»."""
    if not answered:
        return texts.NO_ANSWER_YET
    if report.grounding is None:
        return texts.NO_SOURCES
    blocks = [texts.SOURCES_QUERY.format(query=report.query)]
    if not report.passages:
        blocks.append(texts.SOURCES_NOTHING)
    for number, passage in enumerate(report.passages, start=1):
        quotes = [citation for citation in report.citations if citation.number == number]
        facts = [described(passage)]
        if isinstance(passage.get("score"), float):
            facts.append(texts.SOURCE_SCORE.format(score=decimal(passage["score"])))
        if quotes:
            facts.append(texts.SOURCE_CITED)
        span = (quotes[0].start, quotes[0].end) if quotes else None
        blocks.append(f"[{number}] {' · '.join(facts)}\n{_excerpt(str(passage['content']), span)}")
    return "\n\n".join(blocks)


def described(passage: Mapping[str, Any]) -> str:
    """Title, page and file of a passage."""
    title = str(passage.get("title") or "").strip()
    source = str((passage.get("metadata") or {}).get("source") or "")
    if source and title in ("", PurePath(source).stem):  # a file without a title of its own
        name, file = source, ""
    else:
        name = title or str(passage.get("document_id") or "") or texts.UNTITLED
        file = f" ({source})" if source and source != name else ""
    page = texts.SOURCE_PAGE.format(page=passage["page"]) if passage.get("page") else ""
    return clean_text(f"{name}{page}{file}")


def _excerpt(content: str, quote: tuple[int, int] | None) -> str:
    """The text around a quote, or the beginning, indented and wrapped."""
    start, end = quote or (0, 0)
    first, last = max(0, start - _AROUND), min(len(content), end + _AROUND)
    before, middle, after = content[first:start], content[start:end], content[end:last]
    if first:
        before = "…" + before.partition(" ")[2]
    if last < len(content):
        after = after.rpartition(" ")[0] + "…"
    marked = f"«{middle}»" if middle else ""
    width = min(_MOST_WIDTH, shutil.get_terminal_size().columns)
    lines = clean_text(before + marked + after).splitlines()
    return "\n".join(
        textwrap.fill(line, width, initial_indent=_INDENT, subsequent_indent=_INDENT)
        for line in lines
        if line.strip()
    )
