"""The vector index: finds the nearest vectors, exactly ("flat") or by one of three structures of faiss.

An index is derived from the vectors in the store and can be thrown away and built again at any time.

    flat   looks at every vector; exact; needs only numpy; memory-mapped, so it need not fit into memory
    hnsw   walks a graph of neighbours; fastest; the graph and the vectors are in memory
    ivf    looks only into the nearest clusters; builds faster than hnsw
    pq     clusters and compressed vectors in memory (1/32 of the size), full ones on disk for the last step
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from lunagpt.errors import LunaError, reason_of
from lunagpt.files import atomic_directory, atomic_write_text
from lunagpt.rag.exact_search import BLOCK, Matrix, Metric, Rows, search_exact, squared_lengths
from lunagpt.rag.faiss_search import FaissSearch

Kind = Literal["flat", "hnsw", "ivf", "pq"]
KINDS: tuple[Kind, ...] = get_args(Kind)
METRICS: tuple[Metric, ...] = get_args(Metric)

_FORMAT = "lunagpt-vector-index-1"
_UNIT_TOLERANCE = 1e-3


class VectorIndexError(LunaError, ValueError):
    """An index cannot be built as asked, or its files are missing or damaged."""


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What is known about an index.

    Attributes:
        kind, metric, dimension, count: as built.
        recall: share of the ten nearest vectors it finds, measured at building with means of its
            vectors as questions; 1.0 for "flat".
        settings: parameters of the structure, as chosen.
    """

    kind: Kind
    metric: Metric
    dimension: int
    count: int
    recall: float
    settings: dict[str, int]


