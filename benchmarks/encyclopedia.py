"""What the built-in encyclopaedia answers: questions it has never seen, and a television quiz.

    python benchmarks/encyclopedia.py --data-root PASTA [--limit 400] [--model luna-nano] [--model-limit 40]

Held-out questions go through the whole chain of a conversation (router, search, quotation). A quiz option is
chosen with the encyclopaedia by the sentence that shares most with the question and with it; where no
sentence has any option, the model's likelihood decides, as it does everywhere without the encyclopaedia.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from grounded import RESULTS, f1, open_engine, percent, rows_of
from grounding_fit import answers
from lunagpt.chat import LunaChat
from lunagpt.chat.grounding.questions import analyse_question
from lunagpt.chat.grounding.ranking import coverage
from lunagpt.chat.grounding.units import cut_passages
from lunagpt.chat.grounding.words import content_stems
from lunagpt.engines import Engine
from lunagpt.generation import SamplingParams
from lunagpt.rag.encyclopedia import built_in
from lunagpt.rag.encyclopedia_build import is_held_out, read_rows
from lunagpt.reporting.numbers import decimal
from machine import describe_machine, write_table

_LEAST_OPTION = 0.6


def held_out(folder: Path) -> list[tuple[str, str, str]]:
    """Question, reference answer and title of the article."""
    return [
        (pair["q"].strip(), pair["a"].strip(), row["title"].strip())
        for row in read_rows(folder)
        for pair in row["qa"]
        if is_held_out(row["id"], pair["q"].strip())
    ]


def measure(chat: LunaChat, questions: Sequence[tuple[str, str, str]]) -> list[str]:
    """Shares of questions that were answered, from the right article, rightly; F1; milliseconds each."""
    answered, articles, right, scores = [], [], [], []
    began = time.process_time()
    for question, reference, title in questions:
        chat.clear()
        text = chat.send_message(question)
        quoted = chat.report.grounding == "extractive" or not chat.encyclopedia_enabled
        answered.append(float(quoted))
        words = chat.report.citations[0].quote if chat.report.citations else text
        right.append(float(quoted and answers(words, reference)))
        scores.append(f1(words, [reference]) if quoted else 0.0)
        if chat.report.citations:
            articles.append(float(chat.report.citations[0].passage["title"].lower() == title.lower()))
    milliseconds = 1000 * (time.process_time() - began) / len(questions)
    columns = (percent(answered), percent(articles), percent(right), percent(scores))
    return [*columns, decimal(milliseconds, 1)]


def choose(question: str, options: Sequence[str]) -> int | None:
    """The option that the encyclopaedia's sentences speak for; None if they speak for none or for two
    alike."""
    scores = []
    asked = analyse_question(question).stems
    for option in options:
        wanted = tuple(content_stems(option)) or (option.lower(),)
        best = 0.0
        for units in cut_passages(built_in().retrieve(f"{question} {option}", 4)):
            for unit in units:
                found = unit.stems | unit.context
                if coverage(wanted, unit.stems) >= _LEAST_OPTION:
                    best = max(best, coverage(asked, found) + 0.1 * coverage(wanted, unit.stems))
        scores.append(best)
    top = max(scores)
    return scores.index(top) if top > 0 and scores.count(top) == 1 else None


def quiz(path: Path, engine_name: str | None) -> list[str]:
    """Rows: by the encyclopaedia where it decides, with the model elsewhere; by the model alone."""
    rows = list(rows_of(path))
    chosen = [choose(row["question"], row["choices"]) for row in rows]
    decided = [
        place == row["answer_index"] for place, row in zip(chosen, rows, strict=True) if place is not None
    ]
    guess = [1 / len(row["choices"]) for row in rows]
    model: list[float] = guess
    if engine_name is not None:
        from lunagpt.evaluation.language_models import open_language_model

        language_model = open_language_model(engine_name)
        pairs = [(f"{row['question']}\nResposta:", f" {option}") for row in rows for option in row["choices"]]
        likely = iter(language_model.loglikelihood(pairs))
        model = []
        for row in rows:
            values = [(entry := next(likely)).nats / max(1, entry.num_bytes) for _ in row["choices"]]
            model.append(float(values.index(max(values)) == row["answer_index"]))
    joined = [
        float(place == row["answer_index"]) if place is not None else other
        for place, row, other in zip(chosen, rows, model, strict=True)
    ]
    name = engine_name or "acaso"
    lines = [
        f"| acaso | {percent(guess)} | |",
        f"| enciclopédia onde ela decide, {name} no resto | {percent(joined)} | "
        f"{percent([len(decided) / len(rows)])} |",
        f"| enciclopédia, só onde ela decide | {percent([float(value) for value in decided])} | |",
    ]
    if engine_name is not None:
        lines.insert(1, f"| {engine_name} | {percent(model)} | |")
    return [
        f"show_do_milhao, {len(rows)} perguntas:",
        "",
        "| quem | certas | decididas |",
        "|---|---:|---:|",
        *lines,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--model", default=None)
    parser.add_argument("--model-limit", type=int, default=40)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    everything = held_out(arguments.data_root / "enciclopedia")
    questions = random.Random(0).sample(everything, min(arguments.limit, len(everything)))
    found = [
        [passage.title.lower() for passage in built_in().retrieve(asked, 3)] for asked, _, _ in questions
    ]
    titles = [title.lower() for _, _, title in questions]
    first = statistics.fmean(
        float(bool(got) and got[0] == title) for got, title in zip(found, titles, strict=True)
    )
    three = statistics.fmean(float(title in got) for got, title in zip(found, titles, strict=True))
    params = SamplingParams(temperature=0.0, max_new_tokens=60)
    engine: Engine = open_engine(arguments.model) if arguments.model else Silent()
    chat = LunaChat(engine, params=params, encyclopedia=True)
    chat.model_reads_passages = False
    rows = [f"| com a enciclopédia | {len(questions)} | " + " | ".join(measure(chat, questions)) + " |"]
    if arguments.model:
        chat.disable_encyclopedia()
        few = questions[: arguments.model_limit]
        rows.append(f"| {arguments.model}, sem ela | {len(few)} | " + " | ".join(measure(chat, few)) + " |")
    lines = [
        f"{len(everything)} perguntas reservadas; uma amostra de {len(questions)}. {describe_machine()}.",
        "",
        f"Busca: o verbete da pergunta vem em primeiro em {percent([first])} % delas, entre os três "
        f"primeiros em {percent([three])} %.",
        "",
        "| | n | respondidas | do verbete certo | certas | F1 | ms |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *rows,
        "",
        *quiz(arguments.data_root / "eval/show_do_milhao.jsonl.gz", arguments.model),
    ]
    write_table(arguments.output, "A enciclopédia", lines)


class Silent:
    """An engine that says nothing, where only quotations are measured."""

    name = "nenhuma"

    def stream(self, messages: object, params: object, *, cancel: object = None) -> object:
        from lunagpt.engines import AnswerReport, AnswerStream

        return AnswerStream(iter(()), AnswerReport(finish_reason="stop"))


if __name__ == "__main__":
    main()
