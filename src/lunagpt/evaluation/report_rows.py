"""The cells of a comparison's tables, the same in Markdown and in HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from lunagpt.evaluation import findings
from lunagpt.evaluation.comparison import (
    ComparedModel,
    Comparison,
    Sample,
    TaskComparison,
    floor,
)
from lunagpt.evaluation.paired import PairedTest
from lunagpt.evaluation.performance_report import BUSY
from lunagpt.evaluation.results import Result
from lunagpt.reporting.numbers import count, duration, number
from lunagpt.reporting.wording import shortened

_LONGEST_QUESTION = 700  # characters of an item that are shown
_SHORTEST_PASSAGE = 200
_LONGEST_ANSWER = 300

DUEL_HEADERS = ("Tarefa", "n", "Diferença", "Intervalo de 95 %", "Itens ganhos e perdidos", "Conclusão")
MODEL_HEADERS = ("Modelo", "Parâmetros", "Origem", "SHA-256 dos pesos")


def value_headers(comparison: Comparison) -> tuple[str, ...]:
    """Headers of the table of values: a column for each model at the end."""
    return ("Tarefa", "n", "Acaso", *(model.name for model in comparison.models))


def answer_rows(sample: Sample, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What was expected, then each model's answer and how it was judged."""
    if sample.expected:
        yield "esperado", shortened(sample.expected, _LONGEST_ANSWER)
    for name, answer, score in zip(names, sample.answers, sample.scores, strict=True):
        judged = {1.0: "certo", 0.0: "errado"}.get(score, f"nota {number(score, 2)}")
        shown = shortened(answer, _LONGEST_ANSWER)
        yield name, f"{shown} ({judged})" if shown else f"({judged})"


def question(sample: Sample) -> list[str]:
    """The lines of an item's question, together at a length that can be read."""
    lines = [line for line in sample.question.splitlines() if line.strip()]
    length = sum(map(len, lines))
    if length <= _LONGEST_QUESTION:
        return lines
    # The longest line is the passage that the question is about: it is the one to shorten.
    longest = max(range(len(lines)), key=lambda i: len(lines[i]))
    kept = max(_SHORTEST_PASSAGE, len(lines[longest]) - (length - _LONGEST_QUESTION))
    return [shortened(line, kept) if i == longest else line for i, line in enumerate(lines)]


def value_rows(tasks: Sequence[TaskComparison]) -> Iterator[list[str]]:
    """Cells under `value_headers`."""
    for task in tasks:
        first = task.results[0]
        level = floor(first)
        yield [
            f"{first.title}: {first.metric_title}",
            _items(task),
            "" if math.isnan(level) else findings.write_value(first, level),
            *(" ".join(filter(None, value_parts(result))) for result in task.results),
        ]


def _items(task: TaskComparison) -> str:
    """How many items were measured, of each model if they differ."""
    counts = [number(result.n, 0) for result in task.results]
    return counts[0] if len(set(counts)) == 1 else "; ".join(counts)


def value_parts(result: Result) -> tuple[str, str, str]:
    """The value, its interval in brackets, and what is to be known about it ("" if it is above chance)."""
    low, high = (findings.write_value(result, end) for end in (result.low, result.high))
    notes = [] if result.verdict in ("", "acima do acaso") else [result.verdict]
    if result.contamination is not None:
        notes.append(f"{count(result.contamination.dirty, 'item', 'itens')} no treino")
    return findings.write_value(result, result.value), f"({low} a {high})", ", ".join(notes)


def duel_rows(comparison: Comparison, other: int) -> Iterator[list[str]]:
    """Cells under `DUEL_HEADERS`, for a model against the first one."""
    for task in comparison.tasks:
        duel, result = task.duels[other - 1], task.results[other]
        test = duel.test
        if test is None:
            yield [task.title, "", "", "", "", findings.verdict_words(duel)]
            continue
        yield [
            task.title,
            number(test.n, 0),
            findings.write_difference(result, test.difference),
            " a ".join(findings.write_difference(result, end) for end in (test.low, test.high)),
            _won_and_lost(test, result.higher_is_better),
            findings.verdict_words(duel),
        ]


SPEED_HEADERS = (
    "Modelo",
    "Texto lido",
    "Primeiro token",
    "p95",
    "Por token",
    "Tokens/s",
    "Memória do processo",
)
_SPEED_NOTE = (
    "“Primeiro token” é o tempo da pergunta ao primeiro pedaço da resposta (média ± desvio padrão); "
    "“tokens/s”, o ritmo da escrita. As medidas são desta máquina, com o que mais ela fazia."
)
_BUSY_NOTE = (
    " * A máquina estava ocupada com outra coisa: o processo teve menos da metade de um núcleo. Estes tempos "
    "não são os do modelo, e não servem para comparar."
)


def _won_and_lost(test: PairedTest, up: bool) -> str:
    """Items on which the model did better and worse."""
    if test.wins is None or test.losses is None:
        return ""
    won, lost = (test.wins, test.losses) if up else (test.losses, test.wins)
    return f"{number(won, 0)} e {number(lost, 0)}"


def speed_note(comparison: Comparison) -> str:
    """What a reader of the speeds must know."""
    busy = any(_was_busy(m) for configurations in comparison.speed.values() for m in configurations.values())
    return _SPEED_NOTE + (_BUSY_NOTE if busy else "")


def _was_busy(measured: Mapping[str, float]) -> bool:
    return measured.get("cpu_share", 1.0) < BUSY


def speed_rows(comparison: Comparison) -> Iterator[list[str]]:
    """Cells under `SPEED_HEADERS`."""
    for name, configurations in comparison.speed.items():
        for label, m in configurations.items():
            memory = m.get("peak_memory_mb", math.nan)
            yield [
                f"{name} *" if _was_busy(m) else name,
                label,
                f"{number(m['mean_latency_ms'], 0)} ± {number(m['std_latency_ms'], 0)} ms",
                f"{number(m['p95_latency_ms'], 0)} ms",
                f"{number(m['mean_token_ms'], 1)} ms",
                number(m["tokens_per_second"], 1),
                "" if math.isnan(memory) else f"{number(memory, 0)} MiB",
            ]


def circumstances(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Names and values: when, with what settings and on what machine it was made."""
    if comparison.created:
        yield "Data", comparison.created
    yield from comparison.settings.items()
    seconds = sum(result.seconds for task in comparison.tasks for result in task.results)
    if seconds:
        yield "Tempo das tarefas", duration(seconds)
    yield from comparison.machine.items()


def model_row(model: ComparedModel) -> list[str]:
    """Cells under `MODEL_HEADERS`."""
    parameters = "" if model.parameters is None else number(model.parameters, 0)
    return [model.name, parameters, model.source, model.fingerprint[:16]]
