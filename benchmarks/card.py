"""Writes the model card of a shipped model: measured bits per byte by domain and unedited dialogues.

The text around the figures is `benchmarks/data/cartao-NOME.md`; {bits_por_byte}, {dialogos} and {velocidade}
are filled in here. The card goes into the model folder as README.md, and the manifest is renewed.

    python benchmarks/card.py src/lunagpt/assets/luna-nano --data-root CORPUS
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import torch

from lunagpt.chat import LunaChat
from lunagpt.data import ValidationSet
from lunagpt.files import atomic_write_text
from lunagpt.generation import SamplingParams
from lunagpt.models import LunaModel
from lunagpt.models.checkpoint import CARD, write_manifest
from lunagpt.training.evaluation import Tally

DATA = Path(__file__).parent / "data"

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

PASSAGE = (
    "Documentos:\n[1] Horário da biblioteca: A biblioteca do bairro abre de segunda a sexta, das 9h às "
    "18h, e aos sábados das 9h às 13h. Cada leitor pode levar até três livros por quinze dias.\n\nPergunta: "
)
# What a stranger would try first, in the order of the card; written before any answer was seen.
DIALOGUES = [
    ["Oi!", "Tudo bem com você?", "Que bom. Até logo!"],
    ["Quem é você?", "Quem te criou?", "Você é o ChatGPT?"],
    ["Bom dia", "Estou com sono hoje", "Obrigado pela conversa"],
    ["Meu nome é Carla.", "Gosto de cozinhar.", "Qual é o meu nome?"],
    ["Qual é a capital do Brasil?", "E a de Portugal?"],
    ["O que é fotossíntese?", "Por que as folhas são verdes?"],
    ["Estou triste porque perdi meu cachorro."],
    ["Me conta uma história curta sobre um gato e um farol."],
    ["Quanto é 7 + 5?", "E 12 - 4?"],
    ["Escreva um bilhete avisando que a reunião mudou para quinta-feira."],
    [PASSAGE + "A que horas a biblioteca fecha no sábado?"],
    [PASSAGE + "Quantos livros posso levar?"],
    [PASSAGE + "Qual é o telefone da biblioteca?"],
    ["O que você sabe fazer?", "Você precisa de internet?"],
    ["Me dê três ideias de café da manhã.", "Qual é a mais rápida?"],
    ["Como faço um bolo simples?"],
    ["Corrija: Nós vai ao mercado amanhã."],
    ["Qual a diferença entre clima e tempo?"],
    ["Estou ansioso com uma prova amanhã.", "Obrigada, vou tentar."],
    ["Conte uma piada.", "Tchau!"],
]


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
        lines.append(f"| {group} | {m['tokens']:,} | {m['perplexity']:.1f} | {m['bits_per_byte']:.3f} |")
    return "\n".join(lines).replace(",", ".")


def dialogues(model: LunaModel, seed: int) -> tuple[str, float]:
    """The dialogues as Markdown, and tokens per second over all of them (prompts included)."""
    params = SamplingParams(seed=seed, max_new_tokens=200)
    parts: list[str] = []
    tokens, started = 0, time.perf_counter()
    for number, turns in enumerate(DIALOGUES, start=1):
        chat = LunaChat(model, params=params)
        parts.append(f"**{number}.**\n")
        for turn in turns:
            answer = chat.send_message(turn)
            tokens += chat.report.completion_tokens
            quoted = turn.replace("\n", "\n> ")
            parts.append(f"> **Você:** {quoted}\n>\n> **Luna:** " + answer.replace("\n", "\n> ") + "\n")
    return "\n".join(parts), tokens / (time.perf_counter() - started)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("model", type=Path)
    options.add_argument("--data-root", required=True)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    model = LunaModel.from_pretrained(args.model)
    talk, speed = dialogues(model, args.seed)
    text = (DATA / f"cartao-{model.config.model.name}.md").read_text(encoding="utf-8")
    for name, value in (
        ("bits_por_byte", bits_per_byte_table(model, args.data_root)),
        ("dialogos", talk),
        ("velocidade", f"{speed:.0f}"),
    ):
        text = text.replace("{" + name + "}", value)
    atomic_write_text(args.model / CARD, text)
    write_manifest(args.model)
    print(text)


if __name__ == "__main__":
    main()
