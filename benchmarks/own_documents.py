"""Questions to documents such as people have at home: right, wrong, refused though written, or made up.

    python benchmarks/own_documents.py [--half test] [--show]

`benchmarks/data/own_documents` has eight documents (contracts, a manual, a medical leaflet, minutes…; two of
them in European Portuguese) and a hundred questions, written before any of them was asked. The half "dev" was
looked at while the rules were made; the half "test" was only counted. Each half is indexed as a folder of its
own, by words, and asked as `luna ask` asks, with and without the reader. "words" are sixty more questions to
the documents of "dev", nearly all in words that these do not use, written before the work on such questions
began and looked at since. A right answer holds the words expected; any answer to a question that the
documents do not answer is a wrong one.

Peer in the same run: of the passages found, the sentence with the highest BM25 score, which always answers
(to a follow-up together with the question before it).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from encyclopedia import Silent
from grounded import Item, best_bm25_sentence
from lunagpt import LunaConfig
from lunagpt.chat import LunaChat
from lunagpt.chat.grounding.words import fold
from lunagpt.rag import RAGSystem
from machine import describe_machine, write_table

DATA = Path(__file__).parent / "data" / "own_documents"
RESULTS = Path(__file__).parent / "results" / "own_documents.md"
HALVES = {"dev": "vista", "words": "vista, outras palavras", "test": "só contada"}
FOLDERS = {"dev": "dev", "words": "dev", "test": "test"}
KINDS = ("fato", "outras palavras", "sim ou não", "continuação", "ausente")

Row = Mapping[str, Any]


def luna(rag: RAGSystem, *, with_reader: bool) -> Callable[[Row], str | None]:
    """Answers as `luna ask` does; None is a refusal."""
    config = LunaConfig.model_validate({"rag": {"use_reader": with_reader}})
    chat = LunaChat(Silent(), rag, config=config)
    chat.model_reads_passages = False

    def answer(row: Row) -> str | None:
        chat.clear()
        if "opening" in row:
            chat.ask(row["opening"])
        text = chat.ask(row["question"])
        return text if chat.report.grounding == "extractive" else None

    return answer


def bm25(rag: RAGSystem) -> Callable[[Row], str | None]:
    """The sentence with the highest BM25 score of the passages found."""

    def answer(row: Row) -> str | None:
        question = " ".join([row.get("opening", ""), row["question"]]).strip()
        passages = [dict(passage) for passage in rag.retrieve(question, threshold=0.0)]
        return best_bm25_sentence(Item(question, passages, [])).text if passages else None

    return answer


def outcome(row: Row, answer: str | None) -> str:
    """What an answer is: "right", "wrong" or "refused"."""
    if answer is None:
        return "refused"
    right = any(re.search(rf"\b{re.escape(fold(words))}", fold(answer)) for words in row["expected"])
    return "right" if right else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=tuple(HALVES), default=None)
    parser.add_argument("--show", action="store_true", help="mostra cada resposta, fora da metade só contada")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in (DATA / "questions.jsonl").read_text("utf-8").splitlines()]
    lines = [
        "| metade | quem | tipo | n | certas | erradas | recusadas estando escrito "
        "| respondidas sem estar lá |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    costs = []
    for half, folder in FOLDERS.items():
        if arguments.half not in (None, half):
            continue
        chosen = [row for row in rows if row["half"] == half]
        with closing(RAGSystem(embedding_model=False)) as rag:
            rag.index_directory(DATA / folder, embed="later")
            systems = {
                "melhor frase por BM25": bm25(rag),
                "Luna sem leitor": luna(rag, with_reader=False),
                "Luna": luna(rag, with_reader=True),
            }
            for name, system in systems.items():
                counts: Counter[tuple[str, str]] = Counter()
                began = time.process_time()
                for row in chosen:
                    answer = system(row)
                    counts[row["kind"], outcome(row, answer)] += 1
                    if arguments.show and half != "test":
                        expected = " / ".join(row["expected"]) or "(recusa)"
                        print(f"{name} {outcome(row, answer):8} {row['question']} [{expected}] {answer}")
                lines += table(HALVES[half], name, counts)
                milliseconds = 1000 * (time.process_time() - began) / len(chosen)
                costs.append(f"{name} ({HALVES[half]}) {milliseconds:.0f} ms")
    lines += ["", f"CPU por pergunta: {', '.join(costs)}. {describe_machine()}."]
    write_table(arguments.output, "Perguntas aos documentos de uma pessoa", lines)


def table(half: str, name: str, counts: Mapping[tuple[str, str], int]) -> list[str]:
    """The rows of one system: each kind of question, and all."""
    rows = []
    for title, kinds in [*((kind, (kind,)) for kind in KINDS), ("todas", KINDS)]:
        written = [kind for kind in kinds if kind != "ausente"]
        right, wrong, refused = (
            sum(counts[kind, what] for kind in written) for what in ("right", "wrong", "refused")
        )
        made_up, withheld = (
            counts["ausente", what] if "ausente" in kinds else 0 for what in ("wrong", "refused")
        )
        n = right + wrong + refused + made_up + withheld
        rows.append(f"| {half} | {name} | {title} | {n} | {right} | {wrong} | {refused} | {made_up} |")
    return rows


if __name__ == "__main__":
    main()
