"""Training speed of the hybrid model on this CPU, against transformers' FalconH1 of the same shape.

Both train on the same random tokens with weights of the same shapes: forward, cross-entropy, backward (the
optimizer is left out; it is the same for both). Luna is timed as it trains (one micro-batch per core, packed
documents) and as one micro-batch on all cores. Beside it the machine's own matrix rate, so that the share of
it that training reaches can be seen.

    python benchmarks/model_training_speed.py
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

from lunagpt.config import LunaConfig
from lunagpt.models import LunaModel
from lunagpt.models.falcon_h1 import falcon_h1_config
from lunagpt.reporting.numbers import number, percent
from lunagpt.training.parallel import GradientWorkers, keep_freed_memory
from machine import describe_machine, table_row, write_table

SEED = 0


def best_rate(work: Callable[[], object], amount: float, repeats: int) -> float:
    """Amount of work per second in the fastest of several runs."""
    work()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return amount / min(seconds)


def matrix_rate(dtype: torch.dtype, repeats: int) -> float:
    """FLOP/s of a square product that fits the caches."""
    n = 1024
    a, b = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
    return best_rate(lambda: a @ b, 2.0 * n**3, repeats)


def falcon_h1(config: LunaConfig) -> torch.nn.Module:
    from transformers import FalconH1Config, FalconH1ForCausalLM

    torch.manual_seed(SEED)
    return FalconH1ForCausalLM(FalconH1Config(**falcon_h1_config(config.model))).train()


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--preset", default="nano")
    options.add_argument("--tokens", type=int, default=512, help="length of a row")
    options.add_argument("--rows", type=int, default=4)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    args = options.parse_args()
    dtype = getattr(torch, args.dtype)
    keep_freed_memory()
    cores = torch.get_num_threads()
    rates = {name: matrix_rate(getattr(torch, name), args.repeats) for name in ("float32", "bfloat16")}

    config = LunaConfig.preset(args.preset)
    generator = torch.Generator().manual_seed(SEED)
    ids = torch.randint(16, config.model.vocab_size, (args.rows, args.tokens + 1), generator=generator)
    inputs, labels = ids[:, :-1], ids[:, 1:].contiguous()
    documents = (torch.rand(inputs.shape, generator=generator) < 1 / 200).cumsum(dim=1)
    total = args.rows * args.tokens

    luna = LunaModel.from_scratch(config, seed=SEED)
    luna.compute_dtype = dtype
    weights = list(luna.parameters())

    def loss_of(row: int) -> torch.Tensor:
        return luna.loss(inputs[row : row + 1], labels[row : row + 1], documents[row : row + 1])[0]

    def one_after_another() -> None:
        for row in range(args.rows):
            torch.autograd.grad(loss_of(row), weights)

    workers = GradientWorkers(cores)
    speeds = {
        f"Luna, {cores} microlotes lado a lado": best_rate(
            lambda: workers.add_gradients(weights, loss_of, args.rows), total, args.repeats
        ),
        "Luna, um microlote em todos os núcleos": best_rate(one_after_another, total, args.repeats),
    }
    workers.close()

    falcon = falcon_h1(config).to(dtype)

    def peer(batch: int) -> Callable[[], None]:
        def run() -> None:
            for row in range(0, args.rows, batch):
                # transformers shifts the labels itself
                loss = falcon(ids[row : row + batch, :-1], labels=ids[row : row + batch, :-1]).loss
                loss.backward()
                falcon.zero_grad()

        return run

    speeds["transformers FalconH1, uma linha por vez"] = best_rate(peer(1), total, args.repeats)
    speeds["transformers FalconH1, um lote só"] = best_rate(peer(args.rows), total, args.repeats)
    reference = max(speed for name, speed in speeds.items() if name.startswith("transformers"))
    flops = 6 * luna.num_parameters()

    lines = [
        f"Preset {args.preset}, {args.rows} linhas de {args.tokens} tokens, {args.dtype}, semente {SEED}, o "
        f"melhor de {args.repeats}. {describe_machine()}. Ritmo das matrizes: "
        + ", ".join(f"{name} {number(rate / 1e9, 0)} GFLOP/s" for name, rate in rates.items())
        + f". Operações contadas como 6 por peso e token ({number(flops / 1e6, 0)} MFLOP).",
        "",
        "| | tokens/s | contra o melhor FalconH1 | parte do ritmo das matrizes |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        table_row(
            name,
            number(speed, 0),
            f"{number(speed / reference, 2)}×",
            percent(speed * flops / rates[args.dtype], 0),
        )
        for name, speed in speeds.items()
    ]
    write_table(Path(__file__).parent / "results" / "training_speed.md", "Velocidade do treino", lines)


if __name__ == "__main__":
    main()
