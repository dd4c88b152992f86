"""The command line with a scripted engine in the place of the model, in this process."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt import cli
from lunagpt.chat import LunaChat
from lunagpt.commands import opening


class Luna:
    """Runs the command line with a scripted engine; keeps what was asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.engine = ScriptedEngine.echo()
        self.settings: list[opening.ChatSettings] = []
        self._patch = monkeypatch
        self._capsys = capsys
        monkeypatch.setattr("lunagpt.commands.chat.open_chat", self._open)
        monkeypatch.setattr(sys, "argv", ["luna"])

    def _open(self, settings: opening.ChatSettings) -> LunaChat:
        self.settings.append(settings)
        return LunaChat(
            self.engine,
            system_prompt=settings.system,
            params=settings.sampling(),
            show_thinking=settings.show_thinking,
        )

    def __call__(self, *arguments: str, stdin: str | bytes = "") -> tuple[int, str, str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        code = cli.main(arguments)
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err


@pytest.fixture(name="luna")
def luna_fixture(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Luna:
    """`luna("chat", "Olá")` gives the exit code, the output and the error output."""
    monkeypatch.setenv("LUNA_HOME", str(tmp_path / "luna"))
    return Luna(monkeypatch, capsys)
