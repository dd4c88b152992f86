"""How good a model's Portuguese is, in six numbers that need no judge. `evaluate_quality` is the way in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import combinations
from pathlib import Path

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.behaviours.numerals import numbers
from lunagpt.evaluation.behaviours.repetition import repeated_share
from lunagpt.evaluation.behaviours.text_measures import mentions
from lunagpt.evaluation.language_models import LanguageModel, LogLikelihood
from lunagpt.evaluation.measures import (
    Question,
    Score,
    builtin,
    choose,
    content_words,
    likelier,
    question_from,
    question_of,
    read_rows_of,
    write,
)
from lunagpt.evaluation.statistics import mean_interval

# Two answers agree if at least half of their content words are the same, or all their figures.
_AGREEMENT = 0.5


def evaluate_quality(
    model: LanguageModel,
    metrics: Sequence[str] = ("perplexity", "accuracy", "relevance", "consistency"),
    test_dataset: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    """Measures a model.

    Args:
        model: a language model, see `open_language_model`.
        metrics: some of `QUALITY_METRICS`; each is defined at its function in this module.
        test_dataset: rows with `question` and `answer` (or `choices` with `answer_index`), if wanted with
            `paraphrases` (other wordings) and `topics`; or with `text` for perplexity and bits per byte. None
            asks the questions in the package.
        limit: at most so many rows.
        seed: of the order of alternatives, of the bootstrap.

    Returns:
        A score for each metric, in the order asked.

    Raises:
        EvaluationError: a metric is unknown, the model cannot do what one needs, or no row serves for it.
    """
    unknown = [name for name in metrics if name not in QUALITY_METRICS]
    if unknown:
        raise EvaluationError(
            f"Não conheço a medida {', '.join(unknown)}. "
            f"As medidas de qualidade são: {', '.join(QUALITY_METRICS)}."
        )
    inquiry = Inquiry(model, test_dataset, limit, seed)
    return {name: _MEASURES[name](inquiry) for name in metrics}


class Inquiry:
    """A model with the questions put to it; what it answered is kept, so that no metric asks twice."""

    def __init__(
        self, model: LanguageModel, test_dataset: str | Path | None, limit: int | None, seed: int
    ) -> None:
        self.model = model
        self.seed = seed
        self.limit = limit
        self.rows = None if test_dataset is None else read_rows_of(test_dataset, limit)
        self.data = "embutido" if test_dataset is None else Path(test_dataset).name

    @cached_property
    def questions(self) -> list[Question]:
        """The questions, those of the package if the user gave no data.

        Raises:
            EvaluationError: the user's data has none.
        """
        if self.rows is None:
            return [question_from(raw, self.seed) for raw in builtin("perguntas")[: self.limit]]
        found = [question for row in self.rows if (question := question_of(row)) is not None]
        if not found:
            raise EvaluationError(
                f'"{self.data}" não tem perguntas: faltam as colunas question e answer '
                "(ou choices e answer_index)."
            )
        return found

    @cached_property
    def texts(self) -> list[str]:
        """Running text: the column `text` of the user's rows, else question and answer; or that of the
        package."""
        if self.rows is None:
            return list(builtin("textos")[: self.limit])
        texts = [str(row.get("text") or row.get("content") or "") for row in self.rows]
        if any(text.strip() for text in texts):
            return [text for text in texts if text.strip()]
        return [f"{question.asked()} {question.answer}".strip() for question in self.questions]

    @cached_property
    def answers(self) -> list[str]:
        """What the model answers to each question as first worded."""
        return write(self.model, [question.asked() for question in self.questions])

    @cached_property
    def reworded_answers(self) -> list[list[str]]:
        """What it answers to the other wordings of each question."""
        asked = [question.asked(wording) for question in self.questions for wording in question.rewordings]
        texts = iter(write(self.model, asked))
        return [[next(texts) for _ in question.rewordings] for question in self.questions]

    @cached_property
    def likelihoods(self) -> list[LogLikelihood]:
        """Of each text."""
        return self.model.loglikelihood([("", text) for text in self.texts])


def perplexity(inquiry: Inquiry) -> Score:
    """Perplexity of running text: e to the mean negative log-likelihood per token. Less is better; 1 is
    perfect.

    Depends on the tokenizer, so it compares only models that share one; else see `bits_per_byte`.
    Source: Jelinek et al. 1977, "Perplexity — a measure of the difficulty of speech recognition tasks", JASA
    62.
    """
    return _exponential([entry.num_tokens for entry in inquiry.likelihoods], inquiry)


def bits_per_byte(inquiry: Inquiry) -> Score:
    """Bits that the model needs per UTF-8 byte of running text. Less is better; comparable between
    tokenizers.

    Source: Gao et al. 2020, "The Pile", arXiv 2101.00027, section 3.1.
    """
    found = [entry for entry in inquiry.likelihoods if entry.num_bytes]
    weights = [float(entry.num_bytes) for entry in found]
    values = [-entry.nats / math.log(2) / entry.num_bytes for entry in found]
    low, high = mean_interval(values, weights, inquiry.seed)
    mean = sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
    return Score(mean, low=low, high=high, n=len(found), data=inquiry.data)


def accuracy(inquiry: Inquiry) -> Score:
    """Share of questions answered rightly.

    With alternatives, the one with the highest log-likelihood per byte counts as chosen (Brown et al. 2020,
    arXiv 2005.14165, section 2.4; "acc_norm" of lm-evaluation-harness). Without, the answer must hold the
    right one.
    """
    with_choices = [question for question in inquiry.questions if question.choices]
    if with_choices:
        chance = sum(1 / len(question.choices) for question in with_choices) / len(with_choices)
        right = choose(inquiry.model, with_choices)
        return Score.mean(right, seed=inquiry.seed, chance=chance, data=inquiry.data)
    with_answer = [
        float(mentions(text, question.answer))
        for question, text in zip(inquiry.questions, inquiry.answers, strict=True)
        if question.answer
    ]
    return Score.mean(with_answer, seed=inquiry.seed, chance=0.0, data=inquiry.data)


def relevance(inquiry: Inquiry) -> Score:
    """Share of answers that are about what was asked: they have a word that any answer to the point must have
    and that is not in the question itself, so that giving the question back counts for nothing.

    `chance` is the share when each answer is held against the next question: the level of answers that have
    nothing to do with the question. The idea of covering required concepts is that of CommonGen (Lin et al.
    2020, arXiv 1911.03705, section 6); here one concept is enough.
    """
    pairs = [
        (question, text)
        for question, text in zip(inquiry.questions, inquiry.answers, strict=True)
        if question.topics
    ]
    about = [float(_touches(text, question)) for question, text in pairs]
    elsewhere = [
        _touches(text, question)
        for (question, _), (_, text) in zip(pairs, pairs[1:] + pairs[:1], strict=True)
    ]
    chance = sum(elsewhere) / len(elsewhere) if len(elsewhere) > 1 else 0.0
    return Score.mean(about, seed=inquiry.seed, chance=chance, data=inquiry.data)


def consistency(inquiry: Inquiry) -> Score:
    """How far the same question in other words gets the same answer: agreement of the answers to the wordings
    of one
    question, above the agreement of answers to different questions: (within - between) / (1 - between), at
    least 0.

    Without that correction a model that always says the same would be perfectly consistent. Two answers agree
    if they have the same figures or at least half of their content words in common. Source: pairwise
    agreement over paraphrases, Elazar et al. 2021, "Measuring and improving consistency in pretrained
    language models", TACL 9; the correction for chance is Cohen's (1960).
    """
    within = []
    for first, others in zip(inquiry.answers, inquiry.reworded_answers, strict=True):
        pairs = list(combinations([first, *others], 2))
        if pairs:
            within.append(sum(agree(a, b) for a, b in pairs) / len(pairs))
    across = [agree(a, b) for a, b in combinations(inquiry.answers, 2)]
    between = sum(across) / len(across) if across else 0.0
    raw = Score.mean(within, seed=inquiry.seed)

    def corrected(value: float) -> float:
        return max(0.0, (value - between) / (1 - between)) if between < 1 else 0.0

    return Score(
        corrected(raw),
        low=corrected(raw.low),
        high=corrected(raw.high),
        n=raw.n,
        chance=0.0,
        parts={"within": float(raw), "between": between},
        data=inquiry.data,
    )


def fluency(inquiry: Inquiry) -> Score:
    """How sound the Portuguese is: share of minimal pairs (one sentence right, one wrong in agreement,
    contraction, government, tense, order or pronoun) of which the right one is likelier, times the share of
    four-word runs in the model's own answers that do not repeat. A model that knows the grammar and goes
    round in circles is not fluent.

    Sources: minimal pairs, Warstadt et al. 2020, BLiMP, TACL 8; repetition, Welleck et al. 2019, arXiv
    1908.04319. The pairs are always those of the package.
    """
    pairs = [(right, wrong) for group in builtin("pares-minimos").values() for right, wrong in group]
    right = likelier(inquiry.model, pairs[: inquiry.limit])
    repeated = sum(map(repeated_share, inquiry.answers)) / len(inquiry.answers)
    grammar = Score.mean(right, seed=inquiry.seed)
    kept = 1 - repeated
    return Score(
        grammar * kept,
        low=grammar.low * kept,
        high=grammar.high * kept,
        n=grammar.n,
        chance=0.5 * kept,
        parts={"minimal_pairs": float(grammar), "repetition": repeated},
        data=inquiry.data,
    )


def agree(first: str, second: str) -> bool:
    """Whether two answers say the same, as far as figures and content words tell."""
    figures, others = set(numbers(first)), set(numbers(second))
    if figures or others:
        return figures == others
    a, b = content_words(first), content_words(second)
    if not a or not b:
        return first.strip().casefold() == second.strip().casefold()
    return 2 * len(a & b) / (len(a) + len(b)) >= _AGREEMENT


def _touches(text: str, question: Question) -> bool:
    return any(mentions(text, topic) for topic in question.topics)


def _exponential(counts: Sequence[int], inquiry: Inquiry) -> Score:
    """e to the mean of -nats per token, the interval taken through the exponential."""
    found = [(entry, count) for entry, count in zip(inquiry.likelihoods, counts, strict=True) if count]
    weights = [float(count) for _, count in found]
    values = [-entry.nats / count for entry, count in found]
    low, high = mean_interval(values, weights, inquiry.seed)
    mean = sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
    return Score(math.exp(mean), low=math.exp(low), high=math.exp(high), n=len(found), data=inquiry.data)


_MEASURES: dict[str, Callable[[Inquiry], Score]] = {
    "perplexity": perplexity,
    "bits_per_byte": bits_per_byte,
    "accuracy": accuracy,
    "relevance": relevance,
    "consistency": consistency,
    "fluency": fluency,
}
#: Names that `evaluate_quality` takes.
QUALITY_METRICS: tuple[str, ...] = tuple(_MEASURES)
