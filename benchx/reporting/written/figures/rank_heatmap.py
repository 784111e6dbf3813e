"""Every method's rank in every column, with the interval of that rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchx.reporting.board import Board, Column
from benchx.reporting.grouping import by_fraction, by_task_and_protocol, method_order, standing_of
from benchx.reporting.wording import DOTS, percent
from benchx.reporting.written.figures.style import GREY, entitle, figure_name, label, list_methods, styled

_CELL = (0.5, 0.27)
"""Inches."""
_DARK = 0.43
"""Share of viridis, from its dark end, on which white text has more contrast than black."""
_SIDE_BY_SIDE = 16
"""Columns up to which the panels of all fractions stand beside one another."""


@styled
def draw(board: Board) -> dict[str, Figure]:
    """Draw one figure per task and protocol: a panel per label fraction, methods by datasets."""
    figures = {}
    for (task, protocol), columns in by_task_and_protocol(board).items():
        methods = method_order(columns, standing_of(board, task, protocol))
        if len(methods) < 2:
            continue
        groups = list(by_fraction(columns).items())
        beside = len(columns) <= _SIDE_BY_SIDE
        widths = [max(2, len(group)) * _CELL[0] for _, group in groups]
        height = len(methods) * _CELL[1] + 0.9
        size = (sum(widths) + 2, height) if beside else (max(widths) + 2, height * len(groups))
        figure = Figure(figsize=(size[0], size[1] + 0.8), layout="constrained")
        if beside:
            axes = figure.subplots(1, len(groups), squeeze=False, width_ratios=widths)
        else:
            axes = figure.subplots(len(groups), 1, squeeze=False)
        for place, (axis, (fraction, group)) in enumerate(zip(axes.flat, groups, strict=True)):
            _panel(axis, group, methods, named=place == 0 or not beside)
            axis.set_xlabel(percent(fraction), fontweight="bold")
        entitle(
            figure,
            board,
            f"{task}, {protocol}: ranks",
            f"Rank by score; below it the {percent(board.level)} interval over test cases and draws. Beside each "
            "dataset: ● it separates the methods, ◐ weakly, ○ it cannot.",
        )
        figures[figure_name("rank-heatmap", task, protocol)] = figure
    return figures


def _panel(axis: Axes, columns: Sequence[Column], methods: list[str], *, named: bool) -> None:
    list_methods(axis, methods, named=named, lines=False)
    ranks = np.full((len(methods), len(columns)), np.nan)
    for x, column in enumerate(columns):
        place_of = {row.method: place for place, row in enumerate(column.rows, start=1)}
        for y, method in enumerate(methods):
            row = column.row(method)
            if row is None:
                axis.text(x, y, "–", ha="center", va="center", color=GREY)
                continue
            ranks[y, x] = place_of[method]
            ink = "white" if ranks[y, x] <= 1 + _DARK * (len(methods) - 1) else "black"
            axis.text(x, y - 0.16, str(place_of[method]), ha="center", va="center", fontsize=7, color=ink)
            axis.text(x, y + 0.24, f"{row.rank.low}–{row.rank.high}", ha="center", va="center", fontsize=5.2, color=ink)
    axis.pcolormesh(
        np.arange(len(columns) + 1) - 0.5,
        np.arange(len(methods) + 1) - 0.5,
        np.ma.masked_invalid(ranks),
        cmap="viridis",
        vmin=1,
        vmax=len(methods),
        edgecolors="white",
        linewidth=1,
    )
    axis.set_ylim(len(methods) - 0.5, -0.5)
    axis.spines[["left", "bottom"]].set_visible(False)
    marks = [DOTS[one.verdict] if (one := column.discriminability) else "" for column in columns]
    names = [f"{label(column.dataset)} {mark}" for column, mark in zip(columns, marks, strict=True)]
    axis.set_xticks(range(len(columns)), names, rotation=40, ha="left", rotation_mode="anchor")
    axis.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
