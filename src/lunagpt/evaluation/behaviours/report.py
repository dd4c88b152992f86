"""What a run of behaviours found: rates with intervals, transcripts, and a table to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Any

from lunagpt.evaluation.statistics import wilson_interval

#: Whether each judged answer of a scenario passed.
Verdicts = tuple[bool, ...]
#: Version of the JSON form.
FORMAT = "lunagpt-behaviours-1"
#: Faults that are counted over every generated answer, and what not having them is called.
FORM_TITLES = {
    "vazia": "Responde alguma coisa",
    "fim": "Termina a sua vez",
    "circulos": "Não anda em círculos",
    "lingua": "Fica em português",
    "eco": "Não devolve só a pergunta",
}
_LEGEND = (
    "Um diálogo só passa se todas as suas respostas verificadas estiverem certas; resp.: respostas certas "
    "uma a uma. IC: intervalo de confiança de 95 % (Wilson). Trivial: o melhor de oito respondedores que não "
    "entendem nada, como repetir a pergunta ou sempre recusar."
)


@dataclass(frozen=True, slots=True)
class JudgedTurn:
    """A question, its answer, and what was found.

    Attributes:
        generated: the model wrote the answer; else the script gave it.
        finish_reason: as the engine says; None if it does not tell.
        problems: reasons for failing, empty if the answer passed; None if the turn is not judged.
        faults: (fault, reason) pairs of form, see `FORM_TITLES`.
    """

    user: str
    answer: str
    generated: bool
    finish_reason: str | None = None
    problems: tuple[str, ...] | None = None
    faults: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """One scenario as it was played."""

    id: str
    skill: str
    system: str | None
    turns: tuple[JudgedTurn, ...]

    @property
    def verdicts(self) -> Verdicts:
        """For each judged answer whether it is without problems."""
        return tuple(not turn.problems for turn in self.turns if turn.problems is not None)

    @property
    def passed(self) -> bool:
        """Whether every judged answer is without problems."""
        return all(self.verdicts)


@dataclass(frozen=True, slots=True)
class SkillRate:
    """How often a skill was shown.

    Attributes:
        value: passed / n; `low` and `high`: its 95 % Wilson interval.
        trivial: best rate of an answerer that understands nothing, on the same scenarios.
        answers_passed, answers: the same counted by judged answers instead of scenarios, which tells weak
            models apart; None where scenarios are not what is counted.
        answers_trivial: best rate of answers of an answerer that understands nothing.
    """

    skill: str
    title: str
    passed: int
    n: int
    value: float
    low: float
    high: float
    trivial: float
    answers_passed: int = 0
    answers: int = 0
    answers_trivial: float = 0.0


@dataclass(frozen=True)
class BehaviourReport:
    """The transcripts of a run with their rates.

    Attributes:
        model: name of the model.
        suite: name of the suite.
        titles: title of each skill.
        transcripts: one per scenario, in the order played.
        trivial: for each trivial answerer, its verdicts on each scenario by id (see `Transcript.verdicts`).
        seconds: wall time of the run.
    """

    model: str
    suite: str
    titles: Mapping[str, str]
    transcripts: tuple[Transcript, ...]
    trivial: Mapping[str, Mapping[str, Verdicts]]
    seconds: float

    @property
    def rates(self) -> tuple[SkillRate, ...]:
        """One rate per skill that was played, in the order of the suite."""
        played = {transcript.skill for transcript in self.transcripts}
        return tuple(
            self._rate(skill, title, [entry for entry in self.transcripts if entry.skill == skill])
            for skill, title in self.titles.items()
            if skill in played
        )

    @property
    def overall(self) -> SkillRate:
        """The rate over all scenarios."""
        return self._rate("total", "Todos os diálogos", self.transcripts)

    @property
    def form(self) -> tuple[SkillRate, ...]:
        """Rates over every answer that the model wrote, judged or not: it ends, does not loop, is in
        Portuguese…"""
        turns = [turn for transcript in self.transcripts for turn in transcript.turns if turn.generated]
        told = [turn for turn in turns if turn.finish_reason is not None]
        rates = []
        for fault, title in FORM_TITLES.items():
            counted = told if fault == "fim" else turns
            clean = sum(all(name != fault for name, _ in turn.faults) for turn in counted)
            low, high = _interval(clean, len(counted))
            rates.append(
                SkillRate(fault, title, clean, len(counted), _share(clean, len(counted)), low, high, 0.0)
            )
        return tuple(rates)

    def failures(self) -> Iterator[tuple[Transcript, JudgedTurn]]:
        """Every judged answer with a problem."""
        for transcript in self.transcripts:
            for turn in transcript.turns:
                if turn.problems:
                    yield transcript, turn

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold, transcripts and reasons included."""
        return {
            "format": FORMAT,
            "model": self.model,
            "suite": self.suite,
            "seconds": round(self.seconds, 3),
            "overall": _rate_dict(self.overall),
            "skills": [_rate_dict(rate) for rate in self.rates],
            "form": [_rate_dict(rate) for rate in self.form],
            "trivial": {
                name: sum(all(verdicts[entry.id]) for entry in self.transcripts)
                for name, verdicts in self.trivial.items()
            },
            "transcripts": [_transcript_dict(transcript) for transcript in self.transcripts],
        }

    def to_text(self) -> str:
        """The rates for a terminal of 80 columns."""
        overall = self.overall
        lines = [
            f"Comportamentos: {self.model} ({overall.n} diálogos, {overall.answers} respostas verificadas)",
            "",
            f"{'':41}{'diálogos':>9}{'':5}{'IC 95 %':>10}{'trivial':>8}{'resp.':>7}",
        ]
        for rate in (*self.rates, overall):
            interval = f"{100 * rate.low:.0f} a {100 * rate.high:.0f}"
            answers = _percent(_share(rate.answers_passed, rate.answers))
            lines.append(
                f"{rate.title:41}{f'{rate.passed}/{rate.n}':>9}{_percent(rate.value):>6}{interval:>9}"
                f"{_percent(rate.trivial):>8}{answers:>7}"
            )
        lines += ["", f"{'Em toda resposta do modelo':41}{'respostas':>9}"]
        for rate in self.form:
            lines.append(f"{rate.title:41}{f'{rate.passed}/{rate.n}':>9}{_percent(rate.value):>6}")
        lines += ["", *wrap(_LEGEND, 80)]
        return "\n".join(lines) + "\n"

    def to_markdown(self) -> str:
        """The rates as tables in Portuguese."""
        return rates_markdown(self.model, self.rates, self.overall, self.form)

    def transcripts_markdown(self, transcripts: Iterable[Transcript] | None = None) -> str:
        """Dialogues with their verdicts, to be read by a person; None takes all."""
        return dialogues_markdown(self.transcripts if transcripts is None else transcripts)

    def _rate(self, skill: str, title: str, transcripts: Iterable[Transcript]) -> SkillRate:
        entries = list(transcripts)
        passed = sum(entry.passed for entry in entries)
        low, high = _interval(passed, len(entries))
        verdicts = [verdict for entry in entries for verdict in entry.verdicts]
        others = [[found[entry.id] for entry in entries] for found in self.trivial.values()]
        return SkillRate(
            skill,
            title,
            passed,
            len(entries),
            _share(passed, len(entries)),
            low,
            high,
            trivial=max((_share(sum(map(all, found)), len(found)) for found in others), default=0.0),
            answers_passed=sum(verdicts),
            answers=len(verdicts),
            answers_trivial=max(
                (_share(sum(map(sum, found)), len(verdicts)) for found in others), default=0.0
            ),
        )


