"""Thresholds at a fixed specificity against scikit-learn's ROC curve, with ties; and the rates of calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import recall_score, roc_curve

from benchx.metrics.operating_points import MIN_NEGATIVES, Rates, rates, threshold_at_specificity

NAN = float("nan")


@pytest.mark.parametrize("target", [0.5, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("levels", [2, 7, 10**9])
@pytest.mark.parametrize("n", [30, 200, 1999])
def test_the_point_is_the_best_one_of_scikit_learns_curve(n: int, levels: int, target: float) -> None:
    rng = np.random.default_rng(n + levels)
    labels = (np.arange(n) % 3 == 0).astype(float)
    scores = rng.integers(0, levels, n) / 7 + labels * levels / 20
    threshold = threshold_at_specificity(scores[labels == 0], target)
    found = rates((scores > threshold).astype(float), labels)
    false_positive_rate, sensitivity, _ = roc_curve(labels, scores, drop_intermediate=False)
    allowed = false_positive_rate <= 1 - target + 1e-12
    assert found.sensitivity == pytest.approx(sensitivity[allowed].max(), abs=1e-12)
    assert found.specificity >= target


@given(st.lists(st.integers(-4, 4), min_size=MIN_NEGATIVES, max_size=60), st.sampled_from([0.1, 0.7, 0.9, 0.95, 1]))
def test_no_smaller_score_would_do(negatives: list[int], target: float) -> None:
    scores = np.array(negatives, float)
    threshold = threshold_at_specificity(scores, target)
    assert (scores <= threshold).mean() >= target
    for smaller in np.unique(scores[scores < threshold]):
        assert (scores <= smaller).mean() < target


def test_worked_example_by_hand() -> None:
    assert threshold_at_specificity(np.arange(10.0), 0.9) == 8  # one of ten is above
    assert threshold_at_specificity(np.arange(10.0), 0.95) == 9
    assert threshold_at_specificity(np.array([0.0] * 8 + [5, 5]), 0.9) == 5  # tied: both stay uncalled
    assert threshold_at_specificity(np.zeros(50), 0.9) == 0  # a constant calls nothing positive
    for n in range(10, 1001, 10):
        assert threshold_at_specificity(np.arange(float(n)), 0.9) == n * 9 // 10 - 1


def test_too_few_negatives_give_no_threshold() -> None:
    assert threshold_at_specificity(np.zeros(0), 0.9) is None
    assert threshold_at_specificity(np.arange(float(MIN_NEGATIVES - 1)), 0.9) is None


def test_rates_equal_scikit_learn_and_leave_out_what_is_unknown() -> None:
    rng = np.random.default_rng(0)
    called, labels = (rng.random(500) < 0.4).astype(float), (rng.random(500) < 0.2).astype(float)
    found = rates(called, labels)
    assert found.sensitivity == pytest.approx(recall_score(labels, called), abs=1e-15)
    assert found.specificity == pytest.approx(recall_score(labels, called, pos_label=0), abs=1e-15)
    assert (found.positives, found.negatives) == (labels.sum(), 500 - labels.sum())
    called[:50], labels[40:90] = NAN, NAN
    assert rates(called, labels) == rates(called[90:], labels[90:])
    assert rates(np.array([1.0, NAN]), np.array([1.0, 0])) == Rates(1.0, None, 1, 0)
    assert rates(np.array([1.0, 0]), np.array([0.0, 0])) == Rates(None, 0.5, 0, 2)


def test_bad_input_is_refused() -> None:
    for wrong in (NAN, np.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            threshold_at_specificity(np.array([wrong] * 20), 0.9)
    for target in (0, 1.5, 90, NAN):
        with pytest.raises(ValueError, match="a specificity lies above 0"):
            threshold_at_specificity(np.arange(20.0), target)
    with pytest.raises(ValueError, match="do not match"):
        rates(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        rates(np.array([0.3]), np.zeros(1))
