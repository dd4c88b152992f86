"""A picture of a run: `curves.png`, drawn from the journal, so that a resumed run shows its whole history."""

from __future__ import annotations

import io
import itertools
import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunagpt.files import atomic_write_bytes
from lunagpt.reporting.numbers import number, significant
from lunagpt.training.callbacks import Callback
from lunagpt.training.journal import FILE, read_journal

if TYPE_CHECKING:
    from lunagpt.training.trainer import Trainer

SECONDS_BETWEEN_PICTURES = 300.0
# Okabe and Ito's palette: told apart with every common kind of colour blindness.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


class CurvesCallback(Callback):
    """Draws the curves every few minutes and at the end; without matplotlib it says so once."""

    name = "curves"

    def __init__(self) -> None:
        self.drawn_at = 0.0
        self.missing = False

    def on_train_start(self, trainer: Trainer) -> None:
        self.drawn_at = time.perf_counter()

    def on_evaluation(self, trainer: Trainer, results: dict[str, Any]) -> None:
        if time.perf_counter() - self.drawn_at >= SECONDS_BETWEEN_PICTURES:
            self._draw(trainer)

    def on_train_end(self, trainer: Trainer) -> None:
        self._draw(trainer)

    def _draw(self, trainer: Trainer) -> None:
        self.drawn_at = time.perf_counter()
        if trainer.run_dir is None or self.missing:
            return
        try:
            draw_curves(trainer.run_dir / FILE, trainer.run_dir / "curves.png", trainer.settings.run_name)
        except ModuleNotFoundError:
            self.missing = True
            trainer.notice('Sem matplotlib não há curvas em PNG. Instale com: pip install "lunagpt[train]"')


def draw_curves(journal: Path, picture: Path, title: str | None = None) -> None:
    """Draw loss (as read and smoothed), validation loss and learning rate over the tokens read.

    Args:
        journal: a `log.jsonl`. picture: the PNG to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # its cache is no news
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    rows = read_journal(journal)
    train, validation = (
        [row for row in rows if row.get("kind") == kind and math.isfinite(row["loss"])]
        for kind in ("train", "validation")
    )
    if not train:
        return
    in_bits = all("bits_per_byte" in row for row in train + validation)
    measure, label = ("bits_per_byte", "bits por byte") if in_bits else ("loss", "perda (nats por token)")

    figure = Figure(figsize=(9, 6), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    millions = [row["tokens"] / 1e6 for row in train]
    values = [row[measure] for row in train]
    upper.plot(millions, values, color=BLUE, alpha=0.25, linewidth=0.8)
    upper.plot(millions, smoothed(values), color=BLUE, linewidth=1.8, label="treino (suavizado)")
    if validation:
        at = [row["tokens_read"] / 1e6 for row in validation]
        points = [row[measure] for row in validation]
        label_of_last = f"validação (última: {number(points[-1], 3)})"
        upper.plot(at, points, color=ORANGE, marker="o", markersize=4, linewidth=1.2, label=label_of_last)
    # The first steps are far above the rest and would flatten it.
    later = sorted(values[len(values) // 20 :] + [row[measure] for row in validation])
    span = later[-1] - later[0]
    upper.set_ylim(later[0] - 0.08 * span - 0.01, later[-1] + 0.08 * span + 0.01)
    upper.set_ylabel(label)
    upper.legend(frameon=False)
    upper.set_title(title or "Treino")
    lower.plot(millions, [row["lr_factor"] for row in train], color=GREEN, linewidth=1.5)
    lower.set_ylim(0, 1.08)
    lower.set_ylabel("taxa (fração\ndo pico)")
    lower.set_xlabel("milhões de tokens lidos")
    for axes in (upper, lower):
        axes.grid(color="#DDDDDD", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_formatter(FuncFormatter(_comma))
        axes.xaxis.set_major_formatter(FuncFormatter(_comma))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    atomic_write_bytes(picture, buffer.getvalue())


def smoothed(values: list[float]) -> list[float]:
    """Centred mean over about a fiftieth of the curve, which does not lag; narrower at the steep start."""
    sums = list(itertools.accumulate(values, initial=0.0))
    result = []
    for i in range(len(values)):
        half = min(len(values) // 100, i)
        end = min(i + half + 1, len(values))
        result.append((sums[end] - sums[i - half]) / (end - i + half))
    return result


def _comma(value: float, position: int) -> str:
    return significant(value, 6)
