"""Where messages come from and answers go to: a terminal with line editing, or plain input and output."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from lunagpt.commands import texts
from lunagpt.commands.places import data_folder, private_file
from lunagpt.commands.slash import COMMANDS
from lunagpt.commands.wrapping import WordWrapper

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

_FENCE = '"""'


class Console(Protocol):
    """The two ends of a conversation."""

    interactive: bool

    def read_line(self, continued: bool = False) -> str | None:
        """One line from the user, None at the end of the input.

        Raises:
            KeyboardInterrupt: Ctrl-C while nothing was typed.
        """
        ...

    def answer(
        self, pieces: Iterable[str], thoughts: Iterable[str] = (), *, show_thinking: bool = False
    ) -> None:
        """Shows an answer as it comes, behind the thinking that led to it.

        Args:
            pieces: the answer.
            thoughts: the thinking; read to its end before `pieces`.
            show_thinking: whether the user is to read it.
        """
        ...

    def sources(self, text: str) -> None:
        """Shows what an answer leans on, beneath it."""
        ...

    def note(self, text: str) -> None:
        """Tells the user something that is not part of an answer."""
        ...


def open_console() -> Console:
    """The terminal if there is one at both ends, else plain input and output."""
    capable = os.environ.get("TERM", "") not in ("dumb", "unknown")
    return TerminalConsole() if sys.stdin.isatty() and sys.stdout.isatty() and capable else PlainConsole()


def read_message(console: Console) -> str | None:
    """One message: a line, or several between lines that begin and end with three quotation marks."""
    line = console.read_line()
    if line is None or not line.lstrip().startswith(_FENCE):
        return line
    lines = [line.lstrip().removeprefix(_FENCE)]
    while not lines[-1].rstrip().endswith(_FENCE):
        more = console.read_line(continued=True)
        if more is None:
            return "\n".join(lines)
        lines.append(more)
    lines[-1] = lines[-1].rstrip().removesuffix(_FENCE)
    return "\n".join(lines)


class PlainConsole:
    """For pipes and files: the standard output gets the answers, an empty line apart, and nothing else."""

    interactive = False

    def __init__(self) -> None:
        self._answers = 0

    def read_line(self, continued: bool = False) -> str | None:
        if sys.stdin.isatty():  # only the output goes elsewhere: ask on the screen all the same
            print(texts.CONTINUATION if continued else texts.USER_PROMPT, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        return line.rstrip("\r\n") if line else None

    def answer(
        self, pieces: Iterable[str], thoughts: Iterable[str] = (), *, show_thinking: bool = False
    ) -> None:
        begun = False
        self._think(thoughts, show_thinking)
        try:
            for piece in pieces:
                if not begun and self._answers:
                    print()
                begun = True
                print(piece, end="", flush=True)
        finally:
            if begun:
                self._answers += 1
                print(flush=True)

    def _think(self, thoughts: Iterable[str], show: bool) -> None:
        """Thinking goes where the notes go: whoever reads the output gets answers only."""
        begun = False
        try:
            for piece in thoughts:
                if show:
                    label = "" if begun else texts.THINKING_PROMPT
                    begun = True
                    print(f"{label}{piece}", end="", file=sys.stderr, flush=True)
        finally:
            if begun:
                print("\n", file=sys.stderr, flush=True)

    def sources(self, text: str) -> None:
        print(f"\n{text}", flush=True)

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class TerminalConsole:
    """For people: line editing, a lasting history, completion of commands, lines broken between words."""

    interactive = True

    def __init__(self) -> None:
        from prompt_toolkit.utils import get_cwidth

        self._cell_width = get_cwidth
        self._colour = not os.environ.get("NO_COLOR")
        self._session = _session()

    def read_line(self, continued: bool = False) -> str | None:
        label = texts.CONTINUATION if continued else texts.USER_PROMPT
        try:
            return self._session.prompt([("bold" if self._colour else "", label)])
        except EOFError:
            return None

    def answer(
        self, pieces: Iterable[str], thoughts: Iterable[str] = (), *, show_thinking: bool = False
    ) -> None:
        label = self._styled(texts.LUNA_PROMPT, "1;35")
        print(label, end="", flush=True)
        if self._think(thoughts, show_thinking):
            print(label, end="", flush=True)
        wrapper = self._wrapper(texts.LUNA_PROMPT)
        try:
            for piece in pieces:
                print(wrapper.feed(_printable(piece)), end="", flush=True)
        finally:
            print(wrapper.finish(), flush=True)

    def _think(self, thoughts: Iterable[str], show: bool) -> bool:
        """Shows thinking, dimmed, in place of the line that has begun; hidden, only that there is some.

        Returns:
            Whether there was any. The next thing then begins a line.
        """
        wrapper: WordWrapper | None = None
        label = texts.THINKING_PROMPT if show else texts.LUNA_PROMPT + texts.THINKING_HIDDEN
        try:
            for piece in thoughts:
                if wrapper is None:
                    wrapper = self._wrapper(label)
                    print("\r" + self._styled(label, "2"), end="", flush=True)
                if show:
                    print(self._styled(wrapper.feed(_printable(piece)), "2"), end="", flush=True)
        finally:
            if wrapper is not None and show:
                print(self._styled(wrapper.finish(), "2"), end="\n\n", flush=True)
            elif wrapper is not None:
                print("\r" + " " * self._cell_width(label) + "\r", end="", flush=True)
        return wrapper is not None

    def _styled(self, text: str, style: str) -> str:
        """Text in a style of the terminal ("1;35", "2", ...), unless colours are not wanted."""
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour and text else text

    def _wrapper(self, label: str) -> WordWrapper:
        """Breaks the lines of a text that begins behind a label."""
        return WordWrapper(shutil.get_terminal_size().columns, self._cell_width(label), self._cell_width)

    def sources(self, text: str) -> None:
        print(self._styled(_printable(text), "2"), flush=True)

    def note(self, text: str) -> None:
        print(_printable(text), flush=True)


def _printable(text: str) -> str:
    """Text without control characters, so that an answer cannot steer the terminal."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable() or c == "\u200d" or c == "\ufe0f")


def _session() -> PromptSession[str]:
    from prompt_toolkit import PromptSession

    return PromptSession(
        history=_history(), completer=_completer(), complete_while_typing=True, key_bindings=_keys()
    )


def _history() -> History:
    """Earlier messages, in a file that only the user can read; in memory if that file cannot be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        return FileHistory(str(private_file(data_folder() / "chat_history")))
    except OSError:
        return InMemoryHistory()


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _completer() -> Completer:
    from prompt_toolkit.completion import Completer, Completion

    class SlashCompleter(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
            typed = document.text_before_cursor
            if typed.startswith("/") and " " not in typed:
                for command in COMMANDS:
                    for name in command.names:
                        if name.startswith(typed):
                            yield Completion(name, -len(typed), display_meta=command.help)

    return SlashCompleter()
