"""Whether growing pays: a model grown from a small one against the final size from scratch.

With `--grow-at plateau` a training of the small size at the full rate finds for each seed the step at which
the rule of the section `growth` says that the validation loss stands still, and the grown runs grow there;
`--fraction` leaves so little text that this comes soon.

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
from lunagpt.reporting.numbers import decimal, number, percent
from lunagpt.tokenizer import LunaTokenizer
from lunagpt.training.callbacks import Callback
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
SCRATCH, SMALL = "tamanho final desde o começo", "tamanho pequeno o tempo todo"
VARIANTS: dict[str, dict[str, Any] | None] = {  # None: does not grow
    SCRATCH: None,
    "crescida por cópias da pilha": {"method": "stack"},
    "crescida por blocos identidade": {"method": "identity"},
    SMALL: None,
}
PLATEAU = {"threshold": 0.01, "patience": 3, "smoothing": 0.5}  # the rule: in nats per token, evaluations
EVERY, WATCHED_ROWS = 20, 12  # steps between two evaluations, and rows of each
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t, two-sided, by number of seeds


def source(split: str, fraction: float = 1.0) -> dict[str, Any]:
    where = {"split": split}
    return {"name": split, "path": FILES, "where": where, "loss_on": "all", "fraction": fraction}


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


class StopWhenGrown(Callback):
    name = "stop_when_grown"

    def on_step_end(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        if trainer.model.growth_history:
            trainer.stop("plateau")


def train(model: LunaModel, seed: int, args: argparse.Namespace, **options: Any) -> tuple[Trainer, float]:
    """Trains a model; returns the trainer and the seconds of CPU."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        trainer = Trainer(
            model,
            train_dataset=PackedDataset(
                [source("train", args.fraction)], seed=seed, **text(model.tokenizer, args)
            ),
            checkpoint_dir=folder,
            warmup_steps=5,
            gradient_accumulation_steps=ROWS,
            compile=False,
            precision="float32",
            seed=seed,
            **RATES,
            **options,
        )
        cpu = time.process_time()
        trainer.train()
        return trainer, time.process_time() - cpu


def text(tokenizer: LunaTokenizer, args: argparse.Namespace) -> dict[str, Any]:
    return {"tokenizer": tokenizer, "sequence_length": LENGTH, "root": args.data_root}


def plateau_step(seed: int, tokenizer: LunaTokenizer, max_steps: int, args: argparse.Namespace) -> int:
    """The step at which the small size has stopped learning; fails if that does not come."""
    model = build(tokenizer, args.small, seed, **PLATEAU)
    train(
        model,
        seed,
        args,
        validation_dataset=PackedDataset([source("valid")], **text(tokenizer, args)),
        eval_interval=EVERY,
        validation_batches=WATCHED_ROWS,
        schedule="constant",
        max_steps=max_steps,
        callbacks=[StopWhenGrown()],
    )
    if not model.growth_history:
        raise SystemExit(f"No plateau within {max_steps} steps: more --gigaflops or a smaller --fraction.")
    return int(model.growth_history[0]["step"])


def run(
    name: str,
    seed: int,
    tokenizer: LunaTokenizer,
    flops: dict[int, int],
    args: argparse.Namespace,
    plateau: int | None,
) -> dict[str, Any]:
    """Trains one variant on one thread within the budget, and measures it; the rate falls in the last two
    fifths, or from the growth on if that is later."""
    growth, budget = VARIANTS[name], args.gigaflops * 1e9
    if growth is None:
        layers = args.small if name == SMALL else args.final
        model = build(tokenizer, layers, seed)
        before, after = round(budget / flops[layers]), 0
    else:
        new = args.final - args.small
        before = round(args.grow_at * budget / flops[args.small]) if plateau is None else plateau
        after = round((budget - before * flops[args.small]) / flops[args.final])
        sizes = {"steps": [before], "layers_per_growth": new, "max_extra_layers": new}
        model = build(tokenizer, args.small, seed, **growth, **sizes, warmup_steps=REWARM)
    steps = before + after
    decay = min(0.4, after / steps) if after else 0.4
    trainer, cpu = train(model, seed, args, schedule="wsd", decay_fraction=decay, max_steps=steps)
    valid = PackedDataset([source("valid")], **text(tokenizer, args))
    held_out = trainer.evaluate(valid, max_batches=VALIDATION_ROWS)
    first, last = (args.final if name == SCRATCH else args.small), len(model.layers)
    return {
        "name": name,
        "seed": seed,
        "budget": budget_of(args, tokenizer),
        "gigaflops": (before * flops[first] + after * flops[last]) / 1e9,
        "parameters": model.num_parameters(),
        "tokens": steps * ROWS * LENGTH,
        "steps": [before, after],
        "bits_per_byte": held_out["bits_per_byte"],
        "cpu_seconds": cpu,
    }


