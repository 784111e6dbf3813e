"""The figures of a board, as SVG and PNG, the same bytes for the same board."""

from __future__ import annotations

import io
import warnings

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchx.reporting.board import Board
from benchx.reporting.written.figures import (
    cost,
    critical_difference,
    forest,
    label_efficiency,
    rank_heatmap,
    reliability,
    robustness,
    tie_groups,
)
from benchx.reporting.written.figures.style import styled

KINDS = {
    "tie-groups": tie_groups.draw,
    "critical-difference": critical_difference.draw,
    "forest": forest.draw,
    "label-efficiency": label_efficiency.draw,
    "rank-heatmap": rank_heatmap.draw,
    "cost": cost.draw,
    "reliability": reliability.draw,
    "robustness": robustness.draw,
}
"""Each kind of figure: what draws it, by the first part of its file names."""


def draw_figures(board: Board) -> dict[str, Figure]:
    """Return every figure that there is something to draw for, by the name of its file without ending.

    No figure is registered with pyplot, so each is freed with its last reference.
    """
    return {name: figure for draw in KINDS.values() for name, figure in draw(board).items()}


@styled
def save(figure: Figure) -> tuple[bytes, bytes]:
    """Return a figure as SVG (text as outlines: it looks the same everywhere) and PNG, laid out once for both."""
    svg, png = io.BytesIO(), io.BytesIO()
    FigureCanvasAgg(figure)
    layout = figure.get_layout_engine()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        if layout is not None:
            layout.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": "benchx"})
        figure.savefig(png, format="png", metadata={"Software": "benchx"})
    figure.set_layout_engine(layout)
    return svg.getvalue(), png.getvalue()
