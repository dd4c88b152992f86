"""Memory and time of reading a long prompt: at once and in pieces, with and without a window, and a peer.

Each case runs in a process of its own with random weights of the preset's shape; memory is the peak of the
resident set above what the process held with the weights loaded and a short prompt read. All end with a state
(or cache) from which the answer could go on. What needs more than --limit gigabytes is stopped and said so.
The cases of one length follow each other. Reads /proc: for Linux.

    python benchmarks/long_context.py
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lunagpt.reporting.numbers import number

WINDOW = 256
# name in the table -> library, how it reads, changes to the preset
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Luna, em pedaços": ("luna", "streaming", {}),
    "Luna, de uma vez": ("luna", "whole", {}),
    "Luna com janela, em pedaços": ("luna", "streaming", {"sliding_window": WINDOW}),
    "Luna só com janela, em pedaços": (
        "luna",
        "streaming",
        {"sliding_window": WINDOW, "window_layers": "all"},
    ),
    "transformers FalconH1": ("transformers", "whole", {}),
}


def resident(field: str) -> int:
    """Bytes of the resident set: "VmRSS", now; "VmHWM", the most since `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def forget_peak() -> None:
    """Starts the measure of the peak anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def child(case: str, preset: str, length: int, threads: int, limit: float) -> None:
    """Reads one prompt and prints what it took."""
    import torch

    from lunagpt.config import LunaConfig

    library, way, changes = CASES[case]
    torch.set_num_threads(threads)
    config = LunaConfig.preset(preset).replaced(model=changes)
    torch.manual_seed(0)
    ids = torch.randint(16, config.model.vocab_size, (1, length))
    read = luna_reader(config, way) if library == "luna" else falcon_reader(config)
    with torch.inference_mode():
        read(ids[:, :64])
        gc.collect()
        before = resident("VmRSS")
        forget_peak()
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9) + before, -1))
        started, cpu = time.perf_counter(), time.process_time()
        state_bytes = read(ids)
        figures = {
            "seconds": time.perf_counter() - started,
            "cpu": time.process_time() - cpu,
            "peak": resident("VmHWM") - before,
            "state": state_bytes,
        }
    print(json.dumps(figures))


def luna_reader(config: Any, way: str) -> Any:
    """A function that reads ids (1, T) and returns the bytes of the state after them."""
    from lunagpt.generation import prefill
    from lunagpt.models import LunaModel

    model = LunaModel.from_scratch(config, seed=0).eval()

    def read(ids: Any) -> int:
        state = model.new_state()
        if way == "streaming":
            prefill(model, ids, state=state)
        else:
            model(ids, state=state, logits_to_keep=1)
        return state.num_bytes()

    return read


def falcon_reader(config: Any) -> Any:
    """As `luna_reader`, with transformers' own class and cache."""
    from transformers import FalconH1Config, FalconH1ForCausalLM

    from lunagpt.models.falcon_h1 import falcon_h1_config

    model = FalconH1ForCausalLM(FalconH1Config(**falcon_h1_config(config.model))).eval()

    def read(ids: Any) -> int:
        cache = model(ids, use_cache=True, logits_to_keep=1).past_key_values
        return sum(t.numel() * t.element_size() for layer in cache.layers for t in tensors_of(layer))

    return read


def tensors_of(layer: Any) -> list[Any]:
    """The tensors of one layer of a transformers cache, whatever they are called."""
    import torch

    found: list[Any] = []
    for value in vars(layer).values():
        found += [t for t in (value if isinstance(value, list | tuple) else [value]) if torch.is_tensor(t)]
    return found


def measure(case: str, length: int, args: argparse.Namespace) -> dict[str, float] | None:
    """The figures of one child process; None if it ran out of memory."""
    command = [sys.executable, __file__, "--child", case, str(length)]
    command += ["--preset", args.preset, "--threads", str(args.threads), "--limit", str(args.limit)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures
    if "alloc" in done.stderr or "MemoryError" in done.stderr:
        return None
    raise RuntimeError(f"{case}, {length} tokens:\n{done.stderr}")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--preset", default="nano")
    options.add_argument("--lengths", type=int, nargs="+", default=[1024, 4096, 16384])
    options.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--limit", type=float, default=10.0, help="gigabytes that a case may add")
    options.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.child:
        child(args.child[0], args.preset, int(args.child[1]), args.threads, args.limit)
        return

    import torch

    from machine import describe_machine, write_table

    torch.set_num_threads(args.threads)
    lines = [
        f"Preset {args.preset}, pesos aleatórios (semente 0). Janela de {WINDOW} tokens em todas as camadas "
        'menos a primeira, a do meio e a última, ou ("só com janela") em todas. Pico de memória acima do '
        "processo com os pesos; estado: o que fica guardado para continuar. Última coluna: tempo de CPU. "
        f"{describe_machine()}; carga {number(os.getloadavg()[0], 1)}.",
        "",
        "| | tokens | pico, MB | estado, MB | s | s de CPU | memória / FalconH1 | tempo / FalconH1 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for length in args.lengths:
        results = {case: measure(case, length, args) for case in args.cases}
        peer = results.get("transformers FalconH1")
        for case, found in results.items():
            if found is None:
                lines.append(f"| {case} | {length} | mais de {number(args.limit * 1000, 0)} | | | | | |")
                continue
            ratios = [f"{number(found[key] / peer[key], 2)}×" if peer else "" for key in ("peak", "cpu")]
            lines.append(
                f"| {case} | {length} | {number(found['peak'] / 1e6, 0)} | {number(found['state'] / 1e6, 0)} "
                f"| {number(found['seconds'], 1)} | {number(found['cpu'], 1)} | {' | '.join(ratios)} |"
            )
    write_table(Path(__file__).parent / "results" / "contexto.md", "Ler um prompt longo", lines)


if __name__ == "__main__":
    main()