class VectorIndex:
    """Vectors under ids of the caller, searchable; made by `build` or `load`, and not changed afterwards."""

    def __init__(
        self,
        info: IndexInfo,
        ids: Rows,
        vectors: Matrix | None,
        squared_norms: Matrix | None = None,
        faiss_search: FaissSearch | None = None,
    ) -> None:
        """For `build` and `load`: parts that fit together."""
        self.info = info
        self._ids = ids
        self._vectors = vectors
        self._squared_norms = squared_norms
        self._faiss = faiss_search
        self._by_id = None if _ascending(ids) else np.argsort(ids, kind="stable")

    def __len__(self) -> int:
        return self.info.count

    @property
    def kind(self) -> Kind:
        return self.info.kind

    @property
    def metric(self) -> Metric:
        return self.info.metric

    @property
    def dimension(self) -> int:
        return self.info.dimension

    @property
    def ids(self) -> Rows:
        """The ids, in the order of the vectors."""
        return self._ids

    @classmethod
    def build(
        cls,
        kind: str = "flat",
        metric: str = "cosine",
        vectors: ArrayLike = (),
        ids: ArrayLike | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> VectorIndex:
        """Builds an index.

        Args:
            kind: "flat", "hnsw", "ivf" or "pq"; the last three need faiss (extra `index`).
            metric: "cosine", "l2" (Euclidean distance) or "ip" (inner product).
            vectors: (n, d) float32; a memory-mapped array is not copied into memory by "flat", and not at all
                if the metric is not "cosine" or the rows have length one already.
            ids: (n,) distinct integers; None numbers the rows from 0.
            progress: gets short Portuguese phrases about the step at hand.

        Raises:
            VectorIndexError: unknown kind or metric, vectors that are not numbers, ids that do not fit, or
                too few vectors for "pq".
            MissingDependencyError: faiss is not installed.
        """
        chosen_kind, chosen_metric = _checked(kind, KINDS, "índice"), _checked(metric, METRICS, "métrica")
        matrix = _as_matrix(vectors)
        numbers = _as_ids(ids, len(matrix))
        squared = squared_lengths(matrix)
        if not np.isfinite(squared).all():
            bad = int(numbers[np.flatnonzero(~np.isfinite(squared))[0]])
            raise VectorIndexError(
                f"O vetor {bad} tem valores inválidos (NaN ou infinito). Calcule os vetores de novo."
            )
        if chosen_metric == "cosine":
            matrix = _unit_rows(matrix, squared)
        search, recall, settings = None, 1.0, {}
        if chosen_kind != "flat":
            try:
                search = FaissSearch.build(chosen_kind, chosen_metric, matrix, progress)
            except ValueError as error:
                raise VectorIndexError(str(error)) from error
            recall, settings = search.recall, search.settings
        info = IndexInfo(chosen_kind, chosen_metric, matrix.shape[1], len(matrix), recall, settings)
        keeps_vectors = chosen_kind in ("flat", "pq")
        return cls(
            info,
            numbers,
            matrix if keeps_vectors else None,
            squared if keeps_vectors and chosen_metric == "l2" else None,
            search,
        )

    def search(self, vector: ArrayLike, k: int, allowed_ids: ArrayLike | None = None) -> tuple[Rows, Matrix]:
        """The k nearest vectors, best first.

        Args:
            vector: (d,) the question.
            k: how many; fewer come back if there are fewer.
            allowed_ids: only these ids may be found; unknown ones are ignored. None allows all.

        Returns:
            ids (m,) int64 and scores (m,) float32. Higher is better whatever the metric: the cosine, the
            inner product, or the Euclidean distance times −1.

        Raises:
            VectorIndexError: the vector has another dimension or is not made of numbers.
        """
        query = self._as_query(vector)
        k = min(k, len(self))
        rows = None if allowed_ids is None else self._rows_of(allowed_ids)
        if k < 1 or (rows is not None and len(rows) == 0):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        if self._faiss is None:
            assert self._vectors is not None
            found, scores = search_exact(self._vectors, query, k, self.metric, self._squared_norms, rows)
        else:
            found, scores = self._faiss.search(query, k, rows, self._vectors, self._squared_norms)
        return self._ids[found], scores

    def save(self, folder: str | Path) -> None:
        """Writes the index as a folder, in one step: a reader finds the old one or the new one."""
        with atomic_directory(folder) as fresh:
            np.save(fresh / "ids.npy", self._ids, allow_pickle=False)
            if self._vectors is not None:
                np.save(fresh / "vectors.npy", self._vectors, allow_pickle=False)
            if self._squared_norms is not None:
                np.save(fresh / "squared_norms.npy", self._squared_norms, allow_pickle=False)
            if self._faiss is not None:
                self._faiss.write(fresh / "index.faiss")
            record = {"format": _FORMAT, **asdict(self.info)}
            atomic_write_text(fresh / "index.json", json.dumps(record, ensure_ascii=False, indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> VectorIndex:
        """Opens a saved index; the vectors of "flat" and "pq" stay on disk and are read as they are needed.

        Raises:
            VectorIndexError: there is none, or its files do not fit together; build it again.
            MissingDependencyError: the kind needs faiss, which is not installed.
        """
        path = Path(folder)
        try:
            record = json.loads((path / "index.json").read_text(encoding="utf-8"))
            if record.pop("format") != _FORMAT:
                raise ValueError("formato desconhecido")
            info = IndexInfo(**record)
            _checked(info.kind, KINDS, "índice"), _checked(info.metric, METRICS, "métrica")
            ids = np.load(path / "ids.npy", allow_pickle=False)
            vectors = _mapped(path / "vectors.npy", (info.count, info.dimension))
            norms = _mapped(path / "squared_norms.npy", (info.count,))
            if ids.shape != (info.count,) or ids.dtype != np.int64:
                raise ValueError("ids.npy não combina com index.json")
            if (vectors is None) == (info.kind in ("flat", "pq")):
                raise ValueError("vectors.npy não combina com index.json")
            if (norms is None) == (vectors is not None and info.metric == "l2"):
                raise ValueError("squared_norms.npy não combina com index.json")
            search = None
            if info.kind != "flat":
                file = path / "index.faiss"
                search = FaissSearch.read(file, info.kind, info.metric, info.settings, info.recall)
                if (search.count, search.dimension) != (info.count, info.dimension):
                    raise ValueError("index.faiss não combina com index.json")
        except FileNotFoundError as error:
            raise VectorIndexError(
                f'Não há um índice de vetores completo em "{path}" (falta {Path(error.filename).name}). '
                "Construa-o de novo com rebuild_index()."
            ) from error
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, AttributeError) as error:
            raise VectorIndexError(
                f'O índice de vetores em "{path}" está danificado ({reason_of(error)}). '
                "Construa-o de novo com rebuild_index(): ele é feito só dos vetores guardados na base."
            ) from error
        return cls(info, ids, vectors, norms, search)

    def _as_query(self, vector: ArrayLike) -> Matrix:
        query = np.asarray(vector, dtype=np.float32).reshape(-1)
        if query.shape != (self.dimension,):
            raise VectorIndexError(
                f"O vetor da pergunta tem {query.size} dimensões, mas o índice tem {self.dimension}. "
                "Use o mesmo modelo de vetores com que a base foi criada."
            )
        if not np.isfinite(query).all():
            raise VectorIndexError("O vetor da pergunta tem valores inválidos (NaN ou infinito).")
        if self.metric == "cosine":
            query = query / max(float(np.linalg.norm(query)), 1e-12)
        return np.ascontiguousarray(query, dtype=np.float32)

    def _rows_of(self, allowed_ids: ArrayLike) -> Rows:
        """Rows of the ids that exist, ascending."""
        wanted = np.asarray(allowed_ids, dtype=np.int64).reshape(-1)
        if not _ascending(wanted):  # of half a million ids in order, `unique` takes 375 ms all the same
            wanted = np.unique(wanted)
        order = self._by_id
        ordered = self._ids if order is None else self._ids[order]
        places = np.searchsorted(ordered, wanted)
        places = places[places < len(ordered)]
        found = places[ordered[places] == wanted[: len(places)]]
        rows: Rows = found if order is None else np.sort(order[found])
        return rows.astype(np.int64, copy=False)


def _checked(value: str, known: Sequence[Any], what: str) -> Any:
    if value not in known:
        raise VectorIndexError(f'Não conheço {what} "{value}". Use um destes: {", ".join(known)}.')
    return value


def _as_matrix(vectors: ArrayLike) -> Matrix:
    matrix = np.asanyarray(vectors)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise VectorIndexError(
            "Não há vetores para o índice. Calcule-os antes com create_embeddings()."
            if matrix.size == 0
            else f"Os vetores precisam formar uma tabela (n, d), não {matrix.shape}."
        )
    try:
        # float32 rows in a row are used where they lie, memory-mapped or not.
        return np.ascontiguousarray(matrix, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise VectorIndexError(f"Os vetores não são números: {error}") from error


def _as_ids(ids: ArrayLike | None, count: int) -> Rows:
    if ids is None:
        return np.arange(count, dtype=np.int64)
    numbers = np.array(ids, dtype=np.int64).reshape(-1)
    if len(numbers) != count:
        raise VectorIndexError(f"Há {len(numbers)} ids para {count} vetores; precisa haver um por vetor.")
    if len(np.unique(numbers)) != count:
        raise VectorIndexError("Há ids repetidos; cada vetor precisa de um id próprio.")
    return numbers


def _unit_rows(matrix: Matrix, squared: Matrix) -> Matrix:
    """Rows of length one: the same array if they are, else a new one; rows of zeros stay."""
    if len(matrix) == 0 or np.abs(squared - 1).max() <= _UNIT_TOLERANCE:
        return matrix
    scaled = np.empty(matrix.shape, dtype=np.float32)
    for start in range(0, len(matrix), BLOCK):
        part = slice(start, start + BLOCK)
        scaled[part] = matrix[part] / np.maximum(np.sqrt(squared[part]), 1e-12)[:, None]
    return scaled


def _ascending(ids: Rows) -> bool:
    return bool((np.diff(ids) > 0).all())


def _mapped(path: Path, shape: tuple[int, ...]) -> Matrix | None:
    if not path.is_file():
        return None
    array = np.load(path, mmap_mode="r" if shape[0] else None, allow_pickle=False)
    if array.shape != shape or array.dtype != np.float32:
        raise ValueError(f"{path.name} não combina com index.json")
    return array
