"""The scores of retrieval from its predictions, and which of them follow from sums over cases.

A table holds the queries of both ways: `i2t`, images that look for their report, and `t2i`, reports that look for
their images (their sample begins with `text:`). Of each way, WAY, and NaN in the rows of the other: `WAY_rank` of the
best right item, from 1; `WAY_reciprocal_rank`; `WAY_recall_at_K`; `WAY_ndcg`; and where classes are known
`WAY_class_hit_at_K` and `WAY_class_precision_at_K`, NaN for a query without a match. See
`benchx.metrics.retrieval.scores`. `top` names the first items of each query, best first, separated by `|`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchx.metrics.retrieval import DEPTHS
from benchx.tasks.measures import Measure, mean_of

WAYS = ("i2t", "t2i")
PAIRS = ("reciprocal_rank", *(f"recall_at_{depth}" for depth in DEPTHS), "ndcg")
MATCHES = tuple(f"class_{what}_at_{depth}" for what in ("hit", "precision") for depth in DEPTHS)

_COLUMNS = {
    f"{way}_{'mrr' if name == 'reciprocal_rank' else name}": f"{way}_{name}"
    for way in WAYS
    for name in (*PAIRS, *MATCHES)
}

MEASURES: dict[str, Measure] = {score: mean_of(column) for score, column in _COLUMNS.items()}
"""Means over the queries of one way."""


def score(table: pd.DataFrame) -> dict[str, Any]:
    """Score a prediction table.

    Returns:
        A JSON value, by way: the means of `MEASURES` whose column is there (None where no query has a value),
        `WAY_median_rank`, `WAY_queries`; and `n`, the number of rows.
    """
    scores: dict[str, Any] = {"n": len(table)}
    for way in WAYS:
        ranks = table[f"{way}_rank"].dropna().to_numpy(np.float64)
        scores |= {f"{way}_median_rank": float(np.median(ranks)) if len(ranks) else None, f"{way}_queries": len(ranks)}
    for name, column in _COLUMNS.items():
        if column in table:
            mean = MEASURES[name].of(table)
            scores[name] = None if np.isnan(mean) else mean
    return scores


def fault(table: pd.DataFrame) -> str | None:
    """Return why a table is not one of retrieval, in words, or None."""
    columns = [f"{way}_{name}" for way in WAYS for name in ("rank", *PAIRS)]
    if lacking := [name for name in ("sample", "cluster", "fold", *columns) if name not in table]:
        return f"it has no column {lacking[0]}"
    columns += [column for column in _COLUMNS.values() if column in table and column not in columns]
    if not all(pd.api.types.is_numeric_dtype(table[name]) for name in columns):
        return "a rank or a score is not a number"
    reports = table["sample"].astype(str).str.startswith("text:").to_numpy()
    for way, mine in zip(WAYS, (~reports, reports), strict=True):
        rank = table[f"{way}_rank"].to_numpy(np.float64)
        if not np.array_equal(np.isnan(rank), ~mine):
            return f"its {way} ranks are not those of {'images' if way == 'i2t' else 'reports'}"
        if not (rank[mine] >= 1).all() or not (rank[mine] == np.round(rank[mine])).all():
            return "a rank is no whole number from 1 on"
        if why := _contradiction(table, way, rank, mine):
            return why
    return None


def _contradiction(table: pd.DataFrame, way: str, rank: np.ndarray, mine: np.ndarray) -> str | None:
    """Return which column of a way does not agree with its ranks, in words, or None."""
    expected = {f"recall_at_{depth}": (rank <= depth).astype(np.float64) for depth in DEPTHS}
    for name, wanted in (expected | {"reciprocal_rank": 1 / rank}).items():
        if not np.allclose(table[f"{way}_{name}"].to_numpy(np.float64)[mine], wanted[mine], rtol=1e-6, atol=0):
            return f"{way}_{name} does not follow from the ranks"
    for name in ("ndcg", *(name for name in MATCHES if f"{way}_{name}" in table)):
        values = table[f"{way}_{name}"].to_numpy(np.float64)
        if not np.isnan(values[~mine]).all():
            return f"{way}_{name} has a value in a row of the other way"
        known = values[mine & ~np.isnan(values)]
        if ((known < 0) | (known > 1)).any() or (name == "ndcg" and len(known) < mine.sum()):
            return f"{way}_{name} is not between 0 and 1"
    return None
