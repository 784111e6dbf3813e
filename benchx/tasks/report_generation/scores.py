"""The scores of generated reports from their prediction table, which holds counts and no text.

`bleu_1` to `bleu_4` and `meteor` are those of the whole test set, from summed counts; `rouge_l` and `cider` (with the
test set's own document frequencies) are means over cases. `radgraph_f1` is F1-RadGraph at the level `partial`: entities
with whether they have a relation. `cleaned_` scores are against the references as the decoder was taught them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchx.annotators.chexbert import OBSERVATIONS, chexbert_f1
from benchx.metrics.reports.bleu import BLEU_COLUMNS, ORDERS, bleu_of_sums
from benchx.metrics.reports.meteor import METEOR_COLUMNS, meteor_of_sums
from benchx.tasks.measures import Measure, ratio

_CASE_WISE = {
    "rouge_l": "rouge_l",
    "cider": "cider",
    "radgraph_f1": "radgraph_partial",
    "radgraph_simple": "radgraph_simple",
    "radgraph_complete": "radgraph_complete",
}
_HIGHEST = {"cider": 10.0}


def score(table: pd.DataFrame) -> dict[str, Any]:
    """Score a prediction table.

    Returns:
        A JSON value: every one of `MEASURES` and CheXbert's F1s, None where there is none; and `n`.
    """
    values = {name: measure.of(table) for name, measure in MEASURES.items()}
    scores: dict[str, Any] = {name: None if np.isnan(value) else value for name, value in values.items()}
    return scores | _chexbert(table) | {"n": len(table)}


def fault(table: pd.DataFrame) -> str | None:
    """Return why a table is not one of report generation, in words, or None."""
    names = [str(name) for name in table.columns]
    if lacking := [name for name in ("sample", "cluster", "fold", *BLEU_COLUMNS, "rouge_l") if name not in names]:
        return f"it has no column {lacking[0]}"
    used = [name for name in names if name not in ("sample", "cluster", "fold") and not name.startswith("group:")]
    if not all(pd.api.types.is_numeric_dtype(table[name]) for name in used):
        return "a count or a score is not a number"
    values = table[used].to_numpy(np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        return "a count or a score is NaN, infinite or below 0"
    for name in used:
        plain = name.removeprefix("cleaned_")
        whole = plain in BLEU_COLUMNS or plain in METEOR_COLUMNS or plain.startswith("chexbert_")
        if whole and (table[name].to_numpy(np.float64) % 1).any():
            return f"{name} is no whole number"
        if not whole and (table[name].to_numpy(np.float64) > _HIGHEST.get(plain, 1.0) * (1 + 1e-6)).any():
            return f"{name} is above its highest value"
    for order in ORDERS:
        if (table[f"bleu_match_{order}"] > table[f"bleu_total_{order}"]).any():
            return "more n-grams match than there are"
    if not (table["reference_length"] > 0).all():
        return "a reference has no word"
    return None


def _of_columns(columns: tuple[str, ...], of_sums: Callable[[np.ndarray], np.ndarray]) -> Measure:
    """Return the measure of summed columns; without one of them, no case counts."""

    def terms(table: pd.DataFrame) -> np.ndarray:
        if not set(columns) <= set(table.columns):
            return np.zeros((len(table), len(columns)))
        return table[list(columns)].to_numpy(np.float64)

    def score(sums: np.ndarray) -> np.ndarray:
        sums = np.asarray(sums, np.float64)
        return np.where(sums.any(axis=-1), of_sums(sums), np.nan)

    return Measure(terms, score)


def _mean(column: str) -> Measure:
    """Return the measure that is the mean of a column; without it, no case counts."""

    def terms(table: pd.DataFrame) -> np.ndarray:
        if column not in table.columns:
            return np.zeros((len(table), 2))
        return np.stack([table[column].to_numpy(np.float64), np.ones(len(table))], axis=1)

    return Measure(terms, ratio)


def _bleu(order: int, prefix: str) -> Measure:
    return _of_columns(tuple(prefix + name for name in BLEU_COLUMNS), lambda sums: bleu_of_sums(sums)[..., order - 1])


def _meteor(prefix: str) -> Measure:
    return _of_columns(tuple(prefix + name for name in METEOR_COLUMNS), meteor_of_sums)


MEASURES: dict[str, Measure] = {
    **{f"bleu_{order}": _bleu(order, "") for order in ORDERS},
    "meteor": _meteor(""),
    **{name: _mean(column) for name, column in _CASE_WISE.items()},
    **{f"cleaned_bleu_{order}": _bleu(order, "cleaned_") for order in ORDERS},
    "cleaned_meteor": _meteor("cleaned_"),
    "cleaned_rouge_l": _mean("cleaned_rouge_l"),
}
"""The scores that follow from sums over cases; those of CheXbert are not among them."""


def _chexbert(table: pd.DataFrame) -> dict[str, float | None]:
    sides = [[f"chexbert_{side}:{name}" for name in OBSERVATIONS] for side in ("hypothesis", "reference")]
    if not set(sides[0] + sides[1]) <= set(table.columns) or not len(table):
        return {}
    found = chexbert_f1(*(table[names].to_numpy(np.int64) for names in sides))
    return {f"chexbert_{name}": value for name, value in found.items()}
