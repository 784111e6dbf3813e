"""Sensitivity at a fixed specificity: thresholds from held-out cases, kept per fold, applied to the test cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from benchx.metrics.operating_points import rates, threshold_at_specificity
from benchx.tasks.predictions import scores_and_labels

TARGETS = (0.9, 0.95)
"""Specificities; their names in records are `0.9` and `0.95`."""


def held_out_thresholds(
    logits: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Return the threshold of every class and target specificity.

    Args:
        logits: [n, C] of cases that did not teach the model, NaN where none was predicted.
        labels: [n, C] in {0, 1, NaN}.
        classes: the C names.

    Returns:
        {class: {target: threshold}}, None where there are too few negatives, see
        `benchx.metrics.operating_points.threshold_at_specificity`.
    """
    # In the precision of the prediction table, so that a test case equal to a held-out one stays equal to it.
    stored = logits.astype(np.float32)
    usable = (labels == 0) & ~np.isnan(stored)
    return {
        name: {f"{target:g}": threshold_at_specificity(stored[usable[:, index], index], target) for target in TARGETS}
        for index, name in enumerate(classes)
    }


def calls(predictions: pd.DataFrame, details: Mapping[str, Any], target: float) -> np.ndarray:
    """Return which test cases are called positive at a target specificity, each by its own fold's threshold.

    Args:
        predictions: a classification table.
        details: of the same record.
        target: one of `TARGETS`.

    Returns:
        float64 [N, C]: 1 = logit above the threshold, 0 = not, NaN = the fold has no threshold for the class.
    """
    scores, _, classes = scores_and_labels(predictions)
    fold_of_case = predictions["fold"].to_numpy()
    called = np.full(scores.shape, np.nan)
    for fold in details["folds"]:
        rows = fold_of_case == fold["fold"]
        for index, name in enumerate(classes):
            threshold = fold.get("thresholds", {}).get(name, {}).get(f"{target:g}")
            if threshold is not None:
                called[rows, index] = scores[rows, index] > threshold
    return called


def operating_points(predictions: pd.DataFrame, details: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what the stored thresholds come to on the test cases, folds pooled.

    The specificity on the test cases differs from the target by the noise of both sets, and by their difference:
    look at it before comparing sensitivities. Records made before thresholds were kept give counts of 0.

    Args:
        predictions: a classification table.
        details: of the same record.

    Returns:
        {class: {target: {sensitivity, specificity (None without a case), positives, negatives}}}; cases of folds
        without a threshold do not count.
    """
    _, labels, classes = scores_and_labels(predictions)
    called = {f"{target:g}": calls(predictions, details, target) for target in TARGETS}
    return {
        name: {target: asdict(rates(made[:, index], labels[:, index])) for target, made in called.items()}
        for index, name in enumerate(classes)
    }
