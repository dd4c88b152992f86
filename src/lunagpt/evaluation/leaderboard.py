"""The leaderboard: stored results of Luna models and of others, on one page of Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.comparison import floor
from lunagpt.evaluation.findings import write_value
from lunagpt.evaluation.results import Evaluation, Result, load_evaluation, statistic_of
from lunagpt.reporting.markdown import escaped, table
from lunagpt.reporting.numbers import number

#: Results of a model by task and metric.
Column = dict[tuple[str, str], Result]

_RESAMPLES = 500

INTRODUCTION = (
    "Cada modelo medido pelo mesmo programa, nos mesmos dados e com os mesmos prompts. Ao lado de cada valor "
    "está a metade da largura do intervalo de 95 %. *Em itálico*: não passa do acaso nem de uma resposta "
    "sempre igual, portanto não diz nada sobre o modelo. **Em negrito**: o melhor valor da linha, entre os "
    "que passam. Um asterisco marca valores em que parte dos itens estava nos dados de treino."
)
GRADE_NOTE = (
    "A nota é a média, sobre as tarefas que todos os modelos têm e que possuem um nível de acaso, de quanto "
    "do caminho entre o acaso e a perfeição o modelo percorre: 0 é chutar, 100 é acertar tudo."
)


def read_results(folder: Path) -> list[Evaluation]:
    """The evaluations in a folder's JSON files, by name of the file.

    Raises:
        EvaluationError: there is none, or a file is not of the format.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise EvaluationError(
            f'Não há resultados em "{folder}". Gere-os com: luna evaluate MODELO --suite completa '
            f"--json {folder}/MODELO.json"
        )
    return [load_evaluation(path) for path in paths]


def leaderboard(evaluations: Sequence[Evaluation], command: str) -> str:
    """The page.

    Args:
        evaluations: one per model. command: what rebuilds the page, for readers.
    """
    return "\n\n".join(_blocks(evaluations, command)) + "\n"


@dataclass(frozen=True)
class _Line:
    """A model on the board: its comparable results by task and metric, and its grade with the interval."""

    evaluation: Evaluation
    column: Column
    grade: tuple[float, float, float]

    @property
    def name(self) -> str:
        return str(self.evaluation.model.get("name") or "sem nome")


def _blocks(evaluations: Sequence[Evaluation], command: str) -> Iterator[str]:
    columns = _columns(evaluations)
    lines = [_Line(e, c, grade(c, columns)) for e, c in zip(evaluations, columns, strict=True)]
    lines.sort(key=lambda line: (math.inf if math.isnan(line.grade[0]) else -line.grade[0], line.name))
    yield "# Placar"
    yield f"Feito por `{command}` com os resultados guardados em `avaliacao/`; não edite à mão."
    yield INTRODUCTION
    headers = ("Modelo", "Parâmetros", "Nota", "Medidas acima do acaso", "Data")
    yield table(headers, [_summary_row(line) for line in lines], right=(1, 2, 3))
    yield GRADE_NOTE
    yield "## Por tarefa"
    names = [escaped(line.name) for line in lines]
    rows = list(_task_rows([line.column for line in lines]))
    yield table(("Tarefa", "n", "Acaso", *names), rows, right=range(1, len(names) + 3))
    if notes := [note for line in lines for note in _notes(line)]:
        yield "## Observações"
        yield "\n".join(f"- {note}" for note in notes)


def _summary_row(line: _Line) -> list[str]:
    with_level = [result for result in line.column.values() if not math.isnan(floor(result))]
    above = sum(result.says_something for result in with_level)
    value, low, high = line.grade
    parameters = line.evaluation.model.get("parameters")
    return [
        escaped(line.name),
        "" if parameters is None else f"{number(parameters / 1e6, 1)} M",
        "–" if math.isnan(value) else f"{number(value, 1)} ({number(low, 1)} a {number(high, 1)})",
        f"{above} de {len(with_level)}",
        line.evaluation.created[:10],
    ]


