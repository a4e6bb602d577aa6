"""Drawings for the page: matplotlib to SVG that stands in the page itself, in its own colours, the same bytes every time.

Colours are placeholders that become the style sheet's variables, so that a drawing follows dark and light. Series differ in
colour and in marker. Texts stay texts.

Not here: what is drawn (`reports.figures`).
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from reports.visible import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, LINE = "#010203", "#010204", "#010205"
SERIES = tuple(f"#0102a{number}" for number in range(8))
MARKERS = "osD^vPXp"
_VARIABLES = {INK: "ink", SOFT: "soft", LINE: "line", **{colour: f"s{number}" for number, colour in enumerate(SERIES)}}

_SETTINGS: Any = {
    "svg.hashsalt": "riddle", "svg.fonttype": "none", "text.parse_math": False, "font.size": 9, "font.family": "DejaVu Sans",
    "text.color": INK, "axes.labelcolor": SOFT, "axes.edgecolor": LINE, "xtick.color": SOFT, "ytick.color": SOFT,
    "xtick.labelcolor": SOFT, "ytick.labelcolor": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": LINE, "grid.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False, "legend.labelcolor": INK,
    "figure.facecolor": "none", "axes.facecolor": "none", "lines.linewidth": 1.4, "lines.markersize": 5,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing with its heading and what a reader must know to read it."""

    title: str
    note: str
    svg: Markup


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value at ``x`` with its interval; ``sure`` fills the marker (a difference that is significant)."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    sure: bool = True

    @property
    def interval(self) -> list[float]:
        """Both ends; the value itself where there is no interval."""
        return [self.y if end is None else end for end in (self.low, self.high)]


Lines = Mapping[str, Sequence[Point]]
"""Series by name."""


def drawn(name: str, title: str, note: str, size: tuple[float, float], paint: Callable[[Axes], None]) -> Figure:
    """Have ``paint`` draw on axes of a size in inches; ``name`` keeps the drawing's names apart from other drawings'."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    buffer = io.StringIO()
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font lacks is still a text in the page
        canvas = Canvas(figsize=size, layout="constrained")
        paint(canvas.add_subplot())
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Figure(title=title, note=note, svg=_inline(buffer.getvalue(), name, title))


def _inline(svg: str, name: str, title: str) -> Markup:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body.replace("xlink:href", "href"))
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    box = re.search(r'viewBox="[^"]*"', body)
    inner = body[body.index(">") + 1 :]
    return Markup(f'<svg {box[0] if box else ""} role="img" aria-label="{escape(title)}">{inner.strip()}')


def dots(axes: Axes, labels: Sequence[str], series: Lines, *, zero: bool = False, x_label: str = "") -> None:
    """Draw values with intervals beside one another, a line of the drawing a label (``Point.y`` is the label's number)."""
    step = 0.7 / max(1, len(series))
    for number, (name, points) in enumerate(series.items()):
        colour, shift = SERIES[number % len(SERIES)], (number - (len(series) - 1) / 2) * step
        for point in points:
            if point.low is not None and point.high is not None:
                axes.plot([point.low, point.high], [point.y + shift] * 2, color=colour, linewidth=1.6, solid_capstyle="butt")
        for sure in (True, False):
            chosen = [point for point in points if point.sure == sure]
            face = colour if sure else "none"
            label = plain(name, 40) if sure == any(point.sure for point in points) else None
            axes.plot([point.x for point in chosen], [point.y + shift for point in chosen], linestyle="none",
                      marker=MARKERS[number % len(MARKERS)], color=colour, markerfacecolor=face, label=label)  # fmt: skip
    axes.set_yticks(range(len(labels)), [plain(label, 40) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(x_label)
    if zero:
        axes.axvline(0, color=SOFT, linewidth=1)
    _legend(axes, len(series))


def lines(axes: Axes, ticks: Sequence[str], series: Lines, *, x_label: str, y_label: str) -> None:
    """Draw values with intervals over named steps (``Point.x`` is the step's number), a line a series."""
    for number, (name, points) in enumerate(series.items()):
        colour, shift = SERIES[number % len(SERIES)], (number - (len(series) - 1) / 2) * 0.07
        at = [point.x + shift for point in points]
        for place, point in zip(at, points, strict=True):
            axes.plot([place, place], point.interval, color=colour, linewidth=1.2, solid_capstyle="butt")
        axes.plot(at, [point.y for point in points], marker=MARKERS[number % len(MARKERS)], color=colour, label=plain(name, 40))
    axes.set_xticks(range(len(ticks)), list(ticks))
    axes.set_ylim(-3, 103)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    _legend(axes, len(series))


def scatter(axes: Axes, series: Lines, *, x_label: str, y_label: str) -> None:
    """Draw named points over a logarithmic axis."""
    for number, (name, points) in enumerate(series.items()):
        colour = SERIES[number % len(SERIES)]
        for point in points:
            axes.plot([point.x, point.x], point.interval, color=colour, linewidth=1.2)
            axes.plot(
                [point.x], [point.y], linestyle="none", marker=MARKERS[number % len(MARKERS)], color=colour, label=plain(name, 40)
            )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:.2g}")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    _legend(axes, len(series))


def _legend(axes: Axes, count: int) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(4, max(1, count)), fontsize=8.5)
