"""How long a question waits for its first token, and how fast the answer comes, against transformers.

Every candidate runs in processes of its own, so that starting Python, importing torch and loading the weights
are counted as a user feels them. "luna --query" is the command itself, up to the first character on its
output. The two loops below it read the same prompt and choose the same number of tokens greedily: Luna's
decoding, and `generate` of transformers' FalconH1 of the same shape (random weights: only the time matters),
with the same threads and waiting policy. The best of several runs counts.

    python benchmarks/chat_latency.py [--model PASTA] [--tokens 128] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lunagpt.reporting.numbers import number

PROMPT = "Olá! Você pode me explicar em poucas palavras por que a lua muda de forma durante o mês?"


def start(*arguments: str) -> subprocess.Popen[bytes]:
    # passive waiting is what luna sets for itself; the peer gets it too
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, env=environment)


def first_character(model: Path) -> float:
    """Seconds from the start of the process to the first character of an answer."""
    started = time.perf_counter()
    process = start("-m", "lunagpt.cli", "--query", PROMPT, "--model", str(model), "--max-tokens", "4")
    assert process.stdout is not None
    assert process.stdout.read(1), "no answer"
    seconds = time.perf_counter() - started
    process.communicate()
    return seconds


def loop(kind: str, folder: Path, model: Path, tokens: int) -> dict[str, float]:
    """What `child` measured in a fresh process."""
    process = start(__file__, "--child", kind, str(folder), str(model), str(tokens), str(time.time()))
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{kind} failed with code {process.returncode}")
    return json.loads(output.splitlines()[-1])


def child(kind: str, folder: str, model: str, tokens: int, started: float) -> None:
    """Loads, answers once, prints seconds to the first token (since `started`) and tokens/s after it."""
    times: list[float] = []
    if kind == "luna":
        from lunagpt.commands.opening import ChatSettings, open_chat
        from lunagpt.generation import Decoding, SamplingParams

        network: Any = open_chat(ChatSettings(model=Path(folder))).engine.model  # type: ignore[attr-defined]
        ids = question(network.tokenizer)
        loaded = time.time()
        for _ in Decoding(network, ids, SamplingParams(temperature=0.0, max_new_tokens=tokens)):
            times.append(time.time())
    else:
        import torch
        from transformers import FalconH1ForCausalLM
        from transformers.generation.streamers import BaseStreamer

        from lunagpt.commands.opening import set_threads
        from lunagpt.tokenizer import LunaTokenizer

        class Clock(BaseStreamer):
            def put(self, value: torch.Tensor) -> None:
                times.append(time.time())

            def end(self) -> None:
                pass

        set_threads(None)
        ids = question(LunaTokenizer.from_pretrained(model))
        peer = FalconH1ForCausalLM.from_pretrained(folder).eval()
        loaded = time.time()
        batch = torch.tensor([ids])
        peer.generate(
            batch,
            attention_mask=torch.ones_like(batch),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            streamer=Clock(),
        )
        times = times[1:]  # the first call hands over the prompt
    rate = (len(times) - 1) / (times[-1] - times[0])
    print(
        json.dumps({"first": times[0] - started, "read": times[0] - loaded, "rate": rate, "prompt": len(ids)})
    )


def question(tokenizer: Any) -> list[int]:
    return tokenizer.encode_dialog([{"role": "user", "content": PROMPT}], add_generation_prompt=True)


def make_folders(model: Path | None, place: Path) -> tuple[Path, Path]:
    """The model to measure (an untrained nano if none is given or shipped) and the peer of the same shape."""
    from transformers import FalconH1Config, FalconH1ForCausalLM

    from lunagpt.config import LunaConfig
    from lunagpt.errors import ModelFolderError
    from lunagpt.model_folders import default_model
    from lunagpt.models import LunaModel
    from lunagpt.models.falcon_h1 import falcon_h1_config

    if model is None:
        try:
            model = default_model()
        except ModelFolderError:
            model = LunaModel.from_scratch(LunaConfig.preset("nano"), seed=0).save(place / "luna-nano")
    m = LunaModel.from_pretrained(model).config.model
    peer = FalconH1ForCausalLM(FalconH1Config(**falcon_h1_config(m)))
    peer.save_pretrained(place / "falcon")
    return model, place / "falcon"


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--model", type=Path, help="model folder; default is the shipped one")
    options.add_argument("--tokens", type=int, default=128, help="length of the answer")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.child:
        kind, folder, model, tokens, started = args.child
        child(kind, folder, model, int(tokens), float(started))
        return

    from machine import describe_machine, table_row, write_table

    with tempfile.TemporaryDirectory() as place:
        model, peer = make_folders(args.model, Path(place))
        command = min(first_character(model) for _ in range(args.repeats))
        runs: dict[str, list[dict[str, float]]] = {
            name: [loop(kind, folder, model, args.tokens) for _ in range(args.repeats)]
            for name, kind, folder in (
                ("Luna, geração", "luna", model),
                ("transformers FalconH1, generate", "transformers", peer),
            )
        }

    def best(name: str, what: str) -> float:
        values = [run[what] for run in runs[name]]
        return max(values) if what == "rate" else min(values)

    luna, falcon = runs
    lines = [
        f"Modelo {model.name}, pergunta de {number(runs[luna][0]['prompt'], 0)} tokens, resposta de "
        f"{args.tokens}, "
        f"sem sorteio, o melhor de {args.repeats}. {describe_machine()}. Carga "
        f"{number(os.getloadavg()[0], 1)}.",
        "",
        "| | do início ao primeiro token, s | da pergunta ao primeiro token, s | tokens/s | razão |",
        "|---|---:|---:|---:|---:|",
        f"| luna --query | {number(command, 2)} | | | |",
    ]
    for name in runs:
        ratio = best(name, "rate") / best(falcon, "rate")
        first, read, rate = (best(name, what) for what in ("first", "read", "rate"))
        lines.append(
            table_row(name, number(first, 2), number(read, 3), number(rate, 1), f"{number(ratio, 2)}×")
        )
    write_table(Path(__file__).parent / "results" / "chat_latency.md", "Espera na conversa", lines)


if __name__ == "__main__":
    main()
