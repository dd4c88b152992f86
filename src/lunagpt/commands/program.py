"""The program: the tree of commands, and what ends it.

What a command takes is in `lunagpt.commands.groups`; what it does, in the module of `lunagpt.commands` that
bears its name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import typer

from lunagpt.commands import failures, help_texts
from lunagpt.commands.groups import conversation, documents, evaluation, models, training
from lunagpt.commands.usage import HELP_OPTIONS, LunaCommand, LunaGroup, explain

app = typer.Typer(cls=LunaGroup, help=help_texts.ROOT_HELP, add_completion=False, rich_markup_mode=None)
app.callback(invoke_without_command=True)(conversation.root)
tokenizer = typer.Typer(cls=LunaGroup, help=help_texts.TOKENIZER_HELP, rich_markup_mode=None)
inspect = typer.Typer(cls=LunaGroup, help=help_texts.INSPECT_HELP, rich_markup_mode=None)

# By the heading under which the help page of `luna` lists them.
_COMMANDS: dict[str, tuple[tuple[str, Callable[..., int], str], ...]] = {
    help_texts.TALK_COMMANDS: (
        ("chat", conversation.chat, help_texts.CHAT_HELP),
        ("index", documents.index, help_texts.INDEX_HELP),
        ("ask", documents.ask, help_texts.ASK_HELP),
    ),
    help_texts.MAKING_COMMANDS: (
        ("train", training.train, help_texts.TRAIN_HELP),
        ("evaluate", evaluation.evaluate, help_texts.EVALUATE_HELP),
        ("compare", evaluation.compare, help_texts.COMPARE_HELP),
    ),
    help_texts.MODEL_COMMANDS: (
        ("info", models.info, help_texts.INFO_HELP),
        ("upcycle", models.upcycle, help_texts.UPCYCLE_HELP),
        ("grow", models.grow, help_texts.GROW_HELP),
        ("average", models.average, help_texts.AVERAGE_HELP),
        ("pack", models.pack, help_texts.PACK_HELP),
    ),
}
for _heading, _commands in _COMMANDS.items():
    for _name, _function, _help in _commands:
        app.command(_name, cls=LunaCommand, help=_help, rich_help_panel=_heading)(_function)
tokenizer.command("train", cls=LunaCommand, help=help_texts.TOKENIZER_TRAIN_HELP)(training.train_tokenizer)
inspect.command("experts", cls=LunaCommand, help=help_texts.INSPECT_EXPERTS_HELP)(models.inspect_experts)
app.add_typer(tokenizer, name="tokenizer", rich_help_panel=help_texts.MAKING_COMMANDS)
app.add_typer(inspect, name="inspect", rich_help_panel=help_texts.MODEL_COMMANDS)


def run(application: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> int:
    """Runs a command line with help, mistakes and failures in Portuguese.

    Args:
        application: the commands.
        program: what the user typed to start it.
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _ready_streams()
    try:
        code = _run(application, program, arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever was reading has left
        _leave_output()
        return 1
    except OSError as error:  # the last of the output cannot be written: a full disk
        failures.report(error, verbose=False)
        _leave_output()
        return 1
    return code


def _ready_streams() -> None:
    """Makes the standard streams bear whatever comes: odd bytes and characters, and being closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started the program
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _leave_output() -> None:
    """Keeps the interpreter's own flush at the end from failing on an output that cannot be written."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(application: typer.Typer, program: str, arguments: list[str]) -> int:
    command = typer.main.get_command(application)
    try:
        # Not `command.main`: it would answer Ctrl-C, broken pipes and mistakes in its own way, in English.
        with command.make_context(program, arguments, help_option_names=[*HELP_OPTIONS]) as context:
            code = command.invoke(context)
    except typer.Exit as ending:
        return ending.exit_code
    except typer.TyperException as error:
        failures.complain(explain(error))
        command_path = getattr(getattr(error, "ctx", None), "command_path", program)
        print(help_texts.SEE_HELP.format(command=command_path), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        failures.report(error, verbose="--verbose" in arguments)
        return 1
    return code if isinstance(code, int) else 0
