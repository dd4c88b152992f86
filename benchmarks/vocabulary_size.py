"""Which vocabulary serves a small model best: bits per byte after the same number of operations.

Trains one model per tokenizer, same shape and same FLOPs (so a larger vocabulary, whose head costs more per
token, sees fewer tokens, but longer ones), and measures held-out bits per byte.

    python benchmarks/vocabulary_size.py --data-root CORPUS --tokenizer PASTA... --teraflops 30 -o TABELA.md
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SOURCES = [
    {
        "name": "conversas",
        "path": "luna/*.jsonl",
        "weight": 35,
        "where": {"split": "train"},
        "loss_on": "all",
    },
    {"name": "verbetes", "path": "enciclopedia/*.jsonl", "weight": 25, "parts": ["article"]},
    {
        "name": "literatura",
        "path": "pretrain/literature-000.parquet",
        "weight": 20,
        "where": {"era": "modern"},
        "fraction": 0.2,
    },
    {"name": "discursos", "path": "pretrain/speech-000.parquet", "weight": 20, "fraction": 0.15},
]
VALIDATION = {"path": "pretrain/valid-000.parquet", "fraction": 0.4}


def train(
    tokenizer_folder: str, data_root: str, teraflops: float, layers: int, seed: int
) -> dict[str, float]:
    import torch

    from lunagpt.config import LunaConfig, count_parameters
    from lunagpt.data import PackedDataset
    from lunagpt.models import LunaModel
    from lunagpt.tokenizer import LunaTokenizer
    from lunagpt.training.evaluation import bits_per_byte
    from lunagpt.training.optim import build_optimizer
    from lunagpt.training.schedule import Schedule
    from lunagpt.training.settings import TrainingSettings

    torch.set_num_threads(1)
    tokenizer = LunaTokenizer.from_pretrained(tokenizer_folder)
    shape = {"vocab_size": tokenizer.vocab_size, "num_layers": layers}
    config = LunaConfig.preset("nano").replaced(model=shape)
    model = LunaModel.from_scratch(config, seed=seed, tokenizer=tokenizer)
    parameters = count_parameters(config.model)
    rows, length = 2, 512  # small steps: the budget is small too
    steps = round(teraflops * 1e12 / (6 * parameters) / (rows * length))
    data = PackedDataset(SOURCES, tokenizer, sequence_length=length, batch_size=1, seed=seed, root=data_root)
    optimizer = build_optimizer(model, TrainingSettings())
    schedule = Schedule(
        kind="wsd",
        warmup_steps=5,
        max_steps=steps,
        decay_steps=steps // 2,
        decay_shape="linear",
        min_ratio=0.0,
    )
    started = time.perf_counter()
    for step in range(steps):
        batches = [next(data) for _ in range(rows)]
        targets = sum(int((b["labels"] != -100).sum()) for b in batches)
        for b in batches:
            loss, _ = model.loss(*(torch.from_numpy(b[k]) for k in ("input_ids", "labels", "document_ids")))
            (loss / targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.scale_lr(schedule.multiplier(step))
        optimizer.step()
        optimizer.zero_grad()
    seconds = time.perf_counter() - started
    held_out = PackedDataset(
        [{**VALIDATION, "max_repeat": 1}], tokenizer, sequence_length=length, batch_size=1, root=data_root
    )
    nats = num_bytes = 0.0
    with torch.no_grad():
        for _, b in zip(range(80), held_out, strict=False):
            loss, _ = model.loss(*(torch.from_numpy(b[k]) for k in ("input_ids", "labels", "document_ids")))
            nats += float(loss)
            num_bytes += b["num_bytes"]
    return {
        "vocabulary": tokenizer.vocab_size,
        "parameters": parameters,
        "tokens": steps * rows * length,
        "bits_per_byte": bits_per_byte(nats, num_bytes),
        "bytes_per_token": num_bytes / (80 * length),
        "seconds": seconds,
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", required=True)
    options.add_argument("--tokenizer", nargs="+", required=True, help="tokenizer folders")
    options.add_argument("--teraflops", type=float, default=30.0, help="operations of each run, in 10^12")
    options.add_argument("--layers", type=int, default=12)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("-o", "--output", type=Path)
    args = options.parse_args()
    with ProcessPoolExecutor(max_workers=2) as pool:
        jobs = [
            pool.submit(train, folder, args.data_root, args.teraflops, args.layers, args.seed)
            for folder in args.tokenizer
        ]
        results = [job.result() for job in jobs]
    lines = [
        f"Same compute: {args.teraflops:g} TFLOP, {args.layers} nano layers, seed {args.seed}, one thread.",
        "",
        "| vocabulary | parameters | tokens seen | bytes/token | held-out bits/byte | seconds |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r['vocabulary']:,} | {r['parameters'] / 1e6:.1f} M | {r['tokens']:,} "
        f"| {r['bytes_per_token']:.2f} | {r['bits_per_byte']:.4f} | {r['seconds']:.0f} |"
        for r in results
    ]
    table = "\n".join(lines) + "\n"
    print(table)
    if args.output is not None:
        args.output.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
