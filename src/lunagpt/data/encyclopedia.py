"""Encyclopaedia articles → training material: the text, closed-book dialogues and grounded dialogues."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lunagpt.data.grounding_format import NO_ANSWER, cite, format_evidence

# What an article gives, and the version of the rule that makes it: a number more for other examples of the
# same articles, and what was tokenised before is out of date.
PARTS = {"article": 1, "questions": 1, "summary": 1, "grounded": 1, "passage": 1}

# Ways in which people ask for a whole subject.
_SUMMARY_REQUESTS = (
    "Fale sobre {title}.",
    "me fala um pouco sobre {title}",
    "O que você sabe sobre {title}?",
    "Você pode me explicar {title}?",
    "Explique em poucas palavras: {title}.",
    "Quero saber mais sobre {title}",
)
_NEIGHBOURS = 24
_GROUNDED_PER_ARTICLE = 2
_MAX_DISTRACTORS = 2
_UNANSWERABLE_SHARE = 0.12
_SECOND_PASSAGE_SHARE = 0.4
_LONG_WORD = re.compile(r"\w{4,}|\d+")


class ArticleReader:
    """Gives the examples of an article: strings (texts) and lists of messages (dialogues).

    ``article``: the text under its title. ``questions``: closed-book dialogues, of one question each for
    half of the articles, of two or three on end for the other half, so that a thread is held. ``summary``:
    a request for the subject, answered by the first paragraph. ``grounded``: up to two questions over the
    article among passages of other articles, answered with the passage's number; in one of eight the
    article is absent and the answer says so. ``passage``: every question over the one paragraph of the
    article that answers it, with no more than one paragraph of another article: the same task in a third of
    the tokens.

    Choices depend on the article's id alone. Distractors come from the articles read just before, so the
    reader keeps a short memory and the order of the file matters.
    """

    def __init__(self, parts: Iterable[str] = PARTS) -> None:
        self._parts = tuple(parts)
        self._neighbours: deque[dict[str, str]] = deque(maxlen=_NEIGHBOURS)

    def __call__(self, row: Mapping[str, Any]) -> Iterator[str | list[dict[str, str]]]:
        """Yield the examples of a row with ``title``, ``text``, ``qa`` and, if present, ``id``, ``area``."""
        title, text = str(row["title"]).strip(), str(row.get("text") or "").strip()
        pairs = [
            (str(pair["q"]).strip(), str(pair["a"]).strip())
            for pair in row["qa"]
            if pair.get("q") and pair.get("a")
        ]
        choose = random.Random(f"{row.get('id')}|{title}")
        if "article" in self._parts and text:
            yield f"# {title}\n\n{text}"
        if "questions" in self._parts:
            yield from _closed_book(pairs, choose)
        if "summary" in self._parts and text:
            request = choose.choice(_SUMMARY_REQUESTS).format(title=_within_sentence(title, text))
            yield _dialogue([(request, text.split("\n\n")[0])])
        if not text:
            return
        article = {"title": title, "content": text, "area": str(row.get("area") or "")}
        if "grounded" in self._parts:
            yield from self._grounded(article, pairs, choose)
        if "passage" in self._parts:
            yield from self._passages(article, pairs, choose)
        self._neighbours.append(article)

    def _grounded(
        self, article: dict[str, str], pairs: list[tuple[str, str]], choose: random.Random
    ) -> Iterator[list[dict[str, str]]]:
        for question, answer in choose.sample(pairs, min(_GROUNDED_PER_ARTICLE, len(pairs))):
            # Without the article, passages of another field make sure that none of them has the answer.
            foreign = [other for other in self._neighbours if other["area"] != article["area"]]
            absent = bool(foreign) and choose.random() < _UNANSWERABLE_SHARE
            pool = foreign if absent else list(self._neighbours)
            count = choose.randint(1 if absent else 0, _MAX_DISTRACTORS)
            documents = choose.sample(pool, min(count, len(pool)))
            if not absent:
                documents.insert(choose.randint(0, len(documents)), article)
            reply = NO_ANSWER if absent else cite(answer, documents.index(article) + 1)
            yield _dialogue([(format_evidence(documents, question), reply)])

    def _passages(
        self, article: dict[str, str], pairs: list[tuple[str, str]], choose: random.Random
    ) -> Iterator[list[dict[str, str]]]:
        foreign = [other for other in self._neighbours if other["area"] != article["area"]]
        for question, answer in pairs:
            paragraph = _telling_paragraph(article["content"], question, answer)
            if paragraph is None:
                continue
            passage = {**article, "content": paragraph}
            absent = bool(foreign) and choose.random() < _UNANSWERABLE_SHARE
            documents = [] if absent else [passage]
            if absent or (self._neighbours and choose.random() < _SECOND_PASSAGE_SHARE):
                other = choose.choice(foreign if absent else list(self._neighbours))
                foreign_passage = {**other, "content": choose.choice(other["content"].split("\n\n"))}
                documents.insert(choose.randint(0, len(documents)), foreign_passage)
            reply = NO_ANSWER if absent else cite(answer, documents.index(passage) + 1)
            yield _dialogue([(format_evidence(documents, question), reply)])


def _telling_paragraph(text: str, question: str, answer: str) -> str | None:
    """The paragraph of `text` that has most of the answer's long words and numbers, then of the question's.

    None when none has half of the answer's: then it is said in other words, or nowhere.
    """
    answering, asking = _long_words(answer), _long_words(question)
    best = max(
        text.split("\n\n"),
        key=lambda part: (len(answering & _long_words(part)), len(asking & _long_words(part))),
    )
    return best if 2 * len(answering & _long_words(best)) >= len(answering) else None


def _long_words(text: str) -> set[str]:
    return set(_LONG_WORD.findall(text.lower()))


def _closed_book(pairs: list[tuple[str, str]], choose: random.Random) -> Iterator[list[dict[str, str]]]:
    together = choose.random() < 0.5
    start = 0
    while start < len(pairs):
        count = choose.randint(2, 3) if together else 1
        yield _dialogue(pairs[start : start + count])
        start += count


def _dialogue(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    messages = []
    for question, answer in pairs:
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer})
    return messages


def _within_sentence(title: str, text: str) -> str:
    """The title as it is written inside a sentence: a common noun loses its capital, a name keeps it."""
    lowered = title[:1].lower() + title[1:]
    return lowered if re.search(rf"\b{re.escape(lowered)}", text) else title
