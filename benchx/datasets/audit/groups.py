"""Sets of pictures that belong together, grown by joining pairs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np


def join(group: np.ndarray, pairs: Iterable[tuple[int, int]]) -> None:
    """Join groups in place.

    Args:
        group: int [N], the smallest member of every element's group.
        pairs: elements that belong together.
    """
    for pair in pairs:
        first, second = sorted(int(group[element]) for element in pair)
        while group[first] != first:
            first = int(group[first])
        while group[second] != second:
            second = int(group[second])
        group[max(first, second)] = min(first, second)
    while (group != group[group]).any():
        group[:] = group[group]


def join_equal(group: np.ndarray, elements: Sequence[int], names: Sequence[Hashable]) -> None:
    """Join the elements that have the same name, in place."""
    first: dict[Hashable, int] = {}
    join(group, [(first.setdefault(name, element), element) for element, name in zip(elements, names, strict=True)])


def several(group: np.ndarray) -> list[np.ndarray]:
    """Return the groups of two or more, each a sorted int array, in the order of their smallest members."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order])) + 1
    return [members for members in np.split(order, starts) if len(members) > 1]