def rates_markdown(
    model: str, rates: Iterable[SkillRate], overall: SkillRate, form: Iterable[SkillRate]
) -> str:
    """The tables of `BehaviourReport.to_markdown`, also of rates that were stored."""
    lines = [
        f"## Comportamentos: {model}",
        "",
        _LEGEND,
        "",
        "| habilidade | diálogos | taxa | IC | trivial | respostas | trivial |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(f"{_row(rate)} {_percent(rate.trivial)} | {_answers(rate)} |" for rate in (*rates, overall)),
        "",
        "| em toda resposta do modelo | sim | taxa | IC |",
        "|---|---:|---:|---:|",
        *map(_row, form),
    ]
    return "\n".join(lines) + "\n"


def dialogues_markdown(transcripts: Iterable[Transcript]) -> str:
    """Dialogues with their verdicts, to be read by a person."""
    parts = []
    for transcript in transcripts:
        parts.append(f"### {transcript.id} · {'passou' if transcript.passed else 'falhou'}")
        if transcript.system:
            parts.append(f"> *Instrução:* {_quoted(transcript.system)}")
        for turn in transcript.turns:
            parts.append(
                f"> **Você:** {_quoted(turn.user)}\n>\n> **Luna:** {_quoted(turn.answer or '(vazia)')}"
            )
            parts.extend(f"- ✗ {problem}" for problem in turn.problems or ())
    return "\n\n".join(parts) + "\n"


def _interval(passed: int, n: int) -> tuple[float, float]:
    return wilson_interval(passed, n) if n else (0.0, 1.0)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _rate_dict(rate: SkillRate) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(rate).items()
    }


def _transcript_dict(transcript: Transcript) -> dict[str, Any]:
    return {
        "id": transcript.id,
        "skill": transcript.skill,
        "passed": transcript.passed,
        "system": transcript.system,
        "turns": [
            {
                "user": turn.user,
                "answer": turn.answer,
                "finish_reason": turn.finish_reason,
                "problems": None if turn.problems is None else list(turn.problems),
                "faults": [fault for fault, _ in turn.faults],
            }
            for turn in transcript.turns
        ],
    }


def _row(rate: SkillRate) -> str:
    interval = f"{_percent(rate.low)} a {_percent(rate.high)}"
    return f"| {rate.title} | {rate.passed} de {rate.n} | {_percent(rate.value)} | {interval} |"


def _answers(rate: SkillRate) -> str:
    share = _percent(_share(rate.answers_passed, rate.answers))
    return f"{rate.answers_passed} de {rate.answers} ({share}) | {_percent(rate.answers_trivial)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _quoted(text: str) -> str:
    return text.replace("\n", "\n> ")
