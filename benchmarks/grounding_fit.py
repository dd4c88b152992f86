"""Fits the weights of the extractive answerer on training rows and writes them into the package.

    python benchmarks/grounding_fit.py --data-root PASTA [--reader]

Reads ``luna/documentos.jsonl`` (split train) and ``sft/train-grounded_qa.parquet``; no evaluation set. With
``--reader``, the weights for when the reader helps, on the rows of these that it was not trained on. Two
models: a softmax over the sentences of a question (which one answers?) and a logistic regression on the best
one (does it answer at all?). The threshold is the one that gets most training questions of our own documents
right, a wrong answer counting as much as a needless refusal.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import reader_data
from lunagpt.chat.grounding.extractive import rank_sentences
from lunagpt.chat.grounding.facts import FactBase, find_facts
from lunagpt.chat.grounding.follow_up import rewrite_follow_up
from lunagpt.chat.grounding.questions import Asks, analyse_question
from lunagpt.chat.grounding.ranking import answer_features, passage_facts, sentence_features
from lunagpt.chat.grounding.readings import Readings, read_passages
from lunagpt.chat.grounding.spans import candidate_spans, span_features
from lunagpt.chat.grounding.units import Unit, cut_passages
from lunagpt.chat.grounding.words import content_stems, fold
from lunagpt.data.sentences import split_sentences
from lunagpt.files import atomic_write_text
from lunagpt.rag.encyclopedia_build import is_held_out, read_rows
from lunagpt.reading import SpanReader, load_reader

ASSETS = Path(__file__).parents[1] / "src/lunagpt/assets/grounding"
_SQUAD_ROWS = 800


@dataclass(slots=True)
class Example:
    """A question over passages, with the spans (passage, start, end) that answer it; none: unanswerable."""

    question: str
    passages: list[dict[str, Any]]
    spans: list[tuple[int, int, int]]
    weight: float
    own: bool


def own_documents(path: Path, split: str, reserved: bool = False) -> Iterator[Example]:
    """Questions of our own documents, follow-ups rewritten; `reserved`: only those kept from the reader."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["split"] != split or (reserved and not reader_data.is_reserved(row["group"])):
            continue
        passages = row["documents"]
        places = {document["id"]: number for number, document in enumerate(passages)}
        spans = []
        for support in row["support"]:
            number = places[support["id"]]
            start = passages[number]["content"].find(support["quote"])
            if start >= 0:
                spans.append((number, start, start + len(support["quote"])))
        messages = row["messages"]
        turns = [messages[i : i + 2] for i in range(0, len(messages), 2)]
        answerable = row.get("turn_answerable") or [row["answerable"]] * len(turns)
        for index, ((user, _), possible) in enumerate(zip(turns, answerable, strict=True)):
            if len(turns) > 1 and possible and index:
                continue  # whose support is whose is not told
            question = rewrite_follow_up(user["content"], messages[: 2 * index])
            weight = 0.15 if row["origin"] == "template" else 1.0
            yield Example(question, passages, spans if possible else [], weight, True)


def read_comprehension(path: Path) -> Iterator[Example]:
    """SQuAD, FaQuAD and Pirá training rows: one passage each."""
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pylist()
    random.Random(0).shuffle(rows)
    squad = 0
    for row in rows:
        context, start = row["context"], row["answer_start"]
        question = json.loads(row["messages"])[0]["content"].rpartition("Pergunta: ")[2]
        if not context or "adversarial" in row["source"] or "quoref" in row["source"]:
            continue
        if "unanswerable" in row["source"]:
            yield Example(question, [{"content": context}], [], 0.5, False)
            continue
        if start is None or start < 0 or not row["answer"]:
            continue
        squad += "squad" in row["source"]
        if "squad" in row["source"] and squad > _SQUAD_ROWS:
            continue
        span = (0, start, start + len(row["answer"].strip()))
        yield Example(question, [{"content": context}], [span], 0.5, False)


