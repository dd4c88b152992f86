"""Questions over single passages to train the reader on: with the words that answer, or with none.

Training rows only: `sft/train-grounded_qa.parquet`, `luna/documentos*.jsonl` (split train) and the questions
of `enciclopedia/`. Where no words are marked, those of the supporting sentence that the answer says and the
question does not stand for them. Four in ten questions that are drawn have no answer; they are made in four
ways: written as such; asked of another paragraph of the same article, or of a document of another matter;
and, the hardest, asked of the passage without the sentence that answers them.

A part of the rows, chosen by the hash of passage, document or article, is never trained on
(`reserved=True`); the certainty of the answers is fitted on it by `grounding_fit.py`.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESERVED, RESERVED_ARTICLES = 0.12, 0.05
_NEIGHBOURS = 12  # paragraphs to each side among which a question finds another one to be asked of
_STEM = 5
_WORD = re.compile(r"\w+")
_SENTENCE_BREAK = re.compile(r"(?<=[.!?;])\s+(?=[A-ZÁÉÍÓÚÂÊÔÀ0-9\"“(])|\n+")
_CITATION = re.compile(r"\s*\[\d+\]")
_STOP_WORDS = frozenset(
    """
    a o as os um uma uns umas de do da dos das em no na nos nas por pelo pela pelos pelas para pra com sem sob
    sobre e ou que se qual quais quem quando onde como quanto quantos quanta quantas porque ser foi era sao
    esta ter tem ha ao aos lhe seu sua seus suas ele ela eles elas isso isto este esse essa mais menos muito
    tambem ja nao sim
    """.split()  # noqa: SIM905
)


@dataclass(slots=True)
class Example:
    """A question over one passage.

    Attributes:
        spans: offsets (start, end) of the words that answer, in order; none: it has no answer.
        exact: the one span is the answer itself; else an answer starts and ends at any of them.
        answer: as it was written.
        place: the number of the paragraph in its source, where neighbours tell of the same matter.
    """

    question: str
    passage: str
    title: str = ""
    spans: list[tuple[int, int]] = field(default_factory=list)
    exact: bool = False
    answer: str = ""
    source: str = ""
    place: int = 0


@dataclass(slots=True)
class Paragraph:
    text: str
    source: str


def fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def stem(word: str) -> str:
    folded = fold(word)
    return folded if len(folded) <= _STEM - 1 or folded.isdigit() else folded[:_STEM]


def stems(text: str) -> set[str]:
    """Beginnings of the words that carry a subject."""
    return {stem(word) for word in _WORD.findall(text) if fold(word) not in _STOP_WORDS}


def sentences(text: str) -> list[tuple[int, int]]:
    bounds, start = [], 0
    for found in _SENTENCE_BREAK.finditer(text):
        if found.start() > start:
            bounds.append((start, found.start()))
        start = found.end()
    return [*bounds, (start, len(text))] if start < len(text) else bounds


def said_words(question: str, answer: str, passage: str, start: int, end: int) -> list[tuple[int, int]]:
    """The words of a stretch of a passage that the answer says and the question does not."""
    wanted = stems(answer) - stems(question)
    found = _WORD.finditer(passage, start, end)
    return [(word.start(), word.end()) for word in found if stem(word.group()) in wanted]


def is_reserved(key: str, share: float = RESERVED) -> bool:
    return int(hashlib.md5(key.encode()).hexdigest(), 16) % 1000 < share * 1000


def comprehension(path: Path, reserved: bool | None) -> tuple[list[Example], list[Paragraph]]:
    """The rows of a `grounded_qa` file and its paragraphs in order; `reserved` None: all of them."""
    import pyarrow.parquet as pq

    examples: list[Example] = []
    paragraphs: list[Paragraph] = []
    places: dict[str, int] = {}
    for row in pq.read_table(path).to_pylist():
        question = json.loads(row["messages"])[-2]["content"].split("Pergunta:")[-1].strip()
        passage, answer, start = row["context"], row["answer"], row["answer_start"]
        if reserved is not None and is_reserved(passage) != reserved:
            continue
        if passage not in places:
            places[passage] = len(paragraphs)
            paragraphs.append(Paragraph(passage, row["source"]))
        example = Example(question, passage, answer=answer or "", source=row["source"], place=places[passage])
        if not answer:
            examples.append(example)
        elif start >= 0:
            example.spans, example.exact = [(start, start + len(answer))], True
            if passage[start : start + len(answer)] == answer:
                examples.append(example)
        elif bounds := sentences(passage):
            best = max(bounds, key=lambda bound: len(stems(passage[slice(*bound)]) & stems(answer)))
            example.spans = said_words(question, answer, passage, *best)
            if len(example.spans) > 1:
                examples.append(example)
    return examples, paragraphs


def own_documents(path: Path, split: str, reserved: bool | None) -> Iterator[Example]:
    """Single questions over each of their documents: the one that supports the answer, and the others."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["split"] != split or (reserved is not None and is_reserved(row["group"]) != reserved):
            continue
        asked = [message["content"] for message in row["messages"] if message["role"] == "user"]
        told = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
        if len(asked) == 1 and told:
            yield from _document_examples(row, asked[0], _CITATION.sub("", told[0]), path.stem)


