"""The conversation loop: reads a message, shows the answer, obeys the commands, survives Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType

from lunagpt.chat import LunaChat
from lunagpt.chat.abilities import decides_to_think
from lunagpt.commands import failures, slash, texts, vectors
from lunagpt.commands.console import Console, read_message
from lunagpt.commands.sources import footnotes, passages_text
from lunagpt.errors import LunaError


def converse(chat: LunaChat, console: Console, *, verbose: bool = False) -> int:
    """Runs a conversation until the input ends or the user leaves.

    Returns:
        0, or 1 if a question of a pipe could not be answered.
    """
    failed = False
    warned = False
    while True:
        try:
            message = read_message(console)
        except KeyboardInterrupt:
            if not console.interactive:
                raise
            if warned:
                break
            warned = True
            console.note(texts.PRESS_AGAIN)
            continue
        warned = False
        if message is None:
            break
        if not message.strip():
            continue
        if slash.is_command(message):
            if _obey(chat, console, message) == "exit":
                break
            continue
        try:
            answer(chat, console, message)
        except BrokenPipeError:  # nobody is listening any more
            raise
        except Exception as error:  # one bad turn does not end a conversation
            failed = True
            failures.report(error, verbose=verbose)
    if console.interactive:
        console.note(texts.GOODBYE)
    return 1 if failed and not console.interactive else 0


def answer(chat: LunaChat, console: Console, message: str) -> None:
    """One question and its answer. In a terminal Ctrl-C ends the answer, not the program; twice, at once.

    Raises:
        LunaError: the message cannot be answered.
        KeyboardInterrupt: Ctrl-C outside a terminal.
    """
    cancel = threading.Event()
    with _interruptible(cancel) if console.interactive else nullcontext():
        try:
            stream = chat.send_message(message, stream=True, cancel=cancel)
            console.answer(stream, stream.thoughts(), show_thinking=chat.show_thinking)
        except KeyboardInterrupt:
            if not cancel.is_set():
                raise
    if notes := footnotes(chat.report):
        console.sources(notes)
    if not console.interactive:
        return
    if cancel.is_set():
        console.note(texts.INTERRUPTED)
        return
    if chat.show_thinking and chat.report.thinking_finish_reason == "length":
        console.note(texts.THINKING_CUT_OFF.format(tokens=chat.report.thinking_tokens))
    if chat.report.finish_reason == "length":
        console.note(texts.CUT_OFF.format(tokens=chat.report.completion_tokens))
    elif chat.report.finish_reason == "loop":
        console.note(texts.LOOPED)


def _obey(chat: LunaChat, console: Console, message: str) -> slash.Action | None:
    command = slash.find(message)
    if command is None:
        console.note(slash.unknown(message))
        return None
    if command.action == "help":
        console.note(slash.help_text())
    elif command.action == "clear":
        chat.clear()
        console.note(texts.CLEARED)
    elif command.action == "reset":
        chat.reset()
        console.note(texts.RESET)
    elif command.action == "sources":
        console.note(passages_text(chat.report, answered=bool(chat.history)))
    elif command.action == "thinking":
        console.note(_thinking_switched(chat, message))
    elif command.action in ("rag", "encyclopedia"):
        console.note(_switched(chat, console, command.action, message))
    return command.action


def _switched(chat: LunaChat, console: Console, what: slash.Action, message: str) -> str:
    """Turns a place to look things up on or off; returns what to say."""
    documents = what == "rag"
    wanted = slash.switch(message, chat.rag_enabled if documents else chat.encyclopedia_enabled)
    if wanted is None:
        return _not_understood(message)
    change = {
        (True, True): chat.enable_rag,
        (True, False): chat.disable_rag,
        (False, True): chat.enable_encyclopedia,
        (False, False): chat.disable_encyclopedia,
    }[documents, wanted]
    try:
        change()
    except LunaError as error:
        return str(error)
    if documents and wanted:
        if console.interactive:
            vectors.resume(chat)
        return " ".join(filter(None, [texts.RAG_IS_ON, vectors.progress(chat)]))
    if documents:
        return texts.RAG_IS_OFF
    return texts.ENCYCLOPEDIA_IS_ON if wanted else texts.ENCYCLOPEDIA_IS_OFF


def _thinking_switched(chat: LunaChat, message: str) -> str:
    """Shows or hides the thinking; returns what to say."""
    wanted = slash.switch(message, chat.show_thinking)
    if wanted is None:
        return _not_understood(message)
    chat.show_thinking = wanted
    if not wanted:
        return texts.THINKING_IS_OFF
    warning = "" if decides_to_think(chat.engine) else f" {texts.THINKING_ALWAYS}"
    return texts.THINKING_IS_ON + warning


def _not_understood(message: str) -> str:
    command, value, *_ = message.split()
    return texts.ON_OR_OFF.format(command=command, value=value)


@contextmanager
def _interruptible(cancel: threading.Event) -> Iterator[None]:
    """Within the block the first Ctrl-C only sets `cancel`; the second raises KeyboardInterrupt."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
