"""The scores of question answering from its prediction table: shares of questions that are answered exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchx.tasks.measures import Measure, mean_of, ratio

FLAGS = ("correct", "closed", "answerable", "seen_image", "majority", "majority_by_kind")
"""The columns that hold 0 or 1, see `benchx.tasks.vqa.tables`."""

KIND = "group:question"
"""The column of what a question asks about."""


def _share(column: str, value: int) -> Measure:
    """Return the accuracy of the questions of which a column says 0 or 1."""

    def terms(table: pd.DataFrame) -> np.ndarray:
        counted = (table[column] == value).to_numpy(np.float64)
        return np.stack([counted * table["correct"].to_numpy(np.float64), counted], axis=1)

    return Measure(terms, ratio)


MEASURES: dict[str, Measure] = {
    "accuracy": mean_of("correct"),
    "accuracy_closed": _share("closed", 1),
    "accuracy_open": _share("closed", 0),
    "accuracy_unseen": _share("seen_image", 0),
    "accuracy_answerable": _share("answerable", 1),
    "majority_accuracy": mean_of("majority"),
    "majority_by_kind_accuracy": mean_of("majority_by_kind"),
}
"""Of all questions; of closed and of open ones; of those about images that were not seen in training or validation; of
those whose answer is in the vocabulary; and what guessing the most frequent training answer would give, of all or of
the same kind."""


def score(table: pd.DataFrame) -> dict[str, Any]:
    """Score a prediction table.

    Returns:
        A JSON value: every one of `MEASURES`, None where there is no such question; `per_kind`, accuracy and `n` by
        what is asked about; and `n`, the number of questions.
    """
    values = {name: measure.of(table) for name, measure in MEASURES.items()}
    scores: dict[str, Any] = {name: None if np.isnan(value) else value for name, value in values.items()}
    return scores | {"per_kind": _per_kind(table), "n": len(table)}


def fault(table: pd.DataFrame) -> str | None:
    """Return why a table is not one of question answering, in words, or None."""
    names = [str(name) for name in table.columns]
    if lacking := [name for name in ("sample", "cluster", "fold", *FLAGS) if name not in names]:
        return f"it has no column {lacking[0]}"
    if not all(pd.api.types.is_numeric_dtype(table[name]) for name in FLAGS):
        return "a flag is not a number"
    if not np.isin(table[list(FLAGS)].to_numpy(np.float64), (0, 1)).all():
        return "a flag is neither 0 nor 1"
    if (table["correct"] > table["answerable"]).any():
        return "an answer outside of the vocabulary is given"
    if table.empty:
        return "it has no question"
    return None


def _per_kind(table: pd.DataFrame) -> dict[str, dict[str, float | int]]:
    if KIND not in table:
        return {}
    grouped = table.groupby(table[KIND].astype(str).where(table[KIND].notna()))["correct"]
    return {str(kind): {"accuracy": float(right.mean()), "n": len(right)} for kind, right in grouped}
