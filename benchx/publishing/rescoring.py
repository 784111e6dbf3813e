"""Check predictions: values that can be, and scores that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.splits import CV5_FOLDS
from benchx.planning import Cell
from benchx.publishing.verdict import counted, shown
from benchx.tasks.scoring import SCORERS

TOLERANCE = 1e-12
"""Between a recorded score and the one computed here: sums may be taken in another order on another machine."""


def split_folds(cell: Cell) -> int:
    """Return how many folds the split of a cell has."""
    return CV5_FOLDS if cell.split == "cv5" else 1


def table_problems(table: pd.DataFrame, cell: Cell) -> list[str]:
    """Return which values of a prediction table cannot be."""
    found = []
    if table.empty:
        return ["it holds no test case"]
    if twice := int(table["sample"].duplicated().sum()):
        found.append(f"{counted(twice, 'test case')} in it twice")
    for name in ("sample", "cluster"):
        if (blank := int((table[name] == "").sum())) > 0:
            found.append(f"column '{name}' is empty on {counted(blank, 'row')}")
    if outside := sorted(set(table["fold"]) - set(range(split_folds(cell)))):
        found.append(f"fold {outside[0]} does not exist in split {cell.split}")
    if (table.groupby("cluster")["fold"].nunique() > 1).any():
        found.append("a cluster stands in two folds")
    for name in table.columns:
        values = table[name].to_numpy()
        if name.startswith("score:") and not np.isfinite(values).all():
            found.append(f"{int((~np.isfinite(values)).sum())} of {len(values)} values of '{name}' are not finite")
        if name.startswith("label:") and not (np.isnan(values) | np.isin(values, (0, 1))).all():
            found.append(f"'{name}' holds other values than 0, 1 and unknown")
    return found


def score_problems(scores: Mapping[str, Any], table: pd.DataFrame, cell: Cell) -> tuple[list[str], list[str]]:
    """Compute the scores of a table that holds labels and compare them with the recorded ones.

    Returns:
        Differences, and scores that this version of benchx computes and the record does not hold.
    """
    try:
        computed = SCORERS[cell.task](table)
    except ValueError as error:
        return [f"it cannot be scored: {error}"], []
    lacking = sorted(set(computed) - set(scores))
    found = _differences(scores, {name: value for name, value in computed.items() if name in scores}, "")
    if cell.primary in lacking:
        found.append(f"the record holds no {cell.primary}")
    return found, [f"the record holds no {name}" for name in lacking if name != cell.primary]


def attested_problems(scores: Mapping[str, Any], table: pd.DataFrame, cell: Cell) -> list[str]:
    """Return where scores that cannot be computed here contradict themselves or the number of test cases.

    The macro scores are means over the classes that have one (see `benchx.metrics.classification`).
    """
    if cell.task not in SCORERS:
        return []
    try:
        classes: Mapping[str, Any] = scores["per_class"]
        found = [] if set(classes) == set(cell.settings["classes"]) else ["its classes are not those of the cell"]
        if scores["n"] != len(table):
            found.append(f"n is {shown(scores['n'])}, the table has {counted(len(table), 'row')}")
        for metric in ("auroc", "auprc"):
            known = [one[metric] for one in classes.values() if one[metric] is not None]
            if not _equal(scores[f"macro_{metric}"], sum(known) / len(known) if known else None, 1e-9):
                found.append(f"macro_{metric} is not the mean of the classes")
        for name, one in classes.items():
            if one["positives"] + one["negatives"] > len(table):
                found.append(f"class '{name}' counts more cases than there are")
            if (one["auroc"] is None) != (one["positives"] == 0 or one["negatives"] == 0):
                found.append(f"class '{name}' has a score without both values, or none with both")
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        return [f"its scores are not those of the task: {type(error).__name__} {error}"]
    return found


def _differences(recorded: Any, computed: Any, path: str) -> list[str]:
    if isinstance(recorded, dict | Mapping) and isinstance(computed, Mapping):
        names = sorted(set(recorded) | set(computed))
        found = []
        for name in names:
            inner = f"{path}.{name}" if path else str(name)
            if name not in computed:
                found.append(f"{inner} is recorded, but does not follow from the predictions")
            elif name not in recorded:
                found.append(f"{inner} follows from the predictions, but is not recorded")
            else:
                found += _differences(recorded[name], computed[name], inner)
        return found
    if _equal(recorded, computed, TOLERANCE):
        return []
    return [f"{path} is recorded as {shown(recorded)}, the predictions give {shown(computed)}"]


def _equal(one: Any, other: Any, tolerance: float) -> bool:
    if all(isinstance(value, float) for value in (one, other)):
        return math.isclose(one, other, rel_tol=0, abs_tol=tolerance)
    return bool(one == other)
