"""Whether one set of weights speaks differently under two personas, and how well the domain is found out.

Adds a hypernetwork to luna-nano and trains it alone on the dialogues of `luna/` (split `train`), whose
personas reach the model only as a condition: no system message names them. Then, on held-out dialogues (split
`valid`):

* nats per token of the answers of each persona under its own condition, under the others and under none;
  beside it, the model without hypernetwork, plainly and with a system message that names the persona;
* surface statistics of answers to the same questions under each persona;
* accuracy of the detected domain of the first question, against always saying the commonest.

Intervals are 95 % bootstrap intervals over dialogues (or questions).

    python benchmarks/personas.py --data-root CORPUS
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from lunagpt.conditions import STYLES, Condition
from lunagpt.data import PackedDataset
from lunagpt.data.traits import DOMAINS, traits_of
from lunagpt.generation import SamplingParams, generate_batch
from lunagpt.models import LunaModel
from lunagpt.models.conditioned import add_hypernet, detect_domain
from lunagpt.reporting.numbers import decimal, number, percent
from lunagpt.training.parallel import keep_freed_memory
from lunagpt.training.trainer import Trainer
from machine import describe_machine, with_interval, write_table

FILES = ("explicacoes", "longas", "conversa", "historias", "reflexoes")
WEIGHTS = {"explicacoes": 4, "longas": 4, "conversa": 2, "historias": 1, "reflexoes": 1}
PERSONAS = tuple(STYLES)
RESULTS = Path(__file__).parent / "results" / "personas.md"
SHIPPED = Path(__file__).parent.parent / "src/lunagpt/assets/luna-nano"
INFORMAL = re.compile(
    r"\b(né|pra|pro|tá|tô|cê|a gente|legal|beleza|oi|opa|olha|pensa|imagina|bora|que bom)\b|!", re.IGNORECASE
)


def held_out(root: Path) -> list[dict[str, Any]]:
    """Dialogues of the split `valid` without a system message of their own."""
    lines = [line for name in FILES for line in (root / "luna" / f"{name}.jsonl").open(encoding="utf-8")]
    rows = [row for row in map(json.loads, lines) if row["split"] == "valid"]
    return [row for row in rows if row["messages"][0]["role"] == "user"]


def train(model: LunaModel, root: Path, steps: int, muon_rate: float, seed: int) -> None:
    """Trains the hypernetwork alone."""
    sources = [
        {"name": name, "path": f"luna/{name}.jsonl", "weight": WEIGHTS[name], "where": {"split": "train"}}
        for name in FILES
    ]
    dataset = PackedDataset(sources, model.tokenizer, sequence_length=512, batch_size=2, seed=seed, root=root)
    checkpoints = tempfile.TemporaryDirectory()
    Trainer(
        model,
        checkpoint_dir=checkpoints.name,
        learning_rate=1e-2,
        muon_learning_rate=muon_rate,
        weight_decay=0.0,
        warmup_steps=10,
        schedule="linear",
        gradient_accumulation_steps=4,
        max_steps=steps,
        train_only=["hypernet."],
        compile=False,
        seed=seed,
    ).train(dataset)
    checkpoints.cleanup()
    model.eval()


@torch.inference_mode()
def answer_nats(model: LunaModel, row: dict[str, Any], condition: Condition | None, line: bool) -> np.ndarray:
    """Cross-entropy (nats) of each token of the answers of a dialogue.

    Args:
        line: put a system message in front that names the persona, as in luna-nano's training.
    """
    turns = [{"role": t["role"], "content": t["content"]} for t in row["messages"]]
    if line and row["persona"] != "balanced":
        turns.insert(0, {"role": "system", "content": f"Você é Luna, persona {row['persona']}."})
    tokenizer = model.tokenizer
    ids: list[int] = []
    learned: list[bool] = []
    for turn in turns:
        of_turn = tokenizer.encode_dialog([turn])
        ids += of_turn
        learned += [False] + [turn["role"] == "assistant"] * (len(of_turn) - 1)
    limit = model.config.model.max_position_embeddings
    inputs = torch.tensor([ids[:limit]])
    logits = model(inputs, state=model.new_state(condition)).logits[0, :-1]
    nats = F.cross_entropy(logits, inputs[0, 1:], reduction="none")
    return nats[torch.tensor(learned[1:limit])].numpy()


def interval(values: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean of rows (n,) or ratio of sums of rows (n, 2), with its 95 % bootstrap interval."""

    def figure(sample: np.ndarray) -> Any:
        total = sample.sum(axis=-2 if values.ndim == 2 else -1)
        return total[..., 0] / total[..., 1] if values.ndim == 2 else total / sample.shape[-1]

    drawn = np.random.default_rng(seed).integers(0, len(values), (4000, len(values)))
    low, high = np.quantile(figure(values[drawn]), (0.025, 0.975))
    return float(figure(values)), float(low), float(high)


