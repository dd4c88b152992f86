"""Follow-up questions about an article of the built-in encyclopaedia: answered rightly, wrongly, or refused.

    python benchmarks/follow_ups.py [--half test] [--show]

`tests/data/encyclopedia_follow_ups.jsonl` has conversations of two messages, written by reading the articles:
an opening, and a question with a pronoun, without a subject, or in full, that the article answers (with the
words that a right answer must hold) or does not. The half "dev" was looked at while the rules were made, the
half "test" was only counted. An answer to a question that no article answers is a wrong one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from encyclopedia import Silent
from lunagpt.chat import LunaChat
from lunagpt.chat.grounding.words import fold
from lunagpt.reporting.numbers import number
from machine import describe_machine, write_table

CONVERSATIONS = Path(__file__).parents[1] / "tests" / "data" / "encyclopedia_follow_ups.jsonl"
HALVES = {"dev": "vista", "test": "só contada"}
RESULTS = Path(__file__).parent / "results" / "follow_ups.md"


def ask(chat: LunaChat, row: dict[str, Any]) -> tuple[str, str]:
    """What became of the second message ("right", "wrong", "refused"), and the answer."""
    chat.clear()
    chat.send_message(row["opening"])
    answer = chat.send_message(row["question"])
    if chat.report.grounding != "extractive":
        return "refused", answer
    right = any(f" {fold(words)}" in f" {fold(answer)}" for words in row["expected"])
    return ("right" if right else "wrong"), answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=HALVES, default=None)
    parser.add_argument("--show", action="store_true", help="mostra cada resposta e não grava")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    chat = LunaChat(Silent(), encyclopedia=True)
    chat.model_reads_passages = False
    rows = [json.loads(line) for line in CONVERSATIONS.read_text(encoding="utf-8").splitlines()]
    counts: Counter[tuple[str, bool, str]] = Counter()
    began = time.process_time()
    for row in rows:
        if arguments.half not in (None, row["half"]):
            continue
        outcome, answer = ask(chat, row)
        counts[row["half"], bool(row["expected"]), outcome] += 1
        if arguments.show:
            expected = " / ".join(row["expected"]) or "(recusa)"
            print(f"{outcome:8} {row['opening']} … {chat.report.query} [{expected}] {answer}")
    milliseconds = 1000 * (time.process_time() - began) / (2 * sum(counts.values()))
    lines = [
        "| metade | o que se pergunta | n | certas | erradas | recusadas |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for half in HALVES:
        for answerable in (True, False):
            here = [counts[half, answerable, outcome] for outcome in ("right", "wrong", "refused")]
            if sum(here):
                kind = "está no verbete" if answerable else "não está"
                lines.append(
                    f"| {HALVES[half]} | {kind} | {sum(here)} | " + " | ".join(map(str, here)) + " |"
                )
    lines += ["", f"{number(milliseconds, 0)} ms de CPU por mensagem. {describe_machine()}."]
    if arguments.show:
        print("\n".join(lines))
    else:
        write_table(arguments.output, "Perguntas de continuação à enciclopédia", lines)


if __name__ == "__main__":
    main()
