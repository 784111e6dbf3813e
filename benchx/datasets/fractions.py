"""Label fractions: nested subsets of whole patients, drawn anew for every seed."""

from __future__ import annotations

import numpy as np

from benchx.digests import fraction_of_hash


def draw_fraction(
    rows: np.ndarray,
    clusters: np.ndarray,
    labels: np.ndarray,
    *,
    fraction: float,
    smallest: float,
    seed: int,
    name: str,
) -> np.ndarray:
    """Draw a label fraction of some rows by whole units (patients where known).

    The units are ordered by a hash of (name, seed, unit) and the first `max(1, round(fraction x units))`
    are kept, so that larger fractions contain smaller ones. Inside the smallest fraction, units are
    exchanged so that every class with a positive among `rows` keeps one where there is room: a unit
    whose own classes stay covered makes place for the next unit in order that is positive.

    Args:
        rows: int [n], the rows to draw from.
        clusters: str [N], the unit of every row of the dataset.
        labels: float [N, C] with NaN for unknown.
        fraction: share of the units to keep, in (0, 1].
        smallest: the smallest fraction of the suite; fixes the exchange for all larger ones.
        seed: the draw.
        name: what is drawn from (dataset and part), so that parts are drawn independently.

    Returns:
        The kept rows, sorted.
    """
    if fraction >= 1 or len(rows) == 0:
        return np.sort(rows)
    units, inverse = np.unique(clusters[rows], return_inverse=True)
    positive = np.zeros((len(units), labels.shape[1]), bool)
    np.logical_or.at(positive, inverse, labels[rows] == 1)
    order = sorted(range(len(units)), key=lambda unit: fraction_of_hash("fraction", name, seed, units[unit]))
    order = _cover_classes(order, positive, _count(smallest, len(units)))
    kept = np.zeros(len(units), bool)
    kept[order[: _count(fraction, len(units))]] = True
    return np.sort(rows[kept[inverse]])


def _count(fraction: float, units: int) -> int:
    return max(1, round(fraction * units))


def _cover_classes(order: list[int], positive: np.ndarray, size: int) -> list[int]:
    """Exchange units so that the first `size` hold a positive of every class where possible."""
    chosen, rest = order[:size], order[size:]
    rarest_first = np.argsort(positive.sum(axis=0), kind="stable")
    for label in rarest_first:
        if positive[chosen, label].any():
            continue
        incoming = next((unit for unit in rest if positive[unit, label]), None)
        if incoming is None:
            continue
        counts = positive[chosen].sum(axis=0)
        outgoing = next(
            (unit for unit in reversed(chosen) if (counts[positive[unit]] > 1).all()),
            None,
        )
        if outgoing is None:
            continue
        chosen[chosen.index(outgoing)] = incoming
        rest[rest.index(incoming)] = outgoing
    return chosen + rest
