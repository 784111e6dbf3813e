"""What a task hands on: one row per test case, and what was chosen on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.samples import Samples


@dataclass(frozen=True)
class Outcome:
    """The result of a task on one cell.

    Attributes:
        predictions: one row per test case, see the task's `scores`: `sample`, `cluster` and `fold`, the columns that
            suffice for its scores, and those of `benchx.tasks.subgroups.group_columns`.
        scores: of the predictions, JSON-able; `n` is the number of test cases.
        details: JSON-able choices, counts and warnings for the record.
        private: tables that stay in the user's own store, by file name without suffix: generated reports.
        trials: of a search, JSON-able, one each, in the order they were declared.
    """

    predictions: pd.DataFrame
    scores: dict[str, Any]
    details: dict[str, Any]
    private: dict[str, pd.DataFrame] = field(default_factory=dict)
    trials: tuple[dict[str, Any], ...] = ()


def classification_table(
    samples: Samples,
    rows: np.ndarray,
    fold: int,
    scores: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
) -> pd.DataFrame:
    """Build the prediction table of some test cases.

    Args:
        rows: int [n], row numbers in `samples`.
        scores: logits [n, C].
        labels: float [n, C], NaN for unknown.

    Returns:
        Columns `sample`, `cluster`, `fold`, then `score:NAME` (float32) and `label:NAME` per class.
    """
    columns: dict[str, Any] = {
        "sample": samples.table["sample"].to_numpy()[rows].astype(str),
        "cluster": samples.clusters[rows],
        "fold": np.full(len(rows), fold, np.int8),
    }
    for index, name in enumerate(classes):
        columns[f"score:{name}"] = scores[:, index].astype(np.float32)
        columns[f"label:{name}"] = labels[:, index].astype(np.float32)
    return pd.DataFrame(columns)


def scores_and_labels(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return logits [n, C], labels [n, C] (both float64) and class names of a prediction table."""
    classes = tuple(name.removeprefix("score:") for name in table.columns if name.startswith("score:"))
    scores = table[[f"score:{name}" for name in classes]].to_numpy(np.float64)
    labels = table[[f"label:{name}" for name in classes]].to_numpy(np.float64)
    return scores, labels, classes


def fault(table: pd.DataFrame) -> str | None:
    """Return why a table is not one of classification, in words, or None."""
    names = [str(name) for name in table.columns]
    if lacking := [name for name in ("sample", "cluster", "fold") if name not in names]:
        return f"it has no column {lacking[0]}"
    scores, labels = (
        [name.removeprefix(part) for name in names if name.startswith(part)] for part in ("score:", "label:")
    )
    if not scores or sorted(scores) != sorted(labels):
        return "its score and label columns are not of the same classes"
    values = table[[f"score:{name}" for name in scores] + [f"label:{name}" for name in scores]]
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in values.dtypes):
        return "a score or a label is not a number"
    known = table[[f"label:{name}" for name in scores]].to_numpy(np.float64)
    if not np.isin(known[~np.isnan(known)], (0, 1)).all():
        return "a label is neither 0 nor 1"
    if not np.isfinite(values.to_numpy(np.float64)[:, : len(scores)][~np.isnan(known)]).all():
        return "a score is NaN or infinite"
    if not ((known == 1).any(axis=0) & (known == 0).any(axis=0)).any():
        return "no class has both values"
    return None
