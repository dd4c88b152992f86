"""What each part of the neural core is worth: an ablation on equal data and equal active operations.

Every variant changes the dense hybrid in one respect; where a part adds or removes work per token, the width
of the feed-forward network gives it back, so that all take the same operations per token (counted, see the
column). Every variant sees the same tokens, with the same three seeds, in the same training loop. The
difference to the dense hybrid is taken seed by seed; its interval is the 95 % interval of Student's t over
the seeds. Then the speed of a training pass of each variant, and of transformers' FalconH1 (dense), Mixtral
and Granite blocks of the same sizes, one after another in the same run.

The runs are kept in a file, one line each: what was interrupted goes on where it was.

    python benchmarks/neural_core.py --data-root CORPUS
"""

import argparse
import json
import math
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lunagpt.models.falcon_h1 import falcon_h1_config
from lunagpt.models.layers import FeedForward
from lunagpt.models.moe import MoEBlock
from lunagpt.reporting.numbers import number
from lunagpt.training.parallel import keep_freed_memory
from machine import describe_machine, table_row, write_table
from moe import granite, mixtral, seconds
from neural_core_run import LENGTH, SHAPE, build, train

DENSE = "híbrido denso (atenção ao lado do espaço de estados)"
MOE = {"use_moe": True, "num_experts": 8, "experts_per_token": 2}
VARIANTS: dict[str, dict[str, Any]] = {
    DENSE: {},
    "só atenção": {"use_state_space": False, "intermediate_size": 600},
    "só espaço de estados": {"use_attention": False, "intermediate_size": 528},
    "especialistas em camadas alternadas": MOE,
    "especialistas em todas as camadas": {**MOE, "moe_layers": "all"},
    "especialistas, equilibrados pela perda f·P": {**MOE, "expert_balancing": "loss"},
    "especialistas com roteamento emocional": {**MOE, "emotional_routing": True},
    "hiper-rede": {"use_hypernet": True},
    "posições relativas": {"positions": "relative"},
    "sem posições": {"positions": "none"},
    "temperatura da atenção": {"attention_temperature": True},
    "convolução dos embeddings": {"embedding_convolution": True},
    "janela de 64 nas camadas internas": {"sliding_window": 64},
    "tudo ligado": {
        **MOE,
        "emotional_routing": True,
        "use_hypernet": True,
        "positions": "rotary+relative",
        "attention_temperature": True,
        "embedding_convolution": True,
        "sliding_window": 64,
    },
}
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t, two-sided, by number of seeds
RESULTS = Path(__file__).parent / "results"


def finished(path: Path, tokens: int) -> dict[tuple[str, int], dict[str, Any]]:
    """The kept runs of this length whose variant is still the same, by name and seed."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    runs = [run for run in map(json.loads, lines) if VARIANTS.get(run["name"]) == run["changes"]]
    return {(run["name"], run["seed"]): run for run in runs if abs(run["tokens"] - tokens) < 1024}


def train_missing(path: Path, data_root: str, tokens: int, seeds: int, jobs: int) -> None:
    """Trains what the file does not hold yet, each run in a fresh process."""
    done = finished(path, tokens)
    missing = [(name, seed) for seed in range(seeds) for name in VARIANTS if (name, seed) not in done]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1) as pool:
        futures = [
            pool.submit(train, name, VARIANTS[name], seed, tokens, data_root) for name, seed in missing
        ]
        for future in futures:
            run = future.result()
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(run) + "\n")
            figures = f"{number(run['text'], 4)} / {number(run['dialogues'], 4)}"
            print(f"{run['name']}, semente {run['seed']}: {figures}", flush=True)


def difference(runs: list[dict[str, Any]], base: list[dict[str, Any]], group: str) -> str:
    """Mean over the seeds of the difference to the dense hybrid, and half its 95 % interval."""
    values = [run[group] - other[group] for run, other in zip(runs, base, strict=True)]
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = T_95[len(values)] * deviation / math.sqrt(len(values))
    return f"{number(mean, 4, signed=True)} ± {number(half, 4)}"


def quality_table(runs: dict[tuple[str, int], dict[str, Any]], seeds: int) -> list[str]:
    base = [runs[DENSE, seed] for seed in range(seeds)]
    lines = [
        "| | parâmetros | MFLOP/token | texto, bits/byte | contra o denso | diálogos, bits/byte "
        "| contra o denso | tokens por s de CPU | memória |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in VARIANTS:
        own = [runs[name, seed] for seed in range(seeds)]
        cells = [name, f"{number(own[0]['parameters'] / 1e6, 2)} M", number(own[0]["flops"] / 1e6, 2)]
        for group in ("text", "dialogues"):
            cells.append(number(sum(run[group] for run in own) / seeds, 4))
            cells.append("" if name == DENSE else difference(own, base, group))
        cells.append(number(max(run["tokens"] / run["cpu_seconds"] for run in own), 0))
        cells.append(f"{number(sum(run['memory'] for run in own) / seeds / 2**20, 0)} MiB")
        lines.append(table_row(*cells))
    return lines


def best_seconds(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """CPU seconds of the fastest run of each, taken in turns after one run to warm up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            started = time.process_time()
            work()
            times[name].append(time.process_time() - started)
    return {name: min(values[1:]) for name, values in times.items()}


