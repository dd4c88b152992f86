"""What the measures of quality and of skills share: the score with its uncertainty, and the questions they
ask.

Without a data set of the user's they ask the questions of `builtin/`, written for this project and in no
training data, so that they work on any machine.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.answers import Answers
from lunagpt.evaluation.behaviours.text_measures import fold, mentions, words
from lunagpt.evaluation.by_likelihood import measure_choices
from lunagpt.evaluation.columns import list_of
from lunagpt.evaluation.evaluation_data import data_files
from lunagpt.evaluation.language_models import LanguageModel
from lunagpt.evaluation.statistics import mean_interval
from lunagpt.evaluation.task import Row, shipped_tasks

#: Longest answer to a question, in tokens.
ANSWER_TOKENS = 64
# Words of a right answer shorter than this tell nothing about its subject.
_TELLING_LETTERS = 4
# Put around a question that comes without other wordings of its own.
_REWORDINGS = ("{question} Responda, por favor.", "Tenho uma dúvida. {question}")


class Score(float):
    """A number with what is needed to judge it; prints and computes like a plain float.

    Attributes:
        low, high: 95 % interval.
        n: items measured.
        chance: what a model that understands nothing reaches; None where there is no such level.
        parts: the numbers that it is made of, by name.
        data: "embutido" for the questions in the package, else the name of the user's file.
    """

    low: float
    high: float
    n: int
    chance: float | None
    parts: Mapping[str, float]
    data: str

    def __new__(
        cls,
        value: float,
        *,
        low: float,
        high: float,
        n: int,
        chance: float | None = None,
        parts: Mapping[str, float] | None = None,
        data: str = "embutido",
    ) -> Score:
        score = super().__new__(cls, value)
        score.low, score.high, score.n, score.chance = low, high, n, chance
        score.parts, score.data = dict(parts or {}), data
        return score

    @classmethod
    def mean(cls, values: Sequence[float], *, seed: int = 0, **facts: Any) -> Score:
        """The mean of item scores with its bootstrap interval.

        Raises:
            EvaluationError: there is no item.
        """
        if not values:
            raise EvaluationError("Nenhuma linha dos dados serve para esta medida.")
        low, high = mean_interval(values, seed=seed)
        return cls(sum(values) / len(values), low=low, high=high, n=len(values), **facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            _score_from,
            (float(self), self.low, self.high, self.n, self.chance, dict(self.parts), self.data),
        )


def _score_from(
    value: float, low: float, high: float, n: int, chance: float | None, parts: dict[str, float], data: str
) -> Score:
    return Score(value, low=low, high=high, n=n, chance=chance, parts=parts, data=data)


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        text: as first asked.
        rewordings: the same in other words.
        choices: alternatives; empty if there are none.
        right: index of the right one.
        answer: the right answer.
        topics: words of which an answer to the point has at least one (``*`` stands for any ending).
        context: text that it is about, or "".
    """

    text: str
    rewordings: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    right: int = 0
    answer: str = ""
    topics: tuple[str, ...] = ()
    context: str = ""

    @property
    def row(self) -> Row:
        """As a row of a multiple-choice task."""
        return {
            "id": self.text,
            "context": self.context or None,
            "question": self.text,
            "choices": list(self.choices),
            "answer_index": self.right,
            "answer": self.choices[self.right],
        }

    def asked(self, wording: str | None = None) -> str:
        """The message that asks it."""
        question = wording or self.text
        return f"{self.context}\n\n{question}" if self.context else question


@lru_cache(maxsize=8)
def builtin(name: str) -> Any:
    """A file of questions in the package, e.g. "perguntas"."""
    file = resources.files("lunagpt.evaluation") / "builtin" / f"{name}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def question_from(raw: Mapping[str, Any], seed: int) -> Question:
    """A question of the package; its right alternative, which comes first there, is moved to a random
    place."""
    choices = list(raw["choices"])
    order = random.Random(f"{seed} {raw['question']}").sample(range(len(choices)), len(choices))
    return Question(
        text=raw["question"],
        rewordings=tuple(raw.get("paraphrases", ())),
        choices=tuple(choices[i] for i in order),
        right=order.index(0),
        answer=choices[0],
        topics=tuple(raw.get("topics", ())),
    )


