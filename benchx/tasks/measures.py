"""Scores that follow from sums of per-case terms: means, pooled ratios, corpus BLEU. Sums can be resampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Measure:
    """A score of a test set.

    Attributes:
        terms: of every case, from a prediction table: float64 [N, M], finite; a case whose terms are all 0 does not
            count.
        of_sums: maps sums of terms [..., M] to scores [...], NaN where there is none.
    """

    terms: Callable[[pd.DataFrame], np.ndarray]
    of_sums: Callable[[np.ndarray], np.ndarray]

    def of(self, table: pd.DataFrame) -> float:
        """Return the score of all cases."""
        return float(self.of_sums(self.terms(table).sum(axis=0)))


def mean_of(*columns: str) -> Measure:
    """Return the measure that is the mean of some columns of all cases, without those that are NaN or not there."""

    def terms(table: pd.DataFrame) -> np.ndarray:
        values = table.reindex(columns=list(columns)).to_numpy(np.float64)
        known = ~np.isnan(values)
        return np.stack([np.where(known, values, 0).sum(axis=1), known.sum(axis=1)], axis=1)

    return Measure(terms, ratio)


def ratio(sums: np.ndarray) -> np.ndarray:
    """Return the first of two sums over the second, NaN where that is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan))
