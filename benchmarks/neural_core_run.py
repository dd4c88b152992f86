"""One training run of `neural_core.py`, in a process of its own: the real training loop, then held-out text.

The shape lies between the presets `test` and `nano`, so that three seeds of every variant fit into an hour or
two of one core. Text and dialogues are those of `short_training`; documents carry their persona, domain and
emotion where the row says them, in training and in validation.
"""

import contextlib
import io
import resource
import sys
import tempfile
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from lunagpt.config import LunaConfig
from lunagpt.data import PackedDataset
from lunagpt.models import LunaModel
from lunagpt.tokenizer import LunaTokenizer
from lunagpt.training.parallel import keep_freed_memory
from lunagpt.training.trainer import Trainer
from short_training import SOURCES, VALIDATION

SHAPE: dict[str, Any] = {
    "preset": "test",
    "hidden_size": 128,
    "num_layers": 4,
    "num_heads": 2,
    "num_kv_heads": 1,
    "head_dim": 64,
    "intermediate_size": 256,
    "ssm_inner_size": 192,
    "ssm_num_heads": 6,
    "state_size": 64,
}
LENGTH, ROWS = 512, 2  # tokens of a row, rows of a step
DIALOGUES = {"path": "luna/*.jsonl", "where": {"split": "valid"}, "max_repeat": 1}
VALIDATION_ROWS = 60  # of the texts, and as many of the dialogues


def build(changes: dict[str, Any], seed: int) -> LunaModel:
    """The model of `SHAPE` with `changes` to the section `model`, with random weights."""
    config = LunaConfig(model={**SHAPE, **changes})
    return LunaModel.from_scratch(config, seed=seed, tokenizer=LunaTokenizer.default())


def train_flops(model: LunaModel) -> float:
    """Multiplications and additions of matrix products per token, forward and backward, as they happen."""
    ids = torch.randint(16, model.config.model.vocab_size, (1, LENGTH))
    documents = torch.arange(LENGTH)[None] // 200
    traits = {name: torch.zeros_like(ids) for name in ("persona", "domain", "emotion")}
    with FlopCounterMode(display=False) as counter:
        model.loss(ids, ids, documents, traits)[0].backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() / LENGTH


def peak_memory() -> int:
    """Bytes of the largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def train(name: str, changes: dict[str, Any], seed: int, tokens: int, data_root: str) -> dict[str, Any]:
    """Trains one variant on one thread and measures it; everything the table needs, as plain numbers."""
    keep_freed_memory()
    torch.set_num_threads(1)
    model = build(changes, seed)
    before = peak_memory()
    shared = {"tokenizer": model.tokenizer, "sequence_length": LENGTH, "root": data_root}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        trainer = Trainer(
            model,
            train_dataset=PackedDataset(SOURCES, seed=seed, **shared),
            checkpoint_dir=folder,
            learning_rate=0.004,
            muon_learning_rate=0.02,
            warmup_steps=5,
            schedule="linear",
            gradient_accumulation_steps=ROWS,
            max_steps=round(tokens / (ROWS * LENGTH)),
            compile=False,
            seed=seed,
        )
        cpu = time.process_time()
        done = trainer.train()
        cpu = time.process_time() - cpu
        memory = peak_memory() - before
        groups = {"text": VALIDATION, "dialogues": DIALOGUES}
        held_out = {
            group: trainer.evaluate(PackedDataset([source], **shared), max_batches=VALIDATION_ROWS)
            for group, source in groups.items()
        }
    return {
        "name": name,
        "changes": changes,
        "seed": seed,
        "tokens": done["tokens"],
        "parameters": model.num_parameters(),
        "flops": train_flops(model),
        "cpu_seconds": cpu,
        "memory": memory,
        **{group: figures["bits_per_byte"] for group, figures in held_out.items()},
    }
