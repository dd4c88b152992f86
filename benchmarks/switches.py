"""What each switch of a running model does: speed, memory, and bits per byte of held-out text.

A model with every part is made from a trained dense one (experts, emotional routing, hypernetwork, embedding
convolution, all neutral at birth) and trained for --steps steps, so that its weights use them; it is kept in
--keep and taken from there the next time. Then every switch is set in turn, the model reads and writes, and
everything is switched on again. Reading and writing are timed in rounds over all switches, and the fastest
round counts, in CPU time and in wall time, on one thread. The loss on held-out text and dialogues (whose
personas and emotions the model is told, as in training) is compared row by row with everything on; intervals
are 95 % bootstrap intervals over rows.

`optimize_for_cpu` is measured against doing nothing on the model in float32, and loaded with its weights in
16 bits (`use_lightweight`), with `num_threads=1`. From `use_8bit_quantization` there is no way back: it is
measured on copies, in the whole model and in its dense maps alone; the latter against torchao's int8 weights
(`pip install torchao`; without it that line is missing), which can take the place of those maps only.

    python benchmarks/switches.py --data-root CORPUS [--model FOLDER] [--keep FOLDER]
"""

import argparse
import copy
import importlib.util
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lunagpt.conditions import Condition
from lunagpt.data import PackedDataset
from lunagpt.generation import prefill
from lunagpt.model_folders import default_model
from lunagpt.models import LunaModel
from lunagpt.models.components import COMPONENTS, ComponentWarning
from lunagpt.models.conditioned import add_hypernet
from lunagpt.models.eight_bit import num_bytes, use_eight_bits
from lunagpt.models.layers import Linear
from lunagpt.models.upcycling import upcycle
from lunagpt.reporting.numbers import number
from lunagpt.training.evaluation import bits_per_byte
from lunagpt.training.optim import build_optimizer
from lunagpt.training.parallel import keep_freed_memory
from lunagpt.training.schedule import Schedule
from lunagpt.training.settings import TrainingSettings
from machine import describe_machine, with_interval, write_table

RESULTS = Path(__file__).parent / "results" / "chaves.md"
DIALOGUES = [f"luna/{name}.jsonl" for name in ("conversa", "explicacoes", "longas", "historias")]
TRAINING: list[dict[str, Any]] = [
    {"name": "conversas", "path": DIALOGUES, "weight": 60, "where": {"split": "train"}, "loss_on": "all"},
    {"name": "verbetes", "path": "enciclopedia/*.jsonl", "weight": 40, "parts": ["article"]},
]
HELD_OUT: dict[str, dict[str, Any]] = {
    "texto": {"path": "pretrain/valid-000.parquet", "fraction": 0.4, "max_repeat": 1},
    "conversas": {"path": DIALOGUES, "where": {"split": "valid"}, "max_repeat": 1},
}
LENGTH = 512  # tokens of a training step
JUDGED = 256  # tokens of a held-out row
PROMPT, ANSWER = 256, 24  # tokens read and written when timed


@dataclass
class Measured:
    """One line of the table: the fastest seconds of reading and writing, in CPU and in wall time.

    Attributes:
        nats: for each held-out set, those of every row.
    """

    state_bytes: int = 0
    weight_bytes: int = 0
    reading: tuple[float, float] = (np.inf, np.inf)
    writing: tuple[float, float] = (np.inf, np.inf)
    nats: dict[str, np.ndarray] = field(default_factory=dict)


def all_parts(dense: LunaModel, seed: int) -> LunaModel:
    """A copy of a dense model with every part that can be switched; it says the same."""
    model = add_hypernet(upcycle(dense, emotional_routing=True, seed=seed), seed=seed)
    config = model.config.replaced(model={"embedding_convolution": True})
    whole = LunaModel.from_scratch(config, seed=seed, tokenizer=model.tokenizer)
    whole.load_state_dict(model.state_dict(), strict=False)
    return whole


def loss_of(model: LunaModel, batch: Any) -> torch.Tensor:
    tensors = (torch.from_numpy(batch[key]) for key in ("input_ids", "labels", "document_ids"))
    return model.loss(*tensors, {name: torch.from_numpy(t) for name, t in batch["traits"].items()})[0]


