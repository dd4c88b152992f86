"""What a collection is about: its passages in groups, each with a name made of its own words.

With vectors of an embedding model the groups are clusters of these; without, clusters of TF-IDF vectors. The
names are the words that most tell a group from the rest.

Letters: N passages, F features, K topics, V vocabulary.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lunagpt.rag.lexical import STOP_WORDS, fold, stem
from lunagpt.reporting.wording import listing

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_SHORTEST = 3  # letters of a word that may name a topic
_LABEL_TERMS = 3
_VOCABULARY = 3_000
_FIT_SAMPLE = 4_000  # passages on which the clusters are found; all others join the nearest
_BLOCK = 2_000
_ROUNDS = 30
_STARTS = 4

#: Frequent words that say nothing about a subject though they are no stop words.
_EMPTY_WORDS = """
exemplo parte partes forma formas vez vezes meio meios modo modos tipo tipos caso casos ponto pontos lado
lados cerca maior maiores menor menores melhor pior grande grandes pequeno pequena pequenos pequenas novo
nova novos novas velho velha bom boa primeiro primeira primeiros segundo segunda último última dois duas
três quatro cinco seis sete oito nove dez vinte cem mil milhões bilhões ano anos mês meses dia dias hora
horas século séculos época tempo nome nomes coisa coisas pessoa pessoas além através alguns vários várias
diversos diversas certo certa acordo embora quase longo longa longe perto dentro fora cima baixo baixa alto
alta volta partir total quantidade número maioria metade resto conjunto base ideia jeito maneira faz fazer
fazem fez fazia feito feita feitos feitas dá dar dão deu fica ficar ficam usa usar usam usado usada uso
chama chamam chamado chamada serve servem existe existem torna tornam passa passam leva levam vem vêm vinha
diz dizem precisa precisam perde perdem conta contam vive vivem viveu nasceu morreu recebeu escreveu perdeu
venceu cresceu aprendeu funciona começa começam acontece acontecem mostra mostram parece parecem permite
permitem recebe recebem vale valem entra entram sai saem traz cabe costuma costumam
"""
_EMPTY = frozenset(fold(word) for word in _EMPTY_WORDS.split())
#: Endings of verb forms that are hardly ever those of a noun; words with a capital may be names.
_VERB = re.compile(r"(?:[^s]ou|aram|eram|iram|avam|ando|endo|indo|arem|assem|essem|ariam|eriam)$")


@dataclass(frozen=True, slots=True)
class Topic:
    """A group of passages.

    Attributes:
        label: its most telling words, e.g. "guerra, império e exército".
        terms: more of them, best first.
        members: numbers of its passages (positions in the given texts), the most typical first.
        share: part of all passages.
    """

    label: str
    terms: tuple[str, ...]
    members: tuple[int, ...]
    share: float


def find_topics(
    texts: Sequence[str],
    vectors: np.ndarray | None = None,
    *,
    num_topics: int | None = None,
    seed: int = 0,
) -> list[Topic]:
    """Group passages by subject.

    Args:
        texts: N passages. vectors: (N, F) float32 of the same, or None to compare words.
        num_topics: None takes about the square root of half the number of passages, between 2 and 12.

    Returns:
        Topics, the largest first; every passage with a known word is in exactly one.
    """
    if not texts:
        return []
    terms = [_terms(text) for text in texts]
    vocabulary = _vocabulary(terms)
    generator = np.random.default_rng(seed)
    sample = np.sort(generator.permutation(len(texts))[:_FIT_SAMPLE])
    if vectors is None:
        features: Callable[[np.ndarray], np.ndarray] = _TfIdf(terms, vocabulary)
    else:
        features = _centred(vectors, sample)
    fitted = features(sample)
    usable = np.abs(fitted).sum(axis=1) > 0
    if not usable.any():
        return []
    wanted = num_topics or _default_number(len(texts))
    centres = _spherical_k_means(fitted[usable], wanted, generator)
    group, closeness = _assign(len(texts), features, centres)
    members = [np.flatnonzero(group == k) for k in range(len(centres))]
    members = [m[np.argsort(-closeness[m], kind="stable")] for m in members if len(m)]
    named = _names(terms, members)
    total = len(texts)
    topics = [
        Topic(_label(names), tuple(names), tuple(int(i) for i in m), len(m) / total)
        for names, m in zip(named, members, strict=True)
    ]
    return sorted(_distinct(topics), key=lambda topic: -len(topic.members))


def _default_number(passages: int) -> int:
    return max(1, min(12, passages, round((passages / 2) ** 0.5)))


def _terms(text: str) -> list[tuple[str, str]]:
    """(stem, surface form) of the words that may name a subject."""
    found = []
    for word in _WORD.findall(text):
        folded = fold(word)
        dull = folded in STOP_WORDS or folded in _EMPTY or (word.islower() and _VERB.search(word))
        if len(folded) >= _SHORTEST and not dull:
            found.append((stem(word), word))
    return found


def _vocabulary(terms: list[list[tuple[str, str]]]) -> dict[str, int]:
    """The V stems that are in at least two passages (if there are many) but not in most of them."""
    frequency = Counter(s for passage in terms for s in {s for s, _ in passage})
    least = 1 if len(terms) < 20 else 2
    most = max(least, 0.5 * len(terms)) if len(terms) >= 10 else len(terms)
    common = frequency.most_common()
    # Where all passages say the same, their words are all there is to go by.
    kept = [s for s, n in common if least <= n <= most] or [s for s, n in common if n >= least]
    return {s: i for i, s in enumerate(kept[:_VOCABULARY])}


class _TfIdf:
    """Rows (n, V) of unit length for the passages asked for: (1 + log tf) · log(N / df)."""

    def __init__(self, terms: list[list[tuple[str, str]]], vocabulary: dict[str, int]) -> None:
        self._rows = [
            Counter(vocabulary[s] for s, _ in passage if s in vocabulary).items() for passage in terms
        ]
        frequency = np.ones(len(vocabulary))
        for row in self._rows:
            for column, _ in row:
                frequency[column] += 1
        self._idf = np.log((len(terms) + 1) / frequency).clip(0.01).astype(np.float32)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        matrix = np.zeros((len(rows), len(self._idf)), np.float32)
        for i, row in enumerate(rows):
            for column, count in self._rows[row]:
                matrix[i, column] = 1 + np.log(count)
        return _unit(matrix * self._idf)


def _centred(vectors: np.ndarray, sample: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Unit vectors without the direction that all share, which hides the subjects (E5: cosines over 0.7)."""
    middle = np.asarray(vectors[sample], np.float32).mean(axis=0)
    return lambda rows: _unit(np.asarray(vectors[rows], np.float32) - middle)


