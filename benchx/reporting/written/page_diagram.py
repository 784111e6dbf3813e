"""Where the lines of a critical-difference diagram go (Demsar, JMLR 7, 2006, section 3.2.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchx.reporting.board import Standing

WIDTH = 760
_LEFT, _RIGHT = 210, 550
_AXIS = 52
_LINE = 19
_LONGEST = 28


@dataclass(frozen=True)
class Label:
    """A method: its line drops from `x` on the axis to `y`, then runs to `edge`, where its name stands."""

    name: str
    text: str
    rank: float
    x: float
    y: float
    edge: float
    anchor: str


@dataclass(frozen=True)
class Diagram:
    """All coordinates in pixels; ticks are (x, rank), bars (x, x, y) join methods that are not told apart."""

    width: int
    height: int
    axis: int
    left: int
    right: int
    critical: float
    ticks: tuple[tuple[float, int], ...]
    bars: tuple[tuple[float, float, float], ...]
    labels: tuple[Label, ...]


def critical_difference_diagram(standing: Standing) -> Diagram | None:
    """Lay a standing out, best rank and better half of the names on the left; None without a critical difference."""
    if standing.critical_difference is None or len(standing.places) < 2:
        return None
    count = len(standing.places)

    def at(rank: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * (rank - 1) / (count - 1), 1)

    ranks = {place.method: place.mean_rank for place in standing.places}
    bars = tuple(
        (at(min(ranks[m] for m in clique)) - 3, at(max(ranks[m] for m in clique)) + 3, _AXIS + 9 + 6.0 * number)
        for number, clique in enumerate(standing.cliques)
    )
    top = _AXIS + 20 + 6 * len(bars)
    half = math.ceil(count / 2)
    labels = []
    for number, place in enumerate(standing.places):
        left = number < half
        line = number if left else count - 1 - number
        labels.append(
            Label(
                place.method,
                place.method if len(place.method) <= _LONGEST else place.method[: _LONGEST - 1] + "…",
                place.mean_rank,
                at(place.mean_rank),
                top + _LINE * line,
                _LEFT - 12 if left else _RIGHT + 12,
                "end" if left else "start",
            )
        )
    step = max(1, math.ceil((count - 1) / 12))
    return Diagram(
        WIDTH,
        top + _LINE * (half - 1) + 12,
        _AXIS,
        _LEFT,
        _RIGHT,
        round((_RIGHT - _LEFT) * standing.critical_difference / (count - 1), 1),
        tuple((at(rank), rank) for rank in range(1, count + 1, step)),
        bars,
        tuple(labels),
    )
