"""The line that tells how far long work is, on narrow terminals and on none."""

from __future__ import annotations

import io
import sys

import pytest
from rich.cells import cell_len

from lunagpt.commands.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_of_40_columns(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 40 columns as the standard error output. No fixture: pytest would put its own
    stream back before the test."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    return terminal


def test_a_line_never_wraps_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal_of_40_columns(monkeypatch)
    line = ProgressLine()
    line.show("Lendo 1 de 2: " + "relatório 🌙 de março " * 5)
    line.show("Lendo 2 de 2: a.txt")
    line.clear()
    long, short, blank, end = screen.getvalue().split("\r")[1:]
    assert long.endswith("…")
    assert cell_len(long) <= 39
    assert short.rstrip() == "Lendo 2 de 2: a.txt"
    assert cell_len(short) == cell_len(long), "what was there is written over"
    assert (blank.strip(), end) == ("", "")
    before = screen.getvalue()
    line.clear()
    line.finish()
    assert screen.getvalue() == before, "there is nothing to take away or to leave"


def test_a_line_can_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal_of_40_columns(monkeypatch)
    line = ProgressLine()
    line.show("Lendo: 100%")
    line.finish()
    assert screen.getvalue() == "\rLendo: 100%\n"


def test_without_a_terminal_each_stage_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    for stages, told in ((True, "Lendo\nGravando\n"), (False, "")):
        line = ProgressLine(stages=stages)
        for text in ("Lendo: 1%", "Lendo: 2%", "Gravando: 1%"):
            line.show(text)
        line.clear()
        line.finish()
        assert capsys.readouterr().err == told
