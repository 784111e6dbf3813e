"""AUROC, average precision and F1 against scikit-learn, and the rules for classes that cannot be scored."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from benchx.metrics.classification import (
    auroc,
    average_precision,
    calls_at_zero,
    classification_scores,
    f1_at_zero,
    macro_auroc,
    macro_f1,
    scorable,
)

NAN = float("nan")


def draw(seed: int, n: int, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores on a few levels (many ties), labels with both values, positive weights."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, n) / 7 - 3
    labels = (rng.random(n) < 0.3).astype(float)
    labels[:2] = 0, 1
    return scores, labels, rng.random(n) + 0.1


@pytest.mark.parametrize("levels", [1, 2, 5, 10**9])
@pytest.mark.parametrize("n", [2, 3, 50, 2000])
def test_equals_scikit_learn_with_ties_and_weights(n: int, levels: int) -> None:
    scores, labels, weights = draw(n + levels, n, levels)
    for ours, theirs in ((auroc, roc_auc_score), (average_precision, average_precision_score)):
        assert ours(scores, labels) == pytest.approx(theirs(labels, scores), abs=1e-12)
        weighted = theirs(labels, scores, sample_weight=weights)
        assert ours(scores, labels, weights) == pytest.approx(weighted, abs=1e-12)


def test_integer_weights_are_repeated_cases() -> None:
    scores, labels, _ = draw(1, 60, 6)
    times = np.random.default_rng(2).integers(0, 4, 60)
    repeated = np.repeat(np.arange(60), times)
    assert auroc(scores, labels, times) == pytest.approx(auroc(scores[repeated], labels[repeated]), abs=1e-12)
    assert average_precision(scores, labels, times) == pytest.approx(
        average_precision(scores[repeated], labels[repeated]), abs=1e-12
    )


def test_worked_example_by_hand() -> None:
    # positives at 3 and 1; negatives at 2 and 1: pairs won 1, 1, 0 and one tie
    scores, labels = np.array([3.0, 1, 2, 1]), np.array([1.0, 1, 0, 0])
    assert auroc(scores, labels) == (1 + 1 + 0 + 0.5) / 4
    assert average_precision(scores, labels) == 0.5 * 1 + 0.5 * 2 / 4


def test_infinite_and_nearly_equal_scores_are_ranked_exactly() -> None:
    scores = np.array([-np.inf, np.inf, 1.0, np.nextafter(1.0, 2), np.inf])
    labels = np.array([0.0, 1, 0, 1, 0])
    assert auroc(scores, labels) == (2.5 + 2) / 6


def test_cases_without_a_label_are_left_out() -> None:
    scores, labels, weights = draw(3, 300, 9)
    hidden = np.random.default_rng(4).random(300) < 0.4
    masked = np.where(hidden, NAN, labels)
    spoiled = np.where(hidden, NAN, scores)  # a score that does not count may be anything
    assert auroc(spoiled, masked, weights) == auroc(scores[~hidden], labels[~hidden], weights[~hidden])


@pytest.mark.parametrize("labels", [[], [1.0, 1], [0.0, 0], [NAN, NAN], [1, NAN]])
def test_one_value_only_is_nan(labels: list[float]) -> None:
    scores = np.arange(len(labels), dtype=float)
    assert np.isnan(auroc(scores, np.array(labels)))
    assert np.isnan(average_precision(scores, np.array(labels)))


def test_a_class_whose_positives_weigh_nothing_is_nan() -> None:
    assert np.isnan(auroc(np.array([1.0, 2]), np.array([1.0, 0]), np.array([0.0, 1])))


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        auroc(np.array([NAN, 1]), np.array([0.0, 1]))
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        auroc(np.zeros(2), np.array([-1.0, 1]))
    with pytest.raises(ValueError, match="do not match"):
        auroc(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="class names"):
        classification_scores(np.zeros((2, 2)), np.zeros((2, 2)), ["Mass", "Mass"])


def test_scores_of_a_test_set_name_what_cannot_be_scored() -> None:
    scores = np.array([[2.0, 1, 1, 1], [1, 2, 2, 1], [0, 3, 3, 1]])
    labels = np.array([[1.0, 0, 1, NAN], [NAN, 0, 1, NAN], [0, 0, 1, NAN]])
    found = classification_scores(scores, labels, ["Mass", "Hernia", "Pneumonia", "Edema"])
    assert found["macro_auroc"] == found["macro_auprc"] == 1.0
    assert found["n"] == 3
    assert found["per_class"]["Mass"] == {"auroc": 1.0, "auprc": 1.0, "positives": 1, "negatives": 1}
    assert found["per_class"]["Hernia"] == {"auroc": None, "auprc": None, "positives": 0, "negatives": 3}
    assert found["excluded_classes"] == {
        "Hernia": "no positive in test",
        "Pneumonia": "no negative in test",
        "Edema": "no positive and no negative in test",
    }
    assert scorable(labels).tolist() == [True, False, False, False]
    json.dumps(found, allow_nan=False)


def test_macro_is_the_mean_over_scorable_classes() -> None:
    rng = np.random.default_rng(5)
    scores, labels = rng.normal(size=(80, 4)), (rng.random((80, 4)) < 0.4).astype(float)
    labels[:, 3] = 0
    expected = np.mean([roc_auc_score(labels[:, c], scores[:, c]) for c in range(3)])
    assert macro_auroc(scores, labels) == pytest.approx(expected, abs=1e-12)
    assert macro_auroc(scores[:, 3:], labels[:, 3:]) is None
    nothing = classification_scores(np.zeros((0, 1)), np.zeros((0, 1)), ["Mass"])
    assert (nothing["macro_auroc"], nothing["n"]) == (None, 0)


def draw_calls(seed: int, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, many of them exactly 0, and labels of which some are missing."""
    rng = np.random.default_rng(seed)
    logits = rng.integers(-2, 3, (n, classes)).astype(np.float32) / 2
    labels = (rng.random((n, classes)) < 0.4).astype(np.float32)
    labels[rng.random((n, classes)) < 0.2] = NAN
    return logits, labels