def train(model: LunaModel, root: Path, steps: int, seed: int) -> None:
    """Trains everything for a short while."""
    torch.manual_seed(seed)
    data = PackedDataset(TRAINING, model.tokenizer, sequence_length=LENGTH, seed=seed, root=root)
    optimizer = build_optimizer(model, TrainingSettings(optimizer="adamw", learning_rate=1e-3))
    schedule = Schedule("wsd", 2, steps, steps // 2, "linear", 0.0)
    model.train()
    for step in range(steps):
        batch = next(data)
        (loss_of(model, batch) / int((batch["labels"] != -100).sum())).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.scale_lr(schedule.multiplier(step))
        optimizer.step()
        optimizer.zero_grad()
        model.after_step()
    model.eval()


def held_out(model: LunaModel, root: Path, rows: int) -> dict[str, list[Any]]:
    """The first rows of each held-out set."""
    sets = {
        name: PackedDataset([source], model.tokenizer, sequence_length=JUDGED, root=root)
        for name, source in HELD_OUT.items()
    }
    return {name: [next(data) for _ in range(rows)] for name, data in sets.items()}


@torch.no_grad()
def judge(model: LunaModel, sets: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    """Cross-entropy in nats of every row of every set."""
    return {
        name: np.array([float(loss_of(model, batch)) for batch in batches]) for name, batches in sets.items()
    }


@torch.no_grad()  # not inference_mode, which torchao's tensors do not know
def time_once(model: LunaModel, found: Measured, seed: int = 0) -> None:
    """Reads a prompt and writes behind it, under a persona where the model takes one."""
    hypernet = model.hypernet is not None and model.hypernet.enabled
    state = model.new_state(Condition.of("friendly") if hypernet else None)
    ids = torch.randint(16, 16000, (1, PROMPT), generator=torch.Generator().manual_seed(seed))
    reading = clocked(lambda: prefill(model, ids, state=state))
    found.state_bytes = state.num_bytes()
    token = torch.tensor([[500]])
    writing = clocked(lambda: [model(token, state=state, logits_to_keep=1) for _ in range(ANSWER)])
    found.reading = tuple(map(min, found.reading, reading))
    found.writing = tuple(map(min, found.writing, writing))
    found.weight_bytes = found.weight_bytes or num_bytes(model)


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of CPU and wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


Switch = Callable[[LunaModel], object]
SWITCHES: dict[str, Switch] = {
    "tudo ligado": lambda model: None,
    **{f'disable_component("{name}")': lambda m, n=name: m.disable_component(n) for name in COMPONENTS},
    "enable_moe_with_limited_experts(4)": lambda m: m.enable_moe_with_limited_experts(4),
    "todas desligadas menos o espaço de estados, depois enable_all_components()": lambda m: (
        [m.disable_component(name) for name in COMPONENTS if name != "state_space"],
        m.enable_all_components(),
    ),
    "optimize_for_cpu(1)": lambda model: model.optimize_for_cpu(1),
}
SIXTEEN = ("16 bits (use_lightweight), sem mais nada", "16 bits, depois optimize_for_cpu(1)")
EIGHT = ("use_8bit_quantization()", "8 bits só nos mapas densos", "torchao, int8 nos mesmos mapas")
NAMES = (*SWITCHES, *SIXTEEN, *EIGHT)


def dense_maps(model: LunaModel) -> dict[str, Linear]:
    """The linear maps of the layers that are no experts."""
    modules = model.layers.named_modules()
    return {name: m for name, m in modules if isinstance(m, Linear) and "moe." not in name}


def in_eight_bits(model: LunaModel, name: str, found: Measured) -> LunaModel:
    """A copy as one of EIGHT, and what its weights take."""
    made = copy.deepcopy(model, {id(model.tokenizer): model.tokenizer})
    if name == EIGHT[0]:
        made.use_8bit_quantization()
        return made
    maps = dense_maps(made)
    if name == EIGHT[1]:
        use_eight_bits(made, [linear.weight for linear in maps.values()])
        return made
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    shrunk = sum(linear.weight.numel() * 3 - 4 * len(linear.weight) for linear in maps.values())
    found.weight_bytes = num_bytes(made) - shrunk  # its tensors say what they mean, not what they take
    quantize_(made.layers, Int8WeightOnlyConfig(version=2), filter_fn=lambda module, path: path in maps)
    return made


def measure(
    model: LunaModel, names: list[str], sets: dict[str, list[Any]], rounds: int
) -> dict[str, Measured]:
    """The switches of some names, everything switched on again after each."""
    results = {name: Measured() for name in names}
    light = {name: in_eight_bits(model, name, results[name]) for name in set(EIGHT) & set(names)}
    if set(SIXTEEN) & set(names):
        with tempfile.TemporaryDirectory() as folder:
            model.save(folder, dtype=torch.float16)
            light |= {name: LunaModel.from_pretrained(folder, use_lightweight=True) for name in SIXTEEN}
        light[SIXTEEN[1]].optimize_for_cpu(1)
        torch.set_flush_denormal(False)
    time_once(model, Measured())  # the first call of a process is slow
    for round_number in range(rounds):
        for name, found in results.items():
            if name in light:
                torch.set_flush_denormal(name == SIXTEEN[1])
            else:
                SWITCHES[name](model)
            time_once(light.get(name, model), found)
            if round_number == 0:
                found.nats = judge(light.get(name, model), sets)
            model.enable_all_components()
            torch.set_flush_denormal(False)
    return results


def difference(changed: np.ndarray, whole: np.ndarray, num_bytes: np.ndarray, seed: int = 0) -> str:
    """Bits per byte above those of the whole model, with the interval."""
    gap = changed - whole
    if not gap.any():
        return "0"
    drawn = np.random.default_rng(seed).integers(0, len(gap), (4000, len(gap)))
    low, high = np.quantile(bits_per_byte(gap[drawn].sum(1), num_bytes[drawn].sum(1)), (0.025, 0.975))
    return with_interval(bits_per_byte(gap.sum(), num_bytes.sum()), low, high, 4)


def table(results: dict[str, Measured], sets: dict[str, list[Any]]) -> list[str]:
    whole = results["tudo ligado"]
    lines = [
        "| | lê, tokens/s de CPU | | escreve, tokens/s de CPU | | lê / escreve, tokens/s de relógio "
        "| pesos / estado, MB | bits por byte, texto | bits por byte, conversas |",
        "|---|---:|---:|---:|---:|---:|---:|---|---|",
    ]
    for name, found in results.items():
        cells = []
        for seconds, base, tokens in (
            (found.reading, whole.reading, PROMPT),
            (found.writing, whole.writing, ANSWER),
        ):
            cells += [number(tokens / seconds[0], 0), f"{number(base[0] / seconds[0], 2)}×"]
        cells.append(f"{number(PROMPT / found.reading[1], 0)} / {number(ANSWER / found.writing[1], 0)}")
        cells.append(f"{number(found.weight_bytes / 1e6, 0)} / {number(found.state_bytes / 1e6, 1)}")
        for group, batches in sets.items():
            num_bytes = np.array([batch["num_bytes"] for batch in batches])
            if found is whole:
                cells.append(number(bits_per_byte(found.nats[group].sum(), num_bytes.sum()), 4))
            else:
                cells.append(difference(found.nats[group], whole.nats[group], num_bytes))
        shown = name if " " in name and "(" not in name.split(" ")[0] else f"`{name}`"
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--model", type=Path, help="dense model folder; default the shipped one")
    options.add_argument("--keep", type=Path, help="folder of the trained model with every part")
    options.add_argument("--steps", type=int, default=8)
    options.add_argument("--rows", type=int, default=3, help="held-out rows of each kind")
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument(
        "--only", nargs="+", choices=range(1, len(NAMES)), type=int, help="numbers of the switches to measure"
    )
    args = options.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    warnings.simplefilter("ignore", ComponentWarning)
    started, cpu = time.perf_counter(), time.process_time()
    if args.keep and args.keep.exists():
        model = LunaModel.from_pretrained(args.keep)
    else:
        model = all_parts(LunaModel.from_pretrained(args.model or default_model()), args.seed)
        train(model, args.data_root, args.steps, args.seed)
        if args.keep:
            model.save(args.keep)
    sets = held_out(model, args.data_root, args.rows)
    names = [NAMES[index] for index in (0, *(args.only or range(1, len(NAMES))))]
    if EIGHT[2] in names and importlib.util.find_spec("torchao") is None:
        names.remove(EIGHT[2])
    results = measure(model, names, sets, args.rounds)
    sizes = model.config.model
    lines = [
        f"{sizes.name} com todas as partes: {number(model.num_parameters() / 1e6, 1)} M de parâmetros, "
        f"{sizes.num_experts} especialistas (usa {sizes.experts_per_token}) em {len(model.moe_blocks)} das "
        f"{sizes.num_layers} camadas; treinada por {args.steps} passos de {LENGTH} tokens depois de "
        f"ganhar as partes, semente {args.seed}. Lê {PROMPT} tokens e escreve {ANSWER}, sob uma persona; o "
        f"melhor de {args.rounds} rodadas intercaladas, uma linha de execução. Bits por byte: {args.rows} "
        f"linhas de "
        f"{JUDGED} tokens de cada tipo, a diferença para tudo ligado (acima de zero é pior).",
        "",
        *table(results, sets),
        "",
        f"{describe_machine()}; {number(time.process_time() - cpu, 0)} s de CPU, "
        f"{number(time.perf_counter() - started, 0)} s de relógio, carga {number(os.getloadavg()[0], 1)}.",
    ]
    write_table(RESULTS, "Chaves do modelo em uso", lines)


if __name__ == "__main__":
    main()
