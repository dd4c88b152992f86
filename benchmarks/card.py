"""Writes the model card of a shipped model: what it was trained on and how, what it measures, what it says.

    python benchmarks/card.py luna-mini --data-root CORPUS --runs runs/mini/mini-{pretreino,ajuste}

The text around the figures is `benchmarks/data/cartao-NOME.md` (or --template). These are filled in:

    {forma}          the model's shape, as rows of a table
    {treino}         a line for each run: steps, tokens, time, machine, loss
    {total}          the sum of them
    {curvas}         the pictures of the runs, copied beside the card
    {fontes}         what was read how often, from the recipes of the runs
    {licencas}       benchmarks/data/licencas.md
    {bits_por_byte}  held-out text by domain
    {alvos}          the table of `benchmarks/targets.py`, as stored
    {dialogos}       the first --dialogues of `card_dialogues.py`, unedited; {numero} says how many
    {velocidade}     tokens per second over them
    {comando}        the command that wrote the card

The card goes into the model folder as README.md, and the manifest is renewed.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from card_dialogues import DIALOGUES
from card_training import curves, sources, total, training
from lunagpt.chat import LunaChat
from lunagpt.data import ValidationSet
from lunagpt.errors import DataError
from lunagpt.files import atomic_write_text
from lunagpt.generation import SamplingParams
from lunagpt.model_folders import CARD, find_model
from lunagpt.models import LunaModel
from lunagpt.models.checkpoint import write_manifest
from lunagpt.reporting.numbers import in_words, number
from lunagpt.training.evaluation import Tally

DATA = Path(__file__).parent / "data"
TARGETS = Path(__file__).parent / "results" / "alvos.md"

HELD_OUT = [
    {"name": "acervo", "path": "pretrain/valid-000.parquet", "sample_by": "domain"},
    {
        "name": "conversas da Luna",
        "path": ["luna/conversa.jsonl", "luna/explicacoes.jsonl", "luna/tarefas.jsonl", "luna/longas.jsonl"],
        "where": {"split": "valid"},
        "persona_prompt": True,
    },
    {"name": "perguntas sobre documentos", "path": "luna/documentos.jsonl", "where": {"split": "valid"}},
]
MAX_TOKENS = 8_000  # of each group: two digits


def shape(model: LunaModel) -> str:
    """Rows of a table of two columns."""
    m = model.config.model
    mixers = [
        *([f"atenção ({m.num_heads} cabeças, {m.num_kv_heads} de chave e valor)"] if m.use_attention else []),
        *(
            [f"um espaço de estados Mamba-2 ({m.ssm_num_heads} cabeças, estado de {m.state_size})"]
            if m.use_state_space
            else []
        ),
    ]
    forward = f"um feed-forward de {m.intermediate_size}"
    if m.use_moe:
        layers = sum(m.has_experts(i) for i in range(m.num_layers))
        forward += f"; em {layers} delas, {m.num_experts} especialistas, {m.experts_per_token} por token"
    rows = [
        ("parâmetros", in_words(model.num_parameters())),
        (
            "forma",
            f"{m.num_layers} camada{'s' * (m.num_layers > 1)} de largura {m.hidden_size}; em cada uma, "
            f"{' ao lado de '.join(mixers)}, depois {forward}",
        ),
        ("vocabulário", number(m.vocab_size, 0)),
        ("contexto", f"treinada com até {number(m.max_position_embeddings, 0)} tokens"),
    ]
    return "\n".join(f"| {name} | {value} |" for name, value in rows)


@torch.no_grad()
def bits_per_byte_table(model: LunaModel, data_root: str) -> str:
    """Markdown table of held-out bits per byte by group."""
    held_out = ValidationSet(
        HELD_OUT, model.tokenizer, sequence_length=1024, batch_size=1, max_tokens=MAX_TOKENS, root=data_root
    )
    tallies: dict[str, Tally] = defaultdict(Tally)
    for group, batch in held_out:
        tensors = (torch.from_numpy(batch[key]) for key in ("input_ids", "labels", "document_ids"))
        loss, tokens = model.loss(*tensors)
        tallies[group].add(float(loss), tokens, batch["num_bytes"])
    lines = ["| texto reservado | tokens | perplexidade | bits por byte |", "|---|---:|---:|---:|"]
    for group, tally in tallies.items():
        m = tally.metrics()
        figures = (number(m["tokens"], 0), number(m["perplexity"], 1), number(m["bits_per_byte"], 3))
        lines.append(f"| {group} | {' | '.join(figures)} |")
    return "\n".join(lines)


def dialogues(model: LunaModel, seed: int, count: int) -> tuple[str, float]:
    """The dialogues as Markdown, and tokens per second over all of them (prompts included)."""
    params = SamplingParams(seed=seed, max_new_tokens=200)
    parts: list[str] = []
    tokens, started = 0, time.perf_counter()
    for place, turns in enumerate(DIALOGUES[:count], start=1):
        chat = LunaChat(model, params=params)
        parts.append(f"**{place}.**\n")
        for turn in turns:
            answer = chat.send_message(turn)
            tokens += chat.report.completion_tokens
            quoted = turn.replace("\n", "\n> ")
            parts.append(f"> **Você:** {quoted}\n>\n> **Luna:** " + answer.replace("\n", "\n> ") + "\n")
    return "\n".join(parts), tokens / (time.perf_counter() - started)


def targets_table(name: str) -> str:
    """The stored table of targets, without its title.

    Raises:
        DataError: there is none, or it is of another model.
    """
    command = f"python benchmarks/targets.py {name} …"
    text = TARGETS.read_text(encoding="utf-8") if TARGETS.exists() else ""
    _, _, body = text.partition("\n")
    if f" {name} cumpre " not in f" {body}".replace("\n", " "):
        raise DataError(f'O modelo do cartão pede a tabela de alvos de "{name}". Faça-a antes: {command}')
    return body.strip()


def filled(text: str, values: dict[str, Callable[[], str]]) -> str:
    """The text with every field that occurs in it; only those are computed."""
    for name, value in values.items():
        field = "{" + name + "}"
        if field in text:
            text = text.replace(field, value())
    return text


def write_card(args: argparse.Namespace, command: str) -> str:
    """Fills the template, writes the card and the manifest; returns the card.

    Raises:
        LunaError: the template asks for what was not given, or the model cannot be read.
    """
    folder = find_model(args.model)
    model = LunaModel.from_pretrained(folder)
    name = model.config.model.name
    template = args.template or DATA / f"cartao-{name}.md"
    count = min(args.dialogues, len(DIALOGUES))
    said: list[tuple[str, float]] = []

    def talk() -> tuple[str, float]:
        if not said:
            said.append(dialogues(model, args.seed, count))
        return said[0]

    def pictures() -> str:
        for run in args.runs:
            shutil.copyfile(run / "curves.png", folder / f"curvas-{run.name}.png")
        return curves(args.runs)

    text = filled(
        template.read_text(encoding="utf-8"),
        {
            "forma": lambda: shape(model),
            "treino": lambda: training(args.runs),
            "total": lambda: total(args.runs),
            "curvas": pictures,
            "fontes": lambda: sources(args.runs),
            "licencas": lambda: (DATA / "licencas.md").read_text(encoding="utf-8").strip(),
            "bits_por_byte": lambda: bits_per_byte_table(model, args.data_root),
            "alvos": lambda: targets_table(name),
            "numero": lambda: str(count),
            "dialogos": lambda: talk()[0],
            "velocidade": lambda: f"{talk()[1]:.0f}",
            "comando": lambda: command,
        },
    )
    atomic_write_text(folder / CARD, text)
    write_manifest(folder)
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("model", help="pasta ou nome do modelo")
    options.add_argument("--data-root", required=True)
    options.add_argument("--runs", type=Path, nargs="*", default=[], help="pastas dos treinos, em ordem")
    options.add_argument("--template", type=Path)
    options.add_argument("--dialogues", type=int, default=40)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args(arguments)
    told = list(sys.argv[1:] if arguments is None else arguments)
    place = told.index("--data-root") + 1 if "--data-root" in told else None
    shown = ["PASTA" if i == place else argument for i, argument in enumerate(told)]
    print(write_card(args, f"python benchmarks/card.py {shlex.join(shown)}"))


if __name__ == "__main__":
    main()
