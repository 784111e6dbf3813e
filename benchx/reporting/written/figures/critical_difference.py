"""Demsar's critical-difference diagram (2006): mean ranks on a line, bars over methods that are not told apart."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchx.reporting.board import Board, Standing
from benchx.reporting.written.figures.style import BLUE, GREY, INK, entitle, figure_name, label, styled

_ROW, _BAR, _TOP = 0.2, 0.11, 0.2
"""Inches between two names, two bars, and from the line to the first bar."""


@styled
def draw(board: Board) -> dict[str, Figure]:
    """Draw one figure per standing that has a critical difference and two methods."""
    figures = {}
    for standing in board.standings:
        if standing.critical_difference is None or len(standing.places) < 2:
            continue
        levels = _stack(standing)
        height = _height(standing, levels)
        figure = Figure(figsize=(7.5 if len(standing.places) <= 12 else 10, height + 1.4), layout="constrained")
        _diagram(figure.add_subplot(), standing, levels, height)
        entitle(
            figure,
            board,
            f"{standing.task}, {standing.protocol}: mean ranks over {len(standing.blocks)} blocks of datasets",
            f"Best on the left. Methods under one bar differ by less than the critical difference "
            f"{standing.critical_difference:.2f} (Nemenyi, {1 - board.level:.2g}) and are not told apart. Only "
            "methods with a result in every column are ranked.",
        )
        figures[figure_name("critical-difference", standing.task, standing.protocol)] = figure
    return figures


def _stack(standing: Standing) -> list[list[tuple[float, float]]]:
    """Return the bars (first and last rank) by level, so that bars of one level do not touch."""
    ranks = {place.method: place.mean_rank for place in standing.places}
    levels: list[list[tuple[float, float]]] = []
    for clique in standing.cliques:
        held = [ranks[method] for method in clique if method in ranks]
        if len(held) < 2:
            continue
        bar = (min(held), max(held))
        free = next((level for level in levels if level[-1][1] + 0.1 < bar[0]), None)
        if free is None:
            levels.append([bar])
        else:
            free.append(bar)
    return levels


def _height(standing: Standing, levels: list[list[tuple[float, float]]]) -> float:
    return _TOP + _BAR * len(levels) + 0.15 + _ROW * ((len(standing.places) + 1) // 2)


def _diagram(axis: Axes, standing: Standing, levels: list[list[tuple[float, float]]], height: float) -> None:
    methods = len(standing.places)
    reach = methods - 1
    axis.set_xlim(1 - 0.02 * reach, methods + 0.02 * reach)
    axis.set_ylim(height, -0.55)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_yticks([])
    axis.set_xticks([])
    axis.plot([1, methods], [0, 0], color=INK, linewidth=1)
    step = max(1, reach // 10)
    for rank in range(1, methods + 1, step):
        axis.plot([rank, rank], [0, -0.06], color=INK, linewidth=1)
        axis.text(rank, -0.1, str(rank), ha="center", va="bottom", fontsize=7)
    assert standing.critical_difference is not None
    end = 1 + min(standing.critical_difference, reach)
    axis.plot([1, end], [-0.4, -0.4], color=BLUE, linewidth=1.2, marker="|", markersize=5)
    axis.text(end, -0.4, f"  CD = {standing.critical_difference:.2f}", va="center", fontsize=7, color=BLUE)
    for level, bars in enumerate(levels):
        y = _TOP + _BAR * level
        for first, last in bars:
            axis.plot(
                [first - 0.006 * reach, last + 0.006 * reach], [y, y], color=BLUE, linewidth=3, solid_capstyle="butt"
            )
    base = _TOP + _BAR * len(levels) + 0.15
    left = (methods + 1) // 2
    for place, one in enumerate(standing.places):
        on_left = place < left
        y = base + _ROW * (place if on_left else methods - 1 - place)
        end = 1 - 0.015 * reach if on_left else methods + 0.015 * reach
        axis.plot([one.mean_rank, one.mean_rank, end], [0, y, y], color=GREY, linewidth=0.7)
        axis.plot(one.mean_rank, 0, "o", color=INK, markersize=3)
        text = f"{label(one.method)}  {one.mean_rank:.2f}" if on_left else f"{one.mean_rank:.2f}  {label(one.method)}"
        axis.text(
            end, y, f"{text} " if on_left else f" {text}", ha="right" if on_left else "left", va="center", fontsize=7.5
        )
