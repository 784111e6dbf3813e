"""Two methods on the same cases, as the tests of a pair see them, and what a test of them comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from benchx.datasets.samples import UNITS
from benchx.digests import fraction_of_hash
from benchx.metrics.classification import scorable
from benchx.reporting.building.columns import Assessed
from benchx.reporting.building.families import Scores, difference, draw_priors
from benchx.reporting.building.gathering import Found
from benchx.reporting.building.predictions import read_predictions
from benchx.statistics.variance import Estimate
from benchx.tasks.measures import Measure
from benchx.tasks.predictions import scores_and_labels
from benchx.tasks.scoring import MEASURES

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
        value: the metric, averaged over draws.
        draws: their names.
        tables: the predictions of every draw, cases in one order.
        details: of every draw's record.
        scores: [S, N, C], of the scorable classes; of a measure its terms [S, N, M].
        replicates: [S, R], the metric of every draw on the board's bootstrap replicates.
    """

    value: float
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
        measure: what is compared, where it follows from sums over cases; None for macro AUROC.
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
    measure: Measure | None = None

    @property
    def size(self) -> int:
        """The number of clusters."""
        return len(set(self.clusters))


def make_pairing(assessed: Assessed, a: str, b: str, level: float) -> Pairing:
    """Take two methods out of a column; its other methods say how much draws vary, as on a board.

    Raises:
        StoreError: predictions cannot be read.
    """
    gathered = assessed.gathered
    by_method = {one.method: one for one in assessed.scores}
    prior = draw_priors(assessed.scores)[by_method[a].draws]
    estimate, narrower = (difference(by_method[a], by_method[b], prior, one) for one in (level, 2 * level - 1))
    cell = gathered.cell
    measure = None if cell.primary == "macro_auroc" else MEASURES[cell.task][cell.primary]
    side_a, side_b = (_side(gathered.by_method[name], by_method[name], measure) for name in (a, b))
    table = side_a.tables[0]
    _, labels, classes = scores_and_labels(table)
    places = np.flatnonzero(scorable(labels))
    unit = gathered.newest.unit or "image"
    return Pairing(
        a=side_a,
        b=side_b,
        labels=labels[:, places],
        classes=tuple(classes[place] for place in places),
        places=places,
        clusters=tuple(table["cluster"].astype(str)),
        unit=unit,
        units=UNITS[unit],
        estimate=estimate,
        narrower=narrower,
        seed=int(fraction_of_hash("pair", cell.dataset) * 2**53),
        measure=measure,
    )


def _side(found: Sequence[Found], scores: Scores, measure: Measure | None) -> Side:
    tables = tuple(read_predictions(one) for one in found)
    if measure is None:
        parsed = [scores_and_labels(table) for table in tables]
        compared = [logits[:, scorable(labels)] for logits, labels, _ in parsed]
    else:
        compared = [measure.terms(table) for table in tables]
    return Side(
        value=scores.estimate.value,
        draws=scores.draws,
        tables=tables,
        details=tuple(one.record.details for one in found),
        scores=np.stack(compared),
        replicates=scores.replicates,
    )


def unvarying(pair: Pairing) -> str:
    """Say why a difference has no variance."""
    if pair.measure is not None:
        same = pair.a.scores.shape == pair.b.scores.shape and np.array_equal(pair.a.scores, pair.b.scores)
        alike = "both methods do the same on all cases"
        return alike if same else f"the difference does not vary over {pair.units}"
    if all(_constant(side.scores, pair.labels) for side in (pair.a, pair.b)):
        return "constant predictions"
    ranks_a, ranks_b = (_ranked(side.scores, pair.labels) for side in (pair.a, pair.b))
    if np.array_equal(ranks_a, ranks_b):
        return "both methods rank all cases alike"
    return f"the difference does not vary over {pair.units}"


def _constant(scores: np.ndarray, labels: np.ndarray) -> bool:
    known = np.where(np.isnan(labels), np.nan, scores)
    return bool((np.nanmin(known, axis=1) == np.nanmax(known, axis=1)).all())


def _ranked(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rank of every score in its draw and class, those of unlabelled cases last."""
    return rankdata(np.where(np.isnan(labels), np.inf, scores), axis=1)
