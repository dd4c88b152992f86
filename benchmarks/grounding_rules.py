"""What each rule of the grounded answers is worth: every set asked again without it.

    python benchmarks/grounding_rules.py --data-root PASTA [--set proprios ...] [--words-only] [--limit 120]

Each question is asked once with all rules, and it is noted which of them spoke up; then once more without
each of those. A rule is worth keeping where its absence costs right answers or brings wrong ones.

The sets: the questions to a person's own documents and the follow-ups (both halves), the turns of our own
documents held out from training, training rows of reading comprehension kept from the reader, stored
questions that the encyclopaedia does not hold, talk that nobody wants looked up, and the conversations of the
tests with a source for every turn. No evaluation set is
read. Documents are read with the reader, as they are for a user, the encyclopaedia without. Right is a
quotation with the words expected (own documents, follow-ups), of a supporting sentence (documents,
comprehension), or with the figures, names and half of the words of the reference (encyclopaedia); of talk,
what is left to the model although there are documents (a refusal counts as refused, a quotation as wrong).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import reader_data
from encyclopedia import Silent, held_out
from follow_ups import CONVERSATIONS
from follow_ups import ask as ask_again
from grounded import remember
from grounding_fit import answers, supported
from grounding_switches import RULES, Rule, switched_off, watched
from lunagpt.chat import LunaChat
from lunagpt.chat.grounding import extractive_answer, follow_up
from lunagpt.chat.grounding.units import Unit
from lunagpt.rag import RAGSystem
from lunagpt.rag.encyclopedia import built_in
from lunagpt.reading import SpanReader, load_reader
from lunagpt.reporting.numbers import decimal
from machine import describe_machine, write_table
from own_documents import DATA, FOLDERS, luna, outcome

RESULTS = Path(__file__).parent / "results" / "grounding_rules.md"
SCRIPTS = Path(__file__).parents[1] / "tests" / "data" / "conversations.jsonl"
TALK = Path(__file__).parents[1] / "tests" / "data" / "talk_and_questions.jsonl"


@dataclass(frozen=True)
class Case:
    """A question of a set: `ask` gives "certa", "errada", "recusada", or of what is not written "recusa
    certa" and "inventada"."""

    name: str
    ask: Callable[[], str]


def named(result: str, written: bool) -> str:
    """The outcome of a benchmark in the words used here."""
    if not written:
        return "recusa certa" if result == "refused" else "inventada"
    return {"right": "certa", "wrong": "errada", "refused": "recusada"}[result]


