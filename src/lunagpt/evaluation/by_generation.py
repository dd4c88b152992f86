"""Measuring what a model writes: extractive and free answers, arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lunagpt.evaluation.answers import Answers, OnProgress, most_frequent, row_ids
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
    texts: list[str] = []
    prompts = [render(task.prompt, row) for row in rows]
    for start in range(0, len(rows), _PROMPTS):
        piece = prompts[start : start + _PROMPTS]
        asked = [_dialogue(task, prompt) if task.dialogue else prompt for prompt in piece]
        texts += model.generate(asked, max_new_tokens=task.max_new_tokens, stop=task.stop)
        progress(len(texts), len(rows))
    return _numbers(rows, texts) if task.answer == "number" else _words(task, rows, texts)


def _dialogue(task: Task, prompt: str) -> list[dict[str, str]]:
    system = [{"role": "system", "content": task.system}] if task.system else []
    return [*system, {"role": "user", "content": prompt}]


def _numbers(rows: Sequence[Row], texts: Sequence[str]) -> Answers:
    golds = [
        float(row["answer_number"]) if "answer_number" in row else last_number(str(row["answer"]))
        for row in rows
    ]
    found = [last_number(text) for text in texts]
    right = [float(a is not None and a == b) for a, b in zip(found, golds, strict=True)]
    return Answers(
        ids=row_ids(rows),
        expected=[f"{gold:g}" if gold is not None else "" for gold in golds],
        predictions=[text[-_SHOWN:] for text in texts],
        scores={"exact_match": right},
        chance={"exact_match": 0.0},
        constant={"exact_match": most_frequent(Counter(map(str, golds)), len(rows))},
    )


def _words(task: Task, rows: Sequence[Row], texts: Sequence[str]) -> Answers:
    n = len(rows)
    scores: dict[str, list[float]] = {"exact_match": [], "f1": [], "answerable": []}
    chances = []
    expected = []
    answerable = [bool(row.get("answerable", True)) for row in rows]
    for row, text, has_answer in zip(rows, texts, answerable, strict=True):
        golds = [str(gold) for gold in (row.get("answers") or [row.get("answer") or ""])]
        answer = without_citations(text)
        refused = bool(task.refusal) and is_refusal(answer, task.refusal)
        if has_answer:
            scores["exact_match"].append(0.0 if refused else exact_match(answer, golds))
            scores["f1"].append(0.0 if refused else word_f1(answer, golds))
            chances.append(chance_f1(str(row.get("context") or ""), golds))
        else:
            scores["exact_match"].append(float(refused))
            scores["f1"].append(float(refused))
            chances.append(0.0)
        scores["answerable"].append(float(refused != has_answer))
        expected.append(golds[0] if has_answer else "")
    without = answerable.count(False) / n
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
