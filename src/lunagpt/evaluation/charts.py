"""A comparison as pictures for slides and papers (PNG and SVG), drawn with matplotlib."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lunagpt.errors import EvaluationError, missing_extra
from lunagpt.evaluation.comparison import (
    LEAST_RADAR_AXES,
    Comparison,
    TaskComparison,
    floor,
    radar_tasks,
)
from lunagpt.files import atomic_write_bytes
from lunagpt.reporting.charts import WHISKER_SPREAD, wrapped
from lunagpt.reporting.numbers import number, percent
from lunagpt.reporting.style import LIGHT

_MARKERS = ("o", "s", "D", "^", "v", "P")  # the shapes of `lunagpt.reporting.style`, in the same order
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")
_INK, _SOFT, _LINE = "#1b1d22", "#555b66", "#d3d7de"
_HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
_DPI = 150


def draw_bars(comparison: Comparison, path: Path) -> None:
    """Writes a bar chart: a group of bars per task, with 95 % intervals and the chance level.

    Tasks whose values are no shares (bits per byte, correlations) get panels of their own.

    Args:
        path: a .png or .svg file.

    Raises:
        EvaluationError: there is no task.
        MissingDependencyError: matplotlib is not installed.
    """
    panels = _panels(comparison)
    if not panels:
        raise EvaluationError("Não há tarefa para desenhar: nada foi comparado.")
    lanes = len(comparison.models)
    heights = [len(tasks) * (0.26 * lanes + 0.28) + 0.5 for tasks in panels]
    figure = _new_figure((8.0, sum(heights) + 1.5))
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, tasks in zip(axes, panels, strict=True):
        _bar_panel(axis, tasks, lanes)
    has_chance = any(not math.isnan(floor(task.results[0])) for task in comparison.tasks)
    _legend(figure, comparison, _patches(lanes), with_chance=has_chance)
    _save(figure, path, "Barras: " + _description(comparison))


def _panels(comparison: Comparison) -> list[list[TaskComparison]]:
    """Tasks that share an axis: all shares together, every other metric by itself."""
    panels: dict[str, list[TaskComparison]] = {}
    for task in comparison.tasks:
        first = task.results[0]
        panels.setdefault("" if first.is_share else first.metric, []).append(task)
    return list(panels.values())


def _bar_panel(axis: Any, tasks: Sequence[TaskComparison], lanes: int) -> None:
    shares = tasks[0].results[0].is_share
    height = 0.8 / lanes
    for row, task in enumerate(tasks):
        for lane, result in enumerate(task.results):
            y = row - 0.4 + height * (lane + 0.5)
            axis.barh(
                y,
                result.value,
                0.86 * height,
                color=LIGHT[lane % len(LIGHT)],
                edgecolor="white",
                hatch=_HATCHES[lane % len(_HATCHES)],
                linewidth=0,
                zorder=2,
            )
            errors = [[max(0.0, result.value - result.low)], [max(0.0, result.high - result.value)]]
            axis.errorbar(result.value, y, xerr=errors, color=_INK, capsize=2.5, linewidth=1.1, zorder=3)
            value = percent(result.value) if shares else number(result.value, 3)
            end = max(result.high, result.value, 0.0)
            axis.annotate(
                value, (end, y), (5, 0), textcoords="offset points", va="center", fontsize=8, color=_SOFT
            )
        level = floor(task.results[0])
        if not math.isnan(level):
            axis.plot([level, level], [row - 0.46, row + 0.46], color=_INK, linestyle=(0, (3, 2)), zorder=4)
    names = ["\n".join(wrapped(task.title, 24)) for task in tasks]
    axis.set_yticks(range(len(tasks)), names)
    axis.set_ylim(len(tasks) - 0.45, -0.55)
    axis.tick_params(length=0, labelsize=9, colors=_INK)
    axis.grid(axis="x", color=_LINE, linewidth=0.7, zorder=0)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left", "bottom"]].set_visible(False)
    metric = tasks[0].results[0]
    direction = "mais é melhor" if metric.higher_is_better else "menos é melhor"
    if shares:
        axis.set_xlim(0, 1)
        axis.set_xlabel(f"acertos e outras medidas de 0 % a 100 % ({direction})", fontsize=9, color=_SOFT)
    else:
        ends = [0.0, *(end for task in tasks for r in task.results for end in (r.low, r.high))]
        axis.set_xlim(min(ends) * 1.15, max(ends) * 1.15 or 1.0)
        axis.set_xlabel(f"{metric.metric_title} ({direction})", fontsize=9, color=_SOFT)
    axis.xaxis.set_major_formatter(lambda value, _: percent(value, 0) if shares else number(value, 1))


def draw_radar(comparison: Comparison, path: Path) -> None:
    """Writes a radar chart of the tasks whose values are shares, with intervals and the chance level.

    Args:
        path: a .png or .svg file.

    Raises:
        EvaluationError: fewer than three such tasks; a radar of two spokes shows nothing.
        MissingDependencyError: matplotlib is not installed.
    """
    tasks = radar_tasks(comparison)
    if not tasks:
        raise EvaluationError(
            f"Um gráfico de radar precisa de ao menos {LEAST_RADAR_AXES} tarefas medidas de 0 % a 100 %. "
            "Use o gráfico de barras."
        )
    figure = _new_figure((7.0, 7.4))
    axis = figure.add_subplot(projection="polar")
    axis.set_theta_offset(math.pi / 2)
    axis.set_theta_direction(-1)
    angles = [2 * math.pi * i / len(tasks) for i in range(len(tasks))]
    around = [*angles, angles[0]]
    levels = [floor(task.results[0]) for task in tasks]
    axis.plot(around, [*levels, levels[0]], color=_INK, linestyle=(0, (3, 2)), linewidth=1.3, zorder=3)
    for lane in range(len(comparison.models)):
        results = [task.results[lane] for task in tasks]
        values = [result.value for result in results]
        colour = LIGHT[lane % len(LIGHT)]
        marker = _MARKERS[lane % len(_MARKERS)]
        axis.plot(
            around, [*values, values[0]], color=colour, marker=marker, markersize=6, linewidth=1.8, zorder=4
        )
        axis.fill(angles, values, color=colour, alpha=0.1, zorder=2)
        aside = WHISKER_SPREAD * (lane - (len(comparison.models) - 1) / 2)
        for angle, result in zip(angles, results, strict=True):
            spoke = [angle + aside] * 2
            axis.plot(spoke, [result.low, result.high], color=colour, linewidth=3.2, alpha=0.55, zorder=3)
    axis.set_xticks(angles, ["\n".join(wrapped(task.title, 14)) for task in tasks], fontsize=9, color=_INK)
    axis.tick_params(axis="x", pad=8)
    for name, angle in zip(axis.get_xticklabels(), angles, strict=True):
        across, up = math.sin(angle), math.cos(angle)  # a name begins where its spoke ends
        name.set_horizontalalignment("center" if abs(across) < 0.3 else "left" if across > 0 else "right")
        name.set_verticalalignment("center" if abs(up) < 0.9 else "bottom" if up > 0 else "top")
    axis.set_ylim(0, 1)
    rings = [0.25, 0.5, 0.75, 1.0]
    axis.set_yticks(rings, [percent(ring, 0) for ring in rings], fontsize=8, color=_SOFT, bbox=_HALO)
    axis.set_rlabel_position(180 / len(tasks))
    axis.grid(color=_LINE, linewidth=0.8)
    axis.spines["polar"].set_color(_LINE)
    has_chance = not all(map(math.isnan, levels))
    _legend(figure, comparison, _lines(len(comparison.models)), with_chance=has_chance)
    _save(figure, path, "Radar: " + _description(comparison))


def _new_figure(size: tuple[float, float]) -> Any:
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # its cache is no news
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "report", "desenhar os gráficos") from error
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _legend(figure: Any, comparison: Comparison, samples: Sequence[Any], *, with_chance: bool) -> None:
    """What each colour stands for, above the axes; `samples` are drawings, one for each model."""
    from matplotlib.lines import Line2D

    handles = list(samples)
    for sample, model in zip(samples, comparison.models, strict=True):
        sample.set_label(model.name)
    if with_chance:
        handles.append(Line2D([], [], color=_INK, linestyle=(0, (3, 2)), label="acaso ou resposta fixa"))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(3, len(handles)), frameon=False, fontsize=9
    )
    figure.supxlabel("Traços: intervalos de 95 %.", fontsize=8, color=_SOFT)


def _patches(lanes: int) -> list[Any]:
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=LIGHT[i % len(LIGHT)], hatch=_HATCHES[i % len(_HATCHES)], edgecolor="white")
        for i in range(lanes)
    ]


def _lines(lanes: int) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=LIGHT[i % len(LIGHT)], marker=_MARKERS[i % len(_MARKERS)], linewidth=1.8)
        for i in range(lanes)
    ]


def _description(comparison: Comparison) -> str:
    """The chart in words, kept inside the file."""
    lines = []
    for task in comparison.tasks:
        values = [
            f"{model.name} {percent(r.value) if r.is_share else number(r.value, 3)}"
            for model, r in zip(comparison.models, task.results, strict=True)
        ]
        lines.append(f"{task.title}: {', '.join(values)}")
    return "; ".join(lines)


def _save(figure: Any, path: Path, description: str) -> None:
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in ("png", "svg"):
        raise EvaluationError(
            f'Não sei gravar gráficos em "{path.name}". Use um nome que termine em .png ou .svg.'
        )
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # Without date and with fixed ids, the same values give the same bytes.
    metadata = {"Description": description, **({"Date": None} if suffix == "svg" else {})}
    with rc_context({"svg.hashsalt": "lunagpt", "hatch.linewidth": 0.6}):
        figure.savefig(buffer, format=suffix, dpi=_DPI, metadata=metadata)
    atomic_write_bytes(path, buffer.getvalue())