def encyclopedia_questions(folder: Path, count: int) -> Iterator[Example]:
    """Stored questions of the encyclopaedia as people retype them; the answer stands behind the question."""
    rows = [row for row in read_rows(folder) if len(row["qa"]) > 1]
    choose = random.Random(0)
    for row in choose.sample(rows, count):
        pair = choose.choice(row["qa"])
        lines = [row["text"], *(f"{other['q']} {other['a']}" for other in row["qa"])]
        content = "\n\n".join(lines)
        words = pair["q"].rstrip("?").split()
        if len(words) > 5:
            del words[choose.randrange(2, len(words))]
        question = fold(" ".join(words)) if choose.random() < 0.5 else " ".join(words) + "?"
        start = content.index(f"{pair['q']} {pair['a']}") + len(pair["q"]) + 1
        spans = [(0, start, start + len(pair["a"]))]
        yield Example(question, [{"title": row["title"], "content": content}], spans, 0.5, False)
        if choose.random() < 0.25:
            asked = "quem foi" if row["title"].istitle() and " " in row["title"] else "o que é"
            first = split_sentences(row["text"])[0]
            passages = [{"title": row["title"], "content": row["text"]}]
            yield Example(f"{asked} {row['title']}?", passages, [(0, *first)], 0.5, False)


def unseen_questions(folder: Path, count: int) -> Iterator[Example]:
    """Stored questions left out of their article: a sentence answers if it has the answer's figures and names
    and half of its words."""
    rows = [row for row in read_rows(folder) if len(row["qa"]) > 1]
    choose = random.Random(1)
    for row in choose.sample(rows, count):
        asked = choose.choice(row["qa"])
        if is_held_out(row["id"], asked["q"]):
            continue
        others = [f"{pair['q']} {pair['a']}" for pair in row["qa"] if pair is not asked]
        passage = {"title": row["title"], "content": "\n\n".join([row["text"], *others])}
        spans = [
            (0, unit.start, unit.end) for unit in cut_passages([passage])[0] if answers(unit.text, asked["a"])
        ]
        yield Example(asked["q"], [passage], spans, 0.5, False)