def speed_table(repeats: int) -> list[str]:
    """Forward and backward of a row of LENGTH tokens, of every variant and of FalconH1."""
    from transformers import FalconH1Config, FalconH1ForCausalLM

    ids = torch.randint(16, 16384, (1, LENGTH))
    documents = torch.zeros_like(ids)
    traits = {name: torch.zeros_like(ids) for name in ("persona", "domain", "emotion")}

    def of_luna(model: Any) -> Callable[[], object]:
        return lambda: model.train().loss(ids, ids, documents, traits)[0].backward()

    models = {name: build(changes, 0) for name, changes in VARIANTS.items()}
    falcon = FalconH1ForCausalLM(FalconH1Config(**falcon_h1_config(models[DENSE].config.model))).train()
    peer = "transformers FalconH1, da forma do híbrido denso"
    works: dict[str, Callable[[], object]] = {name: of_luna(model) for name, model in models.items()}
    works[peer] = lambda: falcon(ids, labels=ids).loss.backward()
    times = best_seconds(works, repeats)
    return [
        "| | tokens por s de CPU | contra o FalconH1 |",
        "|---|---:|---:|",
        *(
            table_row(name, number(LENGTH / value, 0), f"{number(times[peer] / value, 2)}×")
            for name, value in times.items()
        ),
    ]


def block_table(repeats: int, tokens: int = 2048, width: int = 256, inner: int = 192) -> list[str]:
    """Forward and backward of one layer of experts with the preset nano's widths."""
    x = torch.randn(1, tokens, width, requires_grad=True)
    shape = (width, inner, 8, 2)
    blocks = {
        "densa, da mesma largura ativa": FeedForward(width, 2 * inner),
        "Luna, MoEBlock": MoEBlock(*shape, 0.0),
        "transformers, Mixtral": mixtral(*shape),
        "transformers, Granite": granite(*shape),
    }
    nn.init.normal_(blocks["densa, da mesma largura ativa"].gate_proj.weight, std=width**-0.5)
    times = {name: seconds(block, x, repeats) for name, block in blocks.items()}
    own = times["Luna, MoEBlock"]
    return [
        f"{number(tokens, 0)} tokens, largura {width}, 8 especialistas de {inner}, 2 por token.",
        "",
        "| | ms | em relação à Luna |",
        "|---|---:|---:|",
        *(table_row(name, number(1000 * value, 1), number(value / own, 2)) for name, value in times.items()),
    ]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", required=True)
    options.add_argument("--tokens", type=int, default=100_000, help="training tokens of each run")
    options.add_argument("--seeds", type=int, default=3, choices=sorted(T_95))
    options.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each")
    options.add_argument("--repeats", type=int, default=7, help="of the speed measurements")
    options.add_argument("--runs", type=Path, default=Path("neural_core_runs.jsonl"), help="kept runs")
    args = options.parse_args()
    train_missing(args.runs, args.data_root, args.tokens, args.seeds, args.jobs)

    torch.manual_seed(0)
    torch.set_num_threads(1)
    keep_freed_memory()
    shape = ", ".join(f"{key} {value}" for key, value in SHAPE.items() if key != "preset")
    lines = [
        f"{describe_machine()}. {number(args.tokens, 0)} tokens de treino por rodada, {args.seeds} sementes, "
        f"float32; {shape}. MFLOP/token: produtos de matrizes de uma passada de treino, ida e volta, "
        f"contados "
        "enquanto acontecem. Memória: pico do processo de treino acima dos pesos.",
        "",
        *quality_table(finished(args.runs, args.tokens), args.seeds),
        "",
        f"Ida e volta de {LENGTH} tokens, uma linha de execução, tempo de CPU, o melhor de {args.repeats} "
        f"alternadas:",
        "",
        *speed_table(args.repeats),
        "",
        "Só uma camada de especialistas, ida e volta, uma linha de execução:",
        "",
        *block_table(args.repeats),
    ]
    write_table(RESULTS / "neural_core.md", "Núcleo neural", lines)


if __name__ == "__main__":
    main()
