"""Find predictions that were copied from another method: scores and placements of classes and ranks of retrieval.

Two tables are called the same when in every class they rank the test cases alike, or when one is a positive multiple
of the other plus a constant. A copy under added noise is not found, and nothing of this kind could find it surely.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

MIN_DISTINCT = 10
"""Different scores that some class must have: below that, two methods may well agree by chance."""

_TELLING = ("score:", "placement:", "i2t_rank", "t2i_rank")
"""How columns begin that two methods do not share; of reports and answers there is none, since these may well agree."""

TOLERANCE = 1e-4
"""Between standardised scores, so that rounding to float32 hides no copy."""


@dataclass(frozen=True)
class Scores:
    """The scores of one table.

    Attributes:
        classes: the names of their columns, sorted, C of them.
        samples: sorted ids [n], or None where they are pseudonyms, which differ from bundle to bundle.
        values: float64 [n, C], cases in the order of `samples`; every class in the order of its values without them.
    """

    classes: tuple[str, ...]
    samples: np.ndarray | None
    values: np.ndarray

    @cached_property
    def standardised(self) -> np.ndarray:
        """Scores with mean 0 and standard deviation 1 in every class; 0 where it is constant."""
        spread = self.values.std(axis=0)
        return (self.values - self.values.mean(axis=0)) / np.where(spread > 0, spread, 1)

    @cached_property
    def ranks(self) -> np.ndarray:
        """Dense ranks of the cases in every class, int [n, C]; equal scores have one rank."""
        columns = [np.unique(column, return_inverse=True)[1] for column in self.values.T]
        return np.stack(columns, axis=1)

    @property
    def telling(self) -> bool:
        """Whether agreement with another table says anything."""
        return self.values.size > 0 and bool(self.ranks.max() + 1 >= MIN_DISTINCT)

    def without_samples(self) -> Scores:
        """Return what is left to compare when the cases cannot be told."""
        return self if self.samples is None else Scores(self.classes, None, np.sort(self.values, axis=0))


def scores_of(table: pd.DataFrame, *, pseudonymous: bool) -> Scores:
    """Take the scores out of a prediction table; those that are NaN, such as ranks of the other way, count as 0."""
    classes = tuple(sorted(str(name) for name in table.columns if str(name).startswith(_TELLING)))
    samples = table["sample"].to_numpy(object)
    order = np.argsort(samples, kind="stable")
    values = np.nan_to_num(table[list(classes)].to_numpy(np.float64)[order])
    scores = Scores(classes, samples[order], values)
    return scores.without_samples() if pseudonymous else scores


def same(one: Scores, other: Scores) -> bool:
    """Whether two tables hold the same predictions.

    Where the cases of one cannot be told, the scores of every class are compared in the order of their values: that
    finds copies and linear maps of them, not other maps that keep the order.
    """
    if one.classes != other.classes or one.values.shape != other.values.shape:
        return False
    if not (one.telling and other.telling):
        return False
    if one.samples is None or other.samples is None:
        return bool(_close(one.without_samples(), other.without_samples()).all())
    if not np.array_equal(one.samples, other.samples):
        return False
    return bool((_close(one, other) | (one.ranks == other.ranks).all(axis=0)).all())


def _close(one: Scores, other: Scores) -> np.ndarray:
    return np.isclose(one.standardised, other.standardised, rtol=0, atol=TOLERANCE).all(axis=0)
