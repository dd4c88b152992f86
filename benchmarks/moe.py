"""What experts cost on this CPU: forward and backward of one layer at 2,048 tokens.

Peers in the same run: a dense feed-forward network as wide as the experts a token uses, every expert on every
token, and the experts of transformers (`MixtralSparseMoeBlock`).

    python benchmarks/moe.py
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lunagpt.models.layers import FeedForward
from lunagpt.models.moe import MoEBlock
from lunagpt.reporting.numbers import number
from lunagpt.training.parallel import keep_freed_memory
from machine import describe_machine, table_row, write_table


def seconds(module: Callable[[Tensor], Tensor], x: Tensor, repeats: int) -> float:
    """CPU seconds of the fastest forward and backward pass."""
    times = []
    for _ in range(repeats + 1):
        x.grad = None
        started = time.process_time()
        module(x).sum().backward()
        times.append(time.process_time() - started)
    return min(times[1:])


def _experts_of(config_class: Any, block_class: Any, *shape: int) -> torch.nn.Module:
    width, inner, experts, per_token = shape
    config = config_class(
        hidden_size=width,
        intermediate_size=inner,
        num_local_experts=experts,
        num_experts_per_tok=per_token,
        experts_implementation="eager",
    )
    block: torch.nn.Module = block_class(config)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=width**-0.5)
    return block


def mixtral(*shape: int) -> torch.nn.Module:
    """The experts of transformers' Mixtral; shape: width, inner width, experts, experts per token."""
    from transformers.models.mixtral.modeling_mixtral import MixtralConfig, MixtralSparseMoeBlock

    return _experts_of(MixtralConfig, MixtralSparseMoeBlock, *shape)


def granite(*shape: int) -> torch.nn.Module:
    """The experts of transformers' Granite, as `mixtral`."""
    from transformers.models.granitemoe.modeling_granitemoe import GraniteMoeConfig, GraniteMoeMoE

    return _experts_of(GraniteMoeConfig, GraniteMoeMoE, *shape)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--tokens", type=int, default=2048)
    options.add_argument("--width", type=int, default=512)
    options.add_argument("--expert-width", type=int, default=768)
    options.add_argument("--experts", type=int, default=8)
    options.add_argument("--per-token", type=int, default=2)
    options.add_argument("--repeats", type=int, default=5)
    args = options.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    keep_freed_memory()
    x = torch.randn(1, args.tokens, args.width, requires_grad=True)
    shape = (args.width, args.expert_width, args.experts, args.per_token, 0.0)
    dense = FeedForward(args.width, args.per_token * args.expert_width)
    for parameter in dense.parameters():
        torch.nn.init.normal_(parameter, std=args.width**-0.5)
    rows = {
        "densa, da mesma largura ativa": dense,
        "Luna, especialistas": MoEBlock(*shape),
        "todos os especialistas em todos os tokens": MoEBlock(*shape, backend="reference"),
        "transformers, Mixtral": mixtral(args.width, args.expert_width, args.experts, args.per_token),
    }
    times = {name: seconds(module, x, args.repeats) for name, module in rows.items()}
    base = times["Luna, especialistas"]
    lines = [
        describe_machine(),
        "",
        f"Ida e volta, float32, uma linha de execução, tempo de CPU, o melhor de {args.repeats}: "
        f"{args.tokens} tokens, "
        f"largura {args.width}, {args.experts} especialistas de {args.expert_width}, {args.per_token} por "
        f"token.",
        "",
        "| | ms | em relação à Luna |",
        "|---|---:|---:|",
        *(table_row(name, number(1000 * value, 0), number(value / base, 2)) for name, value in times.items()),
    ]
    write_table(Path(__file__).parent / "results" / "moe.md", "Especialistas", lines)


if __name__ == "__main__":
    main()