def reserved_questions(root: Path) -> Iterator[Example]:
    """Questions that no reader was trained on, over single passages, half of them without an answer."""
    choose = random.Random(0)
    rows, paragraphs = reader_data.comprehension(root / "sft/train-grounded_qa.parquet", reserved=True)
    marked = [row for row in rows if row.exact]
    articles = list(reader_data.encyclopedia(root / "enciclopedia", reserved=True))
    cut = list(reader_data.without_answer([*marked, *articles]))
    near = list(reader_data.asked_of_neighbours(rows, paragraphs, choose))
    for row in [*rows, *articles, *choose.sample(cut, len(cut) // 2), *near]:
        passage = {"content": row.passage} | ({"title": row.title} if row.title else {})
        yield Example(row.question, [passage], [(0, *span) for span in row.spans], 0.5, False)


def answers(sentence: str, reference: str) -> bool:
    """Whether a sentence has all figures, dates and names of a reference answer, and half of its words."""
    base = FactBase.of([sentence])
    stems = set(content_stems(reference))
    shared = len(stems & set(content_stems(sentence))) / len(stems) if stems else 1.0
    return shared >= 0.5 and all(base.has(fact) for fact in find_facts(reference))


def supported(unit: Unit, spans: Sequence[tuple[int, int, int]]) -> bool:
    """Whether a sentence holds most of an answering span, or most of the sentence is such a span."""
    for number, start, end in spans:
        common = min(end, unit.end) - max(start, unit.start)
        if number == unit.passage and common > 0.5 * min(end - start, unit.end - unit.start):
            return True
    return False


@dataclass(slots=True)
class Listed:
    """All sentences of an example with their features, the facts of its passages, and their readings."""

    example: Example
    units: list[Unit]
    features: list[dict[str, float]]
    around: list[dict[str, Any]]
    readings: Readings | None


def listed(example: Example, reader: SpanReader | None) -> Listed:
    question = analyse_question(example.question)
    groups = cut_passages(example.passages)
    around = [passage_facts(question, units) for units in groups]
    units = [unit for group in groups for unit in group if not unit.is_heading]
    features = [sentence_features(question, unit, around[unit.passage]) for unit in units]
    readings = None
    if reader is not None:
        ranked = rank_sentences(question, groups, around, [0.0] * len(groups))
        order = (entry.unit.passage for entry in ranked)
        readings = read_passages(reader, example.question, example.passages, order)
        features = [row | readings.sentence_features(unit) for row, unit in zip(features, units, strict=True)]
    return Listed(example, units, features, around, readings)


def matrix(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> np.ndarray:
    return np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=np.float64)


def fit_ranking(groups: list[tuple[np.ndarray, np.ndarray, float]], decay: float = 0.3) -> np.ndarray:
    """Weights w that maximise the log-probability of the right sentences under softmax(features @ w)."""
    size = groups[0][0].shape[1]
    w, moment, speed = np.zeros(size), np.zeros(size), np.zeros(size)
    for step in range(1, 301):
        gradient = decay * w
        for features, right, weight in groups:
            scores = features @ w
            p = np.exp(scores - scores.max())
            p /= p.sum()
            target = p * right
            target /= max(target.sum(), 1e-12)
            gradient -= weight * (features.T @ (target - p))
        moment = 0.9 * moment + 0.1 * gradient
        speed = 0.99 * speed + 0.01 * gradient**2
        w -= 0.05 * (moment / (1 - 0.9**step)) / (np.sqrt(speed / (1 - 0.99**step)) + 1e-8)
    return w


def fit_logistic(x: np.ndarray, y: np.ndarray, weights: np.ndarray, decay: float = 0.3) -> np.ndarray:
    """Weights of a logistic regression by Newton's method; the last column of `x` is the constant."""
    w = np.zeros(x.shape[1])
    penalty = decay * np.eye(x.shape[1])
    penalty[-1, -1] = 0
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        gradient = x.T @ (weights * (p - y)) + penalty @ w
        hessian = (x * (weights * p * (1 - p))[:, None]).T @ x + penalty
        w -= np.linalg.solve(hessian + 1e-9 * np.eye(len(w)), gradient)
    return w


def fit_spans(examples: Sequence[Example]) -> tuple[dict[str, float], float]:
    """Weights of the words inside a sentence, and the certainty from which showing them pays: below it the
    whole sentence has the higher F1."""
    rows = []
    for example in examples:
        if example.own or len(example.spans) != 1:
            continue
        (number, start, end) = example.spans[0]
        question = analyse_question(example.question)
        for unit in cut_passages(example.passages)[number]:
            if unit.start <= start and end <= unit.end and question.asks is not Asks.YES_NO:
                spans = candidate_spans(unit)
                gold = (start - unit.start, end - unit.start)
                f1 = np.array([_overlap((span.start, span.end), gold) for span in spans])
                if len(spans) > 1 and f1.max() > 0.7:
                    whole = _overlap((0, len(unit.text)), gold)
                    rows.append((span_features(question, unit, spans), f1, whole))
    names = sorted({name for features, _, _ in rows for row in features for name in row})
    groups = [(matrix(features, names), (f1 == f1.max()).astype(float), 1.0) for features, f1, _ in rows]
    w = fit_ranking(groups)
    certainty, chosen, whole = [], [], []
    for (features, _, _), (_, f1, sentence) in zip(groups, rows, strict=True):
        scores = features @ w
        p = np.exp(scores - scores.max())
        certainty.append(float(1 / p.sum()))
        chosen.append(float(f1[int(np.argmax(scores))]))
        whole.append(sentence)
    sure, gain = np.array(certainty), np.array(chosen) - np.array(whole)
    thresholds = np.linspace(0.0, 0.5, 51)
    threshold = float(thresholds[int(np.argmax([np.sum(gain[sure >= t]) for t in thresholds]))])
    print(
        f"palavras: {len(rows)} frases, F1 de caracteres {np.mean(chosen):.3f} (frase inteira "
        f"{np.mean(whole):.3f}), "
        f"iguais {np.mean(np.array(chosen) == 1):.3f}, limiar {threshold:.2f}"
    )
    return {name: round(float(value), 3) for name, value in zip(names, w, strict=True)}, round(threshold, 2)


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    """F1 of two stretches of characters."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return 2 * common / (one[1] - one[0] + other[1] - other[0]) if common > 0 else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--sample", type=float, default=1.0, help="parte das linhas (para experimentar)")
    parser.add_argument("--reader", action="store_true", help="com o leitor de trechos")
    parser.add_argument("--dry-run", action="store_true", help="mostra os números e não grava")
    arguments = parser.parse_args()
    root = arguments.data_root
    reader = load_reader() if arguments.reader else None
    examples = [*own_documents(root / "luna/documentos.jsonl", "train", reserved=arguments.reader)]
    if arguments.reader:
        examples += reserved_questions(root)
    else:
        examples += [
            *read_comprehension(root / "sft/train-grounded_qa.parquet"),
            *encyclopedia_questions(root / "enciclopedia", 400),
            *unseen_questions(root / "enciclopedia", 1500),
        ]
    random.Random(1).shuffle(examples)
    examples = examples[: round(arguments.sample * len(examples))]
    prepared = [listed(example, reader) for example in examples]
    names = sorted({name for row in prepared for features in row.features for name in features})
    groups = []
    for row in prepared:
        right = np.array([supported(unit, row.example.spans) for unit in row.units], dtype=np.float64)
        if 0 < right.sum() < len(row.units):
            groups.append((matrix(row.features, names), right, row.example.weight))
    w = fit_ranking(groups)
    hit = [right[np.argmax(features @ w)] for features, right, _ in groups]
    print(f"frases: {len(groups)} perguntas, primeira frase certa em {np.mean(hit):.3f}")
    ranking = {name: round(float(value), 3) for name, value in zip(names, w, strict=True)}

    best_rows, labels, weights, own = [], [], [], []
    for row in prepared:
        if not row.units:
            continue
        scores = matrix(row.features, names) @ w
        order = np.argsort(-scores, kind="stable")
        best = row.units[order[0]]
        features = answer_features(
            analyse_question(row.example.question),
            best,
            row.features[order[0]],
            [float(scores[i]) for i in order[:2]],
            row.around,
        )
        best_rows.append(features | (row.readings.answer_features(best) if row.readings else {}))
        labels.append(float(supported(best, row.example.spans)))
        weights.append(row.example.weight * (1.0 if row.example.own else 0.5))
        own.append(row.example.own)
    columns = sorted({name for row in best_rows for name in row})
    x = np.hstack([matrix(best_rows, columns), np.ones((len(best_rows), 1))])
    y, weight, mine = np.array(labels), np.array(weights), np.array(own)
    v = fit_logistic(x, y, weight)
    p = 1 / (1 + np.exp(-(x @ v)))
    thresholds = np.linspace(0.05, 0.95, 91)
    gains = [np.sum(weight[mine] * (p[mine] >= t) * (2 * y[mine] - 1)) for t in thresholds]
    threshold = float(thresholds[int(np.argmax(gains))])
    for name, chosen in (("próprios", mine), ("outros", ~mine)):
        asked = p[chosen] >= threshold
        print(
            f"{name}: {chosen.sum()} perguntas, respondidas {asked.mean():.3f}, certas entre elas "
            f"{y[chosen][asked].mean():.3f}"
        )
    print(f"limiar {threshold:.2f}")
    fitted = {
        "ranking": ranking,
        "answering": {
            **{name: round(float(value), 3) for name, value in zip(columns, v, strict=False)},
            "constant": round(float(v[-1]), 3),
        },
        "threshold": round(threshold, 3),
    }
    if reader is None:
        fitted["span"], fitted["span_threshold"] = fit_spans(examples)
    print(json.dumps(fitted, indent=1))
    if not arguments.dry_run:
        name = "weights_reader.json" if arguments.reader else "weights.json"
        atomic_write_text(ASSETS / name, json.dumps(fitted, indent=1) + "\n")


if __name__ == "__main__":
    main()
