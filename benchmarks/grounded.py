"""Answers from passages: right, cited, and refused where the passages have no answer.

    python benchmarks/grounded.py --data-root PASTA [--limit 300] [--set faquad_dev ...] [--words-only]
        [--model luna-nano ...] [--model-limit 30]

Peers in the same run: the first sentence of the passages, and the sentence with the highest BM25 score
    against the question, both of which always answer. A model is measured twice: alone (its answer to the
    prompt with passages, as it is) and in the whole chain (checked, else quoted, else refused). Evaluation
    sets are read, never tuned on.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import re
import statistics
import string
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lunagpt.chat import LunaChat
from lunagpt.chat.grounding import check_answer, extractive_answer
from lunagpt.chat.grounding.check import is_refusal
from lunagpt.chat.grounding.words import content_stems
from lunagpt.data.grounding_format import format_evidence
from lunagpt.data.sentences import split_sentences
from lunagpt.engines import Engine, LunaEngine
from lunagpt.generation import SamplingParams
from lunagpt.reading import SpanReader, load_reader
from lunagpt.reporting.numbers import decimal
from machine import describe_machine, write_table

RESULTS = Path(__file__).parent / "results" / "grounded.md"
_ARTICLES = re.compile(r"\b(?:o|a|os|as|um|uma|uns|umas)\b")
_CITATIONS = re.compile(r"\s*\[\d+\]")
_FACTS = ("figure", "date", "time", "name")
_BM25_K1, _BM25_B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Item:
    """A question over passages; no answers: the passages do not have one.

    Attributes:
        gold: numbers of the passages that carry the answer, from 1; empty if that is not told.
    """

    question: str
    passages: list[dict[str, Any]]
    answers: list[str]
    gold: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system says.

    Attributes:
        text: what is shown.
        sentence: the sentence that answers; words: the few words in it that do, or the sentence again.
        cited: numbers of the passages cited. refused: whether it says that it found nothing.
    """

    text: str
    sentence: str
    words: str
    cited: tuple[int, ...]
    refused: bool


System = Callable[[Item], Reply]
REFUSAL = Reply("", "", "", (), True)


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    content = path.read_bytes()
    lines = gzip.decompress(content) if path.suffix == ".gz" else content
    yield from map(json.loads, lines.decode("utf-8").splitlines())


def comprehension(path: Path) -> list[Item]:
    """One passage each; `answerable` false means that it has no answer."""
    items = []
    for row in rows_of(path):
        answers = row.get("answers") or ([row["answer"]] if row.get("answer") else [])
        if row.get("answerable") is False:
            answers = []
        passage = {"title": row.get("title") or "", "content": row["context"]}
        items.append(Item(row["question"], [passage], answers, frozenset({1}) if answers else frozenset()))
    return items


def own_documents(path: Path) -> list[Item]:
    """The held-out rows of our own documents, first questions only."""
    items = []
    for row in rows_of(path):
        if row["split"] != "valid":
            continue
        answers = [_CITATIONS.sub("", row["messages"][1]["content"])] if row["answerable"] else []
        places = {document["id"]: number for number, document in enumerate(row["documents"], 1)}
        gold = frozenset(places[support["id"]] for support in row["support"]) if answers else frozenset()
        items.append(Item(row["messages"][0]["content"], row["documents"], answers, gold))
    return items


def normalised(text: str) -> list[str]:
    """Words for comparison: lower case, no punctuation, no articles (as SQuAD does it, for Portuguese)."""
    text = text.lower().translate(str.maketrans("", "", string.punctuation + "“”‘’«»"))
    return _ARTICLES.sub(" ", text).split()


def exact(reply: str, answers: Sequence[str]) -> float:
    return float(any(normalised(reply) == normalised(answer) for answer in answers))


def f1(reply: str, answers: Sequence[str]) -> float:
    """Highest harmonic mean of precision and recall of words over the reference answers."""
    best = 0.0
    given = normalised(reply)
    for answer in answers:
        wanted = normalised(answer)
        common = sum((Counter(given) & Counter(wanted)).values())
        if common:
            precision, recall = common / len(given), common / len(wanted)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def first_sentence(item: Item) -> Reply:
    content = item.passages[0]["content"]
    start, end = split_sentences(content)[0]
    return plain_reply(content[start:end], (1,))


