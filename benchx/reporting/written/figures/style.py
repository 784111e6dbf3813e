"""The one style of all figures: fonts, colours that colour-blind readers can tell apart, panels, captions, names."""

from __future__ import annotations

import hashlib
import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from benchx.errors import printable
from benchx.reporting.board import Board, Column
from benchx.reporting.wording import PHANTOM
from benchx.words import plural

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito (2008), without yellow, which is too light on paper."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", "-", "--", "-.")
BLUE, VERMILION = COLOURS[:2]
INK, GREY, PALE = "#333333", "#8c8c8c", "#ececec"
LABEL = 30
"""Characters of a name that a figure shows."""
BLIND = "Grey panel: this test set cannot separate the methods."
"""What a caption says of `shade_if_blind`."""

_RULES = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.useoffset": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.major.size": 0,
    "text.parse_math": False,
    "text.usetex": False,
    "lines.linewidth": 1.1,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "benchx",
    "figure.dpi": 160,
    "text.hinting": "no_hinting",
}
styled = matplotlib.style.context(["default", _RULES])
"""Decorator of everything that draws: a user's own matplotlib settings change nothing."""


def label(text: str) -> str:
    """Return a name on one line, shortened in its middle."""
    text = printable(text)
    return text if len(text) <= LABEL else f"{text[: LABEL - 10]}…{text[-9:]}"


def figure_name(kind: str, *parts: str) -> str:
    """Return a file name for a figure; different parts never share one."""
    slugs = []
    for part in parts:
        slug = re.sub("[^a-z0-9]+", "-", part.lower()).strip("-")
        slugs.append(slug if slug == part else f"{slug}-{hashlib.sha256(part.encode()).hexdigest()[:6]}".strip("-"))
    return "--".join([kind, *slugs])


def panels(count: int, width: float, height: float, *, across: int = 4) -> tuple[Figure, list[Axes]]:
    """Return a figure with a grid of `count` panels of a size in inches, at most `across` in a row."""
    across = min(count, across)
    down = math.ceil(count / across)
    figure = Figure(figsize=(max(across * width, 5), down * height + 0.8), layout="constrained")
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def list_methods(axis: Axes, methods: Sequence[str], *, named: bool, lines: bool = True) -> None:
    """Give a panel one line per method, the first on top; names only where `named`."""
    places = range(len(methods))
    if named:
        axis.set_yticks(places, [label(method) for method in methods])
    else:
        axis.set_yticks([])
    axis.set_ylim(len(methods) - 0.4, -0.6)
    if lines:
        axis.hlines(places, 0, 1, transform=axis.get_yaxis_transform(), colors=PALE, linewidth=0.6, zorder=0.5)


def shade_if_blind(axis: Axes, column: Column) -> None:
    """Make a panel grey whose column cannot separate the methods."""
    if column.is_blind:
        axis.set_facecolor(PALE)


def method_lines(methods: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return every method with how its line is drawn, the first last, so that it lies on top.

    The first have a colour, dashes and a marker each; the others are thin, grey, without a marker and counted.
    """
    others = len(methods) - len(COLOURS)
    grey = {"color": GREY, "linewidth": 0.6, "alpha": 0.6, "label": plural(others, "other method")}
    own = [
        {"color": colour, "linestyle": dashes, "marker": marker, "label": label(method)}
        for method, colour, dashes, marker in zip(methods, COLOURS, DASHES, MARKERS, strict=False)
    ]
    return list(zip(methods, own + [grey] * others, strict=True))[::-1]


def legend_of_methods(figure: Figure, axes: Sequence[Axes]) -> None:
    """Name the lines of all panels beside them, in the order of the methods."""
    lines: dict[str, Artist] = {}
    for axis in axes:
        for line, name in reversed(list(zip(*axis.get_legend_handles_labels(), strict=True))):
            lines.setdefault(name, line)
    figure.legend(list(lines.values()), list(lines), loc="outside right center")


def without_result(axis: Axes, place: int) -> None:
    """Say on a method's line that it has no result."""
    line = axis.get_yaxis_transform()
    axis.text(0.5, place, "no result", transform=line, ha="center", va="center", fontsize=6.5, color=GREY)


def entitle(figure: Figure, board: Board, title: str, caption: str) -> None:
    """Write a title above a figure and below it how to read it; a phantom board says so."""
    fitting = min(100, int(figure.get_figwidth() * 11))
    short = textwrap.shorten(printable(title), fitting, placeholder=" …")
    figure.suptitle(short, x=0.01, ha="left", fontsize=9.5, fontweight="bold", color=INK)
    figure.set_layout_engine("constrained", w_pad=0.09, h_pad=0.06)
    text = f"{caption} {PHANTOM}" if board.data == "phantom" else caption
    wrapped = textwrap.fill(printable(text), max(40, int(figure.get_figwidth() * 18)))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=6.8, color="#555555")


def spread(positions: Sequence[float] | np.ndarray, gap: float) -> np.ndarray:
    """Move positions as little as possible (least squares) so that neighbours are `gap` apart; order is kept."""
    wanted = np.asarray(positions, dtype=float)
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    moved = np.empty_like(wanted)
    moved[order] = isotonic_regression(wanted[order] - steps).x + steps
    return moved