def _document_examples(row: dict[str, Any], question: str, answer: str, source: str) -> Iterator[Example]:
    documents = {document["id"]: document for document in row["documents"]}
    if not row["answerable"]:
        wanted = stems(question)
        nearest = max(
            row["documents"],
            key=lambda document: len(stems(f"{document['title']} {document['content']}") & wanted),
        )
        yield Example(question, nearest["content"], nearest["title"], source=f"{source}: written as such")
        return
    support = [entry for entry in row.get("support") or [] if entry["id"] in documents]
    for entry in support[:1]:
        document = documents[entry["id"]]
        start = document["content"].find(entry["quote"])
        if start >= 0:
            end = start + len(entry["quote"])
            spans = said_words(question, answer, document["content"], start, end) or [(start, end)]
            yield Example(question, document["content"], document["title"], spans, False, answer, source)
    supporting = {entry["id"] for entry in support}
    if len(supporting) == 1:
        for document in row["documents"]:
            if document["id"] not in supporting:
                yield Example(
                    question, document["content"], document["title"], source=f"{source}: another document"
                )


def encyclopedia(folder: Path, reserved: bool) -> Iterator[Example]:
    """The questions of each article over its text, and one of the next article, which it does not answer."""
    rows = [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    for number, row in enumerate(rows):
        if is_reserved(row["title"], RESERVED_ARTICLES) != reserved:
            continue
        for pair in row["qa"]:
            wanted = stems(pair["a"]) - stems(pair["q"])
            if not wanted:
                continue
            spans = _spans_in_article(pair["q"], pair["a"], row["text"], wanted)
            if len(spans) >= max(1, 0.5 * len(wanted)):
                yield Example(pair["q"], row["text"], row["title"], spans, False, pair["a"], "enciclopedia")
        for pair in rows[(number + 1) % len(rows)]["qa"][:1]:
            yield Example(pair["q"], row["text"], row["title"], source="enciclopedia: another document")


def _spans_in_article(question: str, answer: str, text: str, wanted: set[str]) -> list[tuple[int, int]]:
    def fit(bound: tuple[int, int]) -> float:
        said = stems(text[slice(*bound)])
        return float(len(said & wanted) / (5 + len(said)) ** 0.5)

    return said_words(question, answer, text, *max(sentences(text), key=fit))


def asked_of_neighbours(
    examples: Sequence[Example], paragraphs: Sequence[Paragraph], choose: random.Random
) -> Iterator[Example]:
    """Each question asked of the nearby paragraph that shares most words with it and lacks its answer."""
    said = [stems(paragraph.text) for paragraph in paragraphs]
    folded = [fold(paragraph.text) for paragraph in paragraphs]
    for example in examples:
        if not example.answer:
            continue
        wanted, answer, place = stems(example.question), fold(example.answer), example.place
        near = [
            other
            for other in range(max(0, place - _NEIGHBOURS), min(len(paragraphs), place + _NEIGHBOURS + 1))
            if other != place
            and paragraphs[other].source == paragraphs[place].source
            and answer not in folded[other]
        ]
        if near:
            best = max(near, key=lambda other: len(said[other] & wanted) + 0.9 * choose.random())
            yield Example(example.question, paragraphs[best].text, source="another paragraph", place=best)


def without_answer(examples: Sequence[Example]) -> Iterator[Example]:
    """Each passage without the sentences that answer, if two are left and none says the answer again."""
    for example in examples:
        if not example.spans:
            continue
        start, end = example.spans[0][0], example.spans[-1][1]
        bounds = sentences(example.passage)
        kept = [bound for bound in bounds if bound[1] <= start or bound[0] >= end]
        passage = " ".join(example.passage[slice(*bound)] for bound in kept)
        if 1 < len(kept) < len(bounds) and fold(example.answer) not in fold(passage):
            yield Example(example.question, passage, example.title, source="answer cut out")
