"""Reliability plots: the share of positives against the probability that a method gave."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchx.reporting.board import Board, Column
from benchx.reporting.grouping import at_largest_fraction, by_task_and_protocol, method_order, standing_of
from benchx.reporting.wording import percent
from benchx.reporting.written.figures.style import (
    GREY,
    PALE,
    entitle,
    figure_name,
    label,
    legend_of_methods,
    method_lines,
    panels,
    styled,
)

_WITH_INTERVALS = 3
"""Methods up to which the bins' intervals can be told apart."""


@styled
def draw(board: Board) -> dict[str, Figure]:
    """Draw one figure per task and protocol: a panel per dataset, at its largest label fraction."""
    figures = {}
    for (task, protocol), columns in by_task_and_protocol(board).items():
        shown = [one for one in at_largest_fraction(columns) if any(row.reliability for row in one.rows)]
        if not shown:
            continue
        methods = [
            method
            for method in method_order(shown, standing_of(board, task, protocol))
            if any((row := column.row(method)) is not None and row.reliability for column in shown)
        ]
        figure, axes = panels(len(shown), 2.4, 2.4, across=3)
        for axis, column in zip(axes, shown, strict=True):
            _panel(axis, column, methods)
        legend_of_methods(figure, axes)
        bars = "Bars: Wilson interval of a bin. " if len(methods) <= _WITH_INTERVALS else ""
        entitle(
            figure,
            board,
            f"{task}, {protocol}: calibration",
            "Observed share of positives against the mean probability of a bin, classes together; on the line a "
            f"method is calibrated. {bars}Axes end where the data end.",
        )
        figures[figure_name("reliability", task, protocol)] = figure
    return figures


def _panel(axis: Axes, column: Column, methods: list[str]) -> None:
    reach = 0.02
    for method, style in method_lines(methods):
        row = column.row(method)
        bins = row.reliability if row is not None else ()
        if not bins:
            continue
        x, y = [one.probability for one in bins], [one.observed for one in bins]
        reach = max(reach, *x, *y)
        if len(methods) <= _WITH_INTERVALS:
            low, high = [one.low for one in bins], [one.high for one in bins]
            axis.vlines(x, low, high, color=style["color"], linewidth=0.8, alpha=0.7)
        axis.plot(x, y, markersize=3, **style)
    end = min(1.02, 1.08 * reach)
    axis.plot([0, end], [0, end], color=GREY, linewidth=0.8, zorder=0)
    axis.set_xlim(0, end)
    axis.set_ylim(0, end)
    axis.set_title(f"{label(column.dataset)}, {percent(column.fraction)}")
    axis.locator_params(nbins=5)
    axis.grid(color=PALE, linewidth=0.6)
    axis.set_xlabel("probability")
    axis.set_ylabel("observed share")