def budget_of(args: argparse.Namespace, tokenizer: LunaTokenizer) -> list[Any]:
    """What runs must have in common to be compared."""
    grow_at = args.grow_at or "plateau"
    return [args.gigaflops, grow_at, args.small, args.final, tokenizer.vocab_size, args.fraction]


def difference(values: list[float]) -> str:
    """Mean, and half its 95 % interval."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = T_95[len(values)] * deviation / math.sqrt(len(values))
    return f"{number(mean, 4, signed=True)} ± {number(half, 4)}"


def table(runs: dict[tuple[str, int], dict[str, Any]], variants: list[str], seeds: int) -> list[str]:
    lines = [
        "| | parâmetros | passos | tokens | GFLOP | bits/byte, texto reservado | contra desde o começo | "
        "s de CPU |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    base = [runs[SCRATCH, seed]["bits_per_byte"] for seed in range(seeds)]
    for name in variants:
        own = [runs[name, seed] for seed in range(seeds)]
        bits = [r["bits_per_byte"] for r in own]
        against = (
            "–" if name == SCRATCH else difference([b - other for b, other in zip(bits, base, strict=True)])
        )
        steps = "; ".join(dict.fromkeys(" + ".join(str(part) for part in r["steps"] if part) for r in own))
        lines.append(
            f"| {name} | {number(own[0]['parameters'] / 1e6, 2)} M | {steps} | {number(own[0]['tokens'], 0)} "
            f"| {number(own[0]['gigaflops'], 1)} | {number(sum(bits) / seeds, 4)} | {against} "
            f"| {number(sum(r['cpu_seconds'] for r in own) / seeds, 1)} |"
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
    options.add_argument(
        "--grow-at",
        type=lambda given: None if given == "plateau" else float(given),
        default=0.3,
        help="part of them at the small size, or plateau",
    )
    options.add_argument("--fraction", type=float, default=1.0, help="part of the training text that is used")
    options.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    options.add_argument("--small", type=int, default=2, help="layers at first")
    options.add_argument("--final", type=int, default=8, help="layers in the end")
    options.add_argument("--seeds", type=int, default=3, choices=T_95)
    options.add_argument("--runs", type=Path, default=Path("runs/growth.jsonl"))
    args = options.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    tokenizer = LunaTokenizer.from_pretrained(args.tokenizer) if args.tokenizer else LunaTokenizer.default()
    flops = {layers: step_flops(tokenizer, layers) for layers in (args.small, args.final)}
    budget = budget_of(args, tokenizer)
    lines = args.runs.read_text(encoding="utf-8").splitlines() if args.runs.exists() else []
    runs = {(r["name"], r["seed"]): r for r in map(json.loads, lines) if r["budget"] == budget}
    args.runs.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(args.seeds):
        missing = [name for name in args.variants if (name, seed) not in runs]
        plateau = None
        if args.grow_at is None and any(VARIANTS[name] for name in missing):
            longest = int(args.gigaflops * 1e9 / flops[args.small])
            plateau = plateau_step(seed, tokenizer, longest, args)
        for name in missing:
            runs[name, seed] = run(name, seed, tokenizer, flops, args, plateau)
            with args.runs.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(runs[name, seed]) + "\n")
            print(f"{name}, seed {seed}: {number(runs[name, seed]['bits_per_byte'], 4)}", flush=True)
    where = f"{percent(args.grow_at or 0, 0)} delas no tamanho pequeno, onde cresce"
    if args.grow_at is None:
        where = (
            f"cresce onde a perda de validação suavizada ({decimal(PLATEAU['smoothing'])} do passado) não "
            f"caiu {decimal(PLATEAU['threshold'])} nats por token em {PLATEAU['patience']} avaliações, uma "
            f"a cada {EVERY} passos"
        )
    heading = [
        describe_machine() + ".",
        "",
        f"Preset test, de {args.small} a {args.final} camadas, vocabulário de {tokenizer.vocab_size}. "
        f"Operações "
        f"contadas de um passo de {ROWS * LENGTH} tokens: {number(flops[args.small] / 1e9, 2)} GFLOP no "
        f"tamanho "
        f"pequeno, {number(flops[args.final] / 1e9, 2)} GFLOP no final; {args.gigaflops:g} GFLOP em cada "
        f"rodada, "
        f"{where}. {percent(args.fraction, 2)} do texto de treino, repetido. Médias de {args.seeds} "
        f"sementes.",
        "",
        *table(runs, args.variants, args.seeds),
    ]
    write_table(RESULTS / "growth.md", "Crescimento", heading)


if __name__ == "__main__":
    main()
