"""`luna chat`, and the flags that mean the same without a command (`luna --query …`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lunagpt
from lunagpt.commands import help_texts, options, parsing
from lunagpt.commands.usage import UsageProblem
from lunagpt.generation import SamplingParams
from lunagpt.reporting.numbers import decimal

_DEFAULTS = SamplingParams()

SystemOption = Annotated[str | None, typer.Option("--system", metavar="TEXTO", help=help_texts.SYSTEM)]
TemperatureOption = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="NÚMERO",
        parser=parsing.temperature,
        help=help_texts.TEMPERATURE.format(default=decimal(_DEFAULTS.temperature)),
    ),
]
TopPOption = Annotated[
    float | None,
    typer.Option(
        "--top-p",
        metavar="NÚMERO",
        parser=parsing.probability,
        help=help_texts.TOP_P.format(default=decimal(_DEFAULTS.top_p)),
    ),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-tokens",
        metavar="NÚMERO",
        parser=parsing.integer(1),
        help=help_texts.MAX_TOKENS.format(default=_DEFAULTS.max_new_tokens),
    ),
]
MaxThinkingTokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-thinking-tokens",
        metavar="NÚMERO",
        parser=parsing.integer(1),
        help=help_texts.MAX_THINKING_TOKENS.format(default=_DEFAULTS.max_thinking_tokens),
    ),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", metavar="NÚMERO", parser=parsing.integer(0), help=help_texts.SEED)
]
InteractiveOption = Annotated[bool, typer.Option("--interactive", help=help_texts.INTERACTIVE)]
QueryOption = Annotated[str | None, typer.Option("--query", metavar="PERGUNTA", help=help_texts.QUERY)]
InputOption = Annotated[Path | None, typer.Option("--input", metavar="ARQUIVO", help=help_texts.INPUT)]
OutputOption = Annotated[Path | None, typer.Option("--output", metavar="ARQUIVO", help=help_texts.OUTPUT)]
RagOption = Annotated[bool, typer.Option("--rag", help=help_texts.RAG)]
KnowledgeBaseOption = Annotated[
    Path | None, typer.Option("--knowledge-base", metavar="BASE", help=help_texts.KNOWLEDGE_BASE)
]
DisableRagOption = Annotated[bool, typer.Option("--disable-rag", help=help_texts.DISABLE_RAG)]
NoEncyclopediaOption = Annotated[bool, typer.Option("--no-enciclopedia", help=help_texts.NO_ENCYCLOPEDIA)]
QuestionArgument = Annotated[list[str] | None, typer.Argument(metavar="PERGUNTA", help=help_texts.QUESTION)]


def root(
    ctx: typer.Context,
    interactive: InteractiveOption = False,
    query: QueryOption = None,
    input_file: InputOption = None,
    output_file: OutputOption = None,
    config: options.ConfigOption = None,
    model: options.ModelOption = None,
    system: SystemOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    max_tokens: MaxTokensOption = None,
    seed: SeedOption = None,
    verbose: options.VerboseOption = False,
    rag: RagOption = False,
    knowledge_base: KnowledgeBaseOption = None,
    disable_rag: DisableRagOption = False,
    no_enciclopedia: NoEncyclopediaOption = False,
    show_thinking: options.ShowThinkingOption = False,
    max_thinking_tokens: MaxThinkingTokensOption = None,
    version: Annotated[bool, typer.Option("--version", help=help_texts.VERSION)] = False,
) -> int:
    given = [name for name, value in ctx.params.items() if value is not None and value is not False]
    if version:
        print(f"LunaGPT {lunagpt.__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        if given:
            flag = _flag(ctx, given[0])
            command = f"{ctx.command_path} {ctx.invoked_subcommand}"
            raise UsageProblem(help_texts.OPTION_BEFORE_COMMAND.format(option=flag, command=command), ctx)
        return 0
    if not given:
        print(ctx.get_help())
        return 0
    _check_modes(ctx, given)
    from lunagpt.commands.chat import run_chat
    from lunagpt.commands.opening import ChatSettings

    _check_lookup(ctx, config, rag, knowledge_base, disable_rag)
    settings = ChatSettings(
        config=config,
        model=model,
        system=system,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        seed=seed,
        verbose=verbose,
        knowledge_base=knowledge_base,
        lookup=not disable_rag,
        encyclopedia=not no_enciclopedia,
        show_thinking=show_thinking,
        max_thinking_tokens=max_thinking_tokens,
    )
    return run_chat(settings, query, input_file, output_file)


def chat(
    ctx: typer.Context,
    question: QuestionArgument = None,
    config: options.ConfigOption = None,
    model: options.ModelOption = None,
    system: SystemOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    max_tokens: MaxTokensOption = None,
    seed: SeedOption = None,
    verbose: options.VerboseOption = False,
    rag: RagOption = False,
    knowledge_base: KnowledgeBaseOption = None,
    disable_rag: DisableRagOption = False,
    no_enciclopedia: NoEncyclopediaOption = False,
    show_thinking: options.ShowThinkingOption = False,
    max_thinking_tokens: MaxThinkingTokensOption = None,
) -> int:
    from lunagpt.commands.chat import run_chat
    from lunagpt.commands.opening import ChatSettings

    _check_lookup(ctx, config, rag, knowledge_base, disable_rag)
    settings = ChatSettings(
        config=config,
        model=model,
        system=system,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        seed=seed,
        verbose=verbose,
        knowledge_base=knowledge_base,
        lookup=not disable_rag,
        encyclopedia=not no_enciclopedia,
        show_thinking=show_thinking,
        max_thinking_tokens=max_thinking_tokens,
    )
    return run_chat(settings, " ".join(question) if question else None)


def _check_modes(ctx: typer.Context, given: list[str]) -> None:
    """Refuses more than one way of asking, and a file for answers to no file of questions.

    Raises:
        UsageProblem: so it was.
    """
    modes = [name for name in ("interactive", "query", "input_file") if name in given]
    if len(modes) > 1:
        first, second = (_flag(ctx, name) for name in modes[:2])
        raise UsageProblem(help_texts.ONE_MODE_ONLY.format(first=first, second=second), ctx)
    if "output_file" in given and "input_file" not in given:
        raise UsageProblem(help_texts.OUTPUT_NEEDS_INPUT, ctx)


def _check_lookup(
    ctx: typer.Context, config: Path | None, rag: bool, knowledge_base: Path | None, disable_rag: bool
) -> None:
    """Refuses options on retrieval that contradict each other or lack their base.

    Raises:
        UsageProblem: they do.
    """
    if disable_rag and (rag or knowledge_base is not None):
        raise UsageProblem(
            help_texts.RAG_ON_AND_OFF.format(first="--rag" if rag else "--knowledge-base"), ctx
        )
    if rag and knowledge_base is None:
        from lunagpt.config import LunaConfig

        settings = LunaConfig.from_environment() if config is None else LunaConfig.from_file(config)
        if not settings.rag.knowledge_base_path:
            raise UsageProblem(help_texts.RAG_NEEDS_BASE, ctx)


def _flag(ctx: typer.Context, name: str) -> str:
    """The flag of a parameter of the command."""
    return next(str(param.opts[0]) for param in ctx.command.params if param.name == name)
