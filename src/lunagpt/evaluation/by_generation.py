"""Measuring what a model writes: extractive and free answers, arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lunagpt.evaluation.answers import Answers, OnProgress, most_frequent, row_ids
from lunagpt.evaluation.columns import answers_of, bad_row, number_of, text_of
from lunagpt.evaluation.language_models import LanguageModel
from lunagpt.evaluation.scoring import (
    chance_f1,
    exact_match,
    is_refusal,
    last_number,
    without_citations,
    word_f1,
)
from lunagpt.evaluation.task import Row, Task, render

_PROMPTS = 32  # handed over at once, to show progress
_SHOWN = 200  # characters of an answer that are kept


def measure_generation(
    task: Task, rows: Sequence[Row], examples: Sequence[Row], model: LanguageModel, progress: OnProgress
) -> Answers:
    """Lets the model answer each row, always taking the most probable token, and compares."""
    if task.answer == "number":  # rows are read first: a bad one must not cost minutes of writing
        numbers = [_right_number(row) for row in rows]
        return _numbers(rows, numbers, _written(task, rows, model, progress))
    golds = [_right_texts(row) for row in rows]
    return _words(task, rows, golds, _written(task, rows, model, progress))


def _written(task: Task, rows: Sequence[Row], model: LanguageModel, progress: OnProgress) -> list[str]:
    texts: list[str] = []
    prompts = [render(task.prompt, row) for row in rows]
    for start in range(0, len(rows), _PROMPTS):
        piece = prompts[start : start + _PROMPTS]
        asked = [_dialogue(task, prompt) if task.dialogue else prompt for prompt in piece]
        texts += model.generate(asked, max_new_tokens=task.max_new_tokens, stop=task.stop)
        progress(len(texts), len(rows))
    return texts


def _dialogue(task: Task, prompt: str) -> list[dict[str, str]]:
    system = [{"role": "system", "content": task.system}] if task.system else []
    return [*system, {"role": "user", "content": prompt}]


def _right_number(row: Row) -> float:
    if row.get("answer_number") is not None:
        return number_of(row, "answer_number")
    found = last_number(text_of(row, "answer"))
    if found is None:
        raise bad_row(row, "não tem nenhum número em answer")
    return found


def _right_texts(row: Row) -> list[str]:
    """The right answers; none where the row says that its text has none."""
    return [] if row.get("answerable") is False else answers_of(row)


def _numbers(rows: Sequence[Row], golds: Sequence[float], texts: Sequence[str]) -> Answers:
    found = [last_number(text) for text in texts]
    right = [float(a is not None and a == b) for a, b in zip(found, golds, strict=True)]
    return Answers(
        ids=row_ids(rows),
        expected=[f"{gold:g}" for gold in golds],
        predictions=[text[-_SHOWN:] for text in texts],
        scores={"exact_match": right},
        chance={"exact_match": 0.0},
        constant={"exact_match": most_frequent(Counter(map(str, golds)), len(rows))},
    )


def _words(task: Task, rows: Sequence[Row], golds: Sequence[list[str]], texts: Sequence[str]) -> Answers:
    n = len(rows)
    scores: dict[str, list[float]] = {"exact_match": [], "f1": [], "answerable": []}
    chances = []
    expected = []
    for row, right, text in zip(rows, golds, texts, strict=True):
        answer = without_citations(text)
        refused = bool(task.refusal) and is_refusal(answer, task.refusal)
        if right:
            scores["exact_match"].append(0.0 if refused else exact_match(answer, right))
            scores["f1"].append(0.0 if refused else word_f1(answer, right))
            chances.append(chance_f1(str(row.get("context") or ""), right))
        else:
            scores["exact_match"].append(float(refused))
            scores["f1"].append(float(refused))
            chances.append(0.0)
        scores["answerable"].append(float(refused != bool(right)))
        expected.append(right[0] if right else "")
    without = sum(not right for right in golds) / n
    always_refuse = without if task.refusal else None
    return Answers(
        ids=row_ids(rows),
        expected=expected,
        predictions=[text[:_SHOWN] for text in texts],
        scores=scores,
        chance={"exact_match": 0.0, "f1": sum(chances) / n, "answerable": 0.5},
        constant={
            "exact_match": always_refuse,
            "f1": always_refuse,
            "answerable": max(without, 1 - without),
        },
    )
