"""What a hypernetwork costs on this CPU: decoding and a training pass of luna-nano, with and without it.

python benchmarks/hypernet_speed.py
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from lunagpt.conditions import Condition
from lunagpt.models import LunaModel
from lunagpt.models.conditioned import add_hypernet
from lunagpt.reporting.numbers import number
from machine import describe_machine, write_table

SHIPPED = Path(__file__).parent.parent / "src/lunagpt/assets/luna-nano"
PROMPT, STEPS, DOCUMENT = 64, 30, 64  # tokens


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def seconds_per_token(model: LunaModel, condition: Condition | None) -> float:
    """CPU seconds of one decoded token after a short prompt."""
    with torch.inference_mode():
        state = model.new_state(condition)
        model(torch.full((1, PROMPT), 500), state=state)
        token = torch.tensor([[500]])
        work = lambda: [model(token, state=state, logits_to_keep=1) for _ in range(STEPS)]  # noqa: E731
        return cpu_seconds(work) / STEPS


def training_seconds(model: LunaModel) -> float:
    """CPU seconds of forward and backward over two rows of packed documents with personas and domains."""
    ids = torch.randint(16, 16000, (2, 512), generator=torch.Generator().manual_seed(0))
    documents = torch.arange(512).expand(2, -1) // DOCUMENT
    traits = {"persona": documents % 4, "domain": documents % 8}
    return cpu_seconds(lambda: model.loss(ids, ids.roll(-1, 1), documents, traits)[0].backward())


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--repeats", type=int, default=8)
    args = options.parse_args()
    torch.set_num_threads(1)
    base = LunaModel.from_pretrained(SHIPPED)
    model = add_hypernet(base)
    condition = Condition.of("friendly", "science")
    merging = min(cpu_seconds(lambda: model.conditioned("friendly", "science")) for _ in range(3))
    merged = model.conditioned("friendly", "science")
    own = sum(p.numel() for p in merged.parameters() if not p.requires_grad)
    decoding = {
        "sem hiper-rede": (base, None),
        "condição ao lado dos pesos": (model, condition),
        "condição somada aos pesos": (merged, None),
    }
    times: dict[str, list[float]] = {name: [] for name in decoding}
    training: dict[str, list[float]] = {"sem hiper-rede": [], "com ela": []}
    for _ in range(args.repeats):
        for name, (speaker, told) in decoding.items():
            times[name].append(seconds_per_token(speaker, told))
    base.train()
    model.train()
    for _ in range(max(3, args.repeats // 2)):
        training["sem hiper-rede"].append(training_seconds(base))
        training["com ela"].append(training_seconds(model))
    plain, trained = median(times["sem hiper-rede"]), median(training["sem hiper-rede"])
    write_table(
        Path(__file__).parent / "results" / "personas.md",
        "O que a hiper-rede custa",
        [
            describe_machine() + f"; luna-nano, tempos de CPU, mediana de {args.repeats} repetições.",
            "",
            "| decodificar um token | ms | razão |",
            "|---|---:|---:|",
            *(
                f"| {name} | {number(1e3 * median(t), 1)} | {number(median(t) / plain, 2)} |"
                for name, t in times.items()
            ),
            "",
            "| treinar 1.024 tokens (ida e volta) em 16 documentos | s | razão |",
            "|---|---:|---:|",
            *(
                f"| {name} | {number(median(t), 2)} | {number(median(t) / trained, 2)} |"
                for name, t in training.items()
            ),
            "",
            f"Somar uma condição aos pesos: {number(1e3 * merging, 0)} ms e {number(own / 1e6, 1)} M de "
            f"pesos "
            f"próprios ({number(own * 4 / 2**20, 0)} MiB).",
        ],
    )


if __name__ == "__main__":
    main()
