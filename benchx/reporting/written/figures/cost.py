"""Score against the time it took, over the columns of a standing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchx.reporting.board import Board
from benchx.reporting.grouping import by_task_and_protocol, standing_of
from benchx.reporting.written.figures.style import BLUE, GREY, INK, PALE, entitle, figure_name, label, spread, styled
from benchx.words import plural

_SECONDS = (("s", 1), ("min", 60), ("h", 3600), ("d", 86400))
_STEPS = {
    "s": (0.01, 0.1, 1, 2, 5, 10, 20, 30),
    "min": (1, 2, 5, 10, 20, 30),
    "h": (1, 2, 5, 12),
    "d": (1, 2, 5, 10, 30, 100),
}
_LINE = 0.15
"""Inches that a name takes."""


@styled
def draw(board: Board) -> dict[str, Figure]:
    """Draw one figure per standing of one metric: the means over its columns of score and of wall time of all draws."""
    figures = {}
    for (task, protocol), columns in by_task_and_protocol(board).items():
        standing = standing_of(board, task, protocol)
        metrics = {column.primary for column in columns}
        points = []
        for place in standing.places if standing else ():
            rows = [row for column in columns if (row := column.row(place.method)) is not None]
            score = float(np.mean([row.score.value for row in rows]))
            points.append((place.method, max(0.01, float(np.mean([row.wall_seconds for row in rows]))), score))
        if not points or len(metrics) > 1:
            continue
        height = max(2.6, _LINE * len(points))
        figure = Figure(figsize=(6.5, height + 1.1), layout="constrained")
        _scatter(figure.add_subplot(), points, height, metrics.pop())
        entitle(
            figure,
            board,
            f"{task}, {protocol}: score against cost",
            f"Means over {plural(len(columns), 'column')}, for methods with a result in every one. Time: wall time "
            "of all draws of a column, on the machines that ran them. Filled: no other method is both cheaper and "
            "better.",
        )
        figures[figure_name("cost", task, protocol)] = figure
    return figures


def _scatter(axis: Axes, points: Sequence[tuple[str, float, float]], height: float, metric: str) -> None:
    seconds, scores = np.array([one[1] for one in points]), np.array([one[2] for one in points])
    best = [bool(~np.any((seconds <= x) & (scores >= y) & ((seconds < x) | (scores > y)))) for _, x, y in points]
    axis.set_xscale("log")
    axis.set_xlim(seconds.min() / 1.4, seconds.max() * 1.4)
    margin = 0.08 * max(float(np.ptp(scores)), 0.01)
    axis.set_ylim(scores.min() - margin, scores.max() + margin)
    bottom, top = axis.get_ylim()
    heights = spread(scores, 1.02 * _LINE * (top - bottom) / height)
    heights -= max(0.0, heights.max() - top)
    heights += max(0.0, bottom - heights.min())
    for (method, x, y), on_front, text_y in zip(points, best, heights, strict=True):
        colour = BLUE if on_front else INK
        axis.annotate(
            label(method), (x, y), (1.03, text_y), textcoords=axis.get_yaxis_transform(), va="center", fontsize=7,
            color=colour, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "relpos": (0, 0.5), "linewidth": 0.4, "color": GREY, "shrinkA": 1},
        )  # fmt: skip
        axis.plot(x, y, "o", markersize=5, markeredgecolor=colour, markerfacecolor=colour if on_front else "white")
    ticks = _ticks(*axis.get_xlim())
    axis.set_xticks([value for value, _ in ticks], [text for _, text in ticks])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.locator_params(axis="y", nbins=5)
    axis.grid(color=PALE, linewidth=0.6)
    axis.set_xlabel("wall time per column")
    axis.set_ylabel(f"mean {metric}")


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return round times within a range, at most seven; the ends' middle where there is none."""
    every = [(step * seconds, f"{step:g} {unit}") for unit, seconds in _SECONDS for step in _STEPS[unit]]
    within = [(value, text) for value, text in every if low <= value <= high]
    if not within:
        middle = float(np.sqrt(low * high))
        unit, size = next(((unit, size) for unit, size in reversed(_SECONDS) if size <= middle), _SECONDS[0])
        return [(middle, f"{middle / size:.3g} {unit}")]
    return within[:: -(-len(within) // 7)]