def grade(column: Column, columns: Sequence[Column]) -> tuple[float, float, float]:
    """The mean way from chance to perfection over the common tasks, times 100, and its 95 % interval.

    The interval is a bootstrap over the items within each task; NaN where no task is common.
    """
    shared = [
        key
        for key, result in column.items()
        if result.is_share
        and not math.isnan(floor(result))
        and key == _main(column, key[0])
        and all(key in other for other in columns)
    ]
    if not shared:
        return math.nan, math.nan, math.nan
    generator = np.random.default_rng(0)
    totals = np.zeros(_RESAMPLES)
    exact = 0.0
    for key in shared:
        result = column[key]
        level, statistic = floor(result), statistic_of(result)
        exact += (result.value - level) / (1 - level)
        drawn = [statistic(generator.integers(0, result.n, result.n)) for _ in range(_RESAMPLES)]
        totals += (np.array(drawn) - level) / (1 - level)
    low, high = np.percentile(totals, (2.5, 97.5)) * 100 / len(shared)
    return 100 * exact / len(shared), float(low), float(high)


def _main(column: Column, task: str) -> tuple[str, str]:
    """The key of a task's first metric."""
    return next(key for key in column if key[0] == task)


def _columns(evaluations: Sequence[Evaluation]) -> list[Column]:
    """Per model the results that were asked as most models were: same prompt, same data."""
    counts: dict[tuple[str, str], Counter[tuple[object, ...]]] = {}
    for evaluation in evaluations:
        for r in evaluation.results:
            counts.setdefault((r.task, r.metric), Counter())[_circumstances(r)] += 1
    usual = {key: counter.most_common(1)[0][0] for key, counter in counts.items()}
    return [
        {(r.task, r.metric): r for r in evaluation.results if _circumstances(r) == usual[(r.task, r.metric)]}
        for evaluation in evaluations
    ]


def _circumstances(result: Result) -> tuple[object, ...]:
    return result.prompt_hash, result.data_sha256


def _task_rows(columns: Sequence[Column]) -> Iterator[list[str]]:
    keys = list(dict.fromkeys(key for column in columns for key in column))
    for key in keys:
        found = [column.get(key) for column in columns]
        first = max((r for r in found if r is not None), key=lambda r: r.n)
        level = floor(first)
        telling = [r.value for r in found if r is not None and r.says_something]
        best = (max if first.higher_is_better else min)(telling) if telling else math.nan
        yield [
            escaped(f"{first.title}: {first.metric_title}"),
            number(first.n, 0),
            "" if math.isnan(level) else write_value(first, level),
            *("–" if r is None else _cell(r, best, first.n) for r in found),
        ]


def _cell(result: Result, best: float, usual: int) -> str:
    half = (result.high - result.low) / 2
    shown = number(100 * half, 1) if result.is_share else number(half, 3)
    text = f"{write_value(result, result.value)} ±{shown}"
    if result.n != usual:
        text += f" (n = {number(result.n, 0)})"
    if result.contamination is not None:
        text += "\\*"
    if not result.says_something:
        return f"*{text}*"
    return f"**{text}**" if result.value == best else text


def _notes(line: _Line) -> Iterator[str]:
    name = escaped(line.name)
    left_out = {result.task for result in line.evaluation.results} - {task for task, _ in line.column}
    if left_out:
        yield (
            f"{name}: medido em outras condições (prompt ou dados) em "
            f"{escaped(', '.join(sorted(left_out)))}; fora da tabela."
        )
    for task, reason in line.evaluation.skipped.items():
        yield f"{name}, {escaped(task)}: {escaped(reason.rstrip('.'))}."
    for result in line.column.values():
        note = result.contamination
        if note is not None and result.metric == _main(line.column, result.task)[1]:
            rest = "" if note.clean_value is None else f"; sem eles, {write_value(result, note.clean_value)}"
            yield f"{name}, {escaped(result.title)}: {note.dirty} de {result.n} itens no treino{rest}."
