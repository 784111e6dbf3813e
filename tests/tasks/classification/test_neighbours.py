"""The nearest-neighbour probe against scikit-learn's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from benchx.datasets.samples import COLUMNS, Samples
from benchx.datasets.splits import make_folds
from benchx.planning import Cell
from benchx.protocols import Neighbours
from benchx.tasks.classification import neighbours
from benchx.tasks.classification import problem as classification
from benchx.tasks.classification.neighbours import nearest, neighbours_fit

CLASSES = ("Mass", "Edema")
GRID = (1, 5, 20)
TEMPERATURE = 0.07


def protocol(grid=GRID, temperature=TEMPERATURE) -> Neighbours:
    return Neighbours.model_validate(
        {
            "kind": "knn",
            "input": {"preprocessing": "card", "size": None},
            "feature_batch": 8,
            "precision": "fp32",
            "neighbours": grid,
            "temperature": temperature,
        }
    )


def made(images: int = 500, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = (rng.random((images, 2)) < [0.4, 0.2]).astype(np.float32)
    features = (rng.standard_normal((images, 10)) + 1).astype(np.float32)
    features[:, :2] += labels * [2.0, 1.0]
    table = pd.DataFrame(
        {
            "sample": [f"i{row:04d}" for row in range(images)],
            "patient": [f"p{row}" for row in range(images)],
            "image": "",
            "official": ["test" if row < images // 4 else "train" for row in range(images)],
        }
    ).reindex(columns=COLUMNS)
    return features, Samples("nih", Path(), table, labels, CLASSES)


def run(features, samples, split="official", asked=None):
    settings = {"classes": list(CLASSES), "protocol": {"kind": "knn"}}
    cell = Cell("s", 1, "m", "nih", "classification", "knn", split, 1.0, None, "macro_auroc", settings)
    problem = classification.pose(cell, samples, make_folds(samples, split))
    fit = neighbours_fit(features, asked or protocol(), "cpu")
    return problem, classification.run(problem, fit, lambda done, total: None)


def reference(features, labels, train, rows, k, temperature=TEMPERATURE):
    """The positives' share of the votes by scikit-learn, [n, C]; its metric is 1 - cosine."""
    shares = []
    for column in labels.T:
        model = KNeighborsClassifier(k, metric="cosine", weights=lambda away: np.exp((1 - away) / temperature))
        model.fit(features[train].astype(np.float64), column[train])
        shares.append(model.predict_proba(features[rows].astype(np.float64))[:, 1])
    return np.stack(shares, axis=1)


def test_votes_are_those_of_scikit_learn_and_k_is_chosen_on_validation(monkeypatch):
    monkeypatch.setattr(neighbours, "_QUERIES", 17)
    monkeypatch.setattr(neighbours, "_CASES", 13)
    features, samples = made()
    problem, outcome = run(features, samples)
    (draw,), (fold,) = problem.draws, outcome.details["folds"]
    curve = [
        np.mean([roc_auc_score(y, s) for y, s in zip(samples.labels[draw.val].T, shares.T, strict=True)])
        for shares in (reference(features, samples.labels, draw.train, draw.val, k) for k in GRID)
    ]
    assert fold["selection_curve"] == pytest.approx(curve, abs=1e-12)
    assert fold["neighbours"] == GRID[int(np.argmax(curve))] == 20
    assert fold["selection"] == "validation"
    shares = reference(features, samples.labels, draw.train, draw.test, fold["neighbours"])
    scores = outcome.predictions[[f"score:{name}" for name in CLASSES]].to_numpy(np.float64)
    np.testing.assert_allclose(expit(scores), shares, atol=1e-6)
    assert fold["trial_scores"][GRID.index(20)] == pytest.approx(outcome.scores["macro_auroc"], abs=1e-6)
    called = (scores > 0) & (shares != 0.5)
    assert (called == (shares > 0.5)).all()
    assert set(fold["thresholds"]) == set(CLASSES)


