"""What emotional routing reads, against a bag of words, and what the reading does to the choice of experts.

Dialogues with an emotion label (`luna/conversa.jsonl`), five folds. The shipped model, upcycled into experts,
reads them; the projector of each layer with experts is trained on the training folds by the part's own loss
(nothing else would move: the loss reaches nothing but the projector) and judged on the fold it has not seen,
after the first message and after the whole dialogue. Beside it, in the same folds: a bag of words (ridge
regression on tf-idf, and naive Bayes), a linear probe of the same hidden vectors, of the last token and of
the mean, and the most frequent emotion. The shipped model was trained on most of these dialogues, without
labels.

Then the upcycled model is trained for a few steps, with everything, and reads sentences: the influence on the
routing.

    python benchmarks/emotions.py --data-root corpus
"""

import argparse
import json
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from lunagpt import LunaModel
from lunagpt.data.traits import EMOTION_LABELS, EMOTIONS, traits_of
from lunagpt.evaluation.probing import FOLDS, probe_predictions, stratified_folds
from lunagpt.model_folders import default_model
from lunagpt.models.emotional_routing import EmotionalRouting, emotion_loss
from lunagpt.models.emotions import expert_inputs, expert_layers, read_emotions
from lunagpt.models.upcycling import upcycle
from lunagpt.reporting.numbers import number
from lunagpt.training.optim import build_optimizer
from lunagpt.training.settings import TrainingSettings
from machine import describe_machine, write_table

STEPS = (30, 100, 300)  # of the projector; the middle one was chosen beforehand, the others show the slope
LEARNING_RATE = 1e-3
SENTENCES = (
    "Perdi o emprego hoje e não sei como contar para a minha família.",
    "Passei no vestibular! Estou tão feliz que não paro de rir.",
    "Meu vizinho jogou lixo no meu quintal de novo, que raiva!",
    "Ouvi um barulho na porta e estou sozinha em casa.",
)


def whole(row: dict) -> list[dict]:
    return row["messages"]


def opening(row: dict) -> list[dict]:
    """The messages up to the user's first."""
    first = next(i for i, message in enumerate(row["messages"]) if message["role"] == "user")
    return row["messages"][: first + 1]


def words(messages: list[dict]) -> list[str]:
    return re.findall(r"\w+", " ".join(message["content"] for message in messages).lower())


def tf_idf(documents: list[list[str]]) -> np.ndarray:
    """(n, words) of the words of two documents or more; the labels are not looked at."""
    having = Counter(word for document in documents for word in set(document))
    column = {word: i for i, word in enumerate(word for word, count in having.items() if count > 1)}
    table = np.zeros((len(documents), len(column)))
    for row, document in enumerate(documents):
        for word in document:
            if word in column:
                table[row, column[word]] += np.log(len(documents) / having[word])
    return table / (np.linalg.norm(table, axis=1, keepdims=True) + 1e-9)


