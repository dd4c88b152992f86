"""The conversation on a terminal (a pseudo one): keys, Ctrl-C, end of input, history, pipes that break."""

from __future__ import annotations

import os
import re
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="sem pseudoterminais neste sistema")
termios = pytest.importorskip("termios", reason="sem pseudoterminais neste sistema")

PROGRAM = [sys.executable, str(Path(__file__).parent / "scripted_cli.py")]
PATIENCE = 60.0
PROMPT = "Você:"  # the space behind it is drawn by moving the cursor
CTRL_C, CTRL_D, TAB, ESCAPE, UP = "\x03", "\x04", "\t", "\x1b", "\x1b[A"


class Terminal:
    """A program on a terminal of 60 columns: types into it and reads what it shows."""

    def __init__(self, home: Path, *arguments: str, pace: float = 0.0, **environment: str) -> None:
        variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        variables |= {"LUNA_HOME": str(home), "TERM": "xterm-256color", "COLUMNS": "60", "LINES": "24"}
        self._process, self._fd = pty.fork()
        if self._process == 0:  # the child
            termios.tcsetwinsize(0, (24, 60))
            os.execve(PROGRAM[0], [*PROGRAM, str(pace), *arguments], variables | environment)
        self._text = ""
        self._seen = 0
        self.raw = ""

    def expect(self, pattern: str) -> str:
        """Waits until what is shown since the last call has the pattern; returns the text up to its end."""
        deadline = time.monotonic() + PATIENCE
        while True:
            if match := re.search(pattern, self._text[self._seen :]):
                text = self._text[self._seen : self._seen + match.end()]
                self._seen += match.end()
                return text
            more = self._more(max(0.0, deadline - time.monotonic()))
            assert more, f"{pattern!r} não está em {self._text[self._seen :]!r}"

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def ends(self) -> int:
        """Waits for the program to end; its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._more(max(0.0, deadline - time.monotonic())):
            pass
        _, status = os.waitpid(self._process, 0)
        os.close(self._fd)
        self._process = 0
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            os.close(self._fd)

    def _more(self, patience: float) -> bool:
        """Reads what has come; False at the end or if nothing comes."""
        if not select.select([self._fd], [], [], patience)[0]:
            return False
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # the other side has closed
            return False
        if b"\x1b[6n" in data:  # asked for the cursor's place: a terminal answers
            os.write(self._fd, b"\x1b[1;1R")
        self.raw += data.decode("utf-8", "replace")
        plain = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>]|\][^\x07]*\x07)", "", self.raw)
        self._text = plain.replace("\r", "")
        return bool(data)


Start = Callable[..., Terminal]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "luna"


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    terminals: list[Terminal] = []

    def begin(*arguments: str, pace: float = 0.0, **environment: str) -> Terminal:
        terminals.append(Terminal(home, *(arguments or ("chat",)), pace=pace, **environment))
        return terminals[-1]

    yield begin
    for terminal in terminals:
        terminal.kill()


def test_a_conversation_from_banner_to_farewell(start: Start, home: Path) -> None:
    terminal = start()
    banner = terminal.expect(PROMPT)
    assert "roteiro" in banner
    assert "/ajuda" in banner
    terminal.type("Olá\r")
    answer = terminal.expect("p49")
    assert re.search(r"Luna: \(1\) Olá p0 p1 ", answer)
    lines = answer[answer.index("Luna:") :].splitlines()
    assert len(lines) > 2
    assert all(len(line) <= 60 for line in lines)
    assert all(re.fullmatch(r"(Luna: \(1\) Olá )?(p\d+ ?)+", line) for line in lines)
    terminal.expect(PROMPT)
    terminal.type("E agora?\r")
    terminal.expect(r"Luna: \(3\) ")
    terminal.expect(PROMPT)
    terminal.type("/limpar\r")
    terminal.expect("Conversa esquecida")
    terminal.expect(PROMPT)
    terminal.type("De novo\r")
    terminal.expect(r"Luna: \(1\) De novo")
    terminal.expect(PROMPT)
    terminal.type("/sair\r")
    terminal.expect("Até logo!")
    assert terminal.ends() == 0
    history = home / "chat_history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "+E agora?" in history.read_text(encoding="utf-8")


def test_ctrl_c_stops_the_answer_and_not_the_program(start: Start) -> None:
    terminal = start(pace=0.2)
    terminal.expect(PROMPT)
    terminal.type("Conte\r")
    terminal.expect("p2")
    terminal.type(CTRL_C)
    said = terminal.expect(r"\[resposta interrompida\]")
    assert "p49" not in said
    terminal.expect(PROMPT)
    terminal.type("Continue\r")
    # what was said before the stop is part of the conversation
    assert re.search(r"\(3\) .*p2.*\| Continue", terminal.expect("Continue p0").replace("\n", " "))
    terminal.type(CTRL_C)
    terminal.expect(PROMPT)
    terminal.type(CTRL_D)
    assert terminal.ends() == 0


def test_ctrl_c_at_the_prompt_warns_first_and_clears_what_was_typed(start: Start) -> None:
    terminal = start()
    terminal.expect(PROMPT)
    terminal.type("lixo")
    terminal.expect("lixo")
    terminal.type(CTRL_C + "Olá\r")
    assert "lixo" not in terminal.expect(r"Luna: \(1\) Olá")
    terminal.expect(PROMPT)
    terminal.type(CTRL_C)
    terminal.expect("Ctrl-C de novo")
    terminal.expect(PROMPT)
    terminal.type("ainda aqui\r")
    terminal.expect("ainda aqui p0")
    terminal.expect(PROMPT)
    for _ in range(2):
        terminal.type(CTRL_C)
        terminal.expect("Você:|Até logo!")
    assert terminal.ends() == 0


def test_history_completion_and_several_lines(start: Start) -> None:
    terminal = start()
    terminal.expect(PROMPT)
    terminal.type("primeira\r")
    terminal.expect("p49")
    terminal.expect(PROMPT)
    terminal.type(UP + "\r")
    terminal.expect(r"\(3\) ")
    terminal.expect("p49")
    terminal.expect(PROMPT)
    terminal.type("/aj")
    terminal.expect("mostra esta ajuda")  # the menu
    terminal.type(TAB + "\r")
    terminal.expect("Comandos da conversa")
    terminal.expect(PROMPT)
    terminal.type('"""linha um\r')
    terminal.expect("…")
    terminal.type('linha dois"""\r')
    terminal.expect(r"linha\s+um\nlinha dois p0")
    terminal.expect(PROMPT)
    terminal.type("de cima" + ESCAPE + "\rde baixo\r")
    terminal.expect(r"de\s+cima\nde baixo p0")
    terminal.expect(PROMPT)
    terminal.type("/sair\r")
    assert terminal.ends() == 0
    again = start()
    again.expect(PROMPT)
    again.type(UP + UP + "\r")
    again.expect(r"de\s+cima\nde baixo p0")


