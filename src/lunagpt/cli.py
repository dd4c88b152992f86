"""The command line, `luna …` or `python -m lunagpt.cli …`; the work is done in `lunagpt.commands`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

import lunagpt
from lunagpt.commands import failures, options, texts
from lunagpt.commands.opening import ChatSettings
from lunagpt.commands.usage import LunaCommand, LunaGroup, UsageProblem, explain

app = typer.Typer(cls=LunaGroup, help=texts.ROOT_HELP, add_completion=False, rich_markup_mode=None)
tokenizer_app = typer.Typer(cls=LunaGroup, help=texts.TOKENIZER_HELP, rich_markup_mode=None)
app.add_typer(tokenizer_app, name="tokenizer")
inspect_app = typer.Typer(cls=LunaGroup, help=texts.INSPECT_HELP, rich_markup_mode=None)
app.add_typer(inspect_app, name="inspect")


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    interactive: options.InteractiveOption = False,
    query: options.QueryOption = None,
    input_file: options.InputOption = None,
    output_file: options.OutputOption = None,
    config: options.ConfigOption = None,
    model: options.ModelOption = None,
    system: options.SystemOption = None,
    temperature: options.TemperatureOption = None,
    top_p: options.TopPOption = None,
    max_tokens: options.MaxTokensOption = None,
    seed: options.SeedOption = None,
    verbose: options.VerboseOption = False,
    rag: options.RagOption = False,
    knowledge_base: options.KnowledgeBaseOption = None,
    disable_rag: options.DisableRagOption = False,
    no_enciclopedia: options.NoEncyclopediaOption = False,
    show_thinking: options.ShowThinkingOption = False,
    max_thinking_tokens: options.MaxThinkingTokensOption = None,
    version: Annotated[bool, typer.Option("--version", help=texts.VERSION)] = False,
) -> int:
    from lunagpt.commands.chat import run_chat

    given = [name for name, value in ctx.params.items() if value is not None and value is not False]
    if version:
        print(f"LunaGPT {lunagpt.__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        if given:
            flag = _flag(ctx, given[0])
            command = f"{ctx.command_path} {ctx.invoked_subcommand}"
            raise UsageProblem(texts.OPTION_BEFORE_COMMAND.format(option=flag, command=command), ctx)
        return 0
    if not given:
        print(ctx.get_help())
        return 0
    modes = [name for name in ("interactive", "query", "input_file") if name in given]
    if len(modes) > 1:
        first, second = (_flag(ctx, name) for name in modes[:2])
        raise UsageProblem(texts.ONE_MODE_ONLY.format(first=first, second=second), ctx)
    if output_file is not None and input_file is None:
        raise UsageProblem(texts.OUTPUT_NEEDS_INPUT, ctx)
    _check_lookup(ctx, config, rag, knowledge_base, disable_rag)
    settings = ChatSettings(
        config,
        model,
        system,
        temperature,
        top_p,
        max_tokens,
        seed,
        verbose,
        knowledge_base,
        lookup=not disable_rag,
        encyclopedia=not no_enciclopedia,
        show_thinking=show_thinking,
        max_thinking_tokens=max_thinking_tokens,
    )
    return run_chat(settings, query, input_file, output_file)


@app.command("chat", cls=LunaCommand, help=texts.CHAT_HELP)
def chat(
    ctx: typer.Context,
    question: options.QuestionArgument = None,
    config: options.ConfigOption = None,
    model: options.ModelOption = None,
    system: options.SystemOption = None,
    temperature: options.TemperatureOption = None,
    top_p: options.TopPOption = None,
    max_tokens: options.MaxTokensOption = None,
    seed: options.SeedOption = None,
    verbose: options.VerboseOption = False,
    rag: options.RagOption = False,
    knowledge_base: options.KnowledgeBaseOption = None,
    disable_rag: options.DisableRagOption = False,
    no_enciclopedia: options.NoEncyclopediaOption = False,
    show_thinking: options.ShowThinkingOption = False,
    max_thinking_tokens: options.MaxThinkingTokensOption = None,
) -> int:
    from lunagpt.commands.chat import run_chat

    _check_lookup(ctx, config, rag, knowledge_base, disable_rag)
    settings = ChatSettings(
        config,
        model,
        system,
        temperature,
        top_p,
        max_tokens,
        seed,
        verbose,
        knowledge_base,
        lookup=not disable_rag,
        encyclopedia=not no_enciclopedia,
        show_thinking=show_thinking,
        max_thinking_tokens=max_thinking_tokens,
    )
    return run_chat(settings, " ".join(question) if question else None)


@app.command("index", cls=LunaCommand, help=texts.INDEX_HELP)
def index(
    folder: options.DocumentsArgument,
    output: options.BaseOutputOption = options.DEFAULT_BASE_FOLDER,
    file_types: options.FileTypesOption = None,
    no_vectors: options.NoVectorsOption = False,
    config: options.ConfigOption = None,
) -> int:
    from lunagpt.commands.index import run_index

    return run_index(folder, output, file_types=file_types, vectors=not no_vectors, config=config)


@app.command("ask", cls=LunaCommand, help=texts.ASK_HELP)
def ask(
    question: options.AskQuestionArgument,
    rag: options.AskBaseOption = None,
    json: options.AskJsonOption = False,
    config: options.ConfigOption = None,
    model: options.ModelOption = None,
    show_thinking: options.ShowThinkingOption = False,
    verbose: options.VerboseOption = False,
) -> int:
    from lunagpt.commands.ask import run_ask

    settings = ChatSettings(
        config,
        model,
        temperature=0.0,
        verbose=verbose,
        knowledge_base=rag,
        show_thinking=show_thinking,
    )
    return run_ask(" ".join(question), settings, as_json=json)


@app.command("train", cls=LunaCommand, help=texts.TRAIN_HELP)
def train(
    recipe: options.RecipeArgument,
    run_dir: options.RunDirOption = None,
    preset: options.PresetOption = None,
    data_root: options.DataRootOption = None,
    base_model: options.BaseModelOption = None,
    prepare: options.PrepareOption = False,
    resume: options.ResumeOption = False,
    resume_from: options.ResumeFromOption = None,
    max_steps: options.MaxStepsOption = None,
    max_minutes: options.MaxMinutesOption = None,
    decay_now: options.DecayNowOption = None,
    threads: options.ThreadsOption = None,
    changes: options.ChangeOption = None,
) -> int:
    from lunagpt.commands.train import run_train

    return run_train(
        recipe,
        run_dir=run_dir,
        preset=preset,
        data_root=data_root,
        base_model=base_model,
        resume=resume,
        resume_from=resume_from,
        max_steps=max_steps,
        max_minutes=max_minutes,
        decay_now=decay_now,
        threads=threads,
        changes=changes or [],
        prepare=prepare,
    )


@tokenizer_app.command("train", cls=LunaCommand, help=texts.TOKENIZER_TRAIN_HELP)
def train_tokenizer(
    paths: options.DataArgument,
    vocab_size: options.VocabSizeOption = options.DEFAULT_VOCAB_SIZE,
    output: options.TokenizerOutputOption = options.DEFAULT_TOKENIZER_FOLDER,
    recipe: options.TokenizerRecipeOption = None,
    held_out: options.HeldOutOption = None,
) -> int:
    from lunagpt.commands.tokenizer import run_tokenizer_training

    return run_tokenizer_training(
        paths, vocab_size=vocab_size, output=output, recipe=recipe, held_out=held_out or []
    )


@app.command("evaluate", cls=LunaCommand, help=texts.EVALUATE_HELP)
def evaluate(
    models: options.EvaluatedModels,
    data: options.EvaluationDataOption = None,
    suite: options.SuiteOption = None,
    task: options.TaskOption = None,
    limit: options.LimitOption = None,
    json: options.JsonOption = None,
    seed: options.EvaluationSeedOption = 0,
    contamination: options.ContaminationOption = None,
    judge: options.JudgeOption = None,
    judge_model: options.JudgeModelOption = None,
    threads: options.ThreadsOption = None,
) -> int:
    from lunagpt.commands.evaluate import run_evaluation

    return run_evaluation(
        models,
        data=data or [],
        suite=suite,
        tasks=task or [],
        limit=limit,
        output=json,
        seed=seed,
        contamination=contamination,
        threads=threads,
        judge=judge,
        judge_model=judge_model,
    )


@app.command("compare", cls=LunaCommand, help=texts.COMPARE_HELP)
def compare(
    models: options.ComparedModels,
    suite: options.ComparisonSuiteOption = None,
    data: options.EvaluationDataOption = None,
    output: options.ComparisonOutputOption = options.DEFAULT_COMPARISON_FOLDER,
    limit: options.LimitOption = None,
    seed: options.EvaluationSeedOption = 0,
    no_speed: options.NoSpeedOption = False,
    threads: options.ThreadsOption = None,
) -> int:
    from lunagpt.commands.compare import run_compare

    return run_compare(
        models,
        suite=suite,
        data=data or [],
        output=output,
        limit=limit,
        seed=seed,
        speed=not no_speed,
        threads=threads,
    )


@app.command("info", cls=LunaCommand, help=texts.INFO_HELP)
def info(
    model: Annotated[Path | None, typer.Argument(metavar="MODELO", help=texts.INFO_MODEL)] = None,
) -> int:
    from lunagpt.commands.info import run_info

    return run_info(model)


@inspect_app.command("experts", cls=LunaCommand, help=texts.INSPECT_EXPERTS_HELP)
def inspect_experts(
    model: Annotated[Path | None, typer.Argument(metavar="MODELO", help=texts.INFO_MODEL)] = None,
    text: options.InspectTextOption = None,
    file: options.InspectFileOption = None,
    layer: options.InspectLayerOption = None,
    max_tokens: options.InspectMaxTokensOption = options.DEFAULT_INSPECTED_TOKENS,
) -> int:
    from lunagpt.commands.inspect import run_inspect_experts

    return run_inspect_experts(model, text=text, file=file, layers=layer, max_tokens=max_tokens)


@app.command("upcycle", cls=LunaCommand, help=texts.UPCYCLE_HELP)
def upcycle(
    model: options.UpcycleModelArgument,
    output: options.UpcycleOutputArgument,
    experts: options.ExpertsOption = options.DEFAULT_EXPERTS,
    per_token: options.PerTokenOption = options.DEFAULT_PER_TOKEN,
    layers: options.ExpertLayersOption = options.DEFAULT_EXPERT_LAYERS,
    emotional_routing: options.EmotionalRoutingOption = False,
) -> int:
    from lunagpt.commands.upcycle import run_upcycle

    return run_upcycle(
        model,
        output,
        experts=experts,
        per_token=per_token,
        layers=layers,
        emotional_routing=emotional_routing,
    )


@app.command("grow", cls=LunaCommand, help=texts.GROW_HELP)
def grow(
    model: options.GrowModelArgument,
    output: options.UpcycleOutputArgument,
    layers: options.GrowLayersOption = 1,
    method: options.GrowMethodOption = "identity",
    position: options.GrowPositionOption = "end",
) -> int:
    from lunagpt.commands.grow import run_grow

    return run_grow(model, output, layers=layers, method=method, position=position)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted.
    """
    program = "python -m lunagpt.cli" if Path(sys.argv[0]).name == "cli.py" else "luna"
    return run(app, program, arguments)


