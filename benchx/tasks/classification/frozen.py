"""The frozen protocol for classification: a logistic head whose strength is chosen on validation."""

from __future__ import annotations

import numpy as np

from benchx.digests import fraction_of_hash
from benchx.metrics.classification import macro_auroc, scorable
from benchx.protocols import Frozen
from benchx.tasks.classification.problem import Draw, Fit, Fitted, Held, Problem
from benchx.training.logistic import fit, predict

Curve = list[float | None]
"""Validation macro AUROC per strength; None where no class could be scored."""


def frozen_fit(features: np.ndarray, protocol: Frozen, device: str) -> Fit:
    """Return the protocol's fit on a feature matrix, float32 [N, D], of the whole dataset.

    The strength with the best macro AUROC is taken, of equals the strongest. It is chosen on the
    validation cases; where these are too few (see `Frozen`) or none (`cv5` trains on all four other folds),
    by cross-validation inside train; where that cannot be scored either, the
    strongest is taken. Held out are the cases it was chosen on: in the second way predicted by heads of the
    chosen strength that the other inner folds taught.

    The record keeps the test score of every strength (`trial_scores`), so that a board can say what a smaller search
    would have given; nothing is chosen by it.
    """

    def fit_draw(problem: Problem, draw: Draw) -> Fitted:
        train, val = draw.train, draw.val
        path = fit(features[train], problem.labels[train], protocol.strengths, device=device)
        counted = _countable(problem.labels[val], problem.labels[train], protocol)
        if counted.any():
            how, rows = "validation", val
            seen, truth = features[val], problem.labels[val][:, counted]
            logits = np.stack([predict(path, index, seen) for index in range(len(path.weights))])
            curve = [macro_auroc(one[:, counted], truth) for one in logits]
        else:
            how = "cross-validation inside train"
            rows, logits, curve = _inside_train(features, problem, draw.number, train, protocol, device)
        if all(value is None for value in curve):
            how = "none: too few cases to compare strengths, the strongest is taken"
        best = _best(curve, protocol.strengths)
        tested = [predict(path, index, features[draw.test]) for index in range(len(path.weights))]
        chosen = {
            "strength": protocol.strengths[best],
            "selection": how,
            "selection_curve": curve,
            "trial_scores": [macro_auroc(one, problem.labels[draw.test]) for one in tested],
            "converged": bool(path.converged[best].all()),
        }
        held = Held(rows, logits[best]) if len(rows) else None
        return Fitted(tested[best], held, chosen)

    return fit_draw


def _countable(val: np.ndarray, train: np.ndarray, protocol: Frozen) -> np.ndarray:
    """Which classes the choice on validation counts, bool [C]; none when they are fewer than half."""
    need = protocol.min_validation_positives
    trainable = scorable(train)
    enough = trainable & ((val == 1).sum(axis=0) >= need) & ((val == 0).sum(axis=0) >= need)
    return enough if 2 * enough.sum() >= trainable.sum() else np.zeros_like(enough)


def _inside_train(
    features: np.ndarray, problem: Problem, fold: int, train: np.ndarray, protocol: Frozen, device: str
) -> tuple[np.ndarray, np.ndarray, Curve]:
    """Predict every training case out of fold at every strength, the units dealt in the order of a hash.

    Returns:
        The cases' rows [n], empty where the units are too few; their logits [L, n, C], NaN where the other
        inner folds could not teach the class (the curve takes the constants of their heads); and the curve.
    """
    clusters = problem.samples.clusters[train]
    units = sorted(set(clusters), key=lambda unit: fraction_of_hash("inner", problem.cell.dataset, fold, unit))
    if len(units) < protocol.inner_folds:
        return train[:0], np.zeros((len(protocol.strengths), 0, len(problem.classes))), [None] * len(protocol.strengths)
    place = {unit: position % protocol.inner_folds for position, unit in enumerate(units)}
    number = np.array([place[unit] for unit in clusters])
    labels = problem.labels[train]
    scores = np.zeros((len(protocol.strengths), *labels.shape))
    taught = np.zeros(labels.shape, bool)
    for inner in range(protocol.inner_folds):
        held = number == inner
        taught[held] = scorable(labels[~held])
        path = fit(features[train[~held]], labels[~held], protocol.strengths, device=device)
        for index in range(len(protocol.strengths)):
            scores[index][held] = predict(path, index, features[train[held]])
    curve = [macro_auroc(one, labels) for one in scores]
    return train, np.where(taught, scores, np.nan), curve


def _best(curve: Curve, strengths: tuple[float, ...]) -> int:
    """The index of the best score; of equals (or where nothing could be scored) the strongest."""
    ranked = [(-1.0 if value is None else value, strength) for value, strength in zip(curve, strengths, strict=True)]
    return max(range(len(ranked)), key=lambda index: ranked[index])
