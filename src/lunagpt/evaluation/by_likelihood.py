"""Measuring by probability: which continuation does the model find likelier?

Multiple choice and minimal pairs compare log-likelihoods divided by the length of the continuation in bytes,
so that long alternatives lose nothing and tokenizers do not matter. Labels such as "Sim" and "Não" are
compared by how much more likely the question makes them (Holtzman et al. 2021, "Surface form competition",
arXiv 2104.08315), since a small model prefers some words whatever is asked.

Letters: n rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.answers import Answers, OnProgress, classified, row_ids
from lunagpt.evaluation.columns import bad_row, choices_of, list_of, right_index, text_of
from lunagpt.evaluation.language_models import LanguageModel, LogLikelihood
from lunagpt.evaluation.task import Row, Task, letter, render

Pair = tuple[str, str]

# Rows handed over at once: enough to find rows of like length, few enough to show progress.
_ROWS = 128


def measure_choices(
    task: Task, rows: Sequence[Row], examples: Sequence[Row], model: LanguageModel, progress: OnProgress
) -> Answers:
    """Chooses among the alternatives of each row by the likelihood of `task.continuation`."""
    before = worked_examples(task, examples)
    asked = []
    for row in rows:
        choices = choices_of(task, row)
        texts = [render(task.continuation, row, choice=c, letter=letter(i)) for i, c in enumerate(choices)]
        contexts = [
            before + render(task.prompt, row, choice=c, letter=letter(i)) for i, c in enumerate(choices)
        ]
        asked.append(list(zip(contexts, texts, strict=True)))
    neutral = [[(render(task.neutral, {}), text) for _, text in pairs] for pairs in asked]
    scores = _scores(task, asked, neutral if task.normalize == "neutral" else None, model, progress)
    if "mass" in task.metrics:
        return _masses(task, rows, scores)
    return _chosen(task, rows, scores)


def measure_gaps(
    task: Task, rows: Sequence[Row], examples: Sequence[Row], model: LanguageModel, progress: OnProgress
) -> Answers:
    """Fills the gap of each row's sentence with its alternatives and compares the sentences.

    With `score: rest` only what follows the gap is scored, given the alternative (Trinh & Le 2018, arXiv
    1806.02847, "partial" score): the same words for all, so that length and frequency of the alternatives
    do not count.
    """
    before = worked_examples(task, examples)
    asked = []
    for row in rows:
        start, end = gap_place(task, row)
        sentence = text_of(row, "context")
        head, tail = render(task.prompt, row) + " " + sentence[:start], sentence[end:]
        pairs = []
        for choice in choices_of(task, row):
            if task.score == "rest":
                pairs.append((before + head + choice, tail))
            else:
                pairs.append((before + head, choice + tail))
        asked.append(pairs)
    return _chosen(task, rows, _scores(task, asked, None, model, progress))


def measure_text(
    task: Task, rows: Sequence[Row], examples: Sequence[Row], model: LanguageModel, progress: OnProgress
) -> Answers:
    """Bits per byte of running text: comparable between tokenizers; less is better."""
    texts = [str(row.get("text") or row.get("content") or row.get("context") or "") for row in rows]
    kept = [i for i, text in enumerate(texts) if text.strip()]
    found: list[LogLikelihood] = []
    for start in range(0, len(kept), 16):
        found += model.loglikelihood([("", texts[i]) for i in kept[start : start + 16]])
        progress(len(found), len(kept))
    usable = [(i, entry) for i, entry in zip(kept, found, strict=True) if entry.num_bytes]
    if not usable:
        raise EvaluationError("Não há texto nas linhas dadas: é preciso uma coluna text com conteúdo.")
    ids = row_ids(rows)
    return Answers(
        ids=[ids[i] for i, _ in usable],
        expected=["" for _ in usable],
        predictions=["" for _ in usable],
        scores={"bits_per_byte": [-entry.nats / math.log(2) / entry.num_bytes for _, entry in usable]},
        weights=[float(entry.num_bytes) for _, entry in usable],
    )


def worked_examples(task: Task, examples: Sequence[Row]) -> str:
    """The solved examples of a few-shot prompt, each followed by an empty line."""
    parts = []
    for row in examples:
        choices = choices_of(task, row)
        right = right_index(row, choices)
        parts.append(
            render(task.prompt, row, choice=choices[right])
            + render(task.continuation, row, choice=choices[right], letter=letter(right))
        )
    return "".join(part + "\n\n" for part in parts)


def gap_place(task: Task, row: Row) -> tuple[int, int]:
    """Where in the context the gap begins and ends.

    Raises:
        EvaluationError: the sentence has no gap.
    """
    sentence = text_of(row, "context")
    if task.gap_span is None:
        start = sentence.find(task.gap)
        length = len(task.gap)
    else:  # a span of tokens: walk to it, since the word may stand in the sentence more than once
        tokens, (first, end) = list_of(row, "tokens"), list_of(row, task.gap_span)
        place = 0
        for token in tokens[:first]:
            place = sentence.find(token, place) + len(token)
        word = sentence[place:].lstrip()
        start = len(sentence) - len(word)
        length = len(" ".join(tokens[first:end]))
    if start < 0:
        raise bad_row(row, f'não tem a lacuna "{task.gap}"')
    return start, start + length


def _scores(
    task: Task,
    asked: Sequence[Sequence[Pair]],
    neutral: Sequence[Sequence[Pair]] | None,
    model: LanguageModel,
    progress: OnProgress,
) -> list[list[float]]:
    """The score of every alternative of every row."""
    known: dict[Pair, LogLikelihood] = {}
    scores: list[list[float]] = []
    for start in range(0, len(asked), _ROWS):
        piece = asked[start : start + _ROWS]
        others = [] if neutral is None else neutral[start : start + _ROWS]
        wanted = [pair for pairs in (*piece, *others) for pair in pairs if pair not in known]
        wanted = list(dict.fromkeys(wanted))
        known |= zip(wanted, model.loglikelihood(wanted), strict=True)
        for place, pairs in enumerate(piece):
            row_scores = [_normalized(task, pair, known[pair]) for pair in pairs]
            if others:
                prior = [known[pair].nats for pair in others[place]]
                row_scores = [score - other for score, other in zip(row_scores, prior, strict=True)]
            scores.append(row_scores)
        progress(len(scores), len(asked))
        known = {pair: known[pair] for pairs in others for pair in pairs}
    return scores


def _normalized(task: Task, pair: Pair, found: LogLikelihood) -> float:
    if task.normalize == "bytes" and "mass" not in task.metrics:
        return found.nats / max(1, len(pair[1].strip().encode()))
    if task.normalize == "tokens":
        return found.nats / max(1, found.num_tokens)
    return found.nats


def _chosen(task: Task, rows: Sequence[Row], scores: Sequence[Sequence[float]]) -> Answers:
    choices = [choices_of(task, row) for row in rows]
    right = [right_index(row, entry) for row, entry in zip(rows, choices, strict=True)]
    chosen = [max(range(len(entry)), key=entry.__getitem__) for entry in scores]
    return classified(rows, choices, right, chosen)


def _masses(task: Task, rows: Sequence[Row], scores: Sequence[Sequence[float]]) -> Answers:
    """The probability that the right ones among the alternatives get together (TruthfulQA's MC2)."""
    masses, shares = [], []
    for row, entry in zip(rows, scores, strict=True):
        labels = list_of(row, task.labels or "labels")
        highest = max(entry)
        weights = [math.exp(score - highest) for score in entry]
        right = sum(weight for weight, label in zip(weights, labels, strict=True) if label)
        masses.append(right / sum(weights))
        shares.append(sum(labels) / len(labels))
    n = len(rows)
    return Answers(
        row_ids(rows), ["" for _ in rows], ["" for _ in rows], {"mass": masses}, {"mass": sum(shares) / n}
    )
