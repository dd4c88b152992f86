"""The vector index: exact search is exact, approximate search finds nearly all, damage is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.errors import LunaError, MissingDependencyError
from lunagpt.rag import exact_search, vector_index
from lunagpt.rag.faiss_search import PQ_MINIMUM, TARGET_RECALL
from lunagpt.rag.vector_index import KINDS, METRICS, VectorIndex, VectorIndexError

APPROXIMATE = [kind for kind in KINDS if kind != "flat"]


def clustered(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Vectors in groups, as texts of a collection are."""
    centres = np.random.default_rng(99).standard_normal((30, dimension))
    rng = np.random.default_rng(seed)
    rows = centres[rng.integers(0, 30, count)] + 0.6 * rng.standard_normal((count, dimension))
    return rows.astype(np.float32)


def scores_by_definition(vectors: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    rows, asked = vectors.astype(np.float64), query.astype(np.float64)
    if metric == "l2":
        return -np.linalg.norm(rows - asked, axis=1)
    products = rows @ asked
    if metric == "ip":
        return products
    return products / np.linalg.norm(rows, axis=1) / np.linalg.norm(asked)


@pytest.mark.parametrize("metric", METRICS)
def test_flat_search_is_the_definition(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small blocks and threads, so that the parts are joined as in a large index.
    monkeypatch.setattr(exact_search, "BLOCK", 64)
    monkeypatch.setattr(exact_search, "_PARALLEL_NUMBERS", 1)
    vectors = clustered(500, 24)
    ids = np.random.default_rng(1).permutation(500) * 7 + 3
    index = VectorIndex.build("flat", metric, vectors, ids)
    for query in clustered(5, 24, seed=2):
        truth = scores_by_definition(vectors, query, metric)
        best = np.argsort(-truth, kind="stable")[:10]
        found, scores = index.search(query, 10)
        assert found.tolist() == ids[best].tolist()
        np.testing.assert_allclose(scores, truth[best], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("metric", METRICS)
@given(data=st.data())
def test_flat_search_with_any_filter(metric: str, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    vectors = rng.integers(-3, 4, (count, 3)).astype(np.float32) + np.float32(0.5)  # many equal scores
    query = rng.standard_normal(3).astype(np.float32)
    allowed = data.draw(st.none() | st.lists(st.integers(-2, count + 2), max_size=60))
    k = data.draw(st.integers(0, 50))
    found, scores = VectorIndex.build("flat", metric, vectors).search(query, k, allowed)
    truth = scores_by_definition(vectors, query, metric)
    possible = [i for i in range(count) if allowed is None or i in allowed]
    assert len(found) == len(set(found.tolist())) == min(k, len(possible))
    assert set(found.tolist()) <= set(possible)
    np.testing.assert_allclose(scores, sorted(truth[possible], reverse=True)[:k], rtol=1e-3, atol=1e-3)


def test_equal_scores_come_in_the_order_of_the_rows() -> None:
    index = VectorIndex.build("flat", "cosine", np.ones((50, 4), np.float32), np.arange(50)[::-1])
    assert index.search(np.ones(4), 3)[0].tolist() == [49, 48, 47]


def test_small_distances_are_exact() -> None:
    base = np.full(64, 30.0, np.float32)
    vectors = np.stack([base, base + np.float32(1e-3), base + np.float32(2e-3)])
    _, scores = VectorIndex.build("flat", "l2", vectors).search(base, 3)
    np.testing.assert_allclose(scores, [0, -8e-3, -16e-3], rtol=1e-2, atol=1e-6)


def test_a_memory_mapped_table_is_not_copied(tmp_path: Path) -> None:
    vectors = clustered(100, 8)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(tmp_path / "v.npy", unit)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    index = VectorIndex.build("flat", "cosine", mapped)
    assert np.shares_memory(index._vectors, mapped)
    index.save(tmp_path / "index")
    loaded = VectorIndex.load(tmp_path / "index")
    assert isinstance(loaded._vectors, np.memmap)
    assert loaded.search(unit[7], 1)[0].tolist() == [7]


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        pytest.param(kind, metric, marks=[pytest.mark.nightly] * (kind == "pq" and metric != "cosine"))
        for kind in APPROXIMATE
        for metric in METRICS
    ],
)
def test_approximate_kinds_find_what_flat_finds(kind: str, metric: str, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    vectors = clustered(PQ_MINIMUM if kind == "pq" else 3_000, 16)
    ids = np.random.default_rng(3).permutation(len(vectors)) + 1_000
    index, flat = (VectorIndex.build(name, metric, vectors, ids) for name in (kind, "flat"))
    assert index.info.recall >= TARGET_RECALL
    index.save(tmp_path / "index")
    loaded = VectorIndex.load(tmp_path / "index")
    assert loaded.info == index.info

    most, few = ids[: len(ids) * 9 // 10], ids[:50]
    hits = dict.fromkeys(("all", "most"), 0)
    queries = clustered(20, 16, seed=4)
    for query in queries:
        found, scores = loaded.search(query, 10)
        assert found.tolist() == index.search(query, 10)[0].tolist()
        assert (np.diff(scores) <= 0).all()
        hits["all"] += len(set(found) & set(flat.search(query, 10)[0]))
        filtered = loaded.search(query, 10, most)[0]
        assert set(filtered) <= set(most)
        hits["most"] += len(set(filtered) & set(flat.search(query, 10, most)[0]))
        # Few allowed vectors are compared one by one: nothing is missed.
        rare, exact = loaded.search(query, 10, few), flat.search(query, 10, few)
        assert rare[0].tolist() == exact[0].tolist()
        np.testing.assert_allclose(rare[1], exact[1], rtol=1e-3, atol=1e-3)
    assert hits["all"] >= 0.9 * 10 * len(queries)
    assert hits["most"] >= 0.9 * 10 * len(queries)


def test_pq_needs_enough_vectors() -> None:
    pytest.importorskip("faiss")
    with pytest.raises(VectorIndexError, match=rf"{PQ_MINIMUM} vetores.*tem 100.*flat"):
        VectorIndex.build("pq", "cosine", clustered(100, 16))


def test_without_faiss_only_flat_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    vectors = clustered(20, 8)
    assert len(VectorIndex.build("flat", "cosine", vectors)) == 20
    with pytest.raises(MissingDependencyError, match=r'pip install "lunagpt\[index\]"'):
        VectorIndex.build("hnsw", "cosine", vectors)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("árvore", "cosine", [[1.0]]), "flat, hnsw, ivf, pq"),
        (("flat", "manhattan", [[1.0]]), "cosine, l2, ip"),
        (("flat", "cosine", []), "create_embeddings"),
        (("flat", "cosine", [1.0, 2.0]), r"\(n, d\)"),
        (("flat", "cosine", [[1.0, np.nan]]), "NaN"),
        (("flat", "cosine", [[1.0]], [1, 2]), "um por vetor"),
        (("flat", "cosine", [[1.0], [2.0]], [1, 1]), "repetidos"),
    ],
)
def test_what_cannot_be_indexed_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(VectorIndexError, match=message):
        VectorIndex.build(*arguments)


def test_questions_that_do_not_fit_are_refused() -> None:
    index = VectorIndex.build("flat", "cosine", np.eye(3))
    with pytest.raises(VectorIndexError, match=r"2 dimensões.*3"):
        index.search([1.0, 0.0], 1)
    with pytest.raises(VectorIndexError, match="NaN"):
        index.search([1.0, np.nan, 0.0], 1)


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_damaged_files_are_reported(kind: str, tmp_path: Path) -> None:
    if kind != "flat":
        pytest.importorskip("faiss")
    folder = tmp_path / "index"
    VectorIndex.build(kind, "l2", clustered(200, 4)).save(folder)
    for name in sorted(path.name for path in folder.iterdir()):
        path = folder / name
        whole = path.read_bytes()
        for damaged in (whole[: len(whole) // 2], b"", b"{}"):
            path.write_bytes(damaged)
            with pytest.raises(LunaError, match="rebuild_index"):
                VectorIndex.load(folder)
        path.unlink()
        with pytest.raises(LunaError, match="rebuild_index"):
            VectorIndex.load(folder)
        path.write_bytes(whole)
    assert len(VectorIndex.load(folder)) > 0


def test_a_failed_save_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "index"
    VectorIndex.build("flat", "cosine", np.eye(3)).save(folder)

    def fails(*_: object) -> None:
        raise OSError("disco cheio")

    monkeypatch.setattr(vector_index, "atomic_write_text", fails)
    with pytest.raises(OSError, match="disco cheio"):
        VectorIndex.build("flat", "cosine", np.eye(5)).save(folder)
    assert len(VectorIndex.load(folder)) == 3
