"""The frozen protocol for classification: a logistic head whose strength is chosen on validation."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchx.digests import fraction_of_hash
from benchx.metrics.classification import macro_auroc, scorable
from benchx.protocols import Frozen
from benchx.tasks.classification import Draw, Fit, Problem
from benchx.training.logistic import LogisticPath, fit, predict

Curve = list[float | None]
"""Validation macro AUROC per strength; None where no class could be scored."""


def frozen_fit(features: np.ndarray, protocol: Frozen, device: str) -> Fit:
    """Return the protocol's fit on a feature matrix, float32 [N, D], of the whole dataset.

    The strength with the best macro AUROC is taken, of equals the strongest. It is chosen on the
    validation cases; where these are too few (see `Frozen`) or none (`cv5` trains on all four other folds),
    by cross-validation inside train; where that cannot be scored either, the
    strongest is taken.
    """

    def fit_draw(problem: Problem, draw: Draw) -> tuple[np.ndarray, dict[str, Any]]:
        train, val = draw.train, draw.val
        path = fit(features[train], problem.labels[train], protocol.strengths, device=device)
        counted = _countable(problem.labels[val], problem.labels[train], protocol)
        if counted.any():
            how, curve = "validation", _on_validation(path, features[val], problem.labels[val], counted)
        else:
            how = "cross-validation inside train"
            curve = _inside_train(features, problem, draw.number, train, protocol, device)
        if all(value is None for value in curve):
            how = "none: too few cases to compare strengths, the strongest is taken"
        best = _best(curve, protocol.strengths)
        chosen = {
            "strength": protocol.strengths[best],
            "selection": how,
            "selection_curve": curve,
            "converged": bool(path.converged[best].all()),
        }
        return predict(path, best, features[draw.test]), chosen

    return fit_draw


def _countable(val: np.ndarray, train: np.ndarray, protocol: Frozen) -> np.ndarray:
    """Which classes the choice on validation counts, bool [C]; none when they are fewer than half."""
    need = protocol.min_validation_positives
    trainable = scorable(train)
    enough = trainable & ((val == 1).sum(axis=0) >= need) & ((val == 0).sum(axis=0) >= need)
    return enough if 2 * enough.sum() >= trainable.sum() else np.zeros_like(enough)


def _on_validation(path: LogisticPath, features: np.ndarray, labels: np.ndarray, counted: np.ndarray) -> Curve:
    strengths = range(len(path.weights))
    return [macro_auroc(predict(path, index, features)[:, counted], labels[:, counted]) for index in strengths]


def _inside_train(
    features: np.ndarray, problem: Problem, fold: int, train: np.ndarray, protocol: Frozen, device: str
) -> Curve:
    """Score every strength out of fold, the units dealt in the order of a hash."""
    clusters = problem.samples.clusters[train]
    units = sorted(set(clusters), key=lambda unit: fraction_of_hash("inner", problem.cell.dataset, fold, unit))
    if len(units) < protocol.inner_folds:
        return [None] * len(protocol.strengths)
    place = {unit: position % protocol.inner_folds for position, unit in enumerate(units)}
    number = np.array([place[unit] for unit in clusters])
    labels = problem.labels[train]
    scores = np.zeros((len(protocol.strengths), *labels.shape))
    for inner in range(protocol.inner_folds):
        held = number == inner
        path = fit(features[train[~held]], labels[~held], protocol.strengths, device=device)
        for index in range(len(protocol.strengths)):
            scores[index][held] = predict(path, index, features[train[held]])
    return [macro_auroc(one, labels) for one in scores]


def _best(curve: Curve, strengths: tuple[float, ...]) -> int:
    """The index of the best score; of equals (or where nothing could be scored) the strongest."""
    ranked = [(-1.0 if value is None else value, strength) for value, strength in zip(curve, strengths, strict=True)]
    return max(range(len(ranked)), key=lambda index: ranked[index])