def shown(figures: tuple[float, float, float], digits: int = 3) -> str:
    return with_interval(*figures, digits)


def likelihood_table(base: LunaModel, model: LunaModel, rows: list[dict[str, Any]]) -> list[str]:
    """Nats per token of each persona's answers under every condition."""
    lines = [
        "| respostas de | diálogos | tokens | sem hiper-rede | + linha de sistema | sem condição | "
        + " | ".join(f"sob {name}" for name in PERSONAS)
        + " | própria − média das outras | própria − sem condição |",
        "|" + "---|" * (8 + len(PERSONAS)),
    ]
    pooled: list[np.ndarray] = []
    for persona in PERSONAS:
        own = [row for row in rows if row["persona"] == persona]
        columns: dict[str, list[np.ndarray]] = {
            "base": [answer_nats(base, row, None, line=False) for row in own],
            "line": [answer_nats(base, row, None, line=True) for row in own],
            "none": [answer_nats(model, row, None, line=False) for row in own],
        }
        for name in PERSONAS:
            columns[name] = [answer_nats(model, row, Condition.of(name), line=False) for row in own]
        tokens = np.array([len(nats) for nats in columns["base"]])
        sums = {name: np.array([nats.sum() for nats in column]) for name, column in columns.items()}
        others = np.mean([sums[name] for name in PERSONAS if name != persona], axis=0)
        against_others = np.stack((sums[persona] - others, tokens), axis=1)
        against_none = np.stack((sums[persona] - sums["none"], tokens), axis=1)
        pooled.append(against_others)
        means = [number(sums[name].sum() / tokens.sum(), 3) for name in columns]
        lines.append(
            f"| {persona} | {len(own)} | {tokens.sum()} | "
            + " | ".join(means)
            + f" | {shown(interval(against_others))} | {shown(interval(against_none))} |"
        )
    together = interval(np.concatenate(pooled))
    lines += ["", f"Todas as personas juntas, própria − média das outras: {shown(together)} nats por token."]
    return lines


STATISTICS: dict[str, Callable[[str], float]] = {
    "palavras": lambda text: len(text.split()),
    "palavras por frase": lambda text: len(text.split()) / max(1, len(re.findall(r"[.!?]+(?:\s|$)", text))),
    "letras por palavra": lambda text: float(np.mean([len(w) for w in re.findall(r"\w+", text)] or [0])),
    "marcas de informalidade por 100 palavras": lambda text: (
        100 * len(INFORMAL.findall(text)) / max(1, len(text.split()))
    ),
}


def answers(model: LunaModel, questions: list[str], max_new_tokens: int) -> dict[str, list[str]]:
    """The greedy answer to each question under each persona, written side by side."""
    tokenizer = model.tokenizer
    banned = tuple(tokenizer.special_token_ids - {tokenizer.end_token_id})
    params = SamplingParams(
        temperature=0,
        max_new_tokens=max_new_tokens,
        stop_token_ids=(tokenizer.end_token_id,),
        banned_token_ids=banned,
    )
    said: dict[str, list[str]] = {name: [] for name in PERSONAS}
    for question in questions:
        ids = tokenizer.encode_dialog([{"role": "user", "content": question}], add_generation_prompt=True)
        prompts = torch.tensor([ids] * len(PERSONAS))
        conditions = [Condition.of(name) for name in PERSONAS]
        rows = generate_batch(model, prompts, None, params, condition=conditions)[:, len(ids) :]
        for name, row in zip(PERSONAS, rows, strict=True):
            said[name].append(tokenizer.decode(row.tolist(), skip_special_tokens=True).strip())
    return said


