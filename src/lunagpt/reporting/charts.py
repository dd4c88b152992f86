"""Charts as inline SVG whose text keeps its size on every screen.

Strips are drawn in percentages of their width instead of a `viewBox`, so that a telephone shows the same
letters as a wide screen. Every chart says its numbers in words as well (`aria-label`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lunagpt.reporting.html import Html, element, html, join
from lunagpt.reporting.numbers import percent
from lunagpt.reporting.style import LIGHT, SHAPES

WHISKER_SPREAD = 0.035  # radians between the intervals of two series on a spoke of a radar chart
_LANE = 20  # pixels of height per series in a row


@dataclass(frozen=True, slots=True)
class Scale:
    """The span of an axis and how its numbers are written."""

    low: float
    high: float
    write: Callable[[float], str] = percent
    ticks: tuple[float, ...] = ()

    def place(self, value: float) -> str:
        """Position of a value along the axis, e.g. "43.75%"; values outside stop at the edge."""
        span = self.high - self.low
        share = 0.5 if span <= 0 else (value - self.low) / span
        return f"{100 * min(1.0, max(0.0, share)):.2f}%"


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval, of series number `series`; `hollow` marks what is not to be relied on."""

    series: int
    value: float
    low: float = math.nan
    high: float = math.nan
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a chart: its label, what stands small beside it, its marks and its chance level."""

    label: str
    note: str = ""
    marks: tuple[Mark, ...] = ()
    chance: float = math.nan
    spoken: str = field(default="")


def round_scale(
    values: Sequence[float], write: Callable[[float], str], include: Sequence[float] = ()
) -> Scale:
    """A scale with round ends and up to seven ticks around the finite values and the numbers in `include`."""
    finite = [v for v in (*values, *include) if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    span = high - low or abs(high) or 1.0
    step = next(
        s
        for exponent in range(-12, 13)
        for s in (10.0**exponent, 2 * 10.0**exponent, 5 * 10.0**exponent)
        if span / s <= 5
    )
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple(k * step for k in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], write, ticks)


def legend(names: Sequence[str], extra: Sequence[tuple[Html, str]] = ()) -> Html:
    """What each colour and shape stands for."""
    entries = [join((_sample(marker(i)), name)) for i, name in enumerate(names)]
    entries += [join((_sample(drawing), name)) for drawing, name in extra]
    return element("ul", *(element("li", entry) for entry in entries), class_="legend")


def chance_sample() -> Html:
    """The dashed line that stands for chance, for a legend."""
    return element("line", x1=12, x2=12, y1=0, y2=16, class_="chance")


def hollow_sample() -> Html:
    """An empty mark, for a legend."""
    return element("g", marker(0, hollow=True), transform="translate(12 8)")


def marker(series: int, *, hollow: bool = False) -> Html:
    """The shape of a series around (0, 0)."""
    kind = f"s{series % len(LIGHT)}" + (" hollow" if hollow else "")
    return element("path", d=SHAPES[series % len(SHAPES)], class_=kind)


def _sample(drawing: Html) -> Html:
    if drawing.startswith("<path"):
        drawing = element("g", drawing, transform="translate(12 8)")
    return element("svg", drawing, viewBox="0 0 24 16", aria_hidden="true")


def strips(rows: Sequence[Row], scale: Scale, *, zero: bool = False) -> Html:
    """Values with intervals, a strip per row under one axis; the chance level is a dashed line.

    Args:
        zero: draw a line at zero (differences).
    """
    drawn = [_strip_row(row, scale, zero) for row in rows]
    axis = element("div", "", class_="label") + element("div", _axis(scale), class_="strip")
    return element("div", *drawn, element("div", Html(axis), class_="row"), class_="rows")


def _strip_row(row: Row, scale: Scale, zero: bool) -> Html:
    height = _LANE * max(1, len(row.marks))
    parts: list[Html] = [
        element("line", x1=scale.place(t), x2=scale.place(t), y1=0, y2=height, class_="grid")
        for t in scale.ticks
    ]
    if zero:
        parts.append(
            element("line", x1=scale.place(0), x2=scale.place(0), y1=-4, y2=height + 4, class_="zero")
        )
    if math.isfinite(row.chance):
        at = scale.place(row.chance)
        parts.append(element("line", x1=at, x2=at, y1=0, y2=height, class_="chance"))
    for lane, mark in enumerate(row.marks):
        if not math.isfinite(mark.value):
            continue
        y = _LANE * lane + _LANE / 2
        kind = f"s{mark.series % len(LIGHT)}"
        if math.isfinite(mark.low) and math.isfinite(mark.high):
            x1, x2 = scale.place(mark.low), scale.place(mark.high)
            parts.append(element("line", x1=x1, x2=x2, y1=y, y2=y, class_=f"{kind} whisker"))
        shape = marker(mark.series, hollow=mark.hollow)
        parts.append(element("svg", shape, x=scale.place(mark.value), y=y, overflow="visible"))
    spoken = f"{row.label}: {row.spoken}" if row.spoken else row.label
    picture = element("svg", *parts, height=height, role="img", aria_label=spoken)
    note = join((" ", element("small", row.note))) if row.note else ""
    label = element("div", join((_kept_together(row.label), note)), class_="label")
    return element("div", label, element("div", picture, class_="strip"), class_="row")


def _axis(scale: Scale) -> Html:
    texts = [
        element("text", html(scale.write(t)), x=scale.place(t), y=13, text_anchor="middle")
        for t in _fewer(scale.ticks)
    ]
    return element("svg", *texts, height=18, aria_hidden="true")


def _fewer(ticks: tuple[float, ...]) -> tuple[float, ...]:
    """Every second tick where there are many: their numbers must fit on a telephone."""
    return ticks if len(ticks) <= 5 else ticks[::2]


def bars(rows: Sequence[Row], scale: Scale) -> Html:
    """Horizontal bars from the scale's low end, one per row (its first mark)."""
    drawn = []
    for row in rows:
        mark = row.marks[0]
        width = scale.place(mark.value)
        spoken = f"{row.label}: {row.spoken or scale.write(mark.value)}"
        kind = f"s{mark.series % len(LIGHT)}"
        bar = element("rect", x=0, y=2, width=width, height=12, class_=kind, rx=2)
        picture = element("svg", bar, height=16, role="img", aria_label=spoken)
        value = join((" ", element("small", row.note or scale.write(mark.value))))
        label = element("div", join((row.label, value)), class_="label")
        drawn.append(element("div", label, element("div", picture, class_="strip"), class_="row"))
    return element("div", *drawn, class_="rows")


