"""Time and memory per token of the state-space layer and of attention as the context grows.

Forward and backward of one layer of the preset, 512 to 16,384 tokens in one row. The state-space layer should
be flat (its cost per token does not depend on the context); attention, the peer, grows.

    python benchmarks/model_context_length.py
"""

import argparse
import time
from pathlib import Path

import torch

from lunagpt.config import LunaConfig
from lunagpt.models.attention import Attention
from lunagpt.models.layers import RotaryPositions
from lunagpt.models.state_space_layer import StateSpaceLayer
from lunagpt.models.visibility import Visibility
from lunagpt.reporting.numbers import number
from lunagpt.training.parallel import keep_freed_memory
from machine import describe_machine, table_row, write_table

RESULTS = Path(__file__).parent / "results" / "context_length.md"
LENGTHS = (512, 1024, 2048, 4096, 8192, 16384)


def microseconds_per_token(work, length: int, repeats: int) -> float:
    """Fastest of several runs; short rows are repeated so that every run lasts alike."""
    passes = max(1, 4096 // length)
    work()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        for _ in range(passes):
            work()
        seconds.append(time.perf_counter() - started)
    return min(seconds) / (passes * length) * 1e6


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--preset", default="nano")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--threads", type=int, default=1)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    m = LunaConfig.preset(args.preset).model
    layer = StateSpaceLayer(
        m.hidden_size,
        m.state_size,
        inner_size=m.ssm_inner_size,
        num_heads=m.ssm_num_heads,
        chunk_size=m.chunk_size,
    )
    attention = Attention(m.hidden_size, m.num_heads, m.num_kv_heads, m.head_dim)
    rotary = RotaryPositions(m.head_dim, m.rope_theta)
    lines = [
        f"Uma camada da {args.preset}, ida e volta, o melhor de {args.repeats}, semente 0.",
        f"{describe_machine()}.",
        "",
        "| tokens | espaço de estados, µs/token | contra 512 | atenção, µs/token | contra 512 |",
        "|---:|---:|---:|---:|---:|",
    ]
    first: list[float] = []
    for length in LENGTHS:
        x = torch.randn(1, length, m.hidden_size, requires_grad=True)
        tables = rotary(torch.arange(length)[None])
        times = [
            microseconds_per_token(lambda x=x: layer(x).sum().backward(), length, args.repeats),
            microseconds_per_token(
                lambda x=x, t=tables: attention(x, t, Visibility()).sum().backward(), length, args.repeats
            ),
        ]
        first = first or times
        growth = [now / start for now, start in zip(times, first, strict=True)]
        cells = [(number(now, 1), f"{number(ratio, 2)}×") for now, ratio in zip(times, growth, strict=True)]
        lines.append(table_row(number(length, 0), *cells[0], *cells[1]))
    write_table(
        Path(__file__).parent / "results" / "context_length.md", "Custo por token conforme o contexto", lines
    )


if __name__ == "__main__":
    main()