def question_of(row: Row) -> Question | None:
    """A question of the user's data: question, and answer, answers or choices with answer_index; else
    None.

    Raises:
        EvaluationError: choices or answers are no list.
    """
    text = row.get("question") or row.get("pergunta") or row.get("instruction")
    choices = tuple(map(str, list_of(row, "choices"))) if row.get("choices") else ()
    given = row.get("answer") or row.get("resposta") or row.get("output") or ""
    answers = list_of(row, "answers") if row.get("answers") else [given]
    right = row.get("answer_index")
    if choices and not isinstance(right, int):
        right = choices.index(str(answers[0])) if str(answers[0]) in choices else None
    if not text or (choices and right is None):
        return None
    answer = choices[right] if choices and right is not None else str(answers[0])
    rewordings = row.get("paraphrases") or [template.format(question=text) for template in _REWORDINGS]
    return Question(
        text=str(text),
        rewordings=tuple(map(str, rewordings)),
        choices=choices,
        right=right or 0,
        answer=answer,
        topics=tuple(map(str, row.get("topics") or _topics(answer, str(text)))),
        context=str(row.get("context") or ""),
    )


def read_rows_of(path: str | Path, limit: int | None) -> list[Row]:
    """The first `limit` rows of the user's file (None: all).

    Raises:
        EvaluationError, DataError: it cannot be read, is empty or is a folder of several files.
    """
    files = list(data_files(path).values())
    if len(files) > 1:
        raise EvaluationError(f'Há {len(files)} arquivos em "{path}". Indique um deles em test_dataset.')
    return files[0].rows[:limit]


def choose(model: LanguageModel, questions: Sequence[Question]) -> list[float]:
    """1 for each question whose right alternative the model takes, else 0.

    By likelihood where the model gives it (the task `multiple_choice`); a model that only writes must write
    the right alternative and no other.
    """
    if "loglikelihood" in model.capabilities:
        return list(
            _by_likelihood("multiple_choice", [entry.row for entry in questions], model).scores["accuracy"]
        )
    prompts = [
        f"{entry.asked()}\n" + "\n".join(f"- {choice}" for choice in entry.choices) for entry in questions
    ]
    texts = write(model, prompts)
    return [float(_only_right(text, entry)) for text, entry in zip(texts, questions, strict=True)]


def likelier(model: LanguageModel, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """1 for each pair of sentences of which the model finds the first one likelier (the task
    `minimal_pair`)."""
    rows = [
        {"id": right, "choices": [right, wrong], "answer_index": 0, "answer": right} for right, wrong in pairs
    ]
    return list(_by_likelihood("minimal_pair", rows, model).scores["accuracy"])


def write(
    model: LanguageModel,
    messages: Sequence[str],
    *,
    max_new_tokens: int = ANSWER_TOKENS,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """The model's answer to each message."""
    dialogues = [[{"role": "user", "content": message}] for message in messages]
    texts = model.generate(dialogues, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
    return [text.strip() for text in texts]


def content_words(text: str) -> set[str]:
    """Folded words that carry meaning: long ones and figures."""
    return {fold(word) for word in words(text) if len(word) >= _TELLING_LETTERS or word.isdigit()}


def _by_likelihood(kind: str, rows: Sequence[Row], model: LanguageModel) -> Answers:
    task = next(task for task in shipped_tasks() if task.file is None and task.kind == kind)
    return measure_choices(task, rows, [], model, lambda done, total: None)


def _only_right(text: str, question: Question) -> bool:
    named = [i for i, choice in enumerate(question.choices) if mentions(text, choice)]
    return named == [question.right]


def _topics(answer: str, question: str) -> list[str]:
    found = content_words(answer) - content_words(question)
    return sorted(found) or ([answer] if answer else [])
