"""Approximate search by faiss: three structures, each tuned until it finds what exact search finds.

Douze et al., "The Faiss library" (arXiv 2401.08281). A structure has one knob that trades time for recall
(neighbours held while walking, clusters visited, candidates compared exactly). It is turned up until, of the
ten nearest neighbours of sample questions, `TARGET_RECALL` are found; what was reached is kept as `recall`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lunagpt.errors import missing_extra
from lunagpt.rag.exact_search import Matrix, Metric, Rows, search_exact, squared_lengths
from lunagpt.utils.hardware import usable_threads

TARGET_RECALL = 0.97
_SAMPLES = 100
_NEIGHBOURS = 10

#: A code book of 256 entries needs 39 examples per entry to be of use (faiss, Clustering.h).
_CODES, _EXAMPLES_PER_CODE = 256, 39
PQ_MINIMUM = _CODES * _EXAMPLES_PER_CODE
_TRAINING_SAMPLE = 50_000
#: Allowed rows that are compared exactly instead of searched: as fast, and nothing is missed.
_EXACT_ROWS = 10_000

_HNSW_LINKS, _HNSW_BUILD_WIDTH = 32, 128
_HNSW_WIDTHS = (32, 64, 128, 256, 512)
_PROBES = (4, 8, 16, 32, 64, 128, 256)
_CANDIDATES = (50, 100, 200, 400, 800)


class FaissSearch:
    """A built structure over the rows of a matrix.

    Attributes:
        settings: its parameters. recall: measured at building, see the module.
    """

    def __init__(
        self, index: Any, kind: str, metric: Metric, settings: dict[str, int], recall: float
    ) -> None:
        self._index = index
        self._kind = kind
        self._metric = metric
        self.settings = settings
        self.recall = recall

    @property
    def count(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    @classmethod
    def build(
        cls, kind: str, metric: Metric, vectors: Matrix, progress: Callable[[str], None] | None = None
    ) -> FaissSearch:
        """Builds and tunes; `vectors` (n, d) have length one if the metric is "cosine".

        Raises:
            ValueError: too few vectors or an unsuitable dimension; the message is for the user.
            MissingDependencyError: faiss is not installed.
        """
        faiss = _faiss()
        count, dimension = vectors.shape
        if count == 0:
            raise ValueError(f'O índice "{kind}" precisa de pelo menos um vetor. Use "flat" por enquanto.')
        tell = progress or (lambda _: None)
        measure = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
        faiss.omp_set_num_threads(usable_threads())
        if kind == "hnsw":
            index = faiss.IndexHNSWFlat(dimension, _HNSW_LINKS, measure)
            index.hnsw.efConstruction = _HNSW_BUILD_WIDTH
            settings = {"links": _HNSW_LINKS, "build_width": _HNSW_BUILD_WIDTH}
        else:
            clusters = max(1, min(int(4 * count**0.5), count // _EXAMPLES_PER_CODE))
            quantizer = faiss.IndexFlat(dimension, measure)
            settings = {"clusters": clusters}
            if kind == "ivf":
                index = faiss.IndexIVFFlat(quantizer, dimension, clusters, measure)
            else:
                settings["code_bytes"] = _code_bytes(count, dimension)
                index = faiss.IndexIVFPQ(quantizer, dimension, clusters, settings["code_bytes"], 8, measure)
            tell("aprendendo os grupos")
            chosen = np.random.default_rng(0).permutation(count)[: max(_TRAINING_SAMPLE, 39 * clusters)]
            index.train(np.ascontiguousarray(vectors[np.sort(chosen)]))
        tell("acrescentando os vetores")
        for start in range(0, count, 65_536):  # a memory-mapped matrix need not be in memory as a whole
            index.add(np.ascontiguousarray(vectors[start : start + 65_536]))
        search = cls(index, kind, metric, settings, 0.0)
        tell("medindo o que se acha")
        search._tune(vectors)
        return search

    def search(
        self, query: Matrix, k: int, rows: Rows | None, vectors: Matrix | None, squared_norms: Matrix | None
    ) -> tuple[Rows, Matrix]:
        """As `search_exact`; `vectors` and `squared_norms` are the full vectors where they are at hand."""
        if rows is not None and len(rows) <= _EXACT_ROWS:
            matrix = self._rows(rows) if vectors is None else vectors[rows]
            norms = None
            if self._metric == "l2":
                norms = np.einsum("nd,nd->n", matrix, matrix)
            found, scores = search_exact(matrix, query, k, self._metric, norms)
            return rows[found], scores
        found, scores = self._search(query, k, rows, self.settings)
        if vectors is None:
            return found, scores
        found = np.sort(found)
        norms = squared_norms[found] if squared_norms is not None else None
        best, scores = search_exact(vectors[found], query, k, self._metric, norms)
        return found[best], scores

    def write(self, path: Path) -> None:
        """Writes the structure as a file of faiss."""
        _faiss().write_index(self._index, str(path))

    @classmethod
    def read(
        cls, path: Path, kind: str, metric: Metric, settings: dict[str, int], recall: float
    ) -> FaissSearch:
        """Reads what `write` wrote.

        Raises:
            FileNotFoundError: there is no such file. RuntimeError: it is damaged.
            ValueError: it holds something else.
        """
        faiss = _faiss()
        path.stat()
        index = faiss.read_index(str(path))
        wanted = {"hnsw": faiss.IndexHNSWFlat, "ivf": faiss.IndexIVFFlat, "pq": faiss.IndexIVFPQ}[kind]
        measure = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
        if not isinstance(index, wanted) or index.metric_type != measure:
            raise ValueError(f"{path.name} não é um índice {kind} com a métrica {metric}")
        return cls(index, kind, metric, settings, recall)

    def _search(
        self, query: Matrix, k: int, rows: Rows | None, settings: dict[str, int]
    ) -> tuple[Rows, Matrix]:
        faiss = _faiss()
        selector = None
        if rows is not None:
            mask = np.zeros(self.count, dtype=bool)
            mask[rows] = True
            selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        if self._kind == "hnsw":
            parameters = faiss.SearchParametersHNSW(efSearch=max(settings["width"], 2 * k), sel=selector)
        elif self._kind == "ivf":
            parameters = faiss.SearchParametersIVF(nprobe=settings["probes"], sel=selector)
        else:
            parameters = faiss.IVFPQSearchParameters(nprobe=settings["probes"], sel=selector)
            k = min(self.count, max(settings["candidates"], 4 * k))
        scores, found = self._index.search(query[None], k, params=parameters)
        real = found[0] >= 0
        numbers, values = found[0][real], scores[0][real]
        if self._metric == "l2":
            values = -np.sqrt(np.maximum(values, 0))
        return numbers, values

    def _rows(self, rows: Rows) -> Matrix:
        """Full vectors of some rows, from the structure itself ("hnsw" and "ivf" hold them)."""
        if self._kind == "ivf":
            self._index.make_direct_map()
        return self._index.reconstruct_batch(rows)

    def _tune(self, vectors: Matrix) -> None:
        """Turns the knob up until samples find their neighbours; sets `settings` and `recall`."""
        queries = _sample_queries(vectors, self._metric)
        k = min(_NEIGHBOURS, len(vectors))
        norms = squared_lengths(vectors) if self._metric == "l2" else None
        exact = [set(search_exact(vectors, query, k, self._metric, norms)[0].tolist()) for query in queries]
        for choice in self._choices():
            settings = {**self.settings, **choice}
            found = 0
            for query, truth in zip(queries, exact, strict=True):
                rows, _ = self._search(query, k, None, settings)
                if self._kind == "pq":
                    part = None if norms is None else norms[rows]
                    rows = rows[search_exact(vectors[rows], query, k, self._metric, part)[0]]
                found += len(truth.intersection(rows[:k].tolist()))
            self.recall = round(found / (k * len(queries)), 4)
            if self.recall >= TARGET_RECALL:
                break
        self.settings = settings

    def _choices(self) -> list[dict[str, int]]:
        """Settings of the knob, from fast to thorough."""
        if self._kind == "hnsw":
            return [{"width": width} for width in _HNSW_WIDTHS]
        clusters = self.settings["clusters"]
        probes = [number for number in _PROBES if number < clusters] + [min(clusters, 2 * _PROBES[-1])]
        if self._kind == "ivf":
            return [{"probes": number} for number in probes]
        pairs = itertools.zip_longest(probes, _CANDIDATES, fillvalue=0)
        return [{"probes": p or probes[-1], "candidates": c or _CANDIDATES[-1]} for p, c in pairs]


def _sample_queries(vectors: Matrix, metric: Metric) -> Matrix:
    """Questions for tuning: means of three vectors of the collection.

    Embedding models put questions elsewhere than passages, at some distance from all of them, and their
    neighbours are spread over many clusters. Vectors of the collection, or points near one, are found far too
    easily: tuned with them, "ivf" found 0.71 of the neighbours of real questions, and believed it was 0.99.
    Means of three are as hard to find as real questions, within 0.04 at each number of clusters visited.
    """
    three = np.random.default_rng(1).integers(0, len(vectors), (_SAMPLES, 3))
    queries = vectors[three].mean(axis=1)
    if metric == "cosine":
        queries /= np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-12)
    return queries.astype(np.float32, copy=False)


def _code_bytes(count: int, dimension: int) -> int:
    """Bytes per compressed vector: one for about eight numbers.

    Raises:
        ValueError: too few vectors to learn the codes, or the dimension cannot be divided.
    """
    if count < PQ_MINIMUM:
        raise ValueError(
            f'O índice "pq" precisa de pelo menos {PQ_MINIMUM} vetores para aprender a comprimir, e a base '
            f'tem {count}. Use "flat", que é exato e rápido nesse tamanho, ou "hnsw".'
        )
    for numbers in (8, 6, 4, 12, 16, 10, 5, 3, 2):
        if dimension % numbers == 0:
            return dimension // numbers
    raise ValueError(
        f'O índice "pq" divide o vetor em partes iguais, e {dimension} dimensões não se dividem assim. '
        'Use "ivf" ou "hnsw".'
    )


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise missing_extra("faiss-cpu", "index", "usar os índices hnsw, ivf e pq") from error
    return faiss
