"""Set-level metrics of multi-label classification: AUROC and average precision, per class and macro.

Scores are [N, C] and may be logits or probabilities; labels are [N, C] in {0, 1, NaN}, and a case whose
label is NaN does not count for that class. All arithmetic is float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def auroc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the area under the ROC curve of one class: the weighted Mann-Whitney statistic.

    Args:
        scores: [N], higher means more positive.
        labels: [N] in {0, 1, NaN}.
        weights: [N], non-negative; None means 1 each.

    Returns:
        The probability that a positive outranks a negative, ties counting half (Hanley and McNeil 1982);
        NaN when the valid cases do not hold both values with a positive weight.

    Raises:
        ValueError: shapes differ, a label is another value, or the score of a valid case is NaN.
    """
    return _auroc(*_weight_per_threshold(scores, labels, weights))


def average_precision(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the average precision (AUPRC) of one class: the step sum of precision over recall.

    The definition of `sklearn.metrics.average_precision_score`: no interpolation, cases of equal score
    enter together. Arguments, errors and the NaN of a class with one value only are those of `auroc`.
    """
    return _average_precision(*_weight_per_threshold(scores, labels, weights))


def scorable(labels: np.ndarray) -> np.ndarray:
    """Return bool [C]: which classes of labels [N, C] hold both values."""
    return (labels == 1).any(axis=0) & (labels == 0).any(axis=0)


def macro_auroc(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the mean AUROC over the scorable classes of [N, C], None where there is none.

    Raises:
        ValueError: as `auroc`.
    """
    return _mean([_known(auroc(*one)) for one in zip(*_checked(scores, labels), strict=True)])


def classification_scores(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Score a test set.

    Args:
        scores: [N, C].
        labels: [N, C] in {0, 1, NaN}.
        classes: the C names.

    Returns:
        A JSON value: `macro_auroc` and `macro_auprc` (means over the scorable classes, None without one),
        `per_class` {name: auroc, auprc (None where not scorable), positives, negatives},
        `excluded_classes` {name: reason}, and the number of cases `n`.

    Raises:
        ValueError: as `auroc`, or the names do not match the columns.
    """
    thresholds = [
        _weight_per_threshold(column, truth, None) for column, truth in zip(*_checked(scores, labels), strict=True)
    ]
    aurocs, auprcs = ([_known(metric(*one)) for one in thresholds] for metric in (_auroc, _average_precision))
    positives, negatives = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    per_class, excluded = {}, {}
    for index, name in enumerate(_checked_names(classes, labels.shape[1])):
        counts = {"positives": int(positives[index]), "negatives": int(negatives[index])}
        per_class[name] = {"auroc": aurocs[index], "auprc": auprcs[index], **counts}
        lacking = [f"no {value.removesuffix('s')}" for value, count in counts.items() if count == 0]
        if lacking:
            excluded[name] = f"{' and '.join(lacking)} in test"
    return {
        "macro_auroc": _mean(aurocs),
        "macro_auprc": _mean(auprcs),
        "per_class": per_class,
        "excluded_classes": excluded,
        "n": len(labels),
    }


def _auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the AUROC of weights per distinct score, from high to low."""
    positives, negatives = positive.sum(), negative.sum()
    if positives == 0 or negatives == 0:
        return float("nan")
    above = np.cumsum(positive) - positive
    return float(negative @ (above + positive / 2) / (positives * negatives))


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the average precision of weights per distinct score, from high to low."""
    positives = positive.sum()
    if positives == 0 or negative.sum() == 0:
        return float("nan")
    found = np.cumsum(positive)
    called = found + np.cumsum(negative)
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    return float(positive @ precision / positives)


def _weight_per_threshold(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of positives and of negatives at every distinct score, from high to low."""
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    weights = np.ones_like(scores) if weights is None else np.asarray(weights, np.float64)
    if not scores.shape == labels.shape == weights.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape}, labels {labels.shape} and weights {weights.shape} do not match")
    valid = ~np.isnan(labels)
    if not np.isin(labels[valid], (0, 1)).all():
        raise ValueError("labels must be 0, 1 or NaN")
    scores, labels, weights = scores[valid], labels[valid], weights[valid]
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are NaN")
    if len(scores) == 0:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-scores, kind="stable")
    scores, labels, weights = scores[order], labels[order], weights[order]
    starts = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))
    positive = np.add.reduceat(weights * (labels == 1), starts)
    negative = np.add.reduceat(weights * (labels == 0), starts)
    return positive, negative


def _checked(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and labels class by class, [C, N] each."""
    if scores.shape != labels.shape or scores.ndim != 2:
        raise ValueError(f"scores {scores.shape} and labels {labels.shape} must both be [N, C]")
    return scores.T, labels.T


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _checked_names(classes: Sequence[str], columns: int) -> Sequence[str]:
    if len(classes) != columns or len(set(classes)) != columns:
        raise ValueError(f"{len(classes)} class names for {columns} columns, or a name twice")
    return classes


def f1_at_zero(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the F1 at a score above 0, the mean over the classes that have both values; None where none has.

    A class with neither a positive nor a call has an F1 of 0 (scikit-learn's f1_score, zero_division=0).

    Args:
        scores: logits [N, C].
        labels: [N, C] in {0, 1, NaN}; NaN is left out.
    """
    sums = calls_at_zero(scores, labels).sum(axis=0)
    return float(macro_f1(sums)) if len(sums) else None


def calls_at_zero(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return true positives, false positives and false negatives at a score above 0.

    Returns:
        float64 [N, 3 * C] of 0 and 1, three columns for each class that has both values.
    """
    kept = scorable(labels)
    called, truth = scores[:, kept] > 0, labels[:, kept]
    counts = [called & (truth == 1), called & (truth == 0), ~called & (truth == 1)]
    return np.stack(counts, axis=2).reshape(len(scores), 3 * int(kept.sum())).astype(np.float64)


def macro_f1(sums: np.ndarray) -> np.ndarray:
    """Return the mean F1 of the classes from sums [..., 3 * C] of `calls_at_zero`, NaN where there is no class."""
    true, false, missed = np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 3), -1, 0)
    counted = 2 * true + false + missed
    if not counted.shape[-1]:
        return np.full(counted.shape[:-1], np.nan)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(counted > 0, 2 * true / counted, 0.0).mean(axis=-1))
