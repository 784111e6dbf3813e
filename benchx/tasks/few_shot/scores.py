"""The scores of few-shot classification from its predictions; all of them follow from sums over cases.

A table holds per class `label:NAME`, and per number of shots K and class `placement:K:NAME` (float32): where the heads
of all draws place the case among its fold's test cases of the other value, see `benchx.metrics.placements`. It is NaN
where the label is, and for a class that is left out at K shots.

A score is the mean over draws of the AUROC. Its interval is over test cases: the mean over 100 draws leaves a tenth of
the draws' standard deviation (`details.shots`) to the choice of training cases. In `cv5` cases are ranked within their
fold, whose heads they have in common, and folds are averaged by their positives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchx.metrics.placements import aurocs_of_sums, placement_terms
from benchx.metrics.zero_shot import known_or_none, macro
from benchx.tasks.measures import Measure

SHOTS = (1, 2, 4, 8, 16)
"""Numbers of shots that have a score."""

_ROUNDING = 1e-6


def score(table: pd.DataFrame) -> dict[str, Any]:
    """Score a prediction table.

    Returns:
        A JSON value: per number of shots that the table has `macro_auroc_at_K`, the mean over the classes that have
        one (None without); `per_class` {name: `auroc_at_K` (None where left out), positives, negatives};
        `excluded_classes` {name: reason}, those without any score; and the number of cases `n`.
        Of a table without placements only what follows from labels.
    """
    classes, labels = labels_of(table)
    positives, negatives = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    per_class: dict[str, dict[str, Any]] = {
        name: {"positives": int(positives[place]), "negatives": int(negatives[place])}
        for place, name in enumerate(classes)
    }
    scores: dict[str, Any] = {}
    for shots in shots_of(table):
        found = aurocs_of_sums(terms(table, shots).sum(axis=0))
        scores[f"macro_auroc_at_{shots}"] = known_or_none(macro(found))
        for name, value in zip(classes, found, strict=True):
            per_class[name][f"auroc_at_{shots}"] = known_or_none(value)
    if not shots_of(table):
        return {"per_class": per_class, "n": len(table)}
    excluded = {
        name: "too few to train" if one["positives"] and one["negatives"] else "no positive or no negative in test"
        for name, one in per_class.items()
        if all(one[f"auroc_at_{shots}"] is None for shots in shots_of(table))
    }
    return scores | {"per_class": per_class, "excluded_classes": excluded, "n": len(table)}


def fault(table: pd.DataFrame) -> str | None:
    """Return why a table is not one of few-shot classification, in words, or None."""
    if lacking := [name for name in ("sample", "cluster", "fold") if name not in table]:
        return f"it has no column {lacking[0]}"
    classes, shots = [name for name in map(str, table.columns) if name.startswith("label:")], shots_of(table)
    if not classes or not shots:
        return "it has no label, or no placement"
    columns = [f"placement:{count}:{name.removeprefix('label:')}" for count in shots for name in classes]
    placements = [name for name in map(str, table.columns) if name.startswith("placement:")]
    if sorted(columns) != sorted(placements):
        return "its placement and label columns are not of the same classes"
    if not all(pd.api.types.is_numeric_dtype(table[name]) for name in (*classes, *columns)):
        return "a placement or a label is not a number"
    _, labels = labels_of(table)
    if not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
        return "a label is neither 0 nor 1"
    found = [_impossible(table, count, labels) for count in shots]
    if why := next((one for one in found if one), None):
        return why
    if all(np.isnan(_placements(table, count)).all() for count in shots):
        return "no class has a placement"
    return None


def labels_of(table: pd.DataFrame) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the classes of a table and their labels, float64 [N, C]."""
    classes = tuple(str(name).removeprefix("label:") for name in table.columns if str(name).startswith("label:"))
    return classes, table[[f"label:{name}" for name in classes]].to_numpy(np.float64)


def shots_of(table: pd.DataFrame) -> tuple[int, ...]:
    """Return the numbers of shots that a table has placements of, rising."""
    names = [str(name) for name in table.columns]
    return tuple(count for count in SHOTS if any(name.startswith(f"placement:{count}:") for name in names))


def terms(table: pd.DataFrame, shots: int) -> np.ndarray:
    """Return what is summed over cases for the AUROCs at some shots, float64 [N, 4 C]."""
    return placement_terms(_placements(table, shots), labels_of(table)[1], table["fold"].to_numpy())


def _placements(table: pd.DataFrame, shots: int) -> np.ndarray:
    classes, _ = labels_of(table)
    return table.reindex(columns=[f"placement:{shots}:{name}" for name in classes]).to_numpy(np.float64)


def _impossible(table: pd.DataFrame, shots: int, labels: np.ndarray) -> str | None:
    """Return which placements cannot be, in words, or None."""
    values = _placements(table, shots)
    known = ~np.isnan(values)
    if np.isinf(values).any() or (known & np.isnan(labels)).any():
        return f"a placement at {shots} shots is infinite, or of a case without a label"
    low, high = np.where(labels == 1, 0, -1), 1
    if ((values < low - _ROUNDING) | (values > high + _ROUNDING))[known].any():
        return f"a placement at {shots} shots is outside its range"
    for fold in np.unique(table["fold"]):
        rows = (table["fold"] == fold).to_numpy()
        negatives = known[rows] & (labels[rows] == 0)
        counts = negatives.sum(axis=0)
        if (np.abs(np.where(negatives, values[rows], 0).sum(axis=0)) > _ROUNDING * np.maximum(counts, 1)).any():
            return f"placements of negatives at {shots} shots do not sum to 0"
    return None


def _measure(shots: int) -> Measure:
    return Measure(lambda table: terms(table, shots), lambda sums: macro(aurocs_of_sums(sums)))


MEASURES = {f"macro_auroc_at_{shots}": _measure(shots) for shots in SHOTS}
