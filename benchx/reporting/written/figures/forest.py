"""The difference of every method to the board's baseline, dataset by dataset."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchx.reporting.board import Board, Column
from benchx.reporting.grouping import by_fraction, by_task_and_protocol, difference, method_order, standing_of
from benchx.reporting.wording import CORRECTIONS, percent
from benchx.reporting.written.figures.style import (
    BLIND,
    BLUE,
    GREY,
    INK,
    VERMILION,
    entitle,
    figure_name,
    label,
    list_methods,
    panels,
    shade_if_blind,
    styled,
    without_result,
)


@styled
def draw(board: Board) -> dict[str, Figure]:
    """Draw one figure per task, protocol and label fraction: a panel per dataset."""
    figures = {}
    for (task, protocol), group in by_task_and_protocol(board).items():
        order = method_order(group, standing_of(board, task, protocol))
        methods = [method for method in order if method != board.baseline]
        for fraction, columns in by_fraction(group).items():
            shown = [column for column in columns if len(column.rows) > 1 and column.row(board.baseline) is not None]
            if not shown:
                continue
            figure, axes = panels(len(shown), 2.3, 0.19 * len(methods) + 0.8)
            across = min(len(shown), 4)
            for place, (axis, column) in enumerate(zip(axes, shown, strict=True)):
                list_methods(axis, methods, named=place % across == 0)
                _panel(axis, column, methods, board.baseline)
            entitle(
                figure,
                board,
                f"{task}, {protocol}, {percent(fraction)}: difference to {label(board.baseline)}",
                f"Paired differences with {percent(board.level)} intervals, each by itself; blue circle: better, "
                f"orange square: worse than the baseline after correction by {CORRECTIONS[board.correction]}; open: "
                f"not told apart. {BLIND}",
            )
            figures[figure_name("forest", task, protocol, f"{100 * fraction:g}".replace(".", "-"))] = figure
    return figures


def _panel(axis: Axes, column: Column, methods: list[str], baseline: str) -> None:
    shade_if_blind(axis, column)
    axis.axvline(0, color=GREY, linewidth=0.8)
    axis.set_title(f"{label(column.dataset)}  (n = {column.units})")
    found = [(place, difference(column, method, baseline)) for place, method in enumerate(methods)]
    compared = [(place, one) for place, one in found if one is not None]
    for colour, marker, filled, shown in (
        (INK, "o", "white", [(place, one) for place, one in compared if not one.different]),
        (BLUE, "o", BLUE, [(place, one) for place, one in compared if one.different and one.value > 0]),
        (VERMILION, "s", VERMILION, [(place, one) for place, one in compared if one.different and one.value <= 0]),
    ):
        places = [place for place, _ in shown]
        axis.hlines(places, [one.low for _, one in shown], [one.high for _, one in shown], colors=colour)
        values = [one.value for _, one in shown]
        axis.plot(values, places, marker, markersize=4, markeredgecolor=colour, markerfacecolor=filled)
    for place, missing in found:
        if missing is None:
            without_result(axis, place)
    axis.set_xlabel(f"difference in {column.primary}")
    axis.margins(x=0.06)
    axis.locator_params(axis="x", nbins=4)
