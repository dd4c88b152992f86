"""Measuring by vectors: what the mean of a model's hidden states knows of meaning.

Vectors are compared after their common mean is taken away: those of a language model lie in a narrow cone,
and what they share hides what tells them apart (Mu & Viswanath 2018, "All-but-the-top", arXiv 1702.01417).

Letters: n items, q queries, d documents, D width of a vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.answers import Answers, OnProgress, classified, most_frequent, row_ids
from lunagpt.evaluation.columns import bad_row, choices_of, number_of, right_index, text_of
from lunagpt.evaluation.language_models import LanguageModel
from lunagpt.evaluation.probing import FOLDS, pair_features, probe_predictions
from lunagpt.evaluation.task import Row, Task, render

DOCUMENT, QUERY = "retrieval_document", "retrieval_query"
_RANKS = 10
_PIECE = 64  # texts between two signs of life


def measure_probe(
    task: Task, rows: Sequence[Row], examples: Sequence[Row], model: LanguageModel, progress: OnProgress
) -> Answers:
    """Classification by a linear probe (see `lunagpt.evaluation.probing`) on one text or a pair of texts."""
    choices = [choices_of(task, row) for row in rows]
    right = [right_index(row, entry) for row, entry in zip(rows, choices, strict=True)]
    if any(entry != choices[0] for entry in choices):
        raise EvaluationError("A sonda linear precisa das mesmas classes em todas as linhas.")
    if len(rows) < 2 * FOLDS or len(set(right)) < 2:
        raise EvaluationError(f"São poucas linhas para a sonda linear ({len(rows)}): use um limite maior.")
    sides = _sides(task, rows, model, progress)
    features = sides[0] if len(sides) == 1 else pair_features(sides[0], sides[1])
    labels = [choices[0][i] for i in right]
    chosen = [choices[0].index(label) for label in probe_predictions(features, labels)]
    return classified(rows, choices, right, chosen)


def measure_similarity(
    task: Task, rows: Sequence[Row], examples: Sequence[Row], model: LanguageModel, progress: OnProgress
) -> Answers:
    """Correlation between the cosine of two sentences and the similarity that people gave them."""
    given = [number_of(row, "answer") for row in rows]
    first, second = _sides(task, rows, model, progress)
    mean = np.concatenate((first, second)).mean(axis=0)
    cosines = (_unit(first - mean) * _unit(second - mean)).sum(axis=1)
    return Answers(
        ids=row_ids(rows),
        expected=[str(grade) for grade in given],
        predictions=[f"{cosine:.3f}" for cosine in cosines],
        scores={"pearson": [float(cosine) for cosine in cosines]},
        chance={"pearson": 0.0},
        constant={"pearson": 0.0},
    )


def measure_retrieval(
    task: Task, rows: Sequence[Row], documents: Sequence[Row], model: LanguageModel, progress: OnProgress
) -> Answers:
    """Finds the document of each query by cosine. Documents of equal text are one.

    Args:
        rows: the queries; `answer` is the id of the right document.
        documents: the whole collection, whatever the limit.
    """
    place = {str(row["id"]): i for i, row in enumerate(documents)}
    wanted = [text_of(row, "answer") for row in rows]
    for row, answer in zip(rows, wanted, strict=True):
        if answer not in place:
            raise bad_row(row, f'pede o documento "{answer}", que não está no arquivo')
    total = len(documents) + len(rows)
    texts = [render(task.texts[0], row) for row in documents]
    found = _embedded(model, texts, lambda done, _: progress(done, total))
    asked = _embedded(
        model,
        [render(task.texts[-1], row) for row in rows],
        lambda done, _: progress(len(documents) + done, total),
    )
    mean = found.mean(axis=0)
    scores = _unit(asked - mean) @ _unit(found - mean).T
    same: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        same.setdefault(text, []).append(i)
    ranks, predictions = [], []
    for answer, line in zip(wanted, scores, strict=True):
        right = same[texts[place[answer]]]
        ranks.append(1 + int((line > line[right].max()).sum()))
        predictions.append(str(documents[int(line.argmax())]["id"]))
    d, n = len(documents), len(rows)
    counts = Counter(wanted)
    top = [count / n for _, count in counts.most_common(_RANKS)]
    return Answers(
        ids=row_ids(rows),
        expected=wanted,
        predictions=predictions,
        scores={
            "mrr": [1 / rank if rank <= _RANKS else 0.0 for rank in ranks],
            "recall_at_1": [float(rank == 1) for rank in ranks],
            "recall_at_10": [float(rank <= _RANKS) for rank in ranks],
        },
        chance={
            "mrr": sum(1 / rank for rank in range(1, min(_RANKS, d) + 1)) / d,
            "recall_at_1": 1 / d,
            "recall_at_10": min(_RANKS, d) / d,
        },
        constant={
            "mrr": sum(share / rank for rank, share in enumerate(top, start=1)),
            "recall_at_1": most_frequent(counts, n),
            "recall_at_10": sum(top),
        },
    )


def _sides(task: Task, rows: Sequence[Row], model: LanguageModel, progress: OnProgress) -> list[np.ndarray]:
    """Vectors (n, D) of each text of the task; equal texts are encoded once."""
    sides = [[render(template, row) for row in rows] for template in task.texts]
    unique = list(dict.fromkeys(text for side in sides for text in side))
    vectors = _embedded(model, unique, progress)
    place = {text: i for i, text in enumerate(unique)}
    return [vectors[[place[text] for text in side]] for side in sides]


def _embedded(model: LanguageModel, texts: Sequence[str], progress: OnProgress) -> np.ndarray:
    parts = []
    for start in range(0, len(texts), _PIECE):
        parts.append(model.embed(texts[start : start + _PIECE]))
        progress(min(start + _PIECE, len(texts)), len(texts))
    return np.concatenate(parts)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