def best_bm25_sentence(item: Item) -> Reply:
    """The sentence with the highest BM25 score; the sentences of all passages are the collection."""
    sentences = [
        (number, passage["content"][start:end])
        for number, passage in enumerate(item.passages, 1)
        for start, end in split_sentences(passage["content"])
    ]
    bags = [Counter(content_stems(text)) for _, text in sentences]
    mean = statistics.fmean(sum(bag.values()) for bag in bags) or 1.0
    asked = set(content_stems(item.question))
    having = {stem: sum(stem in bag for bag in bags) for stem in asked}

    def score(bag: Counter[str]) -> float:
        length = _BM25_K1 * (1 - _BM25_B + _BM25_B * sum(bag.values()) / mean)
        return sum(
            math.log(1 + (len(bags) - having[stem] + 0.5) / (having[stem] + 0.5))
            * bag[stem]
            * (_BM25_K1 + 1)
            / (bag[stem] + length)
            for stem in asked
            if bag[stem]
        )

    number, text = sentences[max(range(len(bags)), key=lambda place: score(bags[place]))]
    return plain_reply(text, (number,))


def plain_reply(text: str, cited: tuple[int, ...], *, refused: bool = False) -> Reply:
    """A text that is compared whole, without its citations."""
    bare = _CITATIONS.sub("", text).strip("“” ")
    return Reply(text, bare, bare, cited, refused)


def extractive(*, always: bool = False, reader: SpanReader | None = None) -> System:
    """The quotation, and the few words in it where some stand out."""
    threshold = 0.0 if always else None

    def answer(item: Item) -> Reply:
        found = extractive_answer(item.question, item.passages, threshold=threshold, reader=reader)
        if found is None:
            return REFUSAL
        quote = found.citations[0].quote
        cited = tuple(citation.number for citation in found.citations)
        return Reply(found.text, quote, found.span or quote, cited, False)

    return answer


def model_alone(engine: Engine, params: SamplingParams) -> System:
    """What the model says to the prompt with the passages."""

    def answer(item: Item) -> Reply:
        content = format_evidence([_plain(passage) for passage in item.passages], item.question)
        text = "".join(engine.stream([{"role": "user", "content": content}], params)).strip()
        cited = tuple(dict.fromkeys(int(number) for number in re.findall(r"\[(\d+)\]", text)))
        return plain_reply(text, cited, refused=not text or is_refusal(text))

    return answer


def whole_chain(engine: Engine, params: SamplingParams) -> System:
    """The model's answer if it stands the checks, else the quotation, else the refusal."""

    class Given:
        def __init__(self, passages: list[dict[str, Any]]) -> None:
            self._passages = passages

        def retrieve(self, query: str) -> list[dict[str, Any]]:
            return self._passages

    def answer(item: Item) -> Reply:
        chat = LunaChat(engine, params=params)
        chat.model_reads_passages = True
        text = chat.send_message_with_custom_rag(item.question, Given([_plain(p) for p in item.passages]))
        # The chain puts the quoted passage first: back to the numbers of the item.
        contents = [passage["content"] for passage in item.passages]
        places = [contents.index(passage["content"]) + 1 for passage in chat.report.passages]
        text = re.sub(r"\[(\d+)\]", lambda match: f"[{places[int(match[1]) - 1]}]", text)
        cited = tuple(places[citation.number - 1] for citation in chat.report.citations)
        return plain_reply(text, cited, refused=chat.report.grounding == "refusal")

    return answer


def _plain(passage: dict[str, Any]) -> dict[str, Any]:
    """Without the row's own numbers: passages are numbered in their order."""
    return {"title": passage.get("title") or "", "content": passage["content"]}


@dataclass
class Scores:
    """What a system did with a set, question by question, each 0 to 1.

    Attributes:
        em, f1: of the words; sentence: F1 of the whole sentence; answered: all of the questions with an
            answer, where a refusal counts 0.
        refused: of those without.
        cited: of the answers whose right passages are told, whether it cites some and only those.
        invented: of the answers, whether they have a figure or name that the passages have not.
        seconds: CPU time of all of them.
    """

    em: list[float] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)
    sentence: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    cited: list[float] = field(default_factory=list)
    invented: list[float] = field(default_factory=list)
    seconds: float = 0.0


def score(system: System, items: Sequence[Item]) -> Scores:
    """Asks the system every question."""
    scores = Scores()
    began = time.process_time()
    for item in items:
        reply = system(item)
        if item.answers:
            scores.em.append(0.0 if reply.refused else exact(reply.words, item.answers))
            scores.f1.append(0.0 if reply.refused else f1(reply.words, item.answers))
            scores.sentence.append(0.0 if reply.refused else f1(reply.sentence, item.answers))
            scores.answered.append(float(not reply.refused))
            if not reply.refused and item.gold:
                scores.cited.append(float(bool(reply.cited) and set(reply.cited) <= item.gold))
        else:
            scores.refused.append(float(reply.refused))
        if not reply.refused:
            problems = check_answer(reply.text, item.passages, question=item.question)
            scores.invented.append(float(any(problem.kind in _FACTS for problem in problems)))
    scores.seconds = time.process_time() - began
    return scores


