"""Questions from a file: one per line, each answered on its own."""

from __future__ import annotations

import sys
from pathlib import Path

from lunagpt.chat import LunaChat
from lunagpt.commands import failures, texts
from lunagpt.commands.progress import ProgressLine
from lunagpt.commands.sources import footnotes
from lunagpt.data.loaders.encoding import decode
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.errors import DataError, LunaError, reason_of
from lunagpt.files import atomic_write_text, check_writable


def read_text(path: Path) -> str:
    """The text of a file, whatever its encoding: UTF-8, UTF-16 or one of those of Windows.

    Raises:
        DataError: the file cannot be read, or is not text.
    """
    try:
        return decode(path.read_bytes()).text
    except OSError as error:
        raise DataError(texts.FILE_UNREADABLE.format(path=path, reason=reason_of(error))) from error
    except FileProblem as problem:
        raise DataError(texts.FILE_NO_TEXT.format(path=path, problem=problem)) from problem


def read_questions(path: Path) -> list[str]:
    """The lines of a text file that are not blank.

    Raises:
        DataError: the file cannot be read or has no questions.
    """
    text = read_text(path)
    questions = [line.strip() for line in text.splitlines() if line.strip()]
    if not questions:
        raise DataError(texts.FILE_EMPTY.format(path=path))
    return questions


def check_output(output: Path | None) -> None:
    """Refuses a file for the answers that cannot be written, before there are any.

    Raises:
        DataError: it cannot be written.
    """
    if output is not None:
        try:
            check_writable(output)
        except OSError as error:
            raise DataError(texts.FILE_UNWRITABLE.format(path=output, reason=reason_of(error))) from error


def answer_file(chat: LunaChat, questions: list[str], output: Path | None) -> int:
    """Answers every question in a conversation of its own.

    With `output`, the file is written in one step at the end, or at Ctrl-C with the answers given so far; if
    that fails they go to the screen, as each does at once without `output`.

    Returns:
        0, or 1 if a question could not be answered.

    Raises:
        DataError: the file cannot be written.
        KeyboardInterrupt: Ctrl-C, after writing.
    """
    blocks: list[str] = []
    failed = False
    line = ProgressLine(stages=False)
    try:
        for number, question in enumerate(questions, start=1):
            if output is not None:
                line.show(texts.FILE_PROGRESS.format(number=number, total=len(questions)))
            chat.clear()
            try:
                reply = texts.FILE_ANSWER.format(text=chat.send_message(question))
                if chat.show_thinking and chat.report.thinking:
                    reply = f"{texts.FILE_THINKING.format(text=chat.report.thinking)}\n{reply}"
                if notes := footnotes(chat.report):
                    reply += f"\n{notes}"
            except LunaError as error:
                failed = True
                failures.complain(str(error))
                reply = texts.FILE_ERROR.format(reason=error)
            blocks.append(f"{texts.FILE_QUESTION.format(text=question)}\n{reply}\n")
            if output is None:
                print(blocks[-1], flush=True)
    except KeyboardInterrupt:
        if output is not None and blocks:
            line.clear()
            _write(output, blocks)
            done = texts.FILE_INTERRUPTED.format(count=len(blocks), total=len(questions), path=output)
            print(done, file=sys.stderr)
        raise
    if output is not None:
        line.clear()
        _write(output, blocks)
        print(texts.FILE_DONE.format(count=len(blocks), path=output), file=sys.stderr)
    return 1 if failed else 0


def _write(output: Path, blocks: list[str]) -> None:
    try:
        atomic_write_text(output, "\n".join(blocks))
    except OSError as error:
        print("\n".join(blocks), flush=True)  # the work of minutes is not thrown away
        raise DataError(texts.FILE_UNWRITABLE.format(path=output, reason=reason_of(error))) from error