def histogram(counts: Sequence[int], scale: Scale, *, spoken: str, series: int = 0) -> Html:
    """Columns of equal width over the scale, the highest as high as the picture."""
    height, highest = 110, max([*counts, 1])
    width = 100 / max(1, len(counts))
    columns = [
        element(
            "rect",
            x=f"{i * width + 0.1 * width:.2f}%",
            width=f"{0.8 * width:.2f}%",
            y=f"{height - height * c / highest:.1f}",
            height=f"{height * c / highest:.1f}",
            class_=f"s{series}",
        )
        for i, c in enumerate(counts)
    ]
    base = element("line", x1="0%", x2="100%", y1=height, y2=height, class_="grid")
    labels = [
        element("text", html(scale.write(t)), x=scale.place(t), y=height + 15, text_anchor="middle")
        for t in _fewer(scale.ticks)
    ]
    picture = element("svg", *columns, base, *labels, height=height + 20, role="img", aria_label=spoken)
    return element("div", picture, class_="strip")


def radar(
    axes: Sequence[str], series: Sequence[Sequence[Mark]], chance: Sequence[float], *, spoken: str
) -> Html:
    """A radar chart of shares from 0 (centre) to 1 (edge): one spoke per axis, one outline per series.

    Args:
        series: per series one mark for each axis, with its interval along the spoke; NaN where not measured.
        chance: chance level per axis, NaN where there is none; drawn dashed.
    """
    size, radius = 400, 118
    middle = size / 2

    def point(axis: int, share: float, aside: float = 0.0) -> tuple[float, float]:
        angle = 2 * math.pi * axis / len(axes) - math.pi / 2 + aside
        r = radius * min(1.0, max(0.0, share))
        return middle + r * math.cos(angle), middle + r * math.sin(angle)

    def outline(values: Sequence[float], kind: str) -> Html:
        at = [point(i, v) for i, v in enumerate(values) if math.isfinite(v)]
        return element("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in at), class_=kind)

    parts = [outline([ring] * len(axes), "grid") for ring in (0.25, 0.5, 0.75, 1.0)]
    for i, name in enumerate(axes):
        x, y = point(i, 1)
        parts.append(element("line", x1=middle, y1=middle, x2=f"{x:.1f}", y2=f"{y:.1f}", class_="grid"))
        parts.append(_spoke_name(name, middle, radius + 12, 2 * math.pi * i / len(axes) - math.pi / 2))
    parts.append(outline(chance, "chance"))
    for lane, marks in enumerate(series):
        kind = f"s{lane % len(LIGHT)}"
        parts.append(outline([mark.value for mark in marks], f"{kind} outline"))
        for i, mark in enumerate(marks):
            if not math.isfinite(mark.value):
                continue
            if math.isfinite(mark.low) and math.isfinite(mark.high):
                # beside the spoke, each series a little further, or they would hide each other
                aside = WHISKER_SPREAD * (lane - (len(series) - 1) / 2)
                (x1, y1), (x2, y2) = point(i, mark.low, aside), point(i, mark.high, aside)
                parts.append(
                    element(
                        "line",
                        x1=f"{x1:.1f}",
                        y1=f"{y1:.1f}",
                        x2=f"{x2:.1f}",
                        y2=f"{y2:.1f}",
                        class_=f"{kind} whisker",
                    )
                )
            x, y = point(i, mark.value)
            parts.append(element("g", marker(lane), transform=f"translate({x:.1f} {y:.1f}) scale(.8)"))
    for ring in (0.25, 0.5, 0.75):  # between the first two spokes, where no mark can be, and above the lines
        x, y = point(0, ring * math.cos(math.pi / len(axes)), math.pi / len(axes))
        parts.append(
            element(
                "text", percent(ring, 0), x=f"{x:.1f}", y=f"{y + 4:.1f}", text_anchor="middle", class_="ring"
            )
        )
    picture = element("svg", *parts, viewBox=f"0 22 {size} {size - 44}", role="img", aria_label=spoken)
    return element("div", picture, class_="radar")


def _spoke_name(name: str, middle: float, distance: float, angle: float) -> Html:
    x, y = middle + distance * math.cos(angle), middle + distance * math.sin(angle)
    anchor = "middle" if abs(math.cos(angle)) < 0.3 else "start" if math.cos(angle) > 0 else "end"
    lines = wrapped(name, 12)
    top = y + 4 - 7 * (len(lines) - 1) + 7 * (len(lines) - 1) * math.sin(angle)
    spans = [
        element("tspan", line, x=f"{x:.1f}", y=f"{top + 14 * i:.1f}", text_anchor=anchor)
        for i, line in enumerate(lines)
    ]
    return element("text", *spans, class_="name")


def _kept_together(text: str) -> str:
    """A label whose brackets are not broken across lines."""
    return re.sub(r"\([^()]*\)", lambda found: found[0].replace(" ", "\u00a0"), text)


def wrapped(text: str, width: int) -> list[str]:
    """The words of a label on lines of about so many characters; what is in brackets stays together."""
    lines: list[str] = []
    for word in re.findall(r"\([^()]*\)\S*|\S+", text):
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]
