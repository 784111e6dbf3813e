"""Scores with their intervals and the letters of the methods that are not told apart."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchx.reporting.board import Board, Column
from benchx.reporting.grouping import (
    at_largest_fraction,
    by_task_and_protocol,
    method_order,
    standing_of,
    tied_with_best,
)
from benchx.reporting.wording import percent
from benchx.reporting.written.figures.style import (
    BLIND,
    BLUE,
    INK,
    entitle,
    figure_name,
    label,
    list_methods,
    panels,
    shade_if_blind,
    styled,
    without_result,
)
from benchx.statistics.letters import split_letters

_LETTER = 0.07
"""Inches that a letter takes."""


@styled
def draw(board: Board) -> dict[str, Figure]:
    """Draw one figure per task and protocol: a panel per dataset, at its largest label fraction."""
    figures = {}
    for (task, protocol), columns in by_task_and_protocol(board).items():
        shown = at_largest_fraction(columns)
        methods = method_order(shown, standing_of(board, task, protocol))
        width = 2.3 + _LETTER * max(len(_slots(column)) for column in shown)
        figure, axes = panels(len(shown), width, 0.2 * len(methods) + 0.8)
        across = min(len(shown), 4)
        for place, (axis, column) in enumerate(zip(axes, shown, strict=True)):
            list_methods(axis, methods, named=place % across == 0)
            _panel(axis, column, methods)
        metrics = ", ".join(dict.fromkeys(column.primary for column in shown))
        entitle(
            figure,
            board,
            f"{task}, {protocol}: {metrics}",
            f"Mean over draws with {percent(board.level)} interval over test cases and draws. Methods of a panel "
            f"that share a letter are not told apart; filled: not told apart from the best. {BLIND} n: test units. "
            "†: pretraining saw something of the dataset. ‡: scores are standardised over the test images.",
        )
        figures[figure_name("tie-groups", task, protocol)] = figure
    return figures


def _slots(column: Column) -> list[str]:
    """Return the letters of a column; each has its own place on a line."""
    letters = {letter for row in column.rows for letter in split_letters(row.letters)}
    return sorted(letters, key=lambda one: (one[1:], one[0].isupper(), one[0]))


def _panel(axis: Axes, column: Column, methods: list[str]) -> None:
    tied = tied_with_best(column) | {column.rows[0].method}
    slots = _slots(column)
    shade_if_blind(axis, column)
    axis.set_title(f"{label(column.dataset)}, {percent(column.fraction)}  (n = {column.units})")
    place_of = {method: place for place, method in enumerate(methods)}
    for colour, filled, rows in (
        (BLUE, BLUE, [row for row in column.rows if row.method in tied]),
        (INK, "white", [row for row in column.rows if row.method not in tied]),
    ):
        places = [place_of[row.method] for row in rows]
        low, high = [row.score.low for row in rows], [row.score.high for row in rows]
        axis.hlines(places, low, high, colors=colour)
        values = [row.score.value for row in rows]
        axis.plot(values, places, "o", markersize=4.5, markeredgecolor=colour, markerfacecolor=filled)
    line = axis.get_yaxis_transform()
    for row in column.rows:
        letters = "".join(slot if slot in split_letters(row.letters) else " " * len(slot) for slot in slots)
        marks = f"{letters} †" if row.contaminated else letters
        marks += " ‡" * row.transductive
        colour = BLUE if row.method in tied else INK
        at = place_of[row.method]
        axis.text(1.03, at, marks, transform=line, va="center", fontsize=7, family="DejaVu Sans Mono", color=colour)
    for method in methods:
        if column.row(method) is None:
            without_result(axis, place_of[method])
    axis.set_xlabel(column.primary)
    axis.margins(x=0.06)
    axis.locator_params(axis="x", nbins=4)
