"""The batched logistic solve against scikit-learn, class by class and strength by strength."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchx.training.logistic import LogisticPath, fit, predict, untrainable

STRENGTHS = (1e-3, 1e-2, 0.1, 1.0, 10.0)
NAN = float("nan")


def draw(n: int, d: int, c: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Skewed, correlated float32 features of very different sizes, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 6))
    raw = np.maximum(hidden @ rng.normal(size=(6, d)) + rng.normal(size=(n, d)), 0) + 3
    logits = hidden @ rng.normal(size=(6, c)) + rng.logistic(size=(n, c))
    labels = (logits > np.linspace(0, 3, c)).astype(float)
    return (raw * np.exp(2 * rng.normal(size=d))).astype(np.float32), labels


def reference(features: np.ndarray, labels: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """scikit-learn's coefficients and intercept of one class, by Newton steps to the last digits."""
    valid = ~np.isnan(labels)
    x = StandardScaler().fit(features.astype(np.float64)).transform(features.astype(np.float64))
    model = LogisticRegression(C=1 / (strength * valid.sum()), solver="newton-cholesky", tol=1e-12, max_iter=1000)
    model.fit(x[valid], labels[valid])
    return model.coef_[0], model.intercept_[0]


def assert_equals_reference(path: LogisticPath, features: np.ndarray, labels: np.ndarray) -> None:
    assert path.converged.all()
    x = StandardScaler().fit(features.astype(np.float64)).transform(features.astype(np.float64))
    for index, strength in enumerate(STRENGTHS):
        scores = predict(path, index, features)
        for column in range(labels.shape[1]):
            weights, intercept = reference(features, labels[:, column], strength)
            np.testing.assert_allclose(path.weights[index, column], weights, atol=1e-5)
            np.testing.assert_allclose(path.intercepts[index, column], intercept, atol=1e-4)
            np.testing.assert_allclose(scores[:, column], x @ weights + intercept, atol=1e-5)


@pytest.mark.parametrize(("n", "d"), [(300, 20), (40, 90), (60, 60), (2, 5), (61, 60)])
def test_equals_scikit_learn(n: int, d: int) -> None:
    features, labels = draw(n, d, 4)
    labels[0], labels[1] = 0, 1
    assert_equals_reference(fit(features, labels, STRENGTHS, tolerance=1e-10), features, labels)


def test_a_case_without_a_label_is_no_case_of_that_class() -> None:
    features, labels = draw(200, 15, 3)
    labels[np.random.default_rng(1).random(labels.shape) < 0.4] = NAN
    assert_equals_reference(fit(features, labels, STRENGTHS, tolerance=1e-10), features, labels)


def test_separable_classes_and_single_positives() -> None:
    features, labels = draw(120, 10, 3)
    labels[:, 0] = features[:, 0] > np.median(features[:, 0])
    labels[:, 1] = np.arange(120) == 7
    assert_equals_reference(fit(features, labels, STRENGTHS, tolerance=1e-10), features, labels)


def test_constant_and_duplicate_columns_and_duplicate_cases() -> None:
    features, labels = draw(80, 12, 3)
    features[:, 3] = 0.1  # whose rounded mean is not 0.1
    features[:, 4] = features[:, 5]
    features, labels = np.repeat(features, 3, axis=0), np.repeat(labels, 3, axis=0)
    path = fit(features, labels, STRENGTHS, tolerance=1e-10)
    assert_equals_reference(path, features, labels)
    assert path.scale[3] == 1
    assert np.abs(path.weights[:, :, 3]).max() < 1e-12
    np.testing.assert_allclose(path.weights[:, :, 4], path.weights[:, :, 5], atol=1e-10)


def test_weak_strengths_reach_the_minimum() -> None:
    features, labels = draw(400, 50, 3)
    x = StandardScaler().fit(features.astype(np.float64)).transform(features.astype(np.float64))
    path = fit(features, labels, (1e-6, 1e-5))
    for index, strength in enumerate((1e-6, 1e-5)):
        miss = 1 / (1 + np.exp(-predict(path, index, features))) - labels
        gradient = miss.T @ x / len(x) + strength * path.weights[index]
        assert np.abs(gradient).max() <= 1e-6
        assert np.abs(miss.mean(axis=0)).max() <= 1e-6


def test_a_class_that_train_cannot_teach_is_constant() -> None:
    features, labels = draw(50, 8, 2)
    dull = np.column_stack([np.zeros(50), np.ones(50), np.full(50, NAN), np.where(np.arange(50) < 10, 0, NAN)])
    labels = np.column_stack([labels[:, 0], dull])
    assert untrainable(labels).tolist() == [False, True, True, True, True]
    path = fit(features, labels, STRENGTHS)
    assert (path.weights[:, 1:] == 0).all()
    expected = [np.log(0.01 / 0.99), np.log(0.99 / 0.01), 0, np.log(0.05 / 0.95)]
    np.testing.assert_allclose(path.intercepts[:, 1:], np.tile(expected, (len(STRENGTHS), 1)))
    alone = fit(features, labels[:, :1], STRENGTHS)
    np.testing.assert_allclose(path.weights[:, :1], alone.weights, atol=1e-7)


def test_nothing_to_train_still_gives_a_path() -> None:
    path = fit(np.ones((3, 2), np.float32), np.zeros((3, 1)), (1.0,))
    assert predict(path, 0, np.zeros((5, 2))).shape == (5, 1)


def test_constant_features_leave_the_prevalence() -> None:
    path = fit(np.ones((4, 3)), np.array([[1.0], [0], [0], [0]]), (0.1,))
    np.testing.assert_allclose(predict(path, 0, np.ones((1, 3))), np.log(1 / 3))


def test_repeats_bit_for_bit() -> None:
    features, labels = draw(150, 30, 4)
    first, again = fit(features, labels, STRENGTHS), fit(features.copy(), labels, STRENGTHS)
    assert all(np.array_equal(one, two) for one, two in zip(astuple(first), astuple(again), strict=True))


def test_running_out_of_iterations_is_marked() -> None:
    features, labels = draw(150, 30, 2)
    path = fit(features, labels, (1e-6, 100.0), max_iterations=8)
    assert not path.converged[0].any()
    assert path.converged[1].all()


def test_predict_reads_a_memory_map_in_pieces(tmp_path: Path) -> None:
    features, labels = draw(9000, 4, 2)
    np.save(tmp_path / "features.npy", features)
    path = fit(features[:200], labels[:200], STRENGTHS)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    expected = (features - path.mean) / path.scale @ path.weights[2].T + path.intercepts[2]
    np.testing.assert_allclose(predict(path, 2, mapped), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("features", "labels", "strengths", "words"),
    [
        (np.zeros((0, 3)), np.zeros((0, 1)), (1.0,), "must be"),
        (np.zeros((4, 3)), np.zeros((5, 1)), (1.0,), "must be"),
        (np.zeros((4, 3)), np.zeros((4, 1)), (0.0,), "positive"),
        (np.zeros((4, 3)), np.full((4, 1), -1.0), (1.0,), "0, 1 or NaN"),
        (np.full((4, 3), NAN), np.zeros((4, 1)), (1.0,), "NaN or infinite"),
        (np.full((4, 3), np.inf), np.zeros((4, 1)), (1.0,), "NaN or infinite"),
    ],
)
def test_bad_input_is_refused(
    features: np.ndarray, labels: np.ndarray, strengths: tuple[float, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        fit(features, labels, strengths)
