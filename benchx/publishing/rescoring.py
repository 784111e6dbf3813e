"""Check predictions: values that can be, and scores that follow from them."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.splits import CV5_FOLDS
from benchx.planning import Cell
from benchx.publishing.columns import Kind, columns_of
from benchx.publishing.tables import MAX_LISTED
from benchx.publishing.verdict import counted, shown
from benchx.tasks.few_shot.scores import SHOTS
from benchx.tasks.scoring import FAULTS, SCORERS
from benchx.tasks.zero_shot.scores import HEAT

TOLERANCE = 1e-12
"""Between a recorded score and the one computed here: sums may be taken in another order on another machine."""


def split_folds(cell: Cell) -> int:
    """Return how many folds the split of a cell has."""
    return CV5_FOLDS if cell.split == "cv5" else 1


def table_problems(table: pd.DataFrame, cell: Cell) -> list[str]:
    """Return which values of a prediction table cannot be: of any task's, then of its own."""
    if table.empty:
        return ["it holds no test case"]
    found = []
    if twice := int(table["sample"].duplicated().sum()):
        found.append(f"{counted(twice, 'test case')} in it twice")
    for name in ("sample", "cluster"):
        if (blank := int((table[name] == "").sum())) > 0:
            found.append(f"column '{name}' is empty on {counted(blank, 'row')}")
    if outside := sorted(set(table["fold"]) - set(range(split_folds(cell)))):
        found.append(f"fold {outside[0]} does not exist in split {cell.split}")
    if (table.groupby("cluster")["fold"].nunique() > 1).any():
        found.append("a cluster stands in two folds")
    columns = columns_of(cell)
    for name, kind in columns.kinds.items():
        if name in table and (why := _column_problem(name, kind, table)):
            found.append(why)
    if not found and set(columns.needed) <= set(table.columns) and (why := FAULTS[cell.task](table)):
        found.append(why)
    return found


def _column_problem(name: str, kind: Kind, table: pd.DataFrame) -> str | None:
    values = table[name].to_numpy()
    if kind == "number" and not np.isfinite(values).all():
        return f"{int((~np.isfinite(values)).sum())} of {len(values)} values of '{name}' are not finite"
    if kind == "value" and np.isinf(values).any():
        return f"{int(np.isinf(values).sum())} of {len(values)} values of '{name}' are infinite"
    if kind == "label" and not (np.isnan(values) | np.isin(values, (0, 1))).all():
        return f"'{name}' holds other values than 0, 1 and unknown"
    if kind == "names":
        known = set(table["sample"])
        lists = [line.split("|") if line else [] for line in values]
        if any(len(line) > MAX_LISTED or len(set(line)) < len(line) or not known.issuperset(line) for line in lists):
            return f"'{name}' lists more than {MAX_LISTED} cases, one twice, or one that is not in the table"
    return None


@dataclass(frozen=True)
class Rescored:
    """What came of computing the scores of a table anew.

    Attributes:
        wrong: differences from the record.
        lacking: scores that this version of benchx computes and the record does not hold, in one line each.
        attested: the names of those that could not be computed, because the bundle does not hold what they need.
    """

    wrong: list[str]
    lacking: list[str]
    attested: tuple[str, ...]


def score_problems(scores: Mapping[str, Any], table: pd.DataFrame, cell: Cell, *, hidden: bool = False) -> Rescored:
    """Compute the scores of a table that holds labels and compare them with the recorded ones.

    Args:
        hidden: whether the table comes without what tells the truth; labels may have been joined since.
    """
    try:
        computed = SCORERS[cell.task](table)
    except ValueError as error:
        return Rescored([f"it cannot be scored: {error}"], [], ())
    columns = columns_of(cell)
    attested = columns.unread | (columns.attested if hidden else frozenset[str]())
    computed = {name: value for name, value in computed.items() if name not in columns.unread}
    lacking = sorted(set(computed) - set(scores))
    kept = {name: value for name, value in computed.items() if name in scores}
    found = _differences(scores, kept, "", attested)
    if cell.primary in lacking:
        found.append(f"the record holds no {cell.primary}")
    told = [f"the record holds no {name}" for name in lacking if name != cell.primary]
    return Rescored(found, told, tuple(sorted((attested & set(scores)) - set(computed))))


_SHOTS = {f"macro_auroc_at_{shots}": f"auroc_at_{shots}" for shots in SHOTS}

_MEANS: Mapping[str, Mapping[str, str]] = {
    "classification": {"macro_auroc": "auroc", "macro_auprc": "auprc"},
    "few_shot": _SHOTS,
    "zero_shot": {
        **{f"macro_{name}": name for name in ("auroc", "auprc", "f1", "accuracy")},
        **{name: name for name in HEAT},
    },
}
"""By task the scores that are means of a score over the classes that have it."""


def attested_problems(scores: Mapping[str, Any], table: pd.DataFrame, cell: Cell) -> list[str]:
    """Return where scores that cannot be computed here contradict themselves or the number of test cases.

    Only tasks that are scored by labels of classes have such (see `benchx.metrics.classification`).
    """
    if cell.task not in _MEANS:
        return []
    try:
        classes: Mapping[str, Any] = scores["per_class"]
        found = [] if set(classes) == set(cell.settings["classes"]) else ["its classes are not those of the cell"]
        if scores["n"] != len(table):
            found.append(f"n is {shown(scores['n'])}, the table has {counted(len(table), 'row')}")
        for mean, metric in _MEANS[cell.task].items():
            optional = metric in HEAT or mean in _SHOTS
            if optional and mean not in scores:
                continue
            some = [one for one in classes.values() if not optional or metric in one]
            known = [one[metric] for one in some if one[metric] is not None]
            if not _equal(scores[mean], sum(known) / len(known) if known else None, 1e-9):
                found.append(f"{mean} is not the mean of the classes")
        for name, one in classes.items():
            if one["positives"] + one["negatives"] > len(table):
                found.append(f"class '{name}' counts more cases than there are")
            lacking = one["positives"] == 0 or one["negatives"] == 0
            unscored = [one.get(metric) is None for metric in _SHOTS.values()]
            if (lacking and not all(unscored)) if cell.task == "few_shot" else (one["auroc"] is None) != lacking:
                found.append(f"class '{name}' has a score without both values, or none with both")
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        return [f"its scores are not those of the task: {type(error).__name__} {error}"]
    return found


def _differences(recorded: Any, computed: Any, path: str, attested: Container[str]) -> list[str]:
    if isinstance(recorded, dict | Mapping) and isinstance(computed, Mapping):
        names = sorted(set(recorded) | set(computed))
        found = []
        for name in names:
            inner = f"{path}.{name}" if path else str(name)
            if name not in computed and name in attested:
                continue
            if name not in computed:
                found.append(f"{inner} is recorded, but does not follow from the predictions")
            elif name not in recorded:
                found.append(f"{inner} follows from the predictions, but is not recorded")
            else:
                found += _differences(recorded[name], computed[name], inner, attested)
        return found
    if _equal(recorded, computed, TOLERANCE):
        return []
    return [f"{path} is recorded as {shown(recorded)}, the predictions give {shown(computed)}"]


def _equal(one: Any, other: Any, tolerance: float) -> bool:
    if all(isinstance(value, float) for value in (one, other)):
        return math.isclose(one, other, rel_tol=0, abs_tol=tolerance)
    return bool(one == other)