def test_cosines_are_exact_and_fall_whatever_the_blocks(monkeypatch):
    features, _ = made(200)
    features[3] = 0
    unit = features.astype(np.float64) / np.maximum(np.linalg.norm(features.astype(np.float64), axis=1), 1e-12)[:, None]
    expected = unit[150:] @ unit[:150].T
    for block in (1, 40, 500):
        monkeypatch.setattr(neighbours, "_CASES", block)
        cosines, cases = nearest(features, np.arange(150, 200), np.arange(150), 30, "cpu")
        np.testing.assert_allclose(cosines, -np.sort(-expected, axis=1)[:, :30], atol=1e-12)
        np.testing.assert_allclose(np.take_along_axis(expected, cases, axis=1), cosines, atol=1e-12)
        assert all(len(set(row)) == 30 for row in cases)


def test_unknown_labels_do_not_vote_and_where_nobody_votes_prevalence_speaks():
    features, samples = made()
    (fold,) = make_folds(samples, "official")
    rng = np.random.default_rng(1)
    samples.labels[fold.train[rng.random(len(fold.train)) < 0.7], 0] = np.nan
    problem, outcome = run(features, samples, asked=protocol(grid=(3,)))
    train, test = problem.draws[0].train, problem.draws[0].test
    cosines, cases = nearest(features, test, train, 3, "cpu")
    voting = samples.labels[train][cases][:, :, 0]
    weights = np.exp(cosines / TEMPERATURE)
    positive, negative = ((weights * (voting == value)).sum(axis=1) for value in (1, 0))
    silent = np.isnan(voting).all(axis=1)
    both = (positive > 0) & (negative > 0)
    scores = outcome.predictions["score:Mass"].to_numpy()
    assert silent.sum() > 20
    assert both.any()
    known = samples.labels[train, 0]
    np.testing.assert_allclose(scores[silent], np.log((known == 1).sum() / (known == 0).sum()), atol=1e-6)
    np.testing.assert_allclose(scores[both], np.log(positive[both] / negative[both]), atol=1e-4)
    bound = np.log(3) + 2 / TEMPERATURE
    np.testing.assert_allclose(
        scores[~silent & ~both], np.where(positive > 0, bound, -bound)[~silent & ~both], rtol=1e-6
    )
    assert np.abs(scores[both]).max() < bound


def test_of_equals_the_smallest_and_more_than_there_are_means_all():
    features, samples = made()
    features[:] = 1
    _, outcome = run(features, samples, asked=protocol(grid=(9000, 8000)))
    (fold,) = outcome.details["folds"]
    assert (fold["neighbours"], fold["selection_curve"]) == (8000, [0.5, 0.5])
    assert outcome.predictions["score:Mass"].nunique() == 1


def test_nothing_to_choose_by_takes_the_fewest_and_says_so():
    features, samples = made()
    (fold,) = make_folds(samples, "official")
    samples.labels[fold.val] = 0
    _, outcome = run(features, samples)
    (told,) = outcome.details["folds"]
    assert (told["neighbours"], told["selection_curve"]) == (1, [None] * 3)
    assert told["selection"].startswith("none")


def test_a_small_temperature_leaves_the_nearest_and_every_score_finite():
    features, samples = made()
    problem, outcome = run(features, samples, asked=protocol(grid=(20,), temperature=1e-4))
    scores = outcome.predictions[[f"score:{name}" for name in CLASSES]].to_numpy()
    assert np.isfinite(scores).all()
    shares = reference(features, samples.labels, problem.draws[0].train, problem.draws[0].test, 1)
    assert ((scores > 0) == (shares > 0.5)).mean() > 0.99


def test_cross_validation_chooses_in_every_fold():
    features, samples = made()
    samples.table["official"] = ""
    _, outcome = run(features, samples, split="cv5")
    assert len(outcome.details["folds"]) == 5
    assert all(len(fold["selection_curve"]) == 3 for fold in outcome.details["folds"])
    assert len(outcome.predictions) == 500
