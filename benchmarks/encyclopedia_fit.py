"""Fits how the encyclopaedia weighs an article against a query, and prints the weights.

    python benchmarks/encyclopedia_fit.py --data-root PASTA

A tenth of the stored questions (not the one held out for measuring) is left out of a copy of the
encyclopaedia and then asked; against them stands the training half of our small talk, which no article
answers. The held-out questions are ranked as a check.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from pathlib import Path

import numpy as np

from grounding_fit import fit_logistic
from lunagpt.chat.grounding.router import Intent, intent_of
from lunagpt.rag.encyclopedia import Encyclopedia, built_in
from lunagpt.rag.encyclopedia_build import database_of, is_held_out, join_articles, read_rows


def is_for_fitting(article: str, question: str) -> bool:
    """Whether a question that is not held out is left out here."""
    return hashlib.sha1(f"ajuste:{article}:{question}".encode()).digest()[0] < 26


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=900)
    arguments = parser.parse_args()
    choose = random.Random(0)
    rows = list(read_rows(arguments.data_root / "enciclopedia"))
    fitting, held_out = [], []
    for row in rows:
        for pair in row["qa"]:
            if is_held_out(row["id"], pair["q"]):
                held_out.append((pair["q"].strip(), row["title"].strip()))
            elif is_for_fitting(row["id"], pair["q"]):
                fitting.append((pair["q"].strip(), row["title"].strip()))
    articles = join_articles(
        rows, lambda name, asked: is_held_out(name, asked) or is_for_fitting(name, asked)
    )
    reduced = Encyclopedia(database_of(articles))
    features, labels, weights = [], [], []
    for question, title in choose.sample(fitting, min(len(fitting), arguments.questions)):
        for candidate in reduced.candidates(question)[:8]:
            features.append(candidate.features)
            labels.append(float(reduced.title(candidate.number) == title))
            weights.append(1.0)
    talk = []
    for line in (arguments.data_root / "luna/conversa.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["split"] == "train":
            talk += [message["content"] for message in row["messages"] if message["role"] == "user"]
    asked = [message for message in talk if intent_of(message) is Intent.QUESTION]
    for message in choose.sample(asked, min(len(asked), arguments.questions // 4)):
        for candidate in reduced.candidates(message)[:2]:
            features.append(candidate.features)
            labels.append(0.0)
            weights.append(1.0)
    fitted = fit_logistic(np.array(features), np.array(labels), np.array(weights), decay=0.1)
    print("_WEIGHTS = (" + ", ".join(f"{value:.2f}" for value in fitted) + ")")
    encyclopedia = built_in()
    sample = choose.sample(held_out, min(300, len(held_out)))
    first = 0
    for question, title in sample:
        found = encyclopedia.candidates(question)
        best = max(found, key=lambda entry: float(np.dot(fitted, entry.features)), default=None)
        first += best is not None and encyclopedia.title(best.number) == title
    print(f"perguntas reservadas: verbete certo em primeiro lugar em {first / len(sample):.3f}")


if __name__ == "__main__":
    main()
