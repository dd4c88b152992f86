"""Plays the scripts with an engine and judges the answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from lunagpt.engines import Engine, Message
from lunagpt.errors import DataError
from lunagpt.evaluation.behaviours.answer import Answer
from lunagpt.evaluation.behaviours.checks import problems
from lunagpt.evaluation.behaviours.conditions_of_text import echoes, language
from lunagpt.evaluation.behaviours.repetition import goes_in_circles
from lunagpt.evaluation.behaviours.report import BehaviourReport, JudgedTurn, Transcript, Verdicts
from lunagpt.evaluation.behaviours.scenario import Scenario, ScriptTurn, Skill, builtin_skills, load_skills
from lunagpt.evaluation.behaviours.trivial import TRIVIAL_ENGINES
from lunagpt.generation import SamplingParams

#: Name of the suite that ships with LunaGPT.
SUITE = "comportamentos"


class Generator(Protocol):
    """A language model that writes answers but is no engine (see `lunagpt.evaluation.LanguageModel`)."""

    name: str

    def generate(
        self, dialogues: Sequence[Sequence[Message]], *, max_new_tokens: int, temperature: float, seed: int
    ) -> list[str]:
        """One answer to each dialogue."""
        ...


# (dialogue so far, longest answer in tokens) -> (answer, finish reason or None)
_Speaker = Callable[[list[Message], int], tuple[str, str | None]]


def run_behaviours(
    model: Engine | Generator,
    suite: str | Path | Sequence[str | Path] = SUITE,
    limit: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
    skills: Sequence[str] | None = None,
) -> BehaviourReport:
    """Plays the scripts of a suite with `model` and judges the answers.

    The model answers every turn that the script leaves to it, greedily (temperature 0), so that a run can be
    repeated; what it said earlier stands in the dialogue when it is asked again. A scenario is passed if all
    of its
    judged answers fulfil all their checks, and those that every answer must: it is not empty, ends by itself,
    does not go round in circles, is in the language asked for (Portuguese by default) and is not the question
    given back.

    Args:
        model: an engine, or a language model with `generate`, of which the way an answer ended is not known.
        suite: "comportamentos", or the user's own YAML file or files.
        limit: play at most so many scenarios, taken in turn from every skill; None plays all.
        seed: for engines that use chance even at temperature 0.
        on_progress: called after each scenario with (played, to play).
        skills: names of the skills to play ("memoria", …); None plays all.

    Raises:
        DataError: a file of the suite breaks the format, a skill is unknown, or `limit` is not positive.
        GenerationError: the engine cannot answer.
    """
    loaded = _skills_of(suite)
    scenarios = _chosen(_named(loaded, skills), limit)
    speak = _speaker(model, seed)
    transcripts = []
    started = time.perf_counter()
    for scenario in scenarios:
        transcripts.append(play(scenario, speak))
        if on_progress is not None:
            on_progress(len(transcripts), len(scenarios))
    return BehaviourReport(
        model=model.name,
        suite=suite if isinstance(suite, str) and suite == SUITE else "própria",
        titles={skill.name: skill.title for skill in loaded},
        transcripts=tuple(transcripts),
        trivial=trivial_verdicts(loaded),
        seconds=time.perf_counter() - started,
    )


def play(scenario: Scenario, speak: _Speaker) -> Transcript:
    """Plays one scenario; `speak` gives the answer to a dialogue."""
    messages: list[Message] = [{"role": "system", "content": scenario.system}] if scenario.system else []
    said: list[str] = []
    turns = []
    for turn in scenario.turns:
        messages.append({"role": "user", "content": turn.user})
        if turn.given is not None:
            text = turn.given
            turns.append(JudgedTurn(turn.user, text, generated=False))
        else:
            text, finish_reason = speak(list(messages), scenario.max_tokens)
            text = text.strip()
            turns.append(judge(turn, Answer(text, turn.user, tuple(said), finish_reason)))
        said.append(text)
        messages.append({"role": "assistant", "content": text})
    return Transcript(scenario.id, scenario.skill, scenario.system, tuple(turns))


def judge(turn: ScriptTurn, answer: Answer) -> JudgedTurn:
    """What is wrong with an answer of the model: with its form, and, if the turn has checks, with what it
    says."""
    own_language = any(check.name == "language" for check in turn.checks)
    faults = tuple(faults_of_form(answer, own_language))
    found: list[str] | None = None
    if turn.checks:
        found = [reason for _, reason in faults]
        if answer.text:
            found += problems(turn.checks, answer)
    return JudgedTurn(
        turn.user,
        answer.text,
        generated=True,
        finish_reason=answer.finish_reason,
        problems=None if found is None else tuple(found),
        faults=faults,
    )


def faults_of_form(answer: Answer, other_language: bool = False) -> list[tuple[str, str]]:
    """What is wrong with an answer whatever was asked: pairs of fault and reason (see `report.FORM_TITLES`).

    Args:
        other_language: the script checks the language itself.
    """
    if not answer.text:
        return [("vazia", "a resposta está vazia")]
    faults = []
    if answer.finish_reason == "length":
        faults.append(("fim", "não terminou: foi cortada no limite de tamanho"))
    if answer.finish_reason == "loop" or goes_in_circles(answer.text):
        faults.append(("circulos", "anda em círculos"))
    if not other_language and (reason := language(answer, "pt")):
        faults.append(("lingua", reason))
    if echoes(answer):
        faults.append(("eco", "só devolve a pergunta"))
    return faults


def trivial_verdicts(skills: tuple[Skill, ...]) -> dict[str, dict[str, Verdicts]]:
    """For each trivial answerer, its verdicts on every scenario by id."""
    return _builtin_trivial_verdicts() if skills is builtin_skills() else _trivial_verdicts(skills)


@lru_cache(maxsize=1)
def _builtin_trivial_verdicts() -> dict[str, dict[str, Verdicts]]:
    return _trivial_verdicts(builtin_skills())


def _trivial_verdicts(skills: tuple[Skill, ...]) -> dict[str, dict[str, Verdicts]]:
    scenarios = [scenario for skill in skills for scenario in skill.scenarios]
    return {
        engine.name: {entry.id: play(entry, _speaker(engine, 0)).verdicts for entry in scenarios}
        for engine in TRIVIAL_ENGINES
    }


def _speaker(model: Engine | Generator, seed: int) -> _Speaker:
    if isinstance(model, Engine):
        engine = model

        def through_engine(messages: list[Message], max_tokens: int) -> tuple[str, str | None]:
            stream = engine.stream(
                messages, SamplingParams(temperature=0, max_new_tokens=max_tokens, seed=seed)
            )
            return "".join(stream), stream.report.finish_reason

        return through_engine

    def through_generate(messages: list[Message], max_tokens: int) -> tuple[str, str | None]:
        return model.generate([messages], max_new_tokens=max_tokens, temperature=0.0, seed=seed)[0], None

    return through_generate


def _skills_of(suite: str | Path | Sequence[str | Path]) -> tuple[Skill, ...]:
    if suite == SUITE:
        return builtin_skills()
    return load_skills([suite] if isinstance(suite, str | Path) else suite)


def _named(skills: tuple[Skill, ...], names: Sequence[str] | None) -> tuple[Skill, ...]:
    known = [skill.name for skill in skills]
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise DataError(f"Não há a habilidade {', '.join(unknown)}. As da suíte são: {', '.join(known)}.")
    return skills if names is None else tuple(skill for skill in skills if skill.name in names)


def _chosen(skills: Sequence[Skill], limit: int | None) -> list[Scenario]:
    """All scenarios, or `limit` of them: the first of each skill, then the second of each, and so on."""
    if limit is not None and limit < 1:
        raise DataError(f"O limite de cenários é {limit}. Use um número a partir de 1.")
    if limit is None:
        return [scenario for skill in skills for scenario in skill.scenarios]
    rounds = zip_longest(*(skill.scenarios for skill in skills))
    return [scenario for group in rounds for scenario in group if scenario is not None][:limit]
