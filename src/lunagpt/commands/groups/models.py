"""Commands on model folders: `luna info`, `luna inspect experts`, and those that make one of another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lunagpt.commands import help_texts, parsing
from lunagpt.reporting.numbers import decimal

InspectTextOption = Annotated[
    str | None, typer.Option("--text", metavar="TEXTO", help=help_texts.INSPECT_TEXT)
]
InspectFileOption = Annotated[
    Path | None, typer.Option("--file", metavar="ARQUIVO", help=help_texts.INSPECT_FILE)
]
InspectLayerOption = Annotated[
    list[int] | None,
    typer.Option("--layer", metavar="NÚMERO", parser=parsing.integer(0), help=help_texts.INSPECT_LAYER),
]
DEFAULT_INSPECTED_TOKENS = 4096  # a few seconds with luna-nano on one core
InspectMaxTokensOption = Annotated[
    int,
    typer.Option(
        "--max-tokens",
        metavar="NÚMERO",
        parser=parsing.integer(1),
        help=help_texts.INSPECT_MAX_TOKENS.format(default=DEFAULT_INSPECTED_TOKENS),
    ),
]
DEFAULT_EXPERTS, DEFAULT_PER_TOKEN, DEFAULT_EXPERT_LAYERS = 8, 2, "alternate"
UpcycleModelArgument = Annotated[Path, typer.Argument(metavar="MODELO", help=help_texts.UPCYCLE_MODEL)]
UpcycleOutputArgument = Annotated[Path, typer.Argument(metavar="SAÍDA", help=help_texts.UPCYCLE_OUTPUT)]
ExpertsOption = Annotated[
    int,
    typer.Option(
        "--experts",
        metavar="NÚMERO",
        parser=parsing.integer(1),
        help=help_texts.UPCYCLE_EXPERTS.format(default=DEFAULT_EXPERTS),
    ),
]
PerTokenOption = Annotated[
    int,
    typer.Option(
        "--per-token",
        metavar="NÚMERO",
        parser=parsing.integer(1),
        help=help_texts.UPCYCLE_PER_TOKEN.format(default=DEFAULT_PER_TOKEN),
    ),
]
ExpertLayersOption = Annotated[
    str,
    typer.Option(
        "--layers", metavar="CAMADAS", help=help_texts.UPCYCLE_LAYERS.format(default=DEFAULT_EXPERT_LAYERS)
    ),
]
EmotionalRoutingOption = Annotated[
    bool, typer.Option("--emotional-routing", help=help_texts.UPCYCLE_EMOTIONAL)
]
GrowModelArgument = Annotated[Path, typer.Argument(metavar="MODELO", help=help_texts.GROW_MODEL)]
GrowLayersOption = Annotated[
    int, typer.Option("--layers", metavar="NÚMERO", parser=parsing.integer(1), help=help_texts.GROW_LAYERS)
]
GrowMethodOption = Annotated[
    str,
    typer.Option(
        "--method", metavar="MODO", parser=parsing.one_of("identity", "stack"), help=help_texts.GROW_METHOD
    ),
]
GrowPositionOption = Annotated[
    str,
    typer.Option(
        "--position", metavar="LUGAR", parser=parsing.one_of("end", "spread"), help=help_texts.GROW_POSITION
    ),
]
DEFAULT_AVERAGE_WEIGHT = 0.5
AverageFirstArgument = Annotated[Path, typer.Argument(metavar="MODELO", help=help_texts.AVERAGE_FIRST)]
AverageSecondArgument = Annotated[Path, typer.Argument(metavar="OUTRO", help=help_texts.AVERAGE_SECOND)]
AverageWeightOption = Annotated[
    float,
    typer.Option(
        "--weight",
        metavar="NÚMERO",
        parser=parsing.number,
        help=help_texts.AVERAGE_WEIGHT.format(default=decimal(DEFAULT_AVERAGE_WEIGHT)),
    ),
]
DTYPES = ("float16", "bfloat16", "float32")
DEFAULT_DTYPE = "float16"
PackModelArgument = Annotated[Path, typer.Argument(metavar="MODELO", help=help_texts.PACK_MODEL)]
PackDtypeOption = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="TIPO",
        parser=parsing.one_of(*DTYPES),
        help=help_texts.PACK_DTYPE.format(default=DEFAULT_DTYPE),
    ),
]


def info(
    model: Annotated[Path | None, typer.Argument(metavar="MODELO", help=help_texts.INFO_MODEL)] = None,
) -> int:
    from lunagpt.commands.info import run_info

    return run_info(model)


def inspect_experts(
    model: Annotated[Path | None, typer.Argument(metavar="MODELO", help=help_texts.INFO_MODEL)] = None,
    text: InspectTextOption = None,
    file: InspectFileOption = None,
    layer: InspectLayerOption = None,
    max_tokens: InspectMaxTokensOption = DEFAULT_INSPECTED_TOKENS,
) -> int:
    from lunagpt.commands.inspect import run_inspect_experts

    return run_inspect_experts(model, text=text, file=file, layers=layer, max_tokens=max_tokens)


def upcycle(
    model: UpcycleModelArgument,
    output: UpcycleOutputArgument,
    experts: ExpertsOption = DEFAULT_EXPERTS,
    per_token: PerTokenOption = DEFAULT_PER_TOKEN,
    layers: ExpertLayersOption = DEFAULT_EXPERT_LAYERS,
    emotional_routing: EmotionalRoutingOption = False,
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


def grow(
    model: GrowModelArgument,
    output: UpcycleOutputArgument,
    layers: GrowLayersOption = 1,
    method: GrowMethodOption = "identity",
    position: GrowPositionOption = "end",
) -> int:
    from lunagpt.commands.grow import run_grow

    return run_grow(model, output, layers=layers, method=method, position=position)


def average(
    first: AverageFirstArgument,
    second: AverageSecondArgument,
    output: UpcycleOutputArgument,
    weight: AverageWeightOption = DEFAULT_AVERAGE_WEIGHT,
) -> int:
    from lunagpt.commands.average import run_average

    return run_average(first, second, output, weight=weight)


def pack(
    model: PackModelArgument, output: UpcycleOutputArgument, dtype: PackDtypeOption = DEFAULT_DTYPE
) -> int:
    from lunagpt.commands.pack import run_pack

    return run_pack(model, output, dtype=dtype)