def surface_table(said: dict[str, list[str]]) -> list[str]:
    """Means of the statistics, and the difference between the least and the most formal persona."""
    lines = [
        "| estatística | " + " | ".join(PERSONAS) + " | friendly − academic |",
        "|" + "---|" * (2 + len(PERSONAS)),
    ]
    for title, measure in STATISTICS.items():
        values = {name: np.array([measure(text) for text in texts]) for name, texts in said.items()}
        means = " | ".join(number(values[name].mean(), 2) for name in PERSONAS)
        difference = shown(interval(values["friendly"] - values["academic"]), 2)
        lines.append(f"| {title} | {means} | {difference} |")
    distinct = np.mean([len(set(texts)) for texts in zip(*said.values(), strict=True)])
    return [
        *lines,
        "",
        f"Respostas diferentes à mesma pergunta, de {len(PERSONAS)}: {number(distinct, 2)} em média.",
    ]


def domain_line(model: LunaModel, rows: list[dict[str, Any]]) -> str:
    """Accuracy of the domain detected from the first question."""
    known = [(row, traits_of(row)["domain"]) for row in rows if traits_of(row)["domain"] >= 0]
    hits = []
    for row, domain in known:
        found = detect_domain(model, row["messages"][0]["content"])
        hits.append(float(max(found, key=found.__getitem__) == DOMAINS[domain]))
    commonest = max(sum(domain == other for _, other in known) for domain in range(len(DOMAINS)))
    mean, low, high = interval(np.array(hits))
    return (
        f"Domínio da primeira pergunta ({len(known)} diálogos, {len(DOMAINS)} domínios): {percent(mean)} de "
        f"acertos [{percent(low)}; {percent(high)}]; dizer sempre o mais comum: "
        f"{percent(commonest / len(known))}."
    )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--model", type=Path, default=SHIPPED)
    options.add_argument("--steps", type=int, default=60, help="optimizer steps of 4,096 tokens")
    options.add_argument("--rank", type=int, default=4)
    options.add_argument("--muon-learning-rate", type=float, default=0.02)
    options.add_argument("--questions", type=int, default=24)
    options.add_argument("--max-new-tokens", type=int, default=80)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--save", type=Path, help="where to keep the trained model")
    options.add_argument("--results", type=Path, default=RESULTS)
    args = options.parse_args()

    keep_freed_memory()
    base = LunaModel.from_pretrained(args.model)
    model = add_hypernet(base, seed=args.seed, hypernet_rank=args.rank)
    clock, started = time.process_time(), time.perf_counter()
    train(model, args.data_root, args.steps, args.muon_learning_rate, args.seed)
    seconds, wall = time.process_time() - clock, time.perf_counter() - started
    if args.save is not None:
        model.save(args.save)

    rows = held_out(args.data_root)
    # one question of every group, those of the explanations first
    asked = list(dict.fromkeys(row["messages"][0]["content"] for row in rows))[: args.questions]
    said = answers(model, asked, args.max_new_tokens)
    assert model.hypernet is not None
    trained = sum(parameter.numel() for parameter in model.hypernet.parameters())
    example = [f"- {name}: {said[name][0]}" for name in PERSONAS]
    lines = [
        describe_machine() + ".",
        f"Modelo `{args.model.name}` ({number(base.num_parameters() / 1e6, 1)} M de parâmetros, congelados), "
        f"hiper-rede de posto {args.rank} ({number(trained / 1e6, 2)} M); {args.steps} passos de 4.096 "
        f"tokens, "
        f"Muon a {decimal(args.muon_learning_rate, 4)}, semente {args.seed}; treino: "
        f"{number(seconds / 60, 1)} "
        f"min de CPU, {number(wall / 60, 1)} min de relógio.",
        "",
        f"Nats por token das respostas de {len(rows)} diálogos separados, sob cada condição:",
        "",
        *likelihood_table(base, model, rows),
        "",
        f"Respostas geradas (sem sorteio, até {args.max_new_tokens} tokens) a {len(asked)} perguntas:",
        "",
        *surface_table(said),
        "",
        f"Exemplo, “{asked[0]}”:",
        "",
        *example,
        "",
        domain_line(model, rows),
    ]
    write_table(args.results, "Personas por hiper-rede", lines)


if __name__ == "__main__":
    main()
