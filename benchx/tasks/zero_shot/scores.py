"""The scores of a zero-shot classification from its predictions, and which of them follow from sums over cases.

A table is that of classification with `call:NAME` (float32): 1 = called at the threshold that was chosen on validation
cases, 0 = not, NaN = there was none. Where heat maps were compared with outlines it has, for the classes that have
both and NaN where an image has no outline of the class: `pointing:NAME`, `pointing_cell:NAME`, `heat_ap:NAME`,
`heat_cnr:NAME`, and of IoU and Dice `heat_iou:NAME` and `heat_dice:NAME` (the mean over nine thresholds) and
`heat_iou_chosen:NAME` and `heat_dice_chosen:NAME` (at the one chosen on validation, by IoU). Tables of earlier versions
lack some of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchx.metrics.zero_shot import call_accuracy, call_f1, call_outcomes, known_or_none, macro, zero_shot_scores
from benchx.tasks import predictions
from benchx.tasks.measures import Measure, ratio

HEAT = {
    "pointing_game": "pointing",
    "pointing_game_cell": "pointing_cell",
    "heat_ap": "heat_ap",
    "heat_iou": "heat_iou",
    "heat_iou_chosen": "heat_iou_chosen",
    "heat_dice": "heat_dice",
    "heat_dice_chosen": "heat_dice_chosen",
    "heat_cnr": "heat_cnr",
}
"""Scores of heat maps and the columns they are means of, see `benchx.metrics.grounding`."""


def score(table: pd.DataFrame) -> dict[str, Any]:
    """Score a prediction table.

    Returns:
        What `benchx.metrics.zero_shot.zero_shot_scores` returns, folds pooled. With heat maps also, per class, the
        means of `HEAT` over the images with an outline of it and their number `outlined`, and the means over these
        classes.
    """
    scores, labels, classes = predictions.scores_and_labels(table)
    result = zero_shot_scores(scores, labels, classes, _calls(table))
    for metric, column in HEAT.items():
        for name in _classes(table, column):
            values = table[f"{column}:{name}"].to_numpy(np.float64)
            result["per_class"][name][metric] = known_or_none(ratio(_known(values).sum(axis=0)))
            if metric == "pointing_game":
                result["per_class"][name]["outlined"] = int((~np.isnan(values)).sum())
        if _classes(table, column):
            result[metric] = known_or_none(MEASURES[metric].of(table))
    return result


def fault(table: pd.DataFrame) -> str | None:
    """Return why a table is not one of zero-shot classification, in words, or None."""
    if why := predictions.fault(table):
        return why
    _, _, classes = predictions.scores_and_labels(table)
    if set(_classes(table, "call")) != set(classes):
        return "its score and call columns are not of the same classes"
    if not all(pd.api.types.is_numeric_dtype(table[f"call:{name}"]) for name in classes):
        return "a call is not a number"
    called = _calls(table)
    if not np.isin(called[~np.isnan(called)], (0, 1)).all():
        return "a call is neither 0 nor 1"
    for column in HEAT.values():
        if not set(_classes(table, column)) <= set(classes):
            return f"its {column} columns are of classes that it does not score"
        if not all(pd.api.types.is_numeric_dtype(table[f"{column}:{name}"]) for name in _classes(table, column)):
            return f"a value of {column} is not a number"
    return None


def _classes(table: pd.DataFrame, column: str) -> list[str]:
    return [str(name).removeprefix(f"{column}:") for name in table.columns if str(name).startswith(f"{column}:")]


def _calls(table: pd.DataFrame) -> np.ndarray:
    _, _, classes = predictions.scores_and_labels(table)
    return table[[f"call:{name}" for name in classes]].to_numpy(np.float64)


def _outcomes(table: pd.DataFrame) -> np.ndarray:
    _, labels, _ = predictions.scores_and_labels(table)
    return call_outcomes(_calls(table), labels).reshape(len(table), -1)


def _over_classes(of_class: Callable[[np.ndarray], np.ndarray], terms: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the mean over classes of a score that follows from so many sums of each."""
    return lambda sums: macro(of_class(sums.reshape(*sums.shape[:-1], sums.shape[-1] // terms, terms)))


def _known(values: np.ndarray) -> np.ndarray:
    """Return a value, 0 where it is NaN, and whether it is known: [N] -> [N, 2]."""
    return np.stack([np.nan_to_num(values), ~np.isnan(values)], axis=-1)


def _heat(column: str) -> Measure:
    def terms(table: pd.DataFrame) -> np.ndarray:
        values = table[[f"{column}:{name}" for name in _classes(table, column)]].to_numpy(np.float64)
        return _known(values).reshape(len(table), -1)

    return Measure(terms, _over_classes(ratio, 2))


MEASURES = {
    "macro_f1": Measure(_outcomes, _over_classes(call_f1, 4)),
    "macro_accuracy": Measure(_outcomes, _over_classes(call_accuracy, 4)),
    **{metric: _heat(column) for metric, column in HEAT.items()},
}