def naive_bayes(documents: list[list[str]], labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Predictions (n,) of multinomial naive Bayes with add-one smoothing, each from the other folds."""
    predicted = np.empty(len(labels), dtype=np.int64)
    for fold in range(FOLDS):
        train = np.flatnonzero(folds != fold)
        counts = [Counter() for _ in EMOTIONS]
        for i in train:
            counts[labels[i]].update(documents[i])
        known = len(set().union(*counts))
        totals = [sum(count.values()) + known for count in counts]
        prior = np.log(np.bincount(labels[train], minlength=len(EMOTIONS)))
        for i in np.flatnonzero(folds == fold):
            scores = [
                prior[e] + sum(np.log((counts[e][word] + 1) / totals[e]) for word in documents[i])
                for e in range(len(EMOTIONS))
            ]
            predicted[i] = int(np.argmax(scores))
    return predicted


def trained_projectors(
    inputs: dict[int, list[torch.Tensor]], labels: np.ndarray, train: np.ndarray
) -> list[dict[int, EmotionalRouting]]:
    """The projectors of all layers after each of STEPS full-batch steps of Adam on the dialogues `train`."""
    trained: list[dict[int, EmotionalRouting]] = [{} for _ in STEPS]
    for layer, of_layer in inputs.items():
        x = torch.cat([of_layer[i] for i in train])[None]
        lengths = torch.tensor([len(of_layer[i]) for i in train])
        emotions = torch.from_numpy(labels[train]).repeat_interleave(lengths)[None]
        starts = torch.zeros(1, x.shape[1], dtype=torch.bool)
        starts[0, lengths.cumsum(0)[:-1]] = True
        routing = EmotionalRouting(x.shape[-1], 1)
        optimizer = torch.optim.AdamW([routing.projector], lr=LEARNING_RATE, weight_decay=0.0)
        for step in range(1, max(STEPS) + 1):
            optimizer.zero_grad()
            (emotion_loss(routing.scores(x, starts=starts), emotions) / x.shape[1]).backward()
            optimizer.step()
            if step in STEPS:
                kept = EmotionalRouting(x.shape[-1], 1)
                kept.load_state_dict(routing.state_dict())
                trained[STEPS.index(step)][layer] = kept
    return trained


@torch.no_grad()
def reading(projectors: dict[int, EmotionalRouting], inputs: dict[int, list[torch.Tensor]], i: int) -> int:
    """The emotion read at the end of text i, as `read_emotions` reads it."""
    scores = [routing.scores(inputs[layer][i][None])[0, -1] for layer, routing in projectors.items()]
    return int(torch.stack(scores).mean(0).argmax())


def interval(right: np.ndarray, seed: int = 0) -> str:
    """A mean in percent and its 95 % bootstrap interval."""
    means = right[np.random.default_rng(seed).integers(len(right), size=(2000, len(right)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{number(100 * right.mean(), 1)} ({number(100 * low, 1)} a {number(100 * high, 1)})"


def accuracy_table(model: LunaModel, rows: list[dict], labels: np.ndarray, seed: int) -> list[str]:
    folds = stratified_folds(labels, np.random.default_rng(seed))
    names = [EMOTIONS[label] for label in labels]
    inputs: dict[str, dict[int, list[torch.Tensor]]] = {}
    for kind, part in (("a primeira mensagem", opening), ("o diálogo inteiro", whole)):
        for row in rows:
            messages = part(row)
            ids = model.tokenizer.encode_dialog(
                messages, add_generation_prompt=messages[-1]["role"] == "user"
            )
            for layer, x in expert_inputs(model, torch.tensor([ids])).items():
                inputs.setdefault(kind, {}).setdefault(layer, []).append(x[0])
    right: dict[tuple[str, str], np.ndarray] = {}
    for fold in range(FOLDS):
        stages = trained_projectors(inputs["o diálogo inteiro"], labels, np.flatnonzero(folds != fold))
        for steps, projectors in zip(STEPS, stages, strict=True):
            for kind, of_kind in inputs.items():
                hits = right.setdefault((f"roteamento emocional, {steps} passos", kind), np.zeros(len(rows)))
                for i in np.flatnonzero(folds == fold):
                    hits[i] = reading(projectors, of_kind, i) == labels[i]
    for kind, part in (("a primeira mensagem", opening), ("o diálogo inteiro", whole)):
        documents = [words(part(row)) for row in rows]
        last = max(inputs[kind])
        for name, features in (
            ("saco de palavras, regressão ridge", tf_idf(documents)),
            (f"sonda da camada {last}, último token", np.stack([x[-1].numpy() for x in inputs[kind][last]])),
            (f"sonda da camada {last}, média", np.stack([x.mean(0).numpy() for x in inputs[kind][last]])),
        ):
            right[name, kind] = np.array(probe_predictions(features, names, seed)) == np.array(names)
        right["saco de palavras, Bayes ingênuo", kind] = naive_bayes(documents, labels, folds) == labels
        right["emoção mais comum", kind] = labels == np.bincount(labels).argmax()
    lines = [
        "| acertos nos separados, % (95 %) | depois da primeira mensagem | depois do diálogo inteiro |",
        "|---|---|---|",
    ]
    for name in sorted({name for name, _ in right}):
        cells = (interval(right[name, kind].astype(float)) for kind in inputs)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    ours = f"roteamento emocional, {STEPS[1]} passos"
    for kind in inputs:
        best = max(
            (n for n, k in right if n.startswith("saco") and k == kind), key=lambda n: right[n, kind].mean()
        )
        difference = right[ours, kind].astype(float) - right[best, kind]
        lines.append("")
        lines.append(f"{ours}, menos {best}, depois d{kind}: {interval(difference)} pontos.")
    return lines


def influence_lines(model: LunaModel, rows: list[dict], steps: int, seed: int) -> list[str]:
    """A few steps of training, one dialogue at a time in small batches, then sentences are read."""
    random = np.random.default_rng(seed)
    model.train()
    optimizer = build_optimizer(model, TrainingSettings())
    for _ in range(steps):
        targets = 0
        for i in random.choice(len(rows), size=8, replace=False):
            ids, mask = model.tokenizer.encode_dialog_with_mask(rows[i]["messages"])
            ids = torch.tensor([ids])
            labels = torch.where(torch.tensor([mask], dtype=torch.bool)[:, 1:], ids[:, 1:], -100)
            emotion = torch.full_like(ids[:, :-1], traits_of(rows[i])["emotion"])
            loss, count = model.loss(ids[:, :-1], labels, traits={"emotion": emotion})
            loss.backward()
            targets += count
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad /= targets
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        model.after_step()
    model.eval()
    lines = [
        f"Depois de {steps} passos de 8 diálogos rotulados (luna-nano com especialistas, tudo treinado):",
        "",
        "| frase | leitura | partes de especialistas que mais mudaram, pontos percentuais |",
        "|---|---|---|",
    ]
    for sentence in SENTENCES:
        read = read_emotions(model, sentence)
        top = sorted(read.probabilities.items(), key=lambda item: -item[1])[:3]
        told = ", ".join(f"{EMOTION_LABELS[name]} {number(100 * p, 0)} %" for name, p in top)
        moved = [
            (100 * change, layer, expert)
            for layer, shares in zip(read.layers, read.influence, strict=True)
            for expert, change in enumerate(shares)
        ]
        moved.sort(key=lambda item: -abs(item[0]))
        shown = "; ".join(
            f"camada {layer}, especialista {expert}: {number(change, 2, signed=True)}"
            for change, layer, expert in moved[:3]
        )
        lines.append(f"| {sentence} | {told} | {shown} |")
    return lines


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", type=Path, required=True, help="folder with luna/conversa.jsonl")
    options.add_argument("--model", type=Path, help="dense model folder; default the shipped one")
    options.add_argument("--training-steps", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    started, cpu = time.perf_counter(), time.process_time()
    text = (args.data_root / "luna" / "conversa.jsonl").read_text(encoding="utf-8")
    rows = [row for row in map(json.loads, text.splitlines()) if traits_of(row)["emotion"] >= 0]
    labels = np.array([traits_of(row)["emotion"] for row in rows])
    dense = LunaModel.from_pretrained(args.model or default_model())
    model = upcycle(dense, emotional_routing=True, seed=args.seed)
    numbers = ", ".join(
        f"{EMOTION_LABELS[EMOTIONS[e]]} {count}" for e, count in enumerate(np.bincount(labels))
    )
    lines = [
        describe_machine(),
        "",
        f"{len(rows)} diálogos, {FOLDS} partes, semente {args.seed} ({numbers}); {dense.config.model.name}, "
        f"especialistas nas camadas {', '.join(map(str, expert_layers(model)))}.",
        "",
        *accuracy_table(model, rows, labels, args.seed),
        "",
        *influence_lines(
            model, [row for row in rows if row["split"] == "train"], args.training_steps, args.seed
        ),
        "",
        f"{number(time.process_time() - cpu, 0)} s de CPU, "
        f"{number(time.perf_counter() - started, 0)} s de relógio.",
    ]
    results = Path(__file__).parent / "results" / "emocoes.md"
    write_table(results, "Emoções lidas pelo roteamento emocional", lines)


if __name__ == "__main__":
    main()