@pytest.mark.parametrize("seed", range(20))
def test_f1_at_zero_equals_scikit_learn(seed: int) -> None:
    logits, labels = draw_calls(seed, int(np.random.default_rng(seed).integers(4, 60)), 1 + seed % 4)
    logits[:, 0] -= seed % 2 * 9.0  # of odd seeds the first class is never called
    expected = []
    for column, truth in zip(logits.T, labels.T, strict=True):
        known = ~np.isnan(truth)
        if len(np.unique(truth[known])) == 2:
            expected.append(f1_score(truth[known], column[known] > 0, zero_division=0))
    assert expected
    assert f1_at_zero(logits, labels) == pytest.approx(np.mean(expected), abs=1e-12)


def test_f1_at_zero_is_that_of_the_larger_of_two_outputs() -> None:
    outputs = np.random.default_rng(0).integers(-2, 3, (200, 2)).astype(float)
    labels = (np.random.default_rng(1).random(200) < 0.3).astype(float)
    found = f1_at_zero(outputs[:, 1:] - outputs[:, :1], labels[:, None])
    assert found == pytest.approx(f1_score(labels, outputs.argmax(axis=1)), abs=1e-12)


@pytest.mark.parametrize("labels", [[], [1.0, 1], [0.0, 0], [NAN, NAN], [1, NAN]])
def test_f1_of_a_class_with_one_value_is_none(labels: list[float]) -> None:
    logits = np.ones((len(labels), 1))
    assert f1_at_zero(logits, np.array(labels).reshape(-1, 1)) is None


def test_f1_by_hand() -> None:
    labels = np.array([[1.0, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert f1_at_zero(np.array([[2.0, -1, 5], [0, -1, 5], [1, -np.inf, 5]]), labels) == (0.5 + 0) / 2
    assert f1_at_zero(np.array([[np.inf, 1, 5], [1, -1, 5], [-1, -1, 5]]), labels) == 1.0


def test_f1_of_a_resample_follows_from_sums_over_its_cases() -> None:
    logits, labels = draw_calls(3, 80, 3)
    columns = calls_at_zero(logits, labels)
    chosen = np.random.default_rng(4).integers(0, 80, (10, 80))
    found = macro_f1(columns[chosen].sum(axis=1))
    expected = [f1_at_zero(logits[rows], labels[rows]) for rows in chosen]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(macro_f1(np.zeros((5, 0)))).all()