def test_an_error_does_not_end_the_conversation(start: Start, home: Path) -> None:
    terminal = start()
    terminal.expect(PROMPT)
    terminal.type("um erro\r")
    terminal.expect("Algo deu errado dentro do LunaGPT")
    terminal.expect(PROMPT)
    terminal.type("e depois\r")
    terminal.expect(r"Luna: \(1\) e depois")
    assert list((home / "logs" / "errors").iterdir())


def test_colours_only_where_they_are_wanted(start: Start) -> None:
    colours = r"\x1b\[[0-9;]*[1-9][0-9;]*m"
    for environment, wanted in (({}, True), ({"NO_COLOR": "1"}, False)):
        terminal = start(**environment)
        terminal.expect(PROMPT)
        terminal.type("Olá\r")
        terminal.expect("p49")
        terminal.expect(PROMPT)
        terminal.type("/sair\r")
        assert terminal.ends() == 0
        assert bool(re.search(colours, terminal.raw)) == wanted


def test_thinking_is_shown_dimmed_or_not_at_all(start: Start) -> None:
    terminal = start("chat", "--show-thinking")
    assert "pensa sempre" in terminal.expect(PROMPT)
    terminal.type("Olá\r")
    shown = terminal.expect("p49")
    assert re.search(r"Luna \(pensando\): i0 i1 [\s\S]*i49\n\nLuna: \(1\) Olá p0", shown)
    assert all(len(line) <= 60 for line in shown[shown.rindex("Luna (pensando)") :].splitlines())
    assert "\x1b[2mLuna (pensando): \x1b[0m" in terminal.raw
    terminal.expect(PROMPT)
    terminal.type("/thinking off\r")
    terminal.expect("oculto")
    terminal.expect(PROMPT)
    terminal.type("E agora?\r")
    assert "i0" not in terminal.expect("p49")
    terminal.expect(PROMPT)
    terminal.type("/sair\r")
    assert terminal.ends() == 0


def test_hidden_thinking_leaves_nothing_on_the_screen(start: Start) -> None:
    terminal = start("chat", LUNA_THINKING__MODE="on")
    terminal.expect(PROMPT)
    terminal.type("Olá\r")
    shown = terminal.expect("p49")
    assert "i0" not in shown
    assert re.search(r"Luna: pensando… +Luna: \(1\) Olá p0", shown)
    assert re.search(r"pensando…\S*\r +\r", terminal.raw)


def test_ctrl_c_while_thinking_ends_the_turn_and_leaves_no_trace(start: Start) -> None:
    terminal = start("chat", "--show-thinking", pace=0.05)
    terminal.expect(PROMPT)
    terminal.type("Pense\r")
    terminal.expect("i3")
    terminal.type(CTRL_C)
    said = terminal.expect(r"\[resposta interrompida\]")
    assert "i49" not in said
    assert "p0" not in said
    terminal.expect(PROMPT)
    terminal.type("De novo\r")
    terminal.expect(r"Luna: \(1\) De novo")
    terminal.type(CTRL_C)


# -- pipes ---------------------------------------------------------------------------------------------------


def piped(home: Path, *arguments: str, pace: float = 0.0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, str(pace), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"LUNA_HOME": str(home)},
        # a test run started in the background ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_the_answer_leaves_while_it_is_written(home: Path) -> None:
    process = piped(home, "chat", pace=0.05)
    process.stdin.write("Olá\n".encode())
    process.stdin.close()
    first = os.read(process.stdout.fileno(), 1000)
    assert b"p49" not in first
    assert process.stdout.read().endswith(b"p49\n")
    assert process.wait() == 0


def test_a_reader_who_leaves_gets_no_traceback(home: Path) -> None:
    process = piped(home, "chat", pace=0.01)
    process.stdin.write("Olá\nde novo\n".encode())
    process.stdin.close()
    os.read(process.stdout.fileno(), 10)
    process.stdout.close()
    assert process.wait() == 1
    assert process.stderr.read() == b""


@pytest.mark.parametrize("arguments", [("chat",), ("chat", "Conte")])
def test_ctrl_c_ends_a_pipe_or_a_single_question(home: Path, arguments: tuple[str, ...]) -> None:
    process = piped(home, *arguments, pace=0.05)
    process.stdin.write(b"Conte\n")
    process.stdin.flush()
    os.read(process.stdout.fileno(), 10)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert b"Traceback" not in process.stderr.read()
