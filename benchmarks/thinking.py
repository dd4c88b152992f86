"""Whether thinking before the answer helps a model, and what it costs.

On held-out dialogues (split `valid` of `luna/`), first turn only, greedy:

* nats per token of the written answer: at once, behind the thinking that the model itself writes, and behind
  the written thinking (what good thinking would be worth to it);
* how many of the model's own answers have the figure of the written one (reasoning only, where it has one);
* tokens and CPU seconds of a reply.

Intervals are 95 % bootstrap intervals over dialogues.

    python benchmarks/thinking.py --data-root CORPUS [--model FOLDER]
"""

import argparse
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from lunagpt.engines import LunaEngine
from lunagpt.generation import SamplingParams
from lunagpt.models import LunaModel
from lunagpt.reporting.numbers import number
from machine import describe_machine, with_interval, write_table

RESULTS = Path(__file__).parent / "results" / "thinking.md"
SHIPPED = Path(__file__).parent.parent / "src/lunagpt/assets/luna-nano"
GROUPS = {"raciocínio": ("raciocinio", "raciocinio-gerados"), "conversa": ("conversa",)}
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


def held_out(root: Path, names: Sequence[str], limit: int, seed: int) -> list[dict[str, str]]:
    """First turns of the split `valid`: question, answer, thinking ("" if there is none written)."""
    lines = [line for name in names for line in (root / "luna" / f"{name}.jsonl").open(encoding="utf-8")]
    turns = []
    for row in map(json.loads, lines):
        first, second = row["messages"][:2]
        if row["split"] == "valid" and (first["role"], second["role"]) == ("user", "assistant"):
            thinking = second.get("thinking", "")
            turns.append({"question": first["content"], "answer": second["content"], "thinking": thinking})
    order = np.random.default_rng(seed).permutation(len(turns))[:limit]
    return [turns[number] for number in order]


@torch.inference_mode()
def answer_nats(model: LunaModel, turn: dict[str, str], thinking: str) -> tuple[float, int]:
    """Cross-entropy (nats, summed) of the written answer behind some thinking, and its tokens."""
    tokenizer = model.tokenizer
    question = [{"role": "user", "content": turn["question"]}]
    answer = {"role": "assistant", "content": turn["answer"], "thinking": thinking}
    ids = tokenizer.encode_dialog([*question, answer], include_thinking=True)
    tokens = len(tokenizer.encode_content(turn["answer"])) + 1
    logits = model(torch.tensor([ids]), logits_to_keep=tokens + 1).logits[0, :-1]
    return float(F.cross_entropy(logits, torch.tensor(ids[-tokens:]), reduction="sum")), tokens


def replies(model: LunaModel, turns: Sequence[dict[str, str]], mode: str) -> tuple[list[Any], float]:
    """(report, answer) of every reply in a thinking mode, and the CPU seconds of them all."""
    engine = LunaEngine(model)
    params = SamplingParams(temperature=0, max_new_tokens=80, thinking=mode)
    said, started = [], time.process_time()
    for turn in turns:
        engine.forget()
        stream = engine.stream([{"role": "user", "content": turn["question"]}], params)
        answer = "".join(stream)
        said.append((stream.report, answer))
    return said, time.process_time() - started


def shown(sums: np.ndarray, tokens: np.ndarray, seed: int = 0) -> str:
    """Nats per token with its interval."""
    drawn = np.random.default_rng(seed).integers(0, len(sums), (4000, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / tokens[drawn].sum(axis=1), (0.025, 0.975))
    return with_interval(sums.sum() / tokens.sum(), low, high, 3)


def right(turns: Sequence[dict[str, str]], said: Sequence[Any]) -> str:
    """How many answers have the first figure of the written one, of those that have one."""
    wanted = [FIGURE.findall(turn["answer"]) for turn in turns]
    hits = [f[0] in FIGURE.findall(text) for f, (_, text) in zip(wanted, said, strict=True) if f]
    return f"{sum(hits)} de {len(hits)}"


def rows_of(model: LunaModel, group: str, turns: Sequence[dict[str, str]]) -> list[str]:
    """Lines of the table for a group of turns."""
    plain, plain_seconds = replies(model, turns, "off")
    thought, thought_seconds = replies(model, turns, "on")
    written = all(turn["thinking"] for turn in turns)
    nats = {"sem pensar": [answer_nats(model, turn, "") for turn in turns]}
    nats["com o próprio pensamento"] = [
        answer_nats(model, turn, report.thinking) for turn, (report, _) in zip(turns, thought, strict=True)
    ]
    if written:
        nats["com o pensamento escrito"] = [answer_nats(model, turn, turn["thinking"]) for turn in turns]
    tokens = np.array([count for _, count in nats["sem pensar"]])
    base = np.array([total for total, _ in nats["sem pensar"]])
    said = {"sem pensar": (plain, plain_seconds), "com o próprio pensamento": (thought, thought_seconds)}
    lines = []
    for name, pairs in nats.items():
        sums = np.array([total for total, _ in pairs])
        difference = "" if name == "sem pensar" else shown(sums - base, tokens)
        cells = ["", "", "", ""]
        if name in said:
            reports, seconds = said[name]
            cells = [
                right(turns, reports) if written else "",
                number(np.mean([report.thinking_tokens for report, _ in reports]), 0),
                number(np.mean([report.completion_tokens for report, _ in reports]), 0),
                number(seconds / len(turns), 2),
            ]
        mean = number(sums.sum() / tokens.sum(), 3)
        lines.append(f"| {group} ({len(turns)}) | {name} | {mean} | {difference} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--model", type=Path, default=SHIPPED)
    options.add_argument("--limit", type=int, default=60, help="turns of each group")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--output", type=Path, default=RESULTS)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    model = LunaModel.from_pretrained(arguments.model)
    lines = [
        describe_machine() + ".",
        f"Modelo `{model.config.model.name}` ({number(model.num_parameters() / 1e6, 1)} M de parâmetros), "
        "respostas sem sorteio.",
        "",
        "| diálogos | resposta | nats por token | diferença para sem pensar | número certo | "
        "tokens pensados | tokens da resposta | segundos de CPU por resposta |",
        "|" + "---|" * 8,
    ]
    for group, names in GROUPS.items():
        turns = held_out(arguments.data_root, names, arguments.limit, arguments.seed)
        lines += rows_of(model, group, turns)
    write_table(arguments.output, "Pensar antes de responder", lines)


if __name__ == "__main__":
    main()
