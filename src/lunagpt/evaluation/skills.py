"""Four skills of a model, each as one number between 0 and 1. `evaluate_skills` is the way in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.behaviours import run_behaviours
from lunagpt.evaluation.behaviours.language import guess_language
from lunagpt.evaluation.behaviours.repetition import goes_in_circles
from lunagpt.evaluation.behaviours.text_measures import fold, mentions, words
from lunagpt.evaluation.language_models import LanguageModel
from lunagpt.evaluation.measures import (
    Question,
    Score,
    builtin,
    choose,
    question_from,
    question_of,
    read_rows_of,
    write,
)
from lunagpt.evaluation.task import Row

# Texts per prompt: distinct-n needs several to see whether a model only ever writes one.
_SAMPLES = 3
_TEMPERATURE = 0.8
_TEXT_TOKENS = 120
# A text of fewer words is no answer to "write a paragraph".
_LEAST_WORDS = 15


def evaluate_skills(
    model: LanguageModel,
    skills: Sequence[str] | None = None,
    test_dataset: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    """Measures skills.

    Args:
        model: a language model, see `open_language_model`.
        skills: some of `SKILLS`, None for all; each is defined at its function in this module.
        test_dataset: rows with a column `skill`, and `question` with `choices` and `answer_index` or `answer`
            for reasoning and knowledge, `prompt` with `required` (a word the text must have) for creativity.
            A skill without a row in it is measured by the items of the package; `Score.data` says which was
            used.
        limit: at most so many items of each skill.
        seed: of the order of alternatives, of the samples and of the bootstrap.

    Returns:
        A score for each skill, in the order asked.

    Raises:
        EvaluationError: a skill is unknown, or the model cannot do what one needs.
    """
    wanted = SKILLS if skills is None else tuple(skills)
    unknown = [name for name in wanted if name not in SKILLS]
    if unknown:
        raise EvaluationError(
            f"Não conheço a habilidade {', '.join(unknown)}. As habilidades são: {', '.join(SKILLS)}."
        )
    rows = [] if test_dataset is None else read_rows_of(test_dataset, None)
    name = "" if test_dataset is None else Path(test_dataset).name
    scores = {}
    for skill in wanted:
        own = [row for row in rows if row.get("skill") == skill]
        scores[skill] = _MEASURES[skill](model, own[:limit], name if own else "embutido", limit, seed)
    return scores


def reasoning(model: LanguageModel, rows: Sequence[Row], data: str, limit: int | None, seed: int) -> Score:
    """Share of short problems solved: order, time, sums, exclusion, cause, analogy, reference of a pronoun.

    Four alternatives, chosen as in `quality.accuracy`; all that is needed to solve a problem stands in it.
    Kinds of problems after the bAbI tasks (Weston et al. 2015, arXiv 1502.05698) and the Winograd schemas
    (Levesque et al. 2012).
    """
    return _right_choices("reasoning", model, rows, data, limit, seed)


def knowledge(model: LanguageModel, rows: Sequence[Row], data: str, limit: int | None, seed: int) -> Score:
    """Share of questions on things that people in Brazil learn at school, chosen among four as in
    `quality.accuracy`; after MMLU (Hendrycks et al. 2021, arXiv 2009.03300), far easier."""
    return _right_choices("knowledge", model, rows, data, limit, seed)


def instruction_following(
    model: LanguageModel, rows: Sequence[Row], data: str, limit: int | None, seed: int
) -> Score:
    """Share of dialogues whose instructions that can be checked by rule are all obeyed: counts of words and
    lines, lists, formats, required and forbidden words, JSON. Interval: Wilson's.

    Source: IFEval (Zhou et al. 2023, arXiv 2311.07911), "strict" and at the level of the whole prompt; the
    dialogues are the scripts of `behaviours/07-instrucoes.yaml`. Rows of the user's are not used. `chance`:
    best answerer that understands nothing.
    """
    report = run_behaviours(model, limit=limit, seed=seed, skills=("instrucoes",))
    rate = report.overall
    return Score(rate.value, low=rate.low, high=rate.high, n=rate.n, chance=rate.trivial)


def creativity(model: LanguageModel, rows: Sequence[Row], data: str, limit: int | None, seed: int) -> Score:
    """Variety that is worth something: for each prompt, the harmonic mean of distinct-2 over three sampled
    texts (different pairs of words / all pairs of words) and of the share of these texts that hold up: long
    enough, in Portuguese, not going in circles, on the subject asked.

    Neither alone will do: noise is various, and one good text written three times is not. Sources:
    distinct-n, Li et al. 2016, arXiv 1510.03055; variety against quality, Caccia et al. 2020, "Language GANs
    falling short", arXiv 1811.02549. There is no judge of beauty in it.
    """
    items: Sequence[Mapping[str, Any]] = rows or builtin("habilidades")["creativity"][:limit]
    usable = [(str(item["prompt"]), str(item.get("required") or "")) for item in items if item.get("prompt")]
    samples = [
        write(
            model,
            [prompt for prompt, _ in usable],
            max_new_tokens=_TEXT_TOKENS,
            temperature=_TEMPERATURE,
            seed=seed + number,
        )
        for number in range(_SAMPLES)
    ]
    scores, varieties, qualities = [], [], []
    for place, (_, required) in enumerate(usable):
        texts = [sample[place] for sample in samples]
        variety = distinct(texts)
        quality = sum(holds_up(text, required) for text in texts) / len(texts)
        varieties.append(variety)
        qualities.append(quality)
        scores.append(2 * variety * quality / (variety + quality) if variety + quality else 0.0)
    parts = {}
    if scores:
        parts = {"distinct_2": sum(varieties) / len(scores), "quality": sum(qualities) / len(scores)}
    return Score.mean(scores, seed=seed, parts=parts, data=data)


def distinct(texts: Sequence[str], n: int = 2) -> float:
    """Share of different word n-grams among all n-grams of the texts; 0 without any."""
    grams: list[tuple[str, ...]] = []
    for text in texts:
        tokens = [fold(word) for word in words(text)]
        grams += [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def holds_up(text: str, required: str = "") -> bool:
    """Whether a text is long enough, in Portuguese, without circles, and has the word that its subject
    requires."""
    return (
        len(words(text)) >= _LEAST_WORDS
        and guess_language(text) == "pt"
        and not goes_in_circles(text)
        and (not required or mentions(text, required))
    )


def _right_choices(
    skill: str, model: LanguageModel, rows: Sequence[Row], data: str, limit: int | None, seed: int
) -> Score:
    questions: list[Question]
    if rows:
        questions = [entry for row in rows if (entry := question_of(row)) is not None and entry.choices]
    else:
        questions = [question_from(raw, seed) for raw in builtin("habilidades")[skill][:limit]]
    if not questions:
        raise EvaluationError(
            f'As linhas de "{data}" para a habilidade {skill} não têm alternativas (choices e answer_index).'
        )
    chance = sum(1 / len(question.choices) for question in questions) / len(questions)
    return Score.mean(choose(model, questions), seed=seed, chance=chance, data=data)


_MEASURES: dict[str, Callable[[LanguageModel, Sequence[Row], str, int | None, int], Score]] = {
    "reasoning": reasoning,
    "knowledge": knowledge,
    "instruction_following": instruction_following,
    "creativity": creativity,
}
#: Names that `evaluate_skills` takes.
SKILLS: tuple[str, ...] = tuple(_MEASURES)
