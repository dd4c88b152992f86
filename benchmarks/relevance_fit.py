"""Fits the curves of `lunagpt.rag.relevance` and checks them on questions that the fit has not seen.

    python benchmarks/relevance_fit.py --data-root CORPUS --cache PASTA

Examples are the first five passages of searches. Those of the curve for words come from questions about
articles of the encyclopaedia, in a base of 300 articles and in one of all, each question searched with the
right article in the base and without it. Those of the curve for words and vectors come from 60 articles
and from the built-in calibration pairs, whose passages avoid the words of their questions. A passage
is right if it is of the right article or has three quarters of the words of the written answer. Sources weigh
the same in sum, and in each of them right and wrong passages, as in `lunagpt.rag.thresholds`. Odd questions
are for checking only.
"""

import argparse
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from lunagpt.rag import DocumentStore, Passage
from lunagpt.rag.calibration_pairs import calibration_pairs
from lunagpt.rag.lexical import STOP_WORDS, query_tokens, tokens
from lunagpt.rag.lexical_search import LexicalSearch, match
from lunagpt.rag.schema import Database
from lunagpt.rag.thresholds import calibrate, fit_logistic
from retrieval import CachedEmbedder, cached_embedder

ARTICLES = 300
EMBEDDED_ARTICLES = 60
QUESTIONS = 500
TOP = 5
ANSWER_SHARE = 0.75
BINS = np.linspace(0, 1, 6)


@dataclass(frozen=True)
class Example:
    """A passage that a search brought up: what was measured of it, and whether it is right."""

    source: str
    held_out: bool
    coverage: float
    strength: float
    cosine: float
    right: bool


class Base:
    """A collection with the searches whose first passages become examples; without a model, by words only."""

    def __init__(self, rows: list[dict], embedder: CachedEmbedder | None) -> None:
        self.store, self.embedder = DocumentStore(embedder=embedder or False), embedder
        self.store.add_documents(rows)
        self.store.create_embeddings()
        self._words = LexicalSearch(Database(self.store.path))
        ids, self._matrix = self.store.vectors()
        self._rows = {int(chunk): row for row, chunk in enumerate(ids)}

    def found(self, question: str, filter: dict | None) -> Iterator[tuple[Passage, float, float, float]]:
        """The first passages of every kind of search: (passage, coverage, strength, cosine)."""
        statistics = self._words.statistics(question, STOP_WORDS)
        passages = {p.chunk_id: p for p in self.store.search_lexical(question, TOP, filter)}
        vector = None if self.embedder is None else self.embedder.embed_query(question)
        if vector is not None:
            more = self.store.search_dense(vector, TOP, filter)
            more += self.store.search_hybrid(question, vector, TOP, filter)
            passages |= {p.chunk_id: p for p in more}
        for chunk, passage in passages.items():
            cosine = 0.0 if vector is None else float(self._matrix[self._rows[chunk]] @ vector)
            yield passage, *match(statistics, passage), cosine


def pair_examples(embedder: CachedEmbedder) -> Iterator[Example]:
    for held_out in (False, True):
        pairs = [pair for pair in calibration_pairs() if pair.held_out == held_out]
        rows = [{"id": f"right{n}", "content": pair.passage} for n, pair in enumerate(pairs)]
        rows += [{"id": f"near{n}", "content": pair.near_miss} for n, pair in enumerate(pairs)]
        base = Base(rows, embedder)
        for number, pair in enumerate(pairs):
            for passage, *measured in base.found(pair.question, None):
                yield Example("pares", held_out, *measured, passage.document_id == f"right{number}")


def article_examples(
    rows: list[dict], embedder: CachedEmbedder | None, most: int, seed: int
) -> Iterator[Example]:
    chosen = random.Random(seed).sample(rows, most)
    base = Base([{"id": r["id"], "title": r["title"], "content": r["text"]} for r in chosen], embedder)
    for number, row in enumerate(chosen[:QUESTIONS]):
        pair = row["qa"][number % len(row["qa"])]
        answer = set(query_tokens(pair["a"]))
        for filter in (None, {"id": {"$ne": row["id"]}}):
            for passage, *measured in base.found(pair["q"], filter):
                share = len(answer & set(tokens(f"{passage.title} {passage.content}"))) / max(len(answer), 1)
                right = passage.document_id == row["id"] or share >= ANSWER_SHARE
                yield Example(f"{most} verbetes", number % 2 == 1, *measured, right)


def weights(examples: list[Example]) -> np.ndarray:
    """Each source, and in it right and wrong, the same in sum."""
    groups = [(example.source, example.right) for example in examples]
    return np.array([1 / groups.count(group) for group in groups])


def logistic(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def log_odds(values: np.ndarray) -> np.ndarray:
    bounded = np.clip(values, 1e-4, 1 - 1e-4)
    return np.log(bounded / (1 - bounded))


def check(name: str, relevance: np.ndarray, examples: list[Example]) -> None:
    """Prints, of held-out examples, how often passages of a relevance are right, and the AUC."""
    share, right = weights(examples), np.array([example.right for example in examples])
    ahead = relevance[right][:, None] > relevance[~right]
    even = relevance[right][:, None] == relevance[~right]
    pairs = np.outer(share[right], share[~right])
    area = ((ahead + 0.5 * even) * pairs).sum() / pairs.sum()
    print(f"{name}: AUC {area:.3f}")
    for low, high in pairwise(BINS):
        rows = (relevance >= low) & (relevance < high + (high == 1))
        if rows.any():
            seen = (share * right)[rows].sum() / share[rows].sum()
            print(f"  {low:.1f}–{high:.1f}: {rows.sum():5d} trechos, certos {seen:.2f}")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--cache", type=Path, required=True)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    embedder = cached_embedder(args.cache)
    rows = [
        json.loads(line)
        for path in sorted((args.data_root / "enciclopedia").glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]

    def halves(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
        every = list(examples)
        return [e for e in every if not e.held_out], [e for e in every if e.held_out]

    by_size = [article_examples(rows, None, most, args.seed) for most in (ARTICLES, len(rows))]
    lexical_fitted, lexical_checked = halves(chain(*by_size))
    fitted, checked = halves(
        chain(pair_examples(embedder), article_examples(rows, embedder, EMBEDDED_ARTICLES, args.seed))
    )
    embedder.save()
    curve = calibrate(embedder)

    def words(examples: list[Example]) -> np.ndarray:
        return np.array([[example.coverage, example.strength] for example in examples])

    def right(examples: list[Example]) -> np.ndarray:
        return np.array([example.right for example in examples])

    by_words = fit_logistic(words(lexical_fitted), right(lexical_fitted), weights(lexical_fitted))
    print("palavras: cobertura, força, início =", np.round(by_words, 3))

    def relevances(examples: list[Example]) -> tuple[np.ndarray, np.ndarray]:
        lexical = logistic(words(examples) @ by_words[:-1] + by_words[-1])
        return lexical, curve(np.array([example.cosine for example in examples]))

    both = fit_logistic(
        np.column_stack([log_odds(part) for part in relevances(fitted)]), right(fitted), weights(fitted)
    )
    print("ambas: palavras, vetores, início =", np.round(both, 3))
    check("palavras", relevances(lexical_checked)[0], lexical_checked)
    lexical, dense = relevances(checked)
    together = np.column_stack([log_odds(lexical), log_odds(dense)]) @ both[:-1] + both[-1]
    for name, relevance in (("palavras", lexical), ("vetores", dense), ("ambas", logistic(together))):
        check(f"{name}, em passagens de todas as buscas", relevance, checked)


if __name__ == "__main__":
    main()