def measure(system: System, items: Sequence[Item]) -> list[str]:
    """A row of the table: EM, F1, F1 of the sentence, answered, refused, citations right, with invented
    facts, milliseconds each."""
    s = score(system, items)
    columns: Iterable[list[float]] = (
        s.em,
        s.f1,
        s.sentence,
        s.answered,
        s.refused,
        s.cited,
        s.invented,
    )
    return [*map(percent, columns), decimal(s.seconds / max(1, len(items)) * 1000, 1)]


def percent(values: Sequence[float]) -> str:
    return decimal(100 * statistics.fmean(values), 1) if values else ""


def remember(engine: Any, method: str) -> None:
    """Has a search engine or reader keep what it found, for systems that only differ in what
    they do with it."""
    find, known = getattr(engine, method), {}

    def found(*args: Any, **options: Any) -> Any:
        key = (args, tuple(sorted(options.items())))
        if key not in known:
            known[key] = find(*args, **options)
        return list(known[key]) if isinstance(known[key], list) else known[key]

    setattr(engine, method, found)


def sampled(items: list[Item], limit: int, seed: int) -> list[Item]:
    """At most `limit` items, always the same ones."""
    return random.Random(seed).sample(items, limit) if len(items) > limit else items


def open_engine(name: str) -> Engine:
    from lunagpt import LunaModel
    from lunagpt.commands.opening import model_folder

    return LunaEngine(LunaModel.from_pretrained(model_folder(Path(name))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=300, help="perguntas por conjunto")
    parser.add_argument("--set", action="append", help="só este conjunto; pode ser repetida")
    parser.add_argument("--words-only", action="store_true", help="sem o leitor: segundos em vez de minutos")
    parser.add_argument("--model", action="append", default=[], help="nome ou pasta; pode ser repetida")
    parser.add_argument("--model-limit", type=int, default=30, help="perguntas por conjunto para os modelos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    data = arguments.data_root
    sets = {
        "squad_pt_dev": comprehension(data / "eval/squad_pt_dev.jsonl.gz"),
        "faquad_dev": comprehension(data / "eval/faquad_dev.jsonl.gz"),
        "pira_test": comprehension(data / "eval/pira_test.jsonl.gz"),
        "documentos": own_documents(data / "luna/documentos.jsonl"),
    }
    systems: dict[str, System] = {
        "primeira frase": first_sentence,
        "melhor frase por BM25": best_bm25_sentence,
        "Luna sem leitor": extractive(),
        "Luna sem leitor, sem recusar": extractive(always=True),
    }
    reader = None if arguments.words_only else load_reader()
    if reader is not None:
        remember(reader, "read")
        systems["Luna"] = extractive(reader=reader)
        systems["Luna, sem recusar"] = extractive(always=True, reader=reader)
    params = SamplingParams(temperature=0.0, max_new_tokens=60)
    engines = {name: open_engine(name) for name in arguments.model}
    lines = [
        f"No máximo {arguments.limit} perguntas por conjunto, {arguments.model_limit} para os modelos; "
        f"semente {arguments.seed}. {describe_machine()}.",
        "",
        "EM e F1 das palavras (F1 também da frase inteira) sobre as perguntas com resposta; uma recusa conta "
        "0. Tudo em por cento; ms: tempo de CPU por pergunta. “Sem recusar” usa as leituras da linha de "
        "cima, daí os poucos ms.",
        "",
        "| conjunto | n (com resposta) | quem | EM | F1 | F1 da frase | respondidas "
        "| sem resposta e recusadas | citação certa | com número ou nome fora do trecho | ms |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in arguments.set or sets:
        items = sets[name]
        chosen = sampled(items, arguments.limit, arguments.seed)
        for title, system in systems.items():
            lines.append(row(name, chosen, title, system))
        few = sampled(items, arguments.model_limit, arguments.seed)
        for model, engine in engines.items():
            lines.append(row(name, few, f"{model}, sozinha", model_alone(engine, params)))
            lines.append(row(name, few, f"{model}, com conferência", whole_chain(engine, params)))
            lines.append(row(name, few, "Luna (as mesmas)", extractive(reader=reader)))
    write_table(arguments.output, "Respostas tiradas de trechos", lines)


def row(name: str, items: Sequence[Item], title: str, system: System) -> str:
    count = f"{len(items)} ({sum(bool(item.answers) for item in items)})"
    return "| " + " | ".join([name, count, title, *measure(system, items)]) + " |"


if __name__ == "__main__":
    main()
