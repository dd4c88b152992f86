"""Short training runs of equal compute, for questions of the kind "which of these is better per operation".

Held-out bits per byte is what counts: unlike the loss per token it can be compared between vocabularies. Runs
of this length see only the beginning of training; what they show holds for small budgets.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from lunagpt.reporting.numbers import decimal, number
from machine import table_row

SOURCES: list[dict[str, Any]] = [
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
VALIDATION = {"path": "pretrain/valid-000.parquet", "fraction": 0.4, "max_repeat": 1}
VALIDATION_BATCHES = 80
ROWS, LENGTH = 2, 512  # small steps: the budget is small too


@dataclass(frozen=True)
class Run:
    """One run: its name in the table, the tokenizer's folder, and changes to the preset nano."""

    name: str
    tokenizer: str | None
    model: dict[str, Any]


def train(run: Run, data_root: str, teraflops: float, seed: int) -> dict[str, Any]:
    """Trains on one thread for `teraflops` (10^12 operations, 6 per weight and token) and measures."""
    import torch

    from lunagpt.config import LunaConfig
    from lunagpt.data import PackedDataset
    from lunagpt.models import LunaModel
    from lunagpt.tokenizer import LunaTokenizer
    from lunagpt.training.evaluation import bits_per_byte
    from lunagpt.training.optim import build_optimizer
    from lunagpt.training.parallel import keep_freed_memory
    from lunagpt.training.schedule import Schedule
    from lunagpt.training.settings import TrainingSettings

    keep_freed_memory()
    torch.set_num_threads(1)
    tokenizer = (
        LunaTokenizer.default() if run.tokenizer is None else LunaTokenizer.from_pretrained(run.tokenizer)
    )
    config = LunaConfig.preset("nano").replaced(model={"vocab_size": tokenizer.vocab_size, **run.model})
    model = LunaModel.from_scratch(config, seed=seed, tokenizer=tokenizer)
    steps = round(teraflops * 1e12 / (6 * model.num_parameters()) / (ROWS * LENGTH))
    data = PackedDataset(SOURCES, tokenizer, sequence_length=LENGTH, seed=seed, root=data_root)
    optimizer = build_optimizer(model, TrainingSettings())
    schedule = Schedule("wsd", 5, steps, steps // 2, "linear", 0.0)

    def loss_of(batch: Any) -> torch.Tensor:
        tensors = (torch.from_numpy(batch[key]) for key in ("input_ids", "labels", "document_ids"))
        return model.loss(*tensors)[0]

    started = time.perf_counter()
    for step in range(steps):
        batches = [next(data) for _ in range(ROWS)]
        targets = sum(int((batch["labels"] != -100).sum()) for batch in batches)
        for batch in batches:
            (loss_of(batch) / targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.scale_lr(schedule.multiplier(step))
        optimizer.step()
        optimizer.zero_grad()
    seconds = time.perf_counter() - started

    nats = num_bytes = tokens = 0.0
    held_out = PackedDataset([VALIDATION], tokenizer, sequence_length=LENGTH, root=data_root)
    with torch.no_grad():
        for _, batch in zip(range(VALIDATION_BATCHES), held_out, strict=False):
            nats += float(loss_of(batch))
            num_bytes += batch["num_bytes"]
            tokens += int((batch["labels"] != -100).sum())
    return {
        "name": run.name,
        "parameters": model.num_parameters(),
        "tokens": steps * ROWS * LENGTH,
        "bytes_per_token": num_bytes / tokens,
        "bits_per_byte": bits_per_byte(nats, num_bytes),
        "seconds": seconds,
    }


def compare(runs: Iterable[Run], data_root: str, teraflops: float, seed: int) -> list[str]:
    """Trains all runs, two at a time, and returns the lines of a Markdown table."""
    with ProcessPoolExecutor(max_workers=2) as pool:
        jobs = [pool.submit(train, run, data_root, teraflops, seed) for run in runs]
        results = [job.result() for job in jobs]
    lines = [
        f"As mesmas operações para todos: {decimal(teraflops)} TFLOP; semente {seed}; uma linha de "
        f"execução cada um, dois por vez.",
        "",
        "| | parâmetros | tokens vistos | bytes/token | bits/byte, texto reservado | segundos |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for r in results:
        lines.append(
            table_row(
                r["name"],
                f"{number(r['parameters'] / 1e6, 1)} M",
                number(r["tokens"], 0),
                number(r["bytes_per_token"], 2),
                number(r["bits_per_byte"], 4),
                number(r["seconds"], 0),
            )
        )
    return lines
