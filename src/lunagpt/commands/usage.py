"""Help pages and mistakes on the command line, in Portuguese.

Typer speaks English and offers no translation; its help pages are drawn here, and its errors, known by their
class names (the classes are private to Typer), are put into our words.
"""

from __future__ import annotations

import difflib
import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from lunagpt.commands import help_texts

HELP_OPTIONS = ("-h", "--help")
_MAX_WIDTH, _MIN_WIDTH = 100, 30
_COLUMN = 24  # where the explanations begin
_NARROW, _NARROW_COLUMN = 60, 4  # on a screen with fewer columns they stand under the names


class UsageProblem(typer.TyperException):
    """A mistake on the command line, already in Portuguese. Ends the program with exit code 2."""

    exit_code = 2

    def __init__(self, message: str, ctx: Any = None) -> None:
        super().__init__(message)
        self.ctx = ctx


class _Portuguese:
    """What commands and groups of them share."""

    def get_help(self, ctx: Any) -> str:
        return help_page(self, ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc]
        except typer.TyperException as error:
            error.ctx = getattr(error, "ctx", None) or ctx  # type: ignore[attr-defined] # not all bring it
            raise


class LunaCommand(_Portuguese, TyperCommand):
    """A command whose help page and errors are in Portuguese."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "options_metavar": help_texts.OPTIONS_METAVAR})

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UsageProblem as problem:  # found where the work is done: the help is that of this command
            problem.ctx = problem.ctx or ctx
            raise


class LunaGroup(_Portuguese, TyperGroup):
    """A group of commands whose help page and errors are in Portuguese."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs |= {
            "options_metavar": help_texts.OPTIONS_METAVAR,
            "subcommand_metavar": help_texts.COMMAND_METAVAR,
        }
        super().__init__(**kwargs)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            hint = did_you_mean(args[0], list(self.commands))
            raise UsageProblem(help_texts.NO_SUCH_COMMAND.format(command=args[0]) + hint, ctx)
        return super().resolve_command(ctx, args)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """ " Você quis dizer …?" with the nearest of the known words, or ""."""
    nearest = difflib.get_close_matches(word.lower(), known, n=1)
    return " " + help_texts.DID_YOU_MEAN.format(guess=nearest[0]) if nearest else ""


def explain(error: typer.TyperException) -> str:
    """A Portuguese sentence for an error that Typer raised about the command line."""
    kind = type(error).__name__
    message = error.message
    option = getattr(error, "option_name", "")
    if kind == "NoSuchOption":
        context = getattr(error, "ctx", None)
        known = (
            [] if context is None else [name for p in context.command.get_params(context) for name in p.opts]
        )
        return help_texts.NO_SUCH_OPTION.format(option=option) + did_you_mean(option, known)
    if kind == "BadOptionUsage":
        takes_none = "does not take" in message
        return (help_texts.OPTION_TAKES_NO_VALUE if takes_none else help_texts.OPTION_NEEDS_VALUE).format(
            option=option
        )
    if kind == "MissingParameter":
        return help_texts.MISSING_PARAMETER.format(name=_name(getattr(error, "param", None)))
    if kind == "BadParameter":
        return help_texts.BAD_VALUE.format(name=_name(getattr(error, "param", None)), reason=message)
    if message == "Missing command.":
        return help_texts.MISSING_COMMAND
    if extra := re.fullmatch(r"Got unexpected extra argument\(s\) \((.*)\)", message, re.DOTALL):
        return help_texts.EXTRA_ARGUMENTS.format(arguments=extra[1])
    return message


def help_page(command: Any, ctx: Any) -> str:
    """The help page of a command or group."""
    width = min(_MAX_WIDTH, max(_MIN_WIDTH, shutil.get_terminal_size().columns))
    usage = f"{help_texts.USAGE_HEADING}: {ctx.command_path} {' '.join(_usage_pieces(command))}"
    blocks = [textwrap.fill(usage, width, subsequent_indent="  ", break_on_hyphens=False)]
    blocks += [_wrapped(paragraph, width, "  ") for paragraph in command.help.split("\n\n")]
    arguments = [
        (_name(p), f"{p.help or ''} {help_texts.REQUIRED if p.required else ''}".strip())
        for p in command.params
        if p.param_type_name == "argument"
    ]
    commands: dict[str, list[tuple[str, str]]] = {}
    for name, c in getattr(command, "commands", {}).items():
        heading = getattr(c, "rich_help_panel", None) or help_texts.COMMANDS_HEADING
        commands.setdefault(heading, []).append((name, (c.help or "").split("\n\n")[0]))
    options = [
        (" ".join(filter(None, (", ".join(p.opts), p.metavar))), p.help or "")
        for p in command.params
        if p.param_type_name == "option"
    ]
    options.append((", ".join(HELP_OPTIONS), help_texts.HELP_OPTION))
    for heading, rows in (
        (help_texts.ARGUMENTS_HEADING, arguments),
        *commands.items(),
        (help_texts.OPTIONS_HEADING, options),
    ):
        if rows:
            blocks.append(f"{heading}:\n" + "\n".join(_row(name, text, width) for name, text in rows))
    return "\n\n".join(blocks)


def _usage_pieces(command: Any) -> list[str]:
    pieces = [help_texts.OPTIONS_METAVAR]
    for param in command.params:
        if param.param_type_name == "argument":
            piece = _name(param) if param.required else f"[{_name(param)}]"
            pieces.append(piece + ("..." if param.nargs != 1 else ""))
    if isinstance(command, LunaGroup):
        pieces.append(help_texts.COMMAND_METAVAR)
    return pieces


def _name(param: Any) -> str:
    if param is None:
        return ""
    if param.param_type_name == "option":
        return str(max(param.opts, key=len))
    return str(param.metavar or param.name.upper())


def _row(name: str, text: str, width: int) -> str:
    column = _NARROW_COLUMN if width < _NARROW else _COLUMN
    body = textwrap.wrap(text, width - column - 2, break_on_hyphens=False)
    if len(name) > column - 2:
        lines = [f"  {name}"]
    else:
        lines = [f"  {name:{column}}{body.pop(0) if body else ''}".rstrip()]
    return "\n".join([*lines, *(f"  {'':{column}}{line}" for line in body)])


def _wrapped(paragraph: str, width: int, indent: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), width, initial_indent=indent, subsequent_indent=indent)
