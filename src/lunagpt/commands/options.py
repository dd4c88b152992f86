"""The options that several commands share: written once, used as annotations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lunagpt.commands import texts
from lunagpt.commands.numbers import decimal
from lunagpt.generation import SamplingParams

_DEFAULTS = SamplingParams()
DEFAULT_VOCAB_SIZE = 16_384  # that of all Luna models
DEFAULT_TOKENIZER_FOLDER = Path("tokenizer")
DEFAULT_BASE_FOLDER = Path("base")


def _number(text: str) -> float:
    """A decimal number, with point or comma.

    Raises:
        typer.BadParameter: the text is none.
    """
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise typer.BadParameter(texts.NOT_A_NUMBER.format(value=text)) from None


def _integer(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise typer.BadParameter(texts.NOT_AN_INTEGER.format(value=text)) from None
        if value < least:
            raise typer.BadParameter(
                texts.OUT_OF_RANGE.format(value=value, range=f"um inteiro a partir de {least}")
            )
        return value

    return parse


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise typer.BadParameter(texts.OUT_OF_RANGE.format(value=text, range=" ou ".join(values)))
        return text

    return parse


def _temperature(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 10:
        raise typer.BadParameter(texts.OUT_OF_RANGE.format(value=text, range="um número de 0 a 10"))
    return value


def _minutes(text: str) -> float:
    value = _number(text)
    if not value > 0:
        raise typer.BadParameter(texts.OUT_OF_RANGE.format(value=text, range="um número maior que 0"))
    return value


def _probability(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1:
        raise typer.BadParameter(texts.OUT_OF_RANGE.format(value=text, range="um número maior que 0 e até 1"))
    return value


ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="ARQUIVO", help=texts.CONFIG)]
ModelOption = Annotated[Path | None, typer.Option("--model", metavar="PASTA", help=texts.MODEL)]
SystemOption = Annotated[str | None, typer.Option("--system", metavar="TEXTO", help=texts.SYSTEM)]
TemperatureOption = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="NÚMERO",
        parser=_temperature,
        help=texts.TEMPERATURE.format(default=decimal(_DEFAULTS.temperature)),
    ),
]
TopPOption = Annotated[
    float | None,
    typer.Option(
        "--top-p",
        metavar="NÚMERO",
        parser=_probability,
        help=texts.TOP_P.format(default=decimal(_DEFAULTS.top_p)),
    ),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-tokens",
        metavar="NÚMERO",
        parser=_integer(1),
        help=texts.MAX_TOKENS.format(default=_DEFAULTS.max_new_tokens),
    ),
]
ShowThinkingOption = Annotated[bool, typer.Option("--show-thinking", help=texts.SHOW_THINKING)]
MaxThinkingTokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-thinking-tokens",
        metavar="NÚMERO",
        parser=_integer(1),
        help=texts.MAX_THINKING_TOKENS.format(default=_DEFAULTS.max_thinking_tokens),
    ),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", metavar="NÚMERO", parser=_integer(0), help=texts.SEED)
]
VerboseOption = Annotated[bool, typer.Option("--verbose", help=texts.VERBOSE)]
InteractiveOption = Annotated[bool, typer.Option("--interactive", help=texts.INTERACTIVE)]
QueryOption = Annotated[str | None, typer.Option("--query", metavar="PERGUNTA", help=texts.QUERY)]
InputOption = Annotated[Path | None, typer.Option("--input", metavar="ARQUIVO", help=texts.INPUT)]
OutputOption = Annotated[Path | None, typer.Option("--output", metavar="ARQUIVO", help=texts.OUTPUT)]
RecipeArgument = Annotated[Path, typer.Argument(metavar="RECEITA", help=texts.RECIPE)]
RunDirOption = Annotated[Path | None, typer.Option("--run-dir", metavar="PASTA", help=texts.RUN_DIR)]
PresetOption = Annotated[str | None, typer.Option("--preset", metavar="NOME", help=texts.PRESET)]
DataRootOption = Annotated[Path | None, typer.Option("--data-root", metavar="PASTA", help=texts.DATA_ROOT)]
BaseModelOption = Annotated[Path | None, typer.Option("--base-model", metavar="PASTA", help=texts.BASE_MODEL)]
PrepareOption = Annotated[bool, typer.Option("--prepare", help=texts.PREPARE)]
ResumeOption = Annotated[bool, typer.Option("--resume", help=texts.RESUME)]
ResumeFromOption = Annotated[
    Path | None, typer.Option("--resume-from", metavar="PASTA", help=texts.RESUME_FROM)
]
MaxStepsOption = Annotated[
    int | None, typer.Option("--max-steps", metavar="NÚMERO", parser=_integer(1), help=texts.MAX_STEPS)
]
MaxMinutesOption = Annotated[
    float | None, typer.Option("--max-minutes", metavar="NÚMERO", parser=_minutes, help=texts.MAX_MINUTES)
]
DecayNowOption = Annotated[
    int | None, typer.Option("--decay-now", metavar="PASSOS", parser=_integer(1), help=texts.DECAY_NOW)
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", metavar="NÚMERO", parser=_integer(1), help=texts.THREADS)
]
ChangeOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="SEÇÃO.CHAVE=VALOR", help=texts.CHANGE)
]
DataArgument = Annotated[list[Path], typer.Argument(metavar="DADOS", help=texts.DATA)]
VocabSizeOption = Annotated[
    int,
    typer.Option(
        "--vocab-size",
        metavar="NÚMERO",
        parser=_integer(1),
        help=texts.VOCAB_SIZE.format(default=DEFAULT_VOCAB_SIZE),
    ),
]
TokenizerOutputOption = Annotated[
    Path,
    typer.Option(
        "--output", metavar="PASTA", help=texts.TOKENIZER_OUTPUT.format(default=DEFAULT_TOKENIZER_FOLDER)
    ),
]
TokenizerRecipeOption = Annotated[
    Path | None, typer.Option("--recipe", metavar="ARQUIVO", help=texts.TOKENIZER_RECIPE)
]
HeldOutOption = Annotated[
    list[Path] | None, typer.Option("--held-out", metavar="ARQUIVO", help=texts.HELD_OUT)
]
RagOption = Annotated[bool, typer.Option("--rag", help=texts.RAG)]
KnowledgeBaseOption = Annotated[
    Path | None, typer.Option("--knowledge-base", metavar="BASE", help=texts.KNOWLEDGE_BASE)
]
DisableRagOption = Annotated[bool, typer.Option("--disable-rag", help=texts.DISABLE_RAG)]
NoEncyclopediaOption = Annotated[bool, typer.Option("--no-enciclopedia", help=texts.NO_ENCYCLOPEDIA)]
DocumentsArgument = Annotated[Path, typer.Argument(metavar="PASTA", help=texts.DOCUMENTS)]
BaseOutputOption = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="BASE", help=texts.BASE_OUTPUT.format(default=DEFAULT_BASE_FOLDER)
    ),
]
FileTypesOption = Annotated[
    list[str] | None, typer.Option("--file-type", metavar="TIPO", help=texts.FILE_TYPE)
]
NoVectorsOption = Annotated[bool, typer.Option("--no-vectors", help=texts.NO_VECTORS)]
AskBaseOption = Annotated[Path | None, typer.Option("--rag", metavar="BASE", help=texts.ASK_BASE)]
AskJsonOption = Annotated[bool, typer.Option("--json", help=texts.ASK_JSON)]
AskQuestionArgument = Annotated[list[str], typer.Argument(metavar="PERGUNTA", help=texts.ASK_QUESTION)]
QuestionArgument = Annotated[list[str] | None, typer.Argument(metavar="PERGUNTA", help=texts.QUESTION)]
EvaluatedModels = Annotated[list[str], typer.Argument(metavar="MODELO", help=texts.EVALUATE_MODELS)]
EvaluationDataOption = Annotated[
    list[Path] | None, typer.Option("--data", metavar="CAMINHO", help=texts.EVALUATE_DATA)
]
SuiteOption = Annotated[str | None, typer.Option("--suite", metavar="NOME", help=texts.EVALUATE_SUITE)]
TaskOption = Annotated[list[str] | None, typer.Option("--task", metavar="NOME", help=texts.EVALUATE_TASK)]
LimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="NÚMERO", parser=_integer(1), help=texts.EVALUATE_LIMIT)
]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="ARQUIVO", help=texts.EVALUATE_JSON)]
EvaluationSeedOption = Annotated[
    int, typer.Option("--seed", metavar="NÚMERO", parser=_integer(0), help=texts.EVALUATE_SEED)
]
ContaminationOption = Annotated[
    Path | None, typer.Option("--contamination", metavar="ARQUIVO", help=texts.EVALUATE_CONTAMINATION)
]
JudgeOption = Annotated[
    str | None, typer.Option("--judge", metavar="ENDEREÇO", help=texts.EVALUATE_JUDGE_ADDRESS)
]
JudgeModelOption = Annotated[
    str | None, typer.Option("--judge-model", metavar="NOME", help=texts.EVALUATE_JUDGE_MODEL)
]
ComparedModels = Annotated[list[str], typer.Argument(metavar="MODELO", help=texts.COMPARE_MODELS)]
ComparisonSuiteOption = Annotated[
    str | None, typer.Option("--suite", metavar="NOME", help=texts.COMPARE_SUITE)
]
DEFAULT_COMPARISON_FOLDER = Path("comparacao")
ComparisonOutputOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="PASTA",
        help=texts.COMPARE_OUTPUT.format(default=DEFAULT_COMPARISON_FOLDER),
    ),
]
NoSpeedOption = Annotated[bool, typer.Option("--no-speed", help=texts.COMPARE_NO_SPEED)]
InspectTextOption = Annotated[str | None, typer.Option("--text", metavar="TEXTO", help=texts.INSPECT_TEXT)]
InspectFileOption = Annotated[Path | None, typer.Option("--file", metavar="ARQUIVO", help=texts.INSPECT_FILE)]
InspectLayerOption = Annotated[
    list[int] | None,
    typer.Option("--layer", metavar="NÚMERO", parser=_integer(0), help=texts.INSPECT_LAYER),
]
DEFAULT_INSPECTED_TOKENS = 4096  # a few seconds with luna-nano on one core
InspectMaxTokensOption = Annotated[
    int,
    typer.Option(
        "--max-tokens",
        metavar="NÚMERO",
        parser=_integer(1),
        help=texts.INSPECT_MAX_TOKENS.format(default=DEFAULT_INSPECTED_TOKENS),
    ),
]
DEFAULT_EXPERTS, DEFAULT_PER_TOKEN, DEFAULT_EXPERT_LAYERS = 8, 2, "alternate"
UpcycleModelArgument = Annotated[Path, typer.Argument(metavar="MODELO", help=texts.UPCYCLE_MODEL)]
UpcycleOutputArgument = Annotated[Path, typer.Argument(metavar="SAIDA", help=texts.UPCYCLE_OUTPUT)]
ExpertsOption = Annotated[
    int,
    typer.Option(
        "--experts",
        metavar="NÚMERO",
        parser=_integer(1),
        help=texts.UPCYCLE_EXPERTS.format(default=DEFAULT_EXPERTS),
    ),
]
PerTokenOption = Annotated[
    int,
    typer.Option(
        "--per-token",
        metavar="NÚMERO",
        parser=_integer(1),
        help=texts.UPCYCLE_PER_TOKEN.format(default=DEFAULT_PER_TOKEN),
    ),
]
ExpertLayersOption = Annotated[
    str,
    typer.Option(
        "--layers", metavar="CAMADAS", help=texts.UPCYCLE_LAYERS.format(default=DEFAULT_EXPERT_LAYERS)
    ),
]
EmotionalRoutingOption = Annotated[bool, typer.Option("--emotional-routing", help=texts.UPCYCLE_EMOTIONAL)]
GrowModelArgument = Annotated[Path, typer.Argument(metavar="MODELO", help=texts.GROW_MODEL)]
GrowLayersOption = Annotated[
    int, typer.Option("--layers", metavar="NÚMERO", parser=_integer(1), help=texts.GROW_LAYERS)
]
GrowMethodOption = Annotated[
    str,
    typer.Option("--method", metavar="MODO", parser=_one_of("identity", "stack"), help=texts.GROW_METHOD),
]
GrowPositionOption = Annotated[
    str,
    typer.Option("--position", metavar="LUGAR", parser=_one_of("end", "spread"), help=texts.GROW_POSITION),
]