def run(application: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> int:
    """Runs a command line with help, mistakes and failures in Portuguese; see `main`.

    Args:
        application: the commands.
        program: what the user typed to start it.
        arguments: those of the process if None.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # odd bytes and characters must not end the program
            stream.reconfigure(errors="replace")
    try:
        code = _run(application, program, arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever was reading has left; the interpreter's own flush at the end must not complain about it.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(application: typer.Typer, program: str, arguments: list[str]) -> int:
    command = typer.main.get_command(application)
    try:
        # Not `command.main`: it would answer Ctrl-C, broken pipes and mistakes in its own way, in English.
        with command.make_context(program, arguments) as context:
            code = command.invoke(context)
    except typer.Exit as ending:
        return ending.exit_code
    except typer.TyperException as error:
        failures.complain(explain(error))
        command_path = getattr(getattr(error, "ctx", None), "command_path", program)
        print(texts.SEE_HELP.format(command=command_path), file=sys.stderr)
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


def _check_lookup(
    ctx: typer.Context, config: Path | None, rag: bool, knowledge_base: Path | None, disable_rag: bool
) -> None:
    """Refuses options on retrieval that contradict each other or lack their base.

    Raises:
        UsageProblem: they do.
    """
    if disable_rag and (rag or knowledge_base is not None):
        raise UsageProblem(texts.RAG_ON_AND_OFF.format(first="--rag" if rag else "--knowledge-base"), ctx)
    if rag and knowledge_base is None:
        from lunagpt.config import LunaConfig

        settings = LunaConfig.from_environment() if config is None else LunaConfig.from_file(config)
        if not settings.rag.knowledge_base_path:
            raise UsageProblem(texts.RAG_NEEDS_BASE, ctx)


def _flag(ctx: typer.Context, name: str) -> str:
    """The flag of a parameter of the command."""
    return next(str(param.opts[0]) for param in ctx.command.params if param.name == name)


if __name__ == "__main__":
    sys.exit(main())
