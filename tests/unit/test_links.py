"""What the pages point at exists: files, chapters, scripts; and every page of results tells its command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.md"))
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *RESULTS,
    *sorted((ROOT / "models").rglob("*.md")),
    *sorted((ROOT / "src").rglob("*.md")),
]
COMMAND = re.compile(r"benchmarks/(\w+\.py)|luna (?:evaluate|compare)|python -m lunagpt\.")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names under which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = ["".join(c for c in heading.lower() if c.isalnum() or c in " -_") for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if "://" not in link and (not target.exists() or (anchor and anchor not in anchors(target))):
            dead.append(link)
    scripts = re.findall(r"\b((?:benchmarks|tests|configs)/[\w/-]+\.(?:py|json|yaml))\b", prose(page))
    assert dead + [script for script in scripts if not (ROOT / script).exists()] == []


@pytest.mark.parametrize("page", RESULTS, ids=lambda page: page.name)
def test_results_tell_the_command_that_made_them(page: Path) -> None:
    found = list(COMMAND.finditer(page.read_text(encoding="utf-8")))
    assert found
    assert [match[1] for match in found if match[1] and not (ROOT / "benchmarks" / match[1]).exists()] == []
