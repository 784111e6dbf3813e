"""Which training cases a few-shot head sees: pairs of a case with a class and one without, in a fixed random order.

A draw of k shots is the first k pairs of its order, so that it lies inside the draw of 2 k.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchx.digests import fraction_of_hash

MOST = 16
"""Shots of the largest draw. All draws are made of so many, whatever a protocol asks for."""


def case_keys(dataset: str, samples: Sequence[str]) -> np.ndarray:
    """Return a number per case, uint64 [n], that follows from its id alone."""
    return np.array([int(fraction_of_hash("few-shot", dataset, name) * 2**53) for name in samples], np.uint64)


def draw_order(keys: np.ndarray, dataset: str, fold: int, draw: int) -> np.ndarray:
    """Return the order int [n] in which one draw of one fold takes the cases, the same for every class and machine.

    Args:
        keys: of `case_keys`.
    """
    seed = np.uint64(int(fraction_of_hash("few-shot", dataset, fold, draw) * 2**53))
    return np.argsort(_mixed(keys ^ _mixed(np.array([seed]))), kind="stable")


def draw_pairs(order: np.ndarray, labels: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Draw pairs of a positive and a negative; a unit gives a second case only where its side has no other unit left.

    The value that fewer units hold is drawn first, so that the other one does not use its units up.

    Args:
        order: int [n] of the cases.
        labels: [n] in {0, 1, NaN}; cases without a label are not drawn.
        units: int [n], the unit (patient where known) of each case.

    Returns:
        int [m, 2], places in `labels`: m pairs, 16 or as many as there are.
    """
    positives, negatives = (order[labels[order] == value] for value in (1, 0))
    count = min(MOST, len(positives), len(negatives))
    used: set[int] = set()
    if len(np.unique(units[positives])) <= len(np.unique(units[negatives])):
        first, second = _take(positives, units, count, used), _take(negatives, units, count, used)
    else:
        second, first = _take(negatives, units, count, used), _take(positives, units, count, used)
    return np.array([first, second], np.int64).T


def _take(cases: np.ndarray, units: np.ndarray, count: int, used: set[int]) -> list[int]:
    """Take the first cases of units that were not used, then the first of the others; the units are used then."""
    taken: list[int] = []
    passed: list[int] = []
    for case in cases:
        if len(taken) == count:
            break
        if (unit := int(units[case])) in used:
            passed.append(int(case))
        else:
            used.add(unit)
            taken.append(int(case))
    return taken + passed[: count - len(taken)]


def _mixed(values: np.ndarray) -> np.ndarray:
    """Scatter 64-bit numbers, one to one: the finaliser of splitmix64 (Steele, Lea and Flood 2014, OOPSLA)."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
