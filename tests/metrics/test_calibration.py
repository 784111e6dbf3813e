"""Brier score, calibration error and Wilson's interval against scikit-learn and statsmodels; the rule for ties."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from statsmodels.stats.proportion import proportion_confint

from benchx.metrics.calibration import (
    MIN_CASES,
    brier_score,
    calibration_scores,
    expected_calibration_error,
    reliability,
)

NAN = float("nan")


def draw(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too extreme, and labels drawn from milder ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=n)
    return expit(2 * logits), (rng.random(n) < expit(logits)).astype(float)


@pytest.mark.parametrize("n", [1, 2, 40, 3000])
def test_brier_score_equals_scikit_learn(n: int) -> None:
    probabilities, labels = draw(n)
    assert brier_score(probabilities, labels) == pytest.approx(
        brier_score_loss(labels, probabilities, pos_label=1), abs=1e-12
    )
    constant = np.full(n, 0.3)
    assert brier_score(constant, labels) == pytest.approx(brier_score_loss(labels, constant, pos_label=1), abs=1e-12)


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_bins_and_error_equal_scikit_learn_and_a_loop_where_nothing_is_tied(bins: int) -> None:
    probabilities, labels = draw(1500)
    points = reliability(probabilities, labels, bins)
    observed, predicted = calibration_curve(labels, probabilities, n_bins=bins, strategy="quantile")
    assert [point.observed for point in points] == pytest.approx(observed, abs=1e-12)
    assert [point.probability for point in points] == pytest.approx(predicted, abs=1e-12)
    expected = 0.0
    for part in np.array_split(np.argsort(probabilities), bins):
        expected += len(part) / 1500 * abs(probabilities[part].mean() - labels[part].mean())
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected, abs=1e-12)
    assert expected > 0.02


def test_intervals_equal_statsmodels_at_the_ends_too() -> None:
    probabilities = np.repeat([0.1, 0.5, 0.9], 30)
    labels = np.concatenate([np.zeros(30), np.arange(30) % 3 == 0, np.ones(30)]).astype(float)
    for level in (0.9, 0.95):
        for point, positives in zip(reliability(probabilities, labels, 3, level), (0, 10, 30), strict=True):
            low, high = proportion_confint(positives, 30, alpha=1 - level, method="wilson")
            assert (point.low, point.high) == pytest.approx((low, high), abs=1e-12)
            assert (point.observed, point.cases) == (positives / 30, 30)


def test_calibrated_probabilities_have_no_distance_in_the_limit() -> None:
    probabilities = np.repeat(np.arange(1, 20) / 20, 200)
    labels = np.concatenate([np.arange(200) < 10 * step for step in range(1, 20)]).astype(float)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=200), st.integers(1, 20))
def test_equal_probabilities_are_never_separated_and_go_where_the_middle_one_falls(
    levels: list[int], bins: int
) -> None:
    probabilities = np.array(levels) / 6
    labels = (np.arange(len(levels)) % 2).astype(float)
    points = reliability(probabilities, labels, bins)
    used = max(1, min(bins, len(levels) // MIN_CASES))
    ordered, members = np.sort(probabilities), {}
    for value in np.unique(probabilities):
        places = np.flatnonzero(ordered == value)
        members.setdefault(int(used * (places[0] + places[-1]) / 2 // len(levels)), []).extend(ordered[places])
    assert [point.cases for point in points] == [len(values) for values in members.values()]
    assert [point.probability for point in points] == pytest.approx([np.mean(values) for values in members.values()])


def test_a_constant_prediction_is_one_bin() -> None:
    labels = (np.arange(300) < 60).astype(float)
    (point,) = reliability(np.full(300, 0.5), labels)
    assert (point.probability, point.observed, point.cases) == (0.5, 0.2, 300)
    assert expected_calibration_error(np.full(300, 0.5), labels) == pytest.approx(0.3, abs=1e-12)


@pytest.mark.parametrize(("cases", "bins"), [(9, 1), (19, 1), (20, 2), (149, 14), (150, 15), (10**4, 15)])
def test_few_cases_make_few_bins(cases: int, bins: int) -> None:
    assert len(reliability(*draw(cases))) == bins


def test_unknown_labels_do_not_count_and_nothing_is_nan() -> None:
    probabilities, labels = draw(400)
    masked = np.where(np.arange(400) < 100, NAN, labels)
    spoiled = np.where(np.arange(400) < 100, NAN, probabilities)
    assert brier_score(spoiled, masked) == brier_score(probabilities[100:], labels[100:])
    assert reliability(spoiled, masked) == reliability(probabilities[100:], labels[100:])
    for empty in (np.zeros(0), np.full(3, NAN)):
        assert np.isnan(brier_score(empty, empty))
        assert np.isnan(expected_calibration_error(empty, empty))
        assert reliability(empty, empty) == ()


def test_bad_input_is_refused() -> None:
    for wrong in (NAN, -0.1, 1.1, np.inf):
        with pytest.raises(ValueError, match="1 of 2 probabilities"):
            brier_score(np.array([wrong, 0.5]), np.array([0.0, 1]))
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        reliability(np.zeros(2), np.array([0.0, 2]))
    with pytest.raises(ValueError, match="do not match"):
        brier_score(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="C = 1"):
        calibration_scores(np.zeros((2, 2)), np.zeros((2, 2)), ["Mass"])


def test_a_test_set_is_scored_class_by_class_where_both_values_are_there() -> None:
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(600, 4)), (rng.random((600, 4)) < 0.3).astype(float)
    logits[:5, 0] = 1000, -1000, 800, -800, 0
    labels[:, 2], labels[:, 3] = 1, NAN
    names = ["Mass", "Edema", "Hernia", "Nodule"]
    found = calibration_scores(logits, labels, names)
    for index in (0, 1):
        probabilities = expit(logits[:, index])
        assert found["per_class"][names[index]] == {
            "brier": pytest.approx(brier_score_loss(labels[:, index], probabilities), abs=1e-12),
            "ece": expected_calibration_error(probabilities, labels[:, index]),
            "bins": 15,
        }
    assert found["per_class"]["Hernia"] == found["per_class"]["Nodule"] == {"brier": None, "ece": None, "bins": None}
    for name in ("brier", "ece"):
        assert found[name] == pytest.approx(np.mean([found["per_class"][one][name] for one in names[:2]]), abs=1e-15)
    nothing = calibration_scores(logits[:, 2:], labels[:, 2:], names[2:])
    assert (nothing["brier"], nothing["ece"]) == (None, None)
    json.dumps([found, nothing], allow_nan=False)
