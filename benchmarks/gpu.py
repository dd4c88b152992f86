"""Training and decoding speed on a GPU, in one command.

* The card's own rate of bfloat16 matrix products, as the ceiling.
* Training of the preset mini on packed documents, bfloat16: plain, compiled, and with experts in every other
  layer; the share of the ceiling that it reaches; transformers' FalconH1 of the same shape in the same run
  (with its fast kernels where `mamba-ssm` and `causal-conv1d` are installed, and the table says whether).
* The state-space scan alone against the Triton kernel of mamba-ssm, where that is installed.
* A layer of experts: one grouped product, one expert after the other, transformers' Mixtral.
* Decoding for many conversations at a time, as a multiple of the speed of reading.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --device cpu --preset test --tokens 256 --rows 2 --conversations 2   # rehearsal
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lunagpt.config import LunaConfig
from lunagpt.generation import SamplingParams, generate_batch
from lunagpt.models import LunaModel
from lunagpt.models.falcon_h1 import falcon_h1_config
from lunagpt.models.moe import MoEBlock
from lunagpt.models.scan import scan_chunked
from lunagpt.reporting.numbers import number, percent
from lunagpt.training.compilation import compile_layers
from lunagpt.training.optim import build_optimizer
from lunagpt.training.settings import TrainingSettings
from machine import describe_machine, table_row, write_table
from moe import mixtral

READING = 6.0  # tokens a second: about 250 Portuguese words a minute
DOCUMENT = 200  # tokens of a packed document
Work = Callable[[], object]


class Clock:
    """Times work on a device: the fastest of several runs, after one to warm up."""

    def __init__(self, device: torch.device, repeats: int) -> None:
        self.device, self.repeats = device, repeats

    def __call__(self, work: Work) -> float:
        """Wall seconds of one run, with everything the device was given done."""
        seconds = []
        for _ in range(self.repeats + 1):
            self.wait()
            started = time.perf_counter()
            work()
            self.wait()
            seconds.append(time.perf_counter() - started)
        return min(seconds[1:])

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def matrix_rate(clock: Clock, size: int) -> float:
    """FLOP/s of a square bfloat16 product."""
    left, right = (torch.randn(size, size, device=clock.device).bfloat16() for _ in range(2))
    return 2.0 * size**3 / clock(lambda: left @ right)


def training_step(model: LunaModel, ids: Tensor) -> Work:
    """Forward, backward and optimizer step on all rows of ids (B, T)."""
    documents = torch.arange(ids.shape[1], device=ids.device).expand_as(ids) // DOCUMENT
    labels = ids.roll(-1, 1)
    optimizer = build_optimizer(model, TrainingSettings())

    def step() -> None:
        (model.loss(ids, labels, documents)[0] / ids.numel()).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def falcon_step(config: LunaConfig, ids: Tensor) -> Work:
    from transformers import FalconH1Config, FalconH1ForCausalLM

    shape = FalconH1Config(**falcon_h1_config(config.model))
    model = FalconH1ForCausalLM(shape).to(ids.device, torch.bfloat16).train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=ids.device.type == "cuda")

    def step() -> None:
        model(ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def training_table(args: argparse.Namespace, clock: Clock, ceiling: float) -> list[str]:
    config = LunaConfig.preset(args.preset)
    experts = config.replaced(model={"use_moe": True})
    ids = torch.randint(16, config.model.vocab_size, (args.rows, args.tokens), device=clock.device)

    def luna(settings: LunaConfig, compiled: bool) -> tuple[Work, float]:
        model = LunaModel.from_scratch(settings, seed=0).to(clock.device).train()
        model.compute_dtype = torch.bfloat16
        if compiled:
            compile_layers(model)
        return training_step(model, ids), active_parameters(settings)

    active = active_parameters(config)
    cases: dict[str, Callable[[], tuple[Work, float]]] = {
        "Luna": lambda: luna(config, False),
        "Luna, especialistas em camadas alternadas": lambda: luna(experts, False),
        "transformers FalconH1": lambda: (falcon_step(config, ids), active),
    }
    if args.compile:
        cases["Luna, compilada"] = lambda: luna(config, True)
        cases["Luna, especialistas, compilada"] = lambda: luna(experts, True)
    lines = ["| passo de treino | tokens/s | parte do ritmo das matrizes |", "|---|---:|---:|"]
    for name, prepare in cases.items():
        step, weights = prepare()
        speed = ids.numel() / clock(step)
        lines.append(f"| {name} | {number(speed, 0)} | {percent(speed * 6 * weights / ceiling)} |")
    return lines


def active_parameters(config: LunaConfig) -> int:
    """Weights that a token meets: all, of the experts only those it is sent to."""
    model = LunaModel.from_scratch(config, seed=0)
    idle = 1 - config.model.experts_per_token / config.model.num_experts
    experts = sum(
        p.numel()
        for module in model.modules()
        if isinstance(module, MoEBlock)
        for p in (module.gate_proj.weight, module.up_proj.weight, module.down_proj.weight)
    )
    return round(model.num_parameters() - idle * experts)


def scan_table(args: argparse.Namespace, clock: Clock) -> list[str]:
    """The scan of one layer, forward and backward."""
    shape = LunaConfig.preset(args.preset).model
    heads, width, groups = shape.ssm_num_heads, shape.ssm_head_dim, shape.ssm_num_groups
    sizes = {"device": clock.device, "dtype": torch.bfloat16}
    x = torch.randn(args.rows, args.tokens, heads, width, requires_grad=True, **sizes)
    dt = torch.rand(args.rows, args.tokens, heads, device=clock.device) * 0.1
    A, D = (-torch.rand(heads, device=clock.device) - 0.5), torch.ones(heads, device=clock.device)
    B, C = (torch.randn(args.rows, args.tokens, groups, shape.state_size, **sizes) for _ in range(2))
    chunk = shape.chunk_size
    works: dict[str, Work] = {
        "Luna, em pedaços": lambda: scan_chunked(x, dt, A, B, C, D, chunk_size=chunk)[0].sum().backward()
    }
    if args.compile:
        compiled: Any = torch.compile(scan_chunked)
        works["Luna, em pedaços, compilada"] = lambda: (
            compiled(x, dt, A, B, C, D, chunk_size=chunk)[0].sum().backward()
        )
    if importlib.util.find_spec("mamba_ssm"):
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined

        works["mamba-ssm, Triton"] = lambda: (
            mamba_chunk_scan_combined(x, dt, A, B, C, chunk_size=chunk, D=D).sum().backward()
        )
    return [
        "| varredura de uma camada | ms |",
        "|---|---:|",
        *(f"| {name} | {number(1000 * clock(work), 2)} |" for name, work in works.items()),
    ]


def experts_table(args: argparse.Namespace, clock: Clock) -> list[str]:
    """A layer of 8 experts, 2 per token, forward and backward."""
    shape = LunaConfig.preset(args.preset).model
    width, inner = shape.hidden_size, shape.intermediate_size // 2
    x = torch.randn(args.rows, args.tokens, width, device=clock.device, dtype=torch.bfloat16)
    x.requires_grad_()
    sizes = (width, inner, 8, 2)
    blocks = {
        "Luna, agrupados": MoEBlock(*sizes, 0.0, backend="grouped"),
        "Luna, um especialista depois do outro": MoEBlock(*sizes, 0.0, backend="loop"),
        "transformers, Mixtral": mixtral(*sizes),
    }
    lines = ["| camada de especialistas | ms |", "|---|---:|"]
    for name, block in blocks.items():
        block = block.to(clock.device, torch.bfloat16)
        seconds = clock(lambda block=block: block(x).sum().backward())  # type: ignore[misc]
        lines.append(f"| {name} | {number(1000 * seconds, 2)} |")
    return lines


def decoding_table(args: argparse.Namespace, clock: Clock) -> list[str]:
    """Greedy answers to prompts of 128 tokens, all conversations at a time."""
    model = LunaModel.from_scratch(LunaConfig.preset(args.preset), seed=0).to(clock.device).eval()
    model.compute_dtype = torch.bfloat16
    prompts = torch.randint(16, model.config.model.vocab_size, (args.conversations, 128), device=clock.device)

    def answers(length: int) -> float:
        params = SamplingParams(temperature=0.0, max_new_tokens=length, stop_token_ids=())
        return clock(lambda: generate_batch(model, prompts, None, params))

    steps = args.answer
    speed = steps / (answers(steps + 1) - answers(1))
    return [
        "| conversas ao mesmo tempo | tokens/s de cada | tokens/s de todas | vezes a velocidade de leitura |",
        "|---:|---:|---:|---:|",
        table_row(
            str(args.conversations),
            number(speed, 1),
            number(speed * args.conversations, 0),
            number(speed / READING, 1),
        ),
    ]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--device", default="cuda")
    options.add_argument("--preset", default="mini")
    options.add_argument("--rows", type=int, default=16)
    options.add_argument("--tokens", type=int, default=2048, help="length of a row")
    options.add_argument("--conversations", type=int, default=64)
    options.add_argument("--answer", type=int, default=64, help="tokens of each answer")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--no-compile", dest="compile", action="store_false")
    options.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "gpu.md")
    args = options.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        options.error("no GPU here; rehearse with --device cpu --preset test")
    torch.manual_seed(0)
    clock = Clock(device, args.repeats)
    on_gpu = device.type == "cuda"
    card = torch.cuda.get_device_name(device) if on_gpu else "sem GPU: um ensaio, não uma medida"
    ceiling = matrix_rate(clock, 8192 if on_gpu else 256)
    kernels = [name for name in ("mamba_ssm", "causal_conv1d") if importlib.util.find_spec(name)]
    lines = [
        f"{card}; {describe_machine()}. Produtos de matrizes em bfloat16: {number(ceiling / 1e12, 2)} "
        f"TFLOP/s. "
        f"Preset {args.preset}, {args.rows} linhas de {args.tokens} tokens em documentos de {DOCUMENT}; "
        "operações de treino contadas como 6 por peso ativo e token. Bibliotecas de kernels: "
        f"{', '.join(kernels) or 'nenhuma'}.",
    ]
    for table in (
        training_table(args, clock, ceiling),
        scan_table(args, clock),
        experts_table(args, clock),
        decoding_table(args, clock),
    ):
        lines += ["", *table]
    write_table(args.output, "GPU", lines)


if __name__ == "__main__":
    main()
