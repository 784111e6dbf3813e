"""Two methods on the same cases, as the tests of a pair see them, and what a test of them comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from benchx.statistics.variance import Estimate

ROUNDING = 1e-12
"""Differences of scores that vary by less do not vary."""


@dataclass(frozen=True)
class PairTest:
    """One test of A - B; all numbers are finite.

    Attributes:
        test: its name.
        difference, low, high: of the metric; None where the test gives none.
        p_value: two-sided, not corrected over columns; None where the test cannot be made.
        n: the units that decide: all, or those on which the methods differ.
        smallest_p: the smallest p value that could have come out, where there is such a limit.
        basis: what is resampled or assumed.
        reason: why the test cannot be made; empty where it was.
    """

    test: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    n: int | None = None
    smallest_p: float | None = None
    basis: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Side:
    """One of the two methods.

    Attributes:
        draws: names.
        tables: the predictions of every draw, cases in one order.
        details: of every draw's record.
        scores: [S, N, C], of the scorable classes.
        replicates: [S, R], the metric of every draw on the board's bootstrap replicates.
    """

    draws: tuple[str, ...]
    tables: tuple[pd.DataFrame, ...]
    details: tuple[Mapping[str, Any], ...]
    scores: np.ndarray
    replicates: np.ndarray


@dataclass(frozen=True)
class Pairing:
    """Two methods on the same cases.

    Attributes:
        labels: [N, C] in {0, 1, NaN}, of the scorable classes.
        classes: their names.
        places: their places among all classes of the tables.
        clusters: N names.
        unit, units: what a cluster is, in the singular and plural.
        estimate: A - B by the board's rule.
        narrower: the same at the level of two one-sided tests, 1 - 2 alpha.
        seed: of whatever the tests draw.
    """

    a: Side
    b: Side
    labels: np.ndarray
    classes: tuple[str, ...]
    places: np.ndarray
    clusters: tuple[str, ...]
    unit: str
    units: str
    estimate: Estimate
    narrower: Estimate
    seed: int

    @property
    def size(self) -> int:
        """The number of clusters."""
        return len(set(self.clusters))


def unvarying(pair: Pairing) -> str:
    """Say why a difference has no variance."""
    if all(_constant(side.scores, pair.labels) for side in (pair.a, pair.b)):
        return "constant predictions"
    first = _ranked(pair.a.scores[:1], pair.labels)
    if all((_ranked(side.scores, pair.labels) == first).all() for side in (pair.a, pair.b)):
        return "both methods rank all cases alike"
    return f"the difference does not vary over {pair.units}"


def _constant(scores: np.ndarray, labels: np.ndarray) -> bool:
    known = np.where(np.isnan(labels), np.nan, scores)
    return bool((np.nanmin(known, axis=1) == np.nanmax(known, axis=1)).all())


def _ranked(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rank of every score in its draw and class, those of unlabelled cases last."""
    return rankdata(np.where(np.isnan(labels), np.inf, scores), axis=1)
