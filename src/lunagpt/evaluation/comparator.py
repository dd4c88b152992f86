"""`ModelComparator`: several models on the same items, and a report on who is really better."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

import lunagpt
from lunagpt.errors import EvaluationError, LunaError
from lunagpt.evaluation.comparison import ComparedModel, Comparison, Sample, TaskComparison, compare_results
from lunagpt.evaluation.comparison_plan import Plan, plan_data, plan_sets
from lunagpt.evaluation.contamination_report import ContaminationReport
from lunagpt.evaluation.evaluator import evaluate
from lunagpt.evaluation.language_models import LanguageModel, open_language_model
from lunagpt.evaluation.measures import Score
from lunagpt.evaluation.quality import QUALITY_METRICS, evaluate_quality
from lunagpt.evaluation.results import METRIC_TITLES, Evaluation, Result
from lunagpt.evaluation.suites import Suite, load_suite
from lunagpt.evaluation.task import Row, Task
from lunagpt.reporting.machine import describe_machine
from lunagpt.reporting.numbers import number
from lunagpt.reporting.wording import listing

AnyPath = str | PathLike[str]
Notify = Callable[[str], None]

_SAMPLES_PER_TASK = 1
_MOST_SAMPLES = 8
_SPEED_LENGTH = 128  # tokens of the prompt whose speed is measured
_SPEED_ITERATIONS = 5
_OWN_METRICS = ("accuracy", "speed")  # beside those of `evaluate_quality`
_ORIGINS = {"luna": "LunaModel na memória", "engine": "motor de conversa"}


@dataclass
class _Entry:
    """A model to compare: itself or where it is, and, once measured, what was found."""

    name: str
    model: Any
    evaluation: Evaluation | None = None
    problems: list[str] = field(default_factory=list)
    speed: dict[str, dict[str, float]] = field(default_factory=dict)


class ModelComparator:
    """Compares models; the first one added is the one that the others are set against."""

    def __init__(self, *, seed: int = 0, notify: Notify | None = None) -> None:
        """
        Args:
            seed: of the items drawn, of the tests and of the samples shown.
            notify: is told, in Portuguese sentences, what is being done.
        """
        self._entries: list[_Entry] = []
        self._seed = seed
        self._notify = notify or (lambda sentence: None)

    def add_model(self, name: str, model: Any) -> None:
        """Adds a model.

        Args:
            name: for the report.
            model: a `LunaModel`, a folder or file (opened only while it is measured, so that large models
                need not fit into memory together), an engine, anything that `open_language_model` takes, or
                the `Evaluation` of an earlier run.

        Raises:
            EvaluationError: there is a model of this name already.
        """
        if any(entry.name == name for entry in self._entries):
            raise EvaluationError(f'Já há um modelo chamado "{name}" na comparação. Dê outro nome a este.')
        entry = _Entry(name, model)
        if isinstance(model, Evaluation):
            entry.evaluation = model
        self._entries.append(entry)

    def compare(
        self,
        test_sets: Mapping[str, AnyPath] | None = None,
        metrics: Sequence[str] = ("accuracy",),
        max_samples_per_set: int | None = None,
        *,
        suite: str | Suite | None = None,
        data: AnyPath | Sequence[AnyPath] = (),
        contamination: ContaminationReport | None = None,
    ) -> Comparison:
        """Measures all models on the same items and tests their differences.

        Args:
            test_sets: names for readers and files in the format of docs/avaliacao.md; each is measured by the
                tasks that fit its rows.
            metrics: "accuracy" (the main metric of every task), "speed" (see `PerformanceBenchmark`), and
                those of `evaluate_quality`, e.g. "fluency", "relevance", "consistency", "perplexity".
            max_samples_per_set: items of each set or task.
            suite, data: instead of `test_sets`, a suite of tasks ("rapida", "completa") and its data.
            contamination: see `lunagpt.evaluation.evaluate`.

        Raises:
            EvaluationError: there is no model, nothing to measure them on, or a metric is unknown.
            LunaError: a model cannot be opened.
        """
        if not self._entries:
            raise EvaluationError("Não há modelos para comparar. Acrescente-os com add_model(nome, modelo).")
        unknown = [metric for metric in metrics if metric not in (*_OWN_METRICS, *QUALITY_METRICS)]
        if unknown:
            known = ", ".join((*_OWN_METRICS, *QUALITY_METRICS))
            raise EvaluationError(f"Não conheço a medida {', '.join(unknown)}. As medidas são: {known}.")
        wanted = load_suite(suite) if isinstance(suite, str) else suite
        plan = self._plan(test_sets, wanted, [data] if isinstance(data, str | PathLike) else data, metrics)
        for entry in self._entries:
            _require_to_exist(entry.model)  # before the first one is measured, which takes minutes
        for entry in self._entries:
            self._measure(entry, plan, metrics, max_samples_per_set, contamination)
        evaluations = [entry.evaluation or Evaluation({}) for entry in self._entries]
        comparison = compare_results(
            [_introduce(entry) for entry in self._entries],
            [evaluation.results for evaluation in evaluations],
            self._seed,
            settings=self._settings(plan, max_samples_per_set),
            machine=describe_machine(),
            created=f"{datetime.now():%d/%m/%Y %H:%M}",
            speed={entry.name: entry.speed for entry in self._entries if entry.speed},
            notices=tuple(self._notices()),
        )
        return replace(comparison, samples=tuple(self._samples(comparison, plan)))

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """What was measured of each model, by name; empty before `compare`."""
        return {e.name: e.evaluation for e in self._entries if e.evaluation is not None}

    def generate_report(self, results: Comparison, format: str = "markdown") -> str:
        """The report of a comparison, as Markdown or as one HTML file.

        Raises:
            EvaluationError: unknown format.
        """
        from lunagpt.evaluation.report import markdown_report
        from lunagpt.evaluation.report_html import html_report

        writers = {"markdown": markdown_report, "html": html_report}
        if format not in writers:
            raise EvaluationError(f'Não conheço o formato "{format}". Use "markdown" ou "html".')
        return writers[format](results)

    def generate_visualizations(
        self,
        results: Comparison,
        output_dir: AnyPath,
        include_radar_charts: bool = True,
        include_bar_charts: bool = True,
    ) -> list[Path]:
        """Draws charts as PNG and SVG files; returns their paths.

        A radar chart needs three tasks measured in shares; with fewer, `notify` says that there is none.

        Raises:
            EvaluationError: nothing was compared.
            MissingDependencyError: matplotlib is not installed.
        """
        from lunagpt.evaluation import charts

        folder = Path(output_dir)
        wanted = [("barras", charts.draw_bars)] if include_bar_charts else []
        if include_radar_charts:
            if charts.radar_tasks(results):
                wanted.append(("radar", charts.draw_radar))
            else:
                self._notify("Não há três tarefas medidas de 0 % a 100 %: o gráfico de radar ficou de fora.")
        paths = []
        for stem, draw in wanted:
            for suffix in ("png", "svg"):
                draw(results, folder / f"{stem}.{suffix}")
                paths.append(folder / f"{stem}.{suffix}")
        return paths

    # -- parts ---------------------------------------------------------------------------------------------

    def _plan(
        self,
        test_sets: Mapping[str, AnyPath] | None,
        suite: Suite | None,
        data: Sequence[AnyPath],
        metrics: Sequence[str],
    ) -> Plan:
        if test_sets:
            return plan_sets(test_sets)
        if data:
            return plan_data(data, suite)
        if all(entry.evaluation is not None for entry in self._entries):
            return Plan("resultados guardados")
        if list(metrics) == ["speed"]:
            return Plan("só a velocidade")
        raise EvaluationError(
            "Falta dizer em que comparar: passe test_sets={nome: arquivo}, ou a pasta dos dados em data."
        )

    def _settings(self, plan: Plan, limit: int | None) -> dict[str, str]:
        return {
            "Comparados em": plan.title,
            "Itens por tarefa": "todos, ou o limite da suíte" if limit is None else f"até {number(limit, 0)}",
            "Semente": str(self._seed),
            "LunaGPT": lunagpt.__version__,
        }

    def _measure(
        self,
        entry: _Entry,
        plan: Plan,
        metrics: Sequence[str],
        limit: int | None,
        contamination: ContaminationReport | None,
    ) -> None:
        if isinstance(entry.model, Evaluation):
            return
        self._notify(f"Abrindo {entry.name}…")
        model = open_language_model(entry.model, name=entry.name)
        entry.evaluation = self._evaluate(model, plan, metrics, limit, contamination)
        if "speed" in metrics:
            entry.speed = self._speed(model, entry)
        del model
        gc.collect()  # the next model needs the memory

    def _evaluate(
        self,
        model: LanguageModel,
        plan: Plan,
        metrics: Sequence[str],
        limit: int | None,
        contamination: ContaminationReport | None,
    ) -> Evaluation:
        whole = Evaluation({"name": model.name, "kind": model.kind, **model.describe()}, seed=self._seed)
        quality = [metric for metric in metrics if metric not in _OWN_METRICS]
        for run in plan.runs:
            if "accuracy" in metrics:
                found = evaluate(
                    model,
                    run.tasks,
                    run.paths,
                    limit,
                    self._seed,
                    contamination=contamination,
                    on_task=lambda task, i, n: self._notify(f"{model.name}: {task.title} ({i} de {n})…"),
                )
                whole.model, whole.created = whole.model | found.model, found.created
                whole.results += found.results
                whole.skipped |= found.skipped
            if quality:
                titles = listing([METRIC_TITLES[metric] for metric in quality])
                self._notify(f"{model.name}: {titles} em {run.title}…")
                for path in run.paths:
                    try:
                        scores = evaluate_quality(model, quality, path, limit, self._seed)
                    except EvaluationError as error:
                        whole.skipped[f"{run.title} ({titles})"] = str(error)
                        continue
                    whole.results += [
                        _as_result(score, name, run.title, model.name) for name, score in scores.items()
                    ]
        return whole

    def _speed(self, model: LanguageModel, entry: _Entry) -> dict[str, dict[str, float]]:
        from lunagpt.evaluation.performance import PerformanceBenchmark

        self._notify(f"{model.name}: velocidade e memória…")
        try:
            benchmark = PerformanceBenchmark(model, seed=self._seed)
            found = benchmark.measure_latency([_SPEED_LENGTH], [1], _SPEED_ITERATIONS)
            memory = benchmark.measure_memory_usage([_SPEED_LENGTH])
        except LunaError as error:
            entry.problems.append(f"Velocidade de {entry.name}: {error}")
            return {}
        return {label: {**values, **memory[label]} for label, values in found.items()}

    def _notices(self) -> Iterator[str]:
        """Tasks that a model could not do, and what else a reader must know."""
        without: dict[tuple[str, str], list[str]] = {}
        for entry in self._entries:
            yield from entry.problems
            for task, reason in (entry.evaluation.skipped if entry.evaluation else {}).items():
                without.setdefault((task, reason), []).append(entry.name)
        for (task, reason), names in without.items():
            models = "" if len(names) == len(self._entries) else f" para {listing(names)}"
            yield f"A tarefa {task} ficou de fora{models}: {reason.rstrip('.')}."

    def _samples(self, comparison: Comparison, plan: Plan) -> Iterator[Sample]:
        """Items that some model gets right and another wrong, drawn by chance, few per task."""
        generator = np.random.default_rng(self._seed)
        known = {task.name: (task, rows) for task, rows in plan.tasks_with_rows()}
        left = _MOST_SAMPLES
        for entry in comparison.tasks:
            if entry.task not in known or not left:
                continue
            for sample in _differing(entry, *known[entry.task], generator)[:_SAMPLES_PER_TASK]:
                left -= 1
                yield sample


def _differing(
    entry: TaskComparison, task: Task, rows: Mapping[str, Row], generator: np.random.Generator
) -> list[Sample]:
    """The items of a task that one model gets wholly right and another wholly wrong, in random order."""
    columns = [
        dict(zip(r.item_ids, zip(r.per_item, r.predictions, strict=True), strict=True)) for r in entry.results
    ]
    shared = [item for item in columns[0] if item in rows and all(item in column for column in columns)]
    split = [item for item in shared if {0.0, 1.0} <= {float(column[item][0]) for column in columns}]
    samples = []
    for i in generator.permutation(len(split))[:_SAMPLES_PER_TASK]:
        item = split[i]
        question, expected = task.describe(rows[item])
        place = entry.results[0].item_ids.index(item)
        mark = entry.results[0].expected[place]
        samples.append(
            Sample(
                task=entry.task,
                title=entry.title,
                item_id=item,
                question=question,
                expected=expected if mark in ("", expected) else f"{mark}) {expected}",
                answers=tuple(column[item][1] for column in columns),
                scores=tuple(float(column[item][0]) for column in columns),
            )
        )
    return samples


def _require_to_exist(model: Any) -> None:
    """Open what is no path, e.g. the name of a shipped model, to see whether it can be.

    Raises:
        EvaluationError: there is no such model.
    """
    if isinstance(model, str | PathLike) and not Path(model).expanduser().exists():
        open_language_model(str(model))


def _introduce(entry: _Entry) -> ComparedModel:
    facts = entry.evaluation.model if entry.evaluation is not None else {}
    path = facts.get("path")
    return ComparedModel(
        name=entry.name,
        source=Path(path).name if path else _ORIGINS.get(str(facts.get("kind")), ""),
        fingerprint=str(facts.get("sha256") or ""),
        parameters=facts.get("parameters"),
    )


def _as_result(score: Score, metric: str, title: str, model: str) -> Result:
    """A measure of quality, which has no score per item, beside the results of tasks."""
    return Result(
        task=f"{title}/{metric}",
        title=title,
        metric=metric,
        value=float(score),
        low=score.low,
        high=score.high,
        n=score.n,
        chance=score.chance,
        constant=None,
        prompt_hash="",
        per_item=[],
        item_ids=[],
        expected=[],
        predictions=[],
        value_is_mean=False,
        model=model,
    )
