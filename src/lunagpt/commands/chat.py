"""`luna chat` and the flags of `python -m lunagpt.cli` that mean the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import lunagpt
from lunagpt.commands import failures, texts
from lunagpt.commands.opening import ChatSettings, open_chat
from lunagpt.engines import LunaEngine
from lunagpt.reporting.numbers import in_words

if TYPE_CHECKING:
    from lunagpt.chat import LunaChat


def run_chat(
    settings: ChatSettings,
    question: str | None = None,
    questions_file: Path | None = None,
    answers_file: Path | None = None,
) -> int:
    """Answers one question, the questions of a file, or whoever is at the other end of the standard input.

    Returns:
        The exit code.

    Raises:
        LunaError: the conversation cannot begin, or the question cannot be answered.
    """
    from lunagpt.chat.abilities import decides_to_think
    from lunagpt.commands import vectors
    from lunagpt.commands.console import PlainConsole, open_console
    from lunagpt.commands.files import answer_file, check_output, read_questions
    from lunagpt.commands.repl import answer, converse

    failures.show_log(verbose=settings.verbose)
    if questions_file is not None:
        questions = read_questions(questions_file)
        check_output(answers_file)
        return answer_file(open_chat(settings), questions, answers_file)
    chat = open_chat(settings)
    if question is not None:
        answer(chat, PlainConsole(), question)
        return 0
    console = open_console()
    if console.interactive:
        print(banner(chat))
        if chat.show_thinking and not decides_to_think(chat.engine):
            console.note(f"{texts.THINKING_ALWAYS}\n")
        if under_way := vectors.resume(chat):
            console.note(f"{under_way}\n")
    with vectors.stopped_afterwards(chat):
        return converse(chat, console, verbose=settings.verbose)


def banner(chat: LunaChat) -> str:
    """The lines that open a conversation: what this is, what it cannot do, how to leave."""
    model = chat.engine.name
    if isinstance(chat.engine, LunaEngine):
        parameters = in_words(chat.engine.model.num_parameters(), "parâmetros")
        model = texts.MODEL_WITH_SIZE.format(name=model, parameters=parameters)
    return texts.BANNER.format(version=lunagpt.__version__, model=model)
