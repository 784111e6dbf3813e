"""The batched few-shot solve against scikit-learn, head by head."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchx.training.few_shot_solver import fit_few, solve_in_span
from benchx.training.scaling import scaling

STRENGTHS = (1e-3, 0.1, 1.0, 10.0)


def draw(cases: int = 400, width: int = 60, separable: bool = False, seed: int = 0):
    """Skewed, correlated float32 features of very different sizes, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(cases, 8))
    raw = np.maximum(hidden @ rng.normal(size=(8, width)) + rng.normal(size=(cases, width)), 0)
    labels = (hidden[:, 0] + (0 if separable else 2) * rng.normal(size=cases) > 0).astype(float)
    raw[:, 0] += 50 * separable * labels
    return (raw * np.exp(2 * rng.normal(size=width)) + 3).astype(np.float32), labels


def some_heads(labels: np.ndarray, heads: int, shots: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    sides = [np.stack([rng.permutation(np.flatnonzero(labels == v))[:shots] for _ in range(heads)]) for v in (1, 0)]
    rows = np.concatenate(sides, axis=1)
    return rows, labels[rows]


def reference(features: np.ndarray, rows: np.ndarray, targets: np.ndarray, strength: float) -> np.ndarray:
    """scikit-learn's decision scores of all cases for one head, by Newton steps to the last digits."""
    x = StandardScaler().fit(features.astype(np.float64)).transform(features.astype(np.float64))
    model = LogisticRegression(C=1 / (strength * len(rows)), solver="newton-cholesky", tol=1e-13, max_iter=1000)
    return model.fit(x[rows], targets).decision_function(x)


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize(
    ("shots", "width", "separable"), [(1, 60, False), (4, 60, True), (16, 10, False), (16, 60, False)]
)
def test_equals_scikit_learn(strength, shots, width, separable):
    features, labels = draw(width=width, separable=separable)
    rows, targets = some_heads(labels, 6, shots)
    heads = fit_few(features, rows, targets, scaling(features, np.arange(len(features))), strength)
    assert heads.converged.all()
    scores = heads.logits(features)
    for head in range(len(rows)):
        expected = reference(features, rows[head], targets[head], strength)
        np.testing.assert_allclose(scores[:, head], expected, atol=1e-5, rtol=1e-6)


def test_a_constant_feature_and_a_repeated_case_change_nothing():
    features, labels = draw()
    features[:, 5] = 7.1
    features[1], labels[1] = features[0], labels[0]
    rows, targets = some_heads(labels, 3, 8)
    rows[:, 0] = rows[:, 1]
    targets = labels[rows]
    heads = fit_few(features, rows, targets, scaling(features, np.arange(len(features))), 0.01)
    assert heads.converged.all()
    assert (heads.weights[:, 5] == 0).all()
    for head in range(3):
        expected = reference(features, rows[head], targets[head], 0.01)
        np.testing.assert_allclose(heads.logits(features)[:, head], expected, atol=1e-5)


def test_heads_do_not_depend_on_their_batch():
    features, labels = draw(width=2000)
    rows, targets = some_heads(labels, 300, 16)
    by = scaling(features, np.arange(len(features)))
    whole = fit_few(features, rows, targets, by, 0.1)
    for head in (0, 131, 132, 299):
        alone = fit_few(features, rows[[head]], targets[[head]], by, 0.1)
        np.testing.assert_allclose(alone.weights[0], whole.weights[head], atol=1e-9 * np.abs(whole.weights).max())


def test_nearly_unpenalised_separable_heads_converge():
    """A full Newton step overshoots here: the loss is flat far from its minimum."""
    x = torch.tensor([[[-1e3, 1.0], [1e3, 1.0], [1.0, -1e3], [-2.0, 1e3]]], dtype=torch.float64)
    y = torch.tensor([[0.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    solved = solve_in_span(x @ x.mT, y, 1e-9)
    assert solved.converged.all()
    weights = (solved.dual[:, None] @ x)[0, 0]
    margin = (2 * y[0] - 1) * (x[0] @ weights + solved.intercepts[0])
    assert (margin > 0).all()
    gradient = 1e-9 * weights - ((2 * y[0] - 1) * torch.sigmoid(-margin) / 4) @ x[0]
    assert gradient.norm() < 1e-9


def test_scaling_is_that_of_scikit_learn():
    features, _ = draw()
    features[:, 3] = 0.1
    rows = np.arange(5, 300)
    by, theirs = scaling(features, rows), StandardScaler().fit(features[rows].astype(np.float64))
    np.testing.assert_allclose(by.mean, theirs.mean_, rtol=1e-12)
    np.testing.assert_allclose(by.scale, theirs.scale_, rtol=1e-9)
    assert by.scale[3] == 1


def test_what_cannot_be_solved_is_refused():
    features, labels = draw(20, 3)
    rows, targets = some_heads(labels, 2, 2)
    by = scaling(features, np.arange(20))
    with pytest.raises(ValueError, match="strength must be positive"):
        fit_few(features, rows, targets, by, 0.0)
    with pytest.raises(ValueError, match="targets 0 and 1"):
        fit_few(features, rows, np.ones_like(targets), by, 1.0)
    with pytest.raises(ValueError, match="targets 0 and 1"):
        fit_few(features, rows, np.where(targets == 0, 0.5, targets), by, 1.0)
    with pytest.raises(ValueError, match="must both be"):
        fit_few(features, rows, targets[:1], by, 1.0)
    with pytest.raises(ValueError, match="no case"):
        scaling(features, rows[0][:0])
    with pytest.raises(ValueError, match="NaN or infinite"):
        scaling(np.where(features > 3, np.nan, features), np.arange(20))
