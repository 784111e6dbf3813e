"""Score against the share of labels that a method was given."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchx.reporting.board import Board, Column
from benchx.reporting.grouping import by_dataset, by_task_and_protocol, method_order, standing_of
from benchx.reporting.wording import percent
from benchx.reporting.written.figures.style import (
    PALE,
    entitle,
    figure_name,
    label,
    legend_of_methods,
    method_lines,
    panels,
    styled,
)


@styled
def draw(board: Board) -> dict[str, Figure]:
    """Draw one figure per task and protocol: a panel per dataset that has two fractions or more."""
    figures = {}
    for (task, protocol), columns in by_task_and_protocol(board).items():
        shown = [group for group in by_dataset(columns).values() if len(group) > 1]
        if not shown:
            continue
        methods = method_order(columns, standing_of(board, task, protocol))
        figure, axes = panels(len(shown), 2.4, 2.3, across=3)
        for axis, group in zip(axes, shown, strict=True):
            _panel(axis, group, methods)
        legend_of_methods(figure, axes)
        entitle(
            figure,
            board,
            f"{task}, {protocol}: score against labels",
            f"Mean over draws; bands: {percent(board.level)} interval over test cases and draws. Share of labelled "
            "training cases on a logarithmic axis.",
        )
        figures[figure_name("label-efficiency", task, protocol)] = figure
    return figures


def _panel(axis: Axes, columns: list[Column], methods: list[str]) -> None:
    for method, style in method_lines(methods):
        rows = [(column.fraction, row.score) for column in columns if (row := column.row(method)) is not None]
        fractions, scores = [fraction for fraction, _ in rows], [score for _, score in rows]
        if "marker" in style:
            low, high = [score.low for score in scores], [score.high for score in scores]
            axis.fill_between(fractions, low, high, color=style["color"], alpha=0.08, linewidth=0)
        axis.plot(fractions, [score.value for score in scores], markersize=4, **style)
    axis.set_title(label(columns[0].dataset))
    axis.set_xscale("log")
    shown = sorted({column.fraction for column in columns})
    axis.set_xticks(shown, [percent(fraction) for fraction in shown])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlim(shown[0] / 1.25, shown[-1] * 1.25)
    axis.set_ylabel(columns[0].primary)
    axis.locator_params(axis="y", nbins=5)
    axis.grid(axis="y", color=PALE, linewidth=0.6)
