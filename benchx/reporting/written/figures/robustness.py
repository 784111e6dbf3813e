"""What the mean ranks would be if something else had been done."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchx.reporting.board import Board, Standing
from benchx.reporting.written.figures.style import COLOURS, GREY, INK, entitle, figure_name, list_methods, styled

_KINDS = {
    "without a dataset": (COLOURS[0], "o"),
    "other metric": (COLOURS[1], "s"),
    "one draw": (COLOURS[2], "^"),
    "smaller search": (COLOURS[4], "v"),
    "without contaminated methods": (COLOURS[3], "D"),
}
_OTHER = (GREY, "P")


@styled
def draw(board: Board) -> dict[str, Figure]:
    """Draw one figure per standing with more than one scenario."""
    figures = {}
    for standing in board.standings:
        if len(standing.scenarios) < 2 or len(standing.places) < 2:
            continue
        figure = Figure(figsize=(7.5, 0.22 * len(standing.places) + 1.7), layout="constrained")
        _dots(figure, standing)
        entitle(
            figure,
            board,
            f"{standing.task}, {standing.protocol}: would another choice change the order?",
            f"Mean rank of every method as run (bar) and in {len(standing.scenarios) - 1} other scenarios; methods "
            "that a scenario leaves out have no mark in it.",
        )
        figures[figure_name("robustness", standing.task, standing.protocol)] = figure
    return figures


def _dots(figure: Figure, standing: Standing) -> None:
    axis = figure.add_subplot()
    methods = [place.method for place in standing.places]
    list_methods(axis, methods, named=True)
    first, *others = standing.scenarios
    for place, method in enumerate(methods):
        reached = [scenario.ranks[method] for scenario in standing.scenarios if method in scenario.ranks]
        axis.plot([min(reached), max(reached)], [place, place], color=GREY, linewidth=0.8)
    kinds = list(dict.fromkeys(scenario.kind for scenario in others))
    for number, kind in enumerate(kinds):
        colour, marker = _KINDS.get(kind, _OTHER)
        offset = 0.5 * ((number + 0.5) / len(kinds) - 0.5)
        marks = [
            (scenario.ranks[method], place + offset)
            for scenario in others
            if scenario.kind == kind
            for place, method in enumerate(methods)
            if method in scenario.ranks
        ]
        axis.plot(
            *zip(*marks, strict=True), marker, color=colour, markersize=3.6, alpha=0.75, markeredgewidth=0, label=kind
        )
    ranks = [first.ranks[method] for method in methods]
    axis.plot(ranks, range(len(methods)), "|", color=INK, markersize=10, markeredgewidth=2, label=first.kind)
    axis.set_xlabel("mean rank, best on the left")
    axis.set_xlim(left=0.5)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