def own_documents(half: str, with_reader: bool) -> Iterator[Case]:
    rag = RAGSystem(embedding_model=False)
    rag.index_directory(DATA / FOLDERS[half], embed="later")
    remember(rag, "retrieve")
    answer = luna(rag, with_reader=with_reader)
    for line in (DATA / "questions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["half"] == half:
            ask = partial(lambda row: named(outcome(row, answer(row)), bool(row["expected"])), row)
            yield Case(row["question"], ask)


def follow_ups(half: str) -> Iterator[Case]:
    chat = encyclopedia_chat()
    for line in CONVERSATIONS.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["half"] == half:
            ask = partial(lambda row: named(ask_again(chat, row)[0], bool(row["expected"])), row)
            yield Case(f"{row['opening']} … {row['question']}", ask)


def documents(root: Path, reader: SpanReader | None) -> Iterator[Case]:
    """The turns of the held-out rows; the support of any turn counts as right for each."""
    for line in (root / "luna/documentos.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["split"] != "valid":
            continue
        asked = row["messages"][::2]
        possible = row.get("turn_answerable") or [row["answerable"]] * len(asked)
        places = {document["id"]: place for place, document in enumerate(row["documents"])}
        spans = [
            (places[s["id"]], start, start + len(s["quote"]))
            for s in row["support"]
            if (start := row["documents"][places[s["id"]]]["content"].find(s["quote"])) >= 0
        ]
        for turn, (message, written) in enumerate(zip(asked, possible, strict=True)):

            def ask(row: Any = row, turn: int = turn, message: Any = message, spans: Any = spans) -> str:
                question = follow_up.rewrite_follow_up(message["content"], row["messages"][: 2 * turn])
                return quoted(question, row["documents"], spans, reader)

            yield Case(message["content"], ask if written else _of_nothing(ask))


def comprehension(root: Path, reader: SpanReader | None) -> Iterator[Case]:
    rows, _ = reader_data.comprehension(root / "sft/train-grounded_qa.parquet", reserved=True)
    for row in rows:
        spans = [(0, *span) for span in row.spans]
        ask = partial(quoted, row.question, [{"content": row.passage}], spans, reader)
        yield Case(row.question, ask if spans else _of_nothing(ask))


def quoted(
    question: str,
    passages: list[dict[str, Any]],
    spans: list[tuple[int, int, int]],
    reader: SpanReader | None,
) -> str:
    found = extractive_answer(question, passages, reader=reader)
    if found is None:
        return "recusada"
    (citation,) = found.citations
    unit = Unit(
        citation.number - 1, 0, citation.quote, citation.start, citation.end, None, False, frozenset()
    )
    return "certa" if supported(unit, spans) else "errada"


def _of_nothing(ask: Callable[[], str]) -> Callable[[], str]:
    """The same question where its answer is not written."""
    return lambda: "recusa certa" if ask() == "recusada" else "inventada"


def encyclopedia(root: Path) -> Iterator[Case]:
    chat = encyclopedia_chat()

    def ask(question: str, reference: str) -> str:
        chat.clear()
        chat.send_message(question)
        if chat.report.grounding != "extractive":
            return "recusada"
        return "certa" if answers(chat.report.citations[0].quote, reference) else "errada"

    for question, reference, _ in held_out(root / "enciclopedia"):
        yield Case(question, partial(ask, question, reference))


def talk(root: Path) -> Iterator[Case]:
    """What is said to Luna herself while she has documents: rows of the tests, and the last turns of training
    dialogues."""
    rag = RAGSystem(embedding_model=False)
    rag.index_directory(DATA / FOLDERS["dev"], embed="later")
    remember(rag, "retrieve")
    chat = LunaChat(Silent(), rag, encyclopedia=True)
    chat.model_reads_passages = False

    def ask(message: str, history: list[dict[str, str]]) -> str:
        chat.clear()
        chat.send_message_with_history(message, history)
        return {None: "certa", "refusal": "recusada"}.get(chat.report.grounding, "errada")

    rows = [json.loads(line) for line in TALK.read_text("utf-8").splitlines()]
    turns = [(row["message"], row["history"]) for row in rows if row["kind"] == "conversa"]
    for line in (root / "luna/conversa.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        messages = [message for message in row["messages"] if message["role"] != "system"]
        if row["split"] == "train":
            turns.append((messages[-2]["content"], messages[:-2]))
    for message, history in turns:
        yield Case(message, partial(ask, message, history))


def scripted(chat: LunaChat) -> Iterator[Case]:
    """Whole conversations: right if every turn is answered by whom, and from the article, that is written."""
    who = {"extractive": "citação", "refusal": "recusa", None: "modelo"}

    def ask(turns: list[dict[str, str]]) -> str:
        chat.clear()
        for turn in turns:
            chat.send_message(turn["message"])
            title = chat.report.citations[0].passage["title"] if chat.report.citations else None
            if (who[chat.report.grounding], title) != (turn["from"], turn.get("title")):
                return "errada"
        return "certa"

    for line in SCRIPTS.read_text("utf-8").splitlines():
        turns = json.loads(line)
        yield Case(turns[0]["message"], partial(ask, turns))


def encyclopedia_chat() -> LunaChat:
    chat = LunaChat(Silent(), encyclopedia=True)
    chat.model_reads_passages = False
    return chat


def compare(cases: list[Case], show: bool) -> tuple[Counter[str], list[tuple[Rule, int, Counter[str]]]]:
    """The outcomes with all rules; and of each rule that spoke up, in how many questions, and the change of
    the outcomes without it."""
    spoke: dict[Rule, list[int]] = defaultdict(list)
    before: list[str] = []
    heard: set[Rule] = set()
    with watched(list(RULES), heard.add):
        for place, case in enumerate(cases):
            heard.clear()
            before.append(case.ask())
            for rule in heard:
                spoke[rule].append(place)
    changes = []
    for rule in RULES:
        change: Counter[str] = Counter()
        with switched_off(rule):
            for place in spoke[rule]:
                after = cases[place].ask()
                change[before[place]] -= 1
                change[after] += 1
                if show and after != before[place]:
                    print(f"{rule.name}: {cases[place].name} {before[place]} → {after}")
        if spoke[rule]:
            changes.append((rule, len(spoke[rule]), change))
    return Counter(before), changes


def row(label: str, step: str, rule: str, n: int, outcomes: Mapping[str, int], sign: str = "") -> str:
    counts = [outcomes.get(kind, 0) for kind in ("certa", "errada", "recusada", "inventada", "recusa certa")]
    return f"| {label} | {step} | {rule} | {n} | " + " | ".join(f"{count:{sign}d}" for count in counts) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=120, help="perguntas por conjunto de --data-root")
    parser.add_argument("--set", action="append", help="só este conjunto; pode ser repetida")
    parser.add_argument("--words-only", action="store_true", help="documentos também sem o leitor")
    parser.add_argument("--show", action="store_true", help="mostra cada mudança (fora da metade contada)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    root = arguments.data_root
    reader = None if arguments.words_only else load_reader()
    if reader is not None:
        remember(reader, "read")
    remember(built_in(), "retrieve")
    sets: dict[str, Callable[[], Iterator[Case]]] = {
        "proprios": lambda: own_documents("dev", reader is not None),
        "proprios-outras-palavras": lambda: own_documents("words", reader is not None),
        "proprios-contada": lambda: own_documents("test", reader is not None),
        "continuacoes": lambda: follow_ups("dev"),
        "continuacoes-contada": lambda: follow_ups("test"),
        "documentos": lambda: documents(root, reader),
        "compreensao": lambda: comprehension(root, reader),
        "enciclopedia": lambda: encyclopedia(root),
        "conversa": lambda: talk(root),
        "roteiros": lambda: scripted(encyclopedia_chat()),
    }
    lines = [
        "| conjunto | passo | sem esta regra | perguntas em que fala | certas | erradas | recusadas estando "
        "escrito | respondidas sem estar lá | recusadas com razão |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    silent = []
    began = time.process_time()
    for name in arguments.set or sets:
        cases = list(sets[name]())
        if name in ("documentos", "compreensao", "enciclopedia", "conversa"):
            cases = random.Random(1).sample(cases, min(arguments.limit, len(cases)))
        counts, changes = compare(cases, arguments.show and not name.endswith("-contada"))
        lines.append(row(name, "", "com todas", len(cases), counts))
        idle = []
        for rule, n, change in changes:
            if any(change.values()):
                lines.append(row(name, rule.step, rule.name, n, change, "+"))
            else:
                idle.append(f"{rule.name} ({n})")
        if idle:
            silent.append(f"{name}, sem efeito: {', '.join(idle)}.")
    seconds = decimal(time.process_time() - began, 0)
    how = "por palavras" if reader is None else "com o leitor"
    lines += ["", *silent, "", f"Documentos {how}; {seconds} s de CPU. {describe_machine()}."]
    write_table(arguments.output, "O que vale cada regra", lines)


if __name__ == "__main__":
    main()
