"""The commands of the conversation: lines that begin with a slash and are never sent to the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lunagpt.commands import texts
from lunagpt.commands.usage import did_you_mean

Action = Literal["help", "clear", "reset", "rag", "encyclopedia", "thinking", "sources", "exit"]


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command, the names it answers to (the first is the one shown) and its line of help."""

    action: Action
    names: tuple[str, ...]
    help: str


COMMANDS = (
    SlashCommand("help", ("/help", "/ajuda", "/?"), texts.COMMAND_HELP_HELP),
    SlashCommand("clear", ("/clear", "/limpar"), texts.COMMAND_HELP_CLEAR),
    SlashCommand("reset", ("/reset", "/reiniciar"), texts.COMMAND_HELP_RESET),
    SlashCommand("rag", ("/rag",), texts.COMMAND_HELP_RAG),
    SlashCommand("encyclopedia", ("/enciclopedia", "/enciclopédia"), texts.COMMAND_HELP_ENCYCLOPEDIA),
    SlashCommand("thinking", ("/thinking", "/pensamento"), texts.COMMAND_HELP_THINKING),
    SlashCommand("sources", ("/fontes", "/sources"), texts.COMMAND_HELP_SOURCES),
    SlashCommand("exit", ("/exit", "/quit", "/sair", "/bye"), texts.COMMAND_HELP_EXIT),
)

# Alone on a line, these words end the conversation too.
_FAREWELLS = ("sair", "exit", "quit")


def is_command(message: str) -> bool:
    """Whether a message is for the program: a slash and a word (a path is none), or a farewell alone."""
    return message.strip().lower() in _FAREWELLS or re.match(r"/[^\s/]*(\s|$)", message) is not None


def find(message: str) -> SlashCommand | None:
    """The command that a message names; None if there is no such command."""
    word = message.split()[0].lower()
    if word in _FAREWELLS:
        word = f"/{word}"
    return next((command for command in COMMANDS if word in command.names), None)


def switch(message: str, present: bool) -> bool | None:
    """What a command that is on or off is to become: the word behind it; without one, the other state.

    Returns:
        None if the word is neither.
    """
    words = message.lower().split()
    if len(words) < 2:
        return not present
    if words[1] in ("on", "sim", "ligar", "liga", "ligado", "ligada"):
        return True
    if words[1] in ("off", "não", "nao", "desligar", "desliga", "desligado", "desligada"):
        return False
    return None


def unknown(message: str) -> str:
    """What to say about a command that does not exist."""
    word = message.split()[0]
    guess = did_you_mean(word, [name for command in COMMANDS for name in command.names])
    return f"{texts.UNKNOWN_COMMAND.format(command=word)}{guess} {texts.UNKNOWN_COMMAND_HELP}"


def help_text() -> str:
    """The table of commands."""
    rows = [(", ".join(command.names), command.help) for command in COMMANDS]
    width = max(len(names) for names, _ in rows)
    lines = [f"  {names:{width}}  {text}" for names, text in rows]
    return "\n".join([texts.COMMANDS_INTRO, *lines, texts.MULTILINE_HINT])
