"""Zero-shot scores against plain loops and torch, and thresholds and what they give against scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_curve, roc_auc_score
from torch.nn.functional import cosine_similarity

from benchx.metrics.zero_shot import (
    best_f1_threshold,
    call_accuracy,
    call_f1,
    call_outcomes,
    calls,
    class_embedding,
    common_scores,
    macro,
    over_prompts,
    presence_probability,
    spread,
    standardised,
    thresholds,
    top_1,
    unit,
    zero_shot_scores,
)

NAN = float("nan")
CLASSES = ("a", "b", "c")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_common_scores_are_differences_of_cosines(rng):
    images = rng.standard_normal((7, 5))
    positive, negative = [rng.standard_normal((k, 5)) for k in (1, 3, 2)], [rng.standard_normal((4, 5)), None, None]
    found = common_scores(images, positive, negative)

    def cosine(row: int, prompts: np.ndarray) -> float:
        vectors = torch.nn.functional.normalize(torch.from_numpy(prompts), dim=1)
        return float(cosine_similarity(torch.from_numpy(images[row]), vectors.mean(0), dim=0))

    for row in range(7):
        assert found[row, 0] == pytest.approx(cosine(row, positive[0]) - cosine(row, negative[0]), abs=1e-12)
        for column in (1, 2):
            assert found[row, column] == pytest.approx(cosine(row, positive[column]), abs=1e-12)
    longer = [3 * one for one in positive]
    assert common_scores(images * 100, longer, negative) == pytest.approx(found, abs=1e-12)


def test_biovil_means_prompts_before_it_normalises(rng):
    prompts = rng.standard_normal((3, 4)) * [[1], [10], [100]]
    mean = prompts.mean(0)
    assert class_embedding(prompts, normalised=False) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-12)
    assert np.abs(class_embedding(prompts) - class_embedding(prompts, normalised=False)).max() > 0.1


def test_over_prompts_takes_the_best_or_the_mean(rng):
    similarities = rng.standard_normal((6, 5)).astype(np.float32)
    columns = [[0], [1, 2, 4], [3, 3]]
    best, mean = over_prompts(similarities, columns, "max"), over_prompts(similarities, columns, "mean")
    for row in range(6):
        values = [float(one) for one in similarities[row]]
        assert best[row].tolist() == [values[0], max(values[1], values[2], values[4]), values[3]]
        assert mean[row] == pytest.approx([values[0], sum(values[i] for i in (1, 2, 4)) / 3, values[3]], abs=1e-12)
    with pytest.raises(ValueError, match="has no prompt"):
        over_prompts(similarities, [[0], []], "max")


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_presence_probability_is_a_softmax_of_two(rng, scale):
    positive, negative = rng.uniform(-1, 1, (2, 9, 3))
    expected = (scale * torch.from_numpy(np.stack([positive, negative]))).softmax(0)[0]
    assert presence_probability(positive, negative, scale) == pytest.approx(expected.numpy(), abs=1e-12)


def test_chexzeros_probabilities_stay_near_one_half():
    limits = presence_probability(np.array([[1.0, -1.0]]), np.array([[-1.0, 1.0]]))
    assert limits[0] == pytest.approx([0.8808, 0.1192], abs=1e-4)


def test_standardised_by_other_images_and_by_themselves(rng):
    validation, test = rng.normal(3, 2, (50, 3)), rng.normal(3, 2, (20, 3))
    validation[:, 2] = test[:, 2] = 4.0
    by = spread(validation)
    one_by_one = [[(x - m) / (s or 1) for x, m, s in zip(row, by.mean, by.deviation, strict=True)] for row in test]
    assert standardised(test, by) == pytest.approx(np.array(one_by_one), abs=1e-12)
    transductive = standardised(test, spread(test))
    assert transductive.mean(0) == pytest.approx(np.zeros(3), abs=1e-12)
    assert transductive.std(0) == pytest.approx([1, 1, 0], abs=1e-12)
    with pytest.raises(ValueError, match="N >= 1"):
        spread(np.zeros((0, 3)))


def test_embeddings_without_a_direction_are_refused(rng):
    for wrong in (np.zeros((1, 4)), np.full((2, 4), NAN), np.full((1, 4), np.inf)):
        with pytest.raises(ValueError, match="zero or not finite"):
            unit(wrong)
    with pytest.raises(ValueError, match="zero or not finite"):
        class_embedding(np.array([[1.0, 0], [-1, 0]]))
    with pytest.raises(ValueError, match="k >= 1"):
        class_embedding(np.zeros((0, 4)))


def best_by_trying(scores: np.ndarray, labels: np.ndarray) -> float:
    """The highest F1 that any set of calls above some threshold has, by scikit-learn."""
    cuts = [-np.inf, *np.unique(scores)]
    return max(f1_score(labels, scores > cut, zero_division=0) for cut in cuts)


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([0.0, 1.0, NAN])), min_size=1, max_size=25),
)
def test_no_other_threshold_has_a_higher_f1(cases):
    scores, labels = (np.array(one, float) for one in zip(*cases, strict=True))
    threshold = best_f1_threshold(scores, labels)
    valid = ~np.isnan(labels)
    if len(set(labels[valid])) < 2:
        assert threshold is None
        return
    scores, labels = scores[valid], labels[valid]
    reached = f1_score(labels, scores > threshold)
    assert reached == pytest.approx(best_by_trying(scores, labels), abs=1e-12)
    lower = [-np.inf, *np.unique(scores[scores <= threshold])[:-1]]
    if (scores <= threshold).any():
        assert all(f1_score(labels, scores > cut) < reached - 1e-12 for cut in lower)


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_is_on_scikit_learns_curve(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random(400) < 0.2).astype(float)
    scores = rng.standard_normal(400) + labels
    precision, recall, _ = precision_recall_curve(labels, scores)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert f1_score(labels, scores > best_f1_threshold(scores, labels)) == pytest.approx(best, abs=1e-12)


def test_thresholds_by_hand():
    assert best_f1_threshold(np.array([0.0, 1, 2, 4]), np.array([0.0, 0, 1, 1])) == 1.5
    everything = best_f1_threshold(np.array([5.0, 6, 7]), np.array([1.0, 0, 0]))
    assert 4.9 < everything < 5  # the positive is lowest: calling all is best
    assert best_f1_threshold(np.zeros(4), np.array([1.0, 0, 0, 0])) < 0  # a constant calls everything
    assert best_f1_threshold(np.array([0.0, 1, 2, 3]), np.array([0.0, 1, 0, 1])) == 0.5
    # calling all four and calling the highest alone both give 2/3: the lower threshold is taken
    assert best_f1_threshold(np.array([0.0, 1, 2, 3]), np.array([1.0, 0, 0, 1])) < 0
    neighbours = np.array([1.0, np.nextafter(1.0, 2)])
    cut = best_f1_threshold(neighbours, np.array([0.0, 1]))
    assert (neighbours > cut).tolist() == [False, True]


def test_a_threshold_of_infinite_scores_or_of_other_labels_is_refused():
    for wrong in (NAN, np.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            best_f1_threshold(np.array([wrong, 1]), np.array([0.0, 1]))
    assert best_f1_threshold(np.array([NAN, 1, 2]), np.array([NAN, 0, 1])) == 1.5
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        best_f1_threshold(np.array([0.0, 1]), np.array([0.0, 2]))
    with pytest.raises(ValueError, match="do not match"):
        best_f1_threshold(np.zeros(2), np.zeros(3))
    assert best_f1_threshold(np.zeros(0), np.zeros(0)) is None


def test_scores_of_a_test_set_equal_scikit_learn(rng):
    labels = (rng.random((300, 3)) < [0.1, 0.5, 0.3]).astype(float)
    scores = np.round(rng.standard_normal((300, 3)) + labels, 1)
    labels[:40, 0] = NAN
    chosen = thresholds(scores[150:], labels[150:])
    found = zero_shot_scores(scores[:150], labels[:150], CLASSES, calls(scores[:150], chosen))
    for index, name in enumerate(CLASSES):
        valid = ~np.isnan(labels[:150, index])
        truth, score = labels[:150, index][valid], scores[:150, index][valid]
        one = found["per_class"][name]
        assert one["auroc"] == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
        assert one["f1"] == pytest.approx(f1_score(truth, score > chosen[index]), abs=1e-12)
        assert one["accuracy"] == pytest.approx(accuracy_score(truth, score > chosen[index]), abs=1e-12)
    for metric in ("f1", "accuracy"):
        mean = np.mean([one[metric] for one in found["per_class"].values()])
        assert found[f"macro_{metric}"] == pytest.approx(mean, abs=1e-12)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_f1_and_accuracy_follow_from_sums_of_resampled_cases(rng):
    labels, scores = (rng.random((80, 2)) < 0.3).astype(float), rng.standard_normal((80, 2))
    labels[:5, 1] = NAN
    outcomes = call_outcomes(calls(scores, [0.1, -0.2]), labels)
    assert outcomes.sum(axis=-1).tolist() == (~np.isnan(labels)).astype(float).tolist()
    counts = rng.integers(0, 3, (7, 80))
    resampled = np.tensordot(counts, outcomes, axes=1)
    for draw, times in enumerate(counts):
        for index, limit in enumerate((0.1, -0.2)):
            rows = np.repeat(np.arange(80), times)
            rows = rows[~np.isnan(labels[rows, index])]
            expected = f1_score(labels[rows, index], scores[rows, index] > limit)
            assert call_f1(resampled)[draw, index] == pytest.approx(expected, abs=1e-12)
            expected = accuracy_score(labels[rows, index], scores[rows, index] > limit)
            assert call_accuracy(resampled)[draw, index] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(call_f1(np.array([[3.0, 0, 2, 0], [0, 4, 0, 1]]))).all()
    assert macro(np.array([[0.5, NAN, 1.0], [NAN, NAN, NAN]])).tolist() == [0.75, pytest.approx(NAN, nan_ok=True)]


def test_a_class_without_threshold_or_of_one_value_has_no_f1():
    scores, labels = np.array([[1.0, 1, 1], [2, 2, 2]]), np.array([[0.0, 0, 1], [1, 0, 0]])
    called = calls(scores, [None, 1.5, 1.5])
    assert called[:, 1:].tolist() == [[0, 0], [1, 1]]
    assert np.isnan(called[:, 0]).all()
    found = zero_shot_scores(scores, labels, CLASSES, called)
    assert {name: one["f1"] for name, one in found["per_class"].items()} == {"a": None, "b": None, "c": 0.0}
    assert (found["macro_f1"], found["macro_accuracy"]) == (0.0, 0.0)
    assert found["macro_auroc"] == 0.5
    nothing = zero_shot_scores(scores, labels, CLASSES, calls(scores, [None] * 3))
    assert nothing["macro_f1"] is None


def test_the_highest_score_of_exclusive_classes(rng):
    true = rng.integers(0, 3, 200)
    labels, scores = np.eye(3)[true], rng.standard_normal((200, 3)) + np.eye(3)[true]
    assert top_1(scores, labels) == pytest.approx(accuracy_score(true, scores.argmax(1)), abs=1e-12)
    assert top_1(np.zeros((200, 3)), labels) == 0  # ties are errors
    assert top_1(scores[:, :1], np.ones((200, 1))) is None
    for wrong in (NAN, 1.0):
        unclear = labels.copy()
        unclear[0] = wrong
        assert top_1(scores, unclear) is None
    assert top_1(np.zeros((0, 3)), np.zeros((0, 3))) is None


def test_standardising_changes_top_1_but_no_auroc(rng):
    labels = np.eye(3)[rng.integers(0, 3, 300)]
    scores = (rng.standard_normal((300, 3)) + labels) * [1, 5, 0.1] + [0, 9, 0]
    again = standardised(scores, spread(scores))
    before, after = (
        zero_shot_scores(one, labels, CLASSES, calls(one, thresholds(one, labels))) for one in (scores, again)
    )
    for metric in ("macro_auroc", "macro_f1", "macro_accuracy"):
        assert after[metric] == pytest.approx(before[metric], abs=1e-12)
    assert after["top_1"] > before["top_1"] + 0.1
