"""From log-odds per pixel to the table of a fold's cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from benchx.datasets.samples import Samples
from benchx.metrics.segmentation import score_case
from benchx.tasks.measures import Measure
from benchx.tasks.segmentation.area import Area
from benchx.tasks.segmentation.scores import COUNTS, DISTANCES, LESIONS

_TELLS_APART = 1e-9
"""Far less than one pixel changes a score by."""

Case = tuple[np.ndarray, np.ndarray, Area]
"""Truth, uint8 [K, S, S], log-odds [K, S, S], and where the image is in them."""


def count_table(cases: Iterable[Case], classes: Sequence[str]) -> pd.DataFrame:
    """Return the pixel counts of cases alone: what validation is scored by after every epoch."""
    rows = []
    for truth, odds, where in cases:
        expected, called = where.of(truth).astype(bool), where.of(odds) > 0
        pairs = ((expected, called), (~expected, called), (expected, ~called), (~expected, ~called))
        rows.append(np.stack([(one & other).sum(axis=(1, 2)) for one, other in pairs]))
    values = np.stack(rows) if rows else np.zeros((0, len(COUNTS), len(classes)), np.int64)
    return pd.DataFrame(
        {f"{count}:{name}": values[:, at, k] for k, name in enumerate(classes) for at, count in enumerate(COUNTS)}
    )


def validation_score(cases: Iterable[Case], classes: Sequence[str], measure: Measure) -> float:
    """Return a measure of masks, with a billionth of their soft Dice, which tells equal masks apart.

    A decoder that draws nothing yet has the same masks epoch after epoch, while what it thinks of them changes.
    """
    softly = []

    def watched() -> Iterator[Case]:
        for truth, odds, where in cases:
            chance, expected = expit(where.of(odds).astype(np.float64)), where.of(truth)
            softly.append(2 * (chance * expected).sum() / (chance.sum() + expected.sum()))
            yield truth, odds, where

    masks = measure.of(count_table(watched(), classes))
    return masks + _TELLS_APART * float(np.mean(softly))


def case_table(
    samples: Samples, rows: np.ndarray, fold: int, cases: Iterable[Case], classes: Sequence[str], tolerance: float
) -> pd.DataFrame:
    """Return the prediction table of test cases; see `benchx.tasks.segmentation.scores` for its columns.

    Args:
        rows: int [n], row numbers in `samples`, in the order of `cases`.
        tolerance: of NSD, in pixels of the square.
    """
    found, highest = [], []
    for truth, odds, where in cases:
        seen = where.of(odds)
        found.append(score_case(where.of(truth), seen > 0, where.spacing, tolerance * max(where.spacing)))
        highest.append(seen.max(axis=(1, 2)))
    columns: dict[str, Any] = {
        "sample": samples.table["sample"].to_numpy()[rows].astype(str),
        "cluster": samples.clusters[rows],
        "fold": np.full(len(rows), fold, np.int8),
    }
    for index, name in enumerate(classes):
        for column in (*COUNTS, *LESIONS):
            columns[f"{column}:{name}"] = np.array([getattr(one, column)[index] for one in found], np.int64)
        for column in DISTANCES:
            columns[f"{column}:{name}"] = np.array([getattr(one, column)[index] for one in found], np.float32)
        columns[f"score:{name}"] = np.array([one[index] for one in highest], np.float32)
        columns[f"label:{name}"] = np.array([one.positive[index] for one in found], np.float32)
    return pd.DataFrame(columns)