def _unit(matrix: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, length, out=np.zeros_like(matrix), where=length > 0)


def _spherical_k_means(rows: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """Centres (K, F) of unit length (Dhillon & Modha 2001), the best of a few k-means++ starts."""
    k = min(k, len(np.unique(rows, axis=0)) if len(rows) <= 200 else k)
    best, best_score = rows[:1], -np.inf
    for _ in range(_STARTS):
        centres = _first_centres(rows, k, generator)
        nearest = np.full(len(rows), -1)
        for _ in range(_ROUNDS):
            similarity = rows @ centres.T
            previous, nearest = nearest, similarity.argmax(axis=1)
            if (previous == nearest).all():
                break
            for c in range(k):
                mine = nearest == c
                # a centre without members moves to the passage that is worst served
                centres[c] = rows[mine].sum(axis=0) if mine.any() else rows[similarity.max(axis=1).argmin()]
            centres = _unit(centres)
        score = float((rows @ centres.T).max(axis=1).sum())
        if score > best_score:
            best, best_score = centres, score
    return best


def _first_centres(rows: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """k-means++ (Arthur & Vassilvitskii 2007) with the distance 1 - cosine."""
    chosen = [int(generator.integers(len(rows)))]
    distance = 1 - rows @ rows[chosen[0]]
    while len(chosen) < k:
        weight = distance.clip(0) ** 2
        total = weight.sum()
        p = weight / total if total > 0 else None
        chosen.append(int(generator.choice(len(rows), p=p)))
        distance = np.minimum(distance, 1 - rows @ rows[chosen[-1]])
    return rows[chosen].copy()


def _assign(
    total: int, features: Callable[[np.ndarray], np.ndarray], centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of every passage (-1 without known words) and the cosine to it."""
    group, closeness = np.full(total, -1), np.zeros(total, np.float32)
    for rows in _blocks(total):
        matrix = features(rows)
        similarity = matrix @ centres.T
        known = np.abs(matrix).sum(axis=1) > 0
        group[rows] = np.where(known, similarity.argmax(axis=1), -1)
        closeness[rows] = similarity.max(axis=1)
    return group, closeness


def _blocks(total: int) -> Iterator[np.ndarray]:
    for start in range(0, total, _BLOCK):
        yield np.arange(start, min(start + _BLOCK, total))


def _names(terms: list[list[tuple[str, str]]], members: list[np.ndarray]) -> list[list[str]]:
    """The ten most telling words of each group, in the form in which they are mostly written.

    A word counts by its part in the Kullback-Leibler divergence between the group's passages and the others:
    p · log(p / q), p and q being the shares of passages that have it. Unlike c-TF-IDF (Grootendorst 2022),
    which counts every occurrence, the hero of one long passage cannot name a whole group.
    """
    surface: dict[str, Counter[str]] = {}
    for passage in terms:
        for s, word in passage:
            surface.setdefault(s, Counter())[word] += 1
    having = [Counter(s for i in group for s in {s for s, _ in terms[i]}) for group in members]
    overall: Counter[str] = Counter()
    for words in having:
        overall.update(words)
    total = sum(len(group) for group in members)
    named = []
    for words, group in zip(having, members, strict=True):
        inside, outside = len(group), total - len(group)
        weight = {}
        for s, n in words.items():
            p, q = n / inside, (overall[s] - n + 0.5) / (outside + 1)
            weight[s] = p * math.log(p / q)
        best = sorted(weight, key=lambda s: (-weight[s], s))[:10]
        named.append([_written(surface[s]) for s in best])
    return named


def _written(forms: Counter[str]) -> str:
    """The commonest form of a word; in lower case unless it is nearly always written with a capital."""
    folded: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    for form, n in forms.items():
        folded[form.lower()] += n
        if form[0].islower():
            lower[form.lower()] += n
    word = folded.most_common(1)[0][0]
    if sum(lower.values()) >= 0.1 * sum(folded.values()):
        return word
    return max((f for f in forms if f.lower() == word), key=lambda f: forms[f])


def _label(names: Sequence[str]) -> str:
    return listing(list(names[:_LABEL_TERMS])) or "sem nome"


def _distinct(topics: list[Topic]) -> list[Topic]:
    """Topics with labels that differ: a number is added to the second of equal ones."""
    seen: Counter[str] = Counter()
    result = []
    for topic in topics:
        seen[topic.label] += 1
        n = seen[topic.label]
        label = topic.label if n == 1 else f"{topic.label} ({n})"
        result.append(Topic(label, topic.terms, topic.members, topic.share))
    return result
