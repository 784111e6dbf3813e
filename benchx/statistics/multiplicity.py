"""Corrections for many tests: family-wise error by Holm, false discovery rate by Benjamini and Hochberg.

A family is one column of a board (dataset, task, protocol, fraction) unless the reader asks for the whole board.
A test that could not be made has p = NaN: it stays NaN and is not a member of the family.
"""

from __future__ import annotations

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Return the step-down adjusted p values of Holm (1979), valid under any dependence of the tests.

    Args:
        p: [n] in [0, 1], or NaN.

    Returns:
        [n] in the order of `p`: reject where it is at most alpha.

    Raises:
        ValueError: not one-dimensional, or a value outside [0, 1].
    """
    p, adjusted, order = _sorted(p)
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Return the step-up adjusted p values of Benjamini and Hochberg (1995): the expected share of false rejections.

    Valid for independent and for positively dependent tests (Benjamini and Yekutieli 2001).
    Arguments, result and errors as `holm`.
    """
    p, adjusted, order = _sorted(p)
    steps = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(steps[::-1])[::-1])
    return adjusted


def first_threshold(n: int, alpha: float = 0.05) -> float:
    """Return alpha / n, what the smallest of n p values must not exceed for Holm's procedure to reject anything.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"a family needs one test or more, there are {n}")
    return alpha / n


def _sorted(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return p, an array of NaN for the result, and the tests that were made from the smallest p to the largest."""
    p = np.asarray(p, dtype=float)
    if p.ndim != 1:
        raise ValueError(f"p values come as one row, these have {p.ndim} dimensions")
    if ((p < 0) | (p > 1)).any():
        raise ValueError("a p value lies outside [0, 1]")
    order = np.argsort(p, kind="stable")
    return p, np.full(len(p), np.nan), order[: np.count_nonzero(~np.isnan(p))]
