"""What a passage costs in Qdrant: time to write, bytes on disk, memory and time to search. The figures of
`docs/escala.md` come from here.

    python benchmarks/qdrant_sizing.py --data-root CORPUS --work PASTA [--points 8000] [--more-words 40000]

Runs the engine in this process (qdrant-edge, the same data format as the server). Texts are passages of
`eval/squad_pt_retrieval`, repeated with a number to make them different; vectors are drawn as in
`benchmarks/vector_indexes.py`, which must have run with the same `--work` before.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lunagpt.data.chunk import Chunk
from lunagpt.data.documents import Document
from lunagpt.files import atomic_write_text
from lunagpt.rag.lexical import query_tokens
from lunagpt.rag.qdrant_edge_points import EdgePoints
from lunagpt.rag.qdrant_filters import all_of, qdrant_filter
from lunagpt.rag.qdrant_opening import INDEXED_FIELDS
from lunagpt.rag.qdrant_points import Point
from lunagpt.rag.qdrant_records import IS_CHUNK, chunk_point, query_vector
from lunagpt.reporting.numbers import number
from machine import describe_machine
from vector_indexes import collection, percentiles, real_texts, timed

LOG = "registro de mudanças"
RESULTS = Path(__file__).resolve().parent / "results/qdrant_sizing.md"


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--data-root", type=Path, required=True, help="folder with eval/")
    parser.add_argument("--work", type=Path, required=True, help="folder of vector_indexes.py")
    parser.add_argument("--points", type=int, default=8_000)
    parser.add_argument("--more-words", type=int, default=40_000, help="passages for search by words only")
    args = parser.parse_args()
    with np.load(next(args.work.glob("e5-*.npz"))) as kept:
        vectors, questions = collection(kept["passages"], args.points), kept["questions"][:100]
    texts, asked = real_texts(args.data_root / "eval/squad_pt_retrieval.jsonl.gz")

    lines = [
        "# O custo de um trecho no Qdrant",
        "",
        f"Máquina: {describe_machine()}; carga média no começo: {number(os.getloadavg()[0], 1)}. Motor "
        f"qdrant-edge no próprio processo, {number(args.points, 0)} trechos de "
        f"{number(np.mean([len(t) for t in texts]), 0)} caracteres em média, vetores de 384 números em "
        "float32.",
        f"Comando: `python benchmarks/qdrant_sizing.py --points {args.points} "
        f"--more-words {args.more_words}`.",
        "",
        "| medida | valor |",
        "| --- | ---: |",
    ]

    def note(label: str, value: str) -> None:
        lines.append(f"| {label} | {value} |")
        print(lines[-1], flush=True)

    began = time.process_time()
    points = [
        replace(point, dense=vector)
        for point, vector in zip(passages(texts, args.points), vectors, strict=True)
    ]
    per_second = args.points / (time.process_time() - began)
    note("preparar trechos (radicais e pesos), por segundo de CPU", number(per_second, 0))
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        store = EdgePoints(Path(folder) / "base", 384, INDEXED_FIELDS)
        before = memory()
        began, clock = time.process_time(), time.perf_counter()
        for start in range(0, args.points, 256):
            store.upsert(points[start : start + 256])
        store.flush()
        per_second = args.points / (time.process_time() - began)
        note("gravar, por segundo de CPU", number(per_second, 0))
        note("gravar, segundos de relógio", number(time.perf_counter() - clock, 1))
        began = time.process_time()
        store.build_graph()
        store.flush()
        seconds = time.process_time() - began
        note("montar o grafo (hnsw), ms de CPU por trecho", number(1000 * seconds / args.points))
        note("memória a mais do processo, MB", number((memory() - before) / 1e6, 0))
        store.close()
        sizes = bytes_by_part(Path(folder))
        note(f"disco: {LOG} (não cresce com a base), MB", number(sizes.pop(LOG) / 1e6, 0))
        for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
            note(f"disco: {name}, bytes por trecho", number(size / args.points, 0))

        store = EdgePoints(Path(folder) / "base", 384)
        exact, cpu, wall = timed(lambda q: store.nearest(q, 10, IS_CHUNK, True), questions)
        note("busca por vetor exata, ms de CPU", number(cpu))
        found, cpu, wall = timed(lambda q: store.nearest(q, 10, IS_CHUNK, False), questions)
        hits = [len({h.id for h in a} & {h.id for h in b}) / 10 for a, b in zip(exact, found, strict=True)]
        note("busca por vetor no grafo, ms de CPU; relógio p50 / p95", f"{number(cpu)}; {percentiles(wall)}")
        note("busca por vetor no grafo, recall@10", number(np.mean(hits), 3))
        tenth = all_of([IS_CHUNK, qdrant_filter({"grupo": {"$lt": 10}})])
        _, cpu, wall = timed(lambda q: store.nearest(q, 10, tenth, False), questions)
        note("a mesma com filtro que deixa 10 %, campo sem índice, ms de CPU", number(cpu))
        store.create_field_index('metadata."grupo"', "integer")
        _, cpu, wall = timed(lambda q: store.nearest(q, 10, tenth, False), questions)
        note("a mesma com índice no campo, ms de CPU", number(cpu))
        note(*by_words(store, asked, args.points))
        store.close()
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        store = EdgePoints(Path(folder) / "base", 384)
        for start in range(0, args.more_words, 256):
            store.upsert(list(passages(texts, min(256, args.more_words - start), start)))
        store.build_graph()
        note(*by_words(store, asked, args.more_words))
        store.close()
    atomic_write_text(RESULTS, "\n".join(lines) + "\n")


def passages(texts: list[str], count: int, start: int = 0) -> Iterator[Point]:
    """Points of `count` passages, numbered from `start`, without dense vectors."""
    for place in range(start, start + count):
        text = f"{texts[place % len(texts)]} ({place})"
        document = Document(f"d{place}", "Documento", text, {"grupo": place % 100})
        yield chunk_point(document, "v", Chunk(document.id, 0, 0, len(text), text), {})


def by_words(store: EdgePoints, questions: list[str], size: int) -> tuple[str, str]:
    """A row on search by words in a store of `size` passages."""
    words = [query_vector(query_tokens(text)) for text in questions[:100]]
    _, cpu, wall = timed(lambda q: store.by_words([words[q]], 10, IS_CHUNK, False), np.arange(100))
    label = f"busca por palavras em {number(size, 0)} trechos, ms de CPU; relógio p50 / p95"
    return label, f"{number(cpu)}; {percentiles(wall)}"


def bytes_by_part(folder: Path) -> Counter[str]:
    """Bytes that really lie on the disk, by what they hold."""
    names = {
        "vector_storage-dense": "vetores densos",
        "vector_storage-words": "palavras (vetores esparsos)",
        "vector_index-dense": "grafo",
        "vector_index-words": "índice de palavras",
        "payload_storage": "textos e metadados",
        "payload_index": "índices de filtros",
        "wal": LOG,
    }
    sizes: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file():
            parts = path.relative_to(folder).parts
            label = next((names[part] for part in parts if part in names), "resto")
            sizes[label] += path.stat().st_blocks * 512
    return sizes


def memory() -> int:
    """Resident bytes of this process (where the system tells; else the most it ever had)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
