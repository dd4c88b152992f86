"""Whether growing pays: a model grown from a small one against the final size from scratch.

Every run gets the same budget of operations, counted as they happen in a training step (forward, backward and
the optimizer's matrix products; elementwise work is not counted), the same data in the same order, the same
rates and the same held-out text. The grown runs spend a part of the budget at the small size; then the layers
come as identity blocks or as copies of the whole stack (G_stack). The small size alone is the control that
says whether the final size pays at all in so short a training. Differences are taken seed by seed, with the
95 % interval of Student's t.

A small vocabulary makes the layers, and not the table of words, the larger part of the work:

    luna tokenizer train CORPUS/luna/explicacoes.jsonl CORPUS/luna/longas.jsonl \\
        --vocab-size 512 --output PASTA
    python benchmarks/growth.py --data-root CORPUS --tokenizer PASTA

Finished runs are kept in a file, one line each: what was interrupted goes on where it was.
"""

import argparse
import contextlib
import io
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from lunagpt.config import LunaConfig
from lunagpt.data import PackedDataset
from lunagpt.models import LunaModel
from lunagpt.tokenizer import LunaTokenizer
from lunagpt.training.optim import build_optimizer
from lunagpt.training.parallel import keep_freed_memory
from lunagpt.training.settings import TrainingSettings
from lunagpt.training.trainer import Trainer
from machine import describe_machine, write_table

FILES = [f"luna/{name}.jsonl" for name in ("conversa", "explicacoes", "historias", "longas", "reflexoes")]
LENGTH, ROWS = 256, 2  # tokens of a row, rows of a step
VALIDATION_ROWS = 60
RATES: dict[str, Any] = {"learning_rate": 0.004, "muon_learning_rate": 0.02}
REWARM = 4  # steps of rising rate after a growth
RESULTS = Path(__file__).parent / "results"
SCRATCH, SMALL = "final size from scratch", "small size throughout"
VARIANTS: dict[str, dict[str, Any] | None] = {  # None: does not grow
    SCRATCH: None,
    "grown by copies of the stack": {"method": "stack"},
    "grown by identity blocks": {"method": "identity"},
    SMALL: None,
}
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t, two-sided, by number of seeds


def source(split: str) -> dict[str, Any]:
    return {"name": split, "path": FILES, "where": {"split": split}, "loss_on": "all"}


def build(tokenizer: LunaTokenizer, num_layers: int, seed: int, **growth: Any) -> LunaModel:
    sizes = {"preset": "test", "vocab_size": tokenizer.vocab_size, "num_layers": num_layers}
    config = LunaConfig(model={**sizes, "use_growing": bool(growth)}, growth=growth)
    return LunaModel.from_scratch(config, seed=seed, tokenizer=tokenizer)


def step_flops(tokenizer: LunaTokenizer, num_layers: int) -> int:
    """Operations of the matrix products of one training step, as they happen."""
    model = build(tokenizer, num_layers, seed=0).train()
    optimizers = build_optimizer(model, TrainingSettings(**RATES))
    ids = torch.randint(16, tokenizer.vocab_size, (1, LENGTH))
    with FlopCounterMode(display=False) as counter:
        for _ in range(ROWS):
            model.loss(ids, ids)[0].backward()
        optimizers.step()
    return int(counter.get_total_flops())


def run(
    name: str, seed: int, tokenizer: LunaTokenizer, flops: dict[int, int], args: argparse.Namespace
) -> dict[str, Any]:
    """Trains one variant on one thread within the budget, and measures it."""
    growth, budget = VARIANTS[name], args.gigaflops * 1e9
    if growth is None:
        layers = args.small if name == SMALL else args.final
        model = build(tokenizer, layers, seed)
        before, after = round(budget / flops[layers]), 0
    else:
        new = args.final - args.small
        before = round(args.grow_at * budget / flops[args.small])
        after = round((budget - before * flops[args.small]) / flops[args.final])
        sizes = {"steps": [before], "layers_per_growth": new, "max_extra_layers": new}
        model = build(tokenizer, args.small, seed, **growth, **sizes, warmup_steps=REWARM)
    steps = before + after
    shared = {"tokenizer": tokenizer, "sequence_length": LENGTH, "root": args.data_root}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        trainer = Trainer(
            model,
            train_dataset=PackedDataset([source("train")], seed=seed, **shared),
            checkpoint_dir=folder,
            warmup_steps=5,
            schedule="wsd",
            decay_fraction=0.4,
            gradient_accumulation_steps=ROWS,
            max_steps=steps,
            compile=False,
            precision="float32",
            seed=seed,
            **RATES,
        )
        cpu = time.process_time()
        trainer.train()
        cpu = time.process_time() - cpu
        held_out = trainer.evaluate(PackedDataset([source("valid")], **shared), max_batches=VALIDATION_ROWS)
    first, last = (args.final if name == SCRATCH else args.small), len(model.layers)
    return {
        "name": name,
        "seed": seed,
        "budget": [args.gigaflops, args.grow_at, args.small, args.final, tokenizer.vocab_size],
        "gigaflops": (before * flops[first] + after * flops[last]) / 1e9,
        "parameters": model.num_parameters(),
        "tokens": steps * ROWS * LENGTH,
        "steps": [before, after],
        "bits_per_byte": held_out["bits_per_byte"],
        "cpu_seconds": cpu,
    }


def difference(values: list[float]) -> str:
    """Mean, and half its 95 % interval."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return f"{mean:+.4f} ± {T_95[len(values)] * deviation / math.sqrt(len(values)):.4f}"


def table(runs: dict[tuple[str, int], dict[str, Any]], seeds: int) -> list[str]:
    lines = [
        "| | parameters | steps | tokens | GFLOP | held-out bits/byte | against scratch | CPU seconds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    base = [runs[SCRATCH, seed]["bits_per_byte"] for seed in range(seeds)]
    for name in VARIANTS:
        own = [runs[name, seed] for seed in range(seeds)]
        bits = [r["bits_per_byte"] for r in own]
        against = (
            "–" if name == SCRATCH else difference([b - other for b, other in zip(bits, base, strict=True)])
        )
        steps = " + ".join(str(part) for part in own[0]["steps"] if part)
        lines.append(
            f"| {name} | {own[0]['parameters'] / 1e6:.2f} M | {steps} | {own[0]['tokens']:,} "
            f"| {own[0]['gigaflops']:.1f} | {sum(bits) / seeds:.4f} | {against} "
            f"| {sum(r['cpu_seconds'] for r in own) / seeds:.1f} |"
        )
    return lines


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", required=True)
    options.add_argument(
        "--tokenizer", help="tokenizer folder; default is the one that comes with the package"
    )
    options.add_argument("--gigaflops", type=float, default=200.0, help="operations of each run, in 10^9")
    options.add_argument("--grow-at", type=float, default=0.3, help="part of them at the small size")
    options.add_argument("--small", type=int, default=2, help="layers at first")
    options.add_argument("--final", type=int, default=8, help="layers in the end")
    options.add_argument("--seeds", type=int, default=3, choices=T_95)
    options.add_argument("--runs", type=Path, default=Path("runs/growth.jsonl"))
    args = options.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    tokenizer = LunaTokenizer.from_pretrained(args.tokenizer) if args.tokenizer else LunaTokenizer.default()
    flops = {layers: step_flops(tokenizer, layers) for layers in (args.small, args.final)}
    budget = [args.gigaflops, args.grow_at, args.small, args.final, tokenizer.vocab_size]
    lines = args.runs.read_text(encoding="utf-8").splitlines() if args.runs.exists() else []
    runs = {(r["name"], r["seed"]): r for r in map(json.loads, lines) if r["budget"] == budget}
    args.runs.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(args.seeds):
        for name in VARIANTS:
            if (name, seed) not in runs:
                runs[name, seed] = run(name, seed, tokenizer, flops, args)
                with args.runs.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(runs[name, seed]) + "\n")
                print(f"{name}, seed {seed}: {runs[name, seed]['bits_per_byte']:.4f}", flush=True)
    command = f"--gigaflops {args.gigaflops:g} --grow-at {args.grow_at:g} --small {args.small} "
    command += f"--final {args.final} --seeds {args.seeds}"
    heading = [
        describe_machine() + ".",
        "",
        f"Preset test, from {args.small} to {args.final} layers, vocabulary of {tokenizer.vocab_size}. "
        f"Counted operations of a step of {ROWS * LENGTH} tokens: "
        f"{flops[args.small] / 1e9:.2f} GFLOP small, {flops[args.final] / 1e9:.2f} GFLOP final; "
        f"{args.gigaflops:g} GFLOP for every run, {args.grow_at:.0%} of them at the small size where it "
        f"grows. Means of {args.seeds} seeds.",
        "",
        *table(runs, args.seeds),
        "",
        f"Command: `python benchmarks/growth.py --data-root CORPUS --tokenizer PASTA {command}`",
    ]
    write_table(RESULTS / "growth.md", "Growth", heading)


if __name__ == "__main__":
    main()
