"""Dice, IoU and the pooled mean Dice against scikit-learn, torchmetrics and a confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score
from torchmetrics.functional.classification import binary_jaccard_index
from torchmetrics.functional.segmentation import dice_score

from benchx.metrics.segmentation import dice, iou, pooled_mean_dice


def draw(seed: int, cases: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Flat masks [N, P], foreground from rare to frequent."""
    rng = np.random.default_rng(seed)
    rate = np.linspace(0.02, 0.9, cases)[:, None]
    return rng.random((cases, 300)) < rate, rng.random((cases, 300)) < rate[::-1]


def count(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """tp, fp, fn, tn of each case."""
    pairs = (truth & prediction, ~truth & prediction, truth & ~prediction, ~truth & ~prediction)
    tp, fp, fn, tn = (pair.sum(axis=1) for pair in pairs)
    return tp, fp, fn, tn


@pytest.mark.filterwarnings("ignore:dice_score metric currently defaults:UserWarning")
@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn_and_torchmetrics(seed: int) -> None:
    truth, prediction = draw(seed)
    tp, fp, fn, _ = count(truth, prediction)
    ours = dice(tp, fp, fn), iou(tp, fp, fn)
    for metrics in ((f1_score, jaccard_score), (torchmetrics_dice, torchmetrics_iou)):
        for mine, theirs in zip(ours, metrics, strict=True):
            expected = [theirs(*pair) for pair in zip(truth, prediction, strict=True)]
            np.testing.assert_allclose(mine, expected, rtol=1e-6)


def torchmetrics_dice(truth: np.ndarray, prediction: np.ndarray) -> float:
    masks = (torch.tensor(mask).reshape(1, 1, 15, 20).int() for mask in (prediction, truth))
    return dice_score(*masks, num_classes=1, average="micro", input_format="one-hot").item()


def torchmetrics_iou(truth: np.ndarray, prediction: np.ndarray) -> float:
    return binary_jaccard_index(torch.tensor(prediction), torch.tensor(truth)).item()


def test_both_empty_is_one_and_one_empty_is_zero() -> None:
    tp, fp, fn = np.array([0, 0, 0]), np.array([0, 7, 0]), np.array([0, 0, 1])
    assert dice(tp, fp, fn).tolist() == iou(tp, fp, fn).tolist() == [1, 0, 0]
    assert dice(0, 0, 0) == iou(0, 0, 0) == 1


def test_worked_example_and_the_relation_of_both() -> None:
    assert dice(3, 1, 2) == 6 / 9
    assert iou(3, 1, 2) == 3 / 6
    tp, fp, fn, _ = count(*draw(9))
    overlap = iou(tp, fp, fn)
    np.testing.assert_allclose(dice(tp, fp, fn), 2 * overlap / (1 + overlap), rtol=1e-12)


def test_sums_larger_than_32_bit_are_exact() -> None:
    tp, fp, fn = 2**40, 2**40, 2**40
    assert dice(tp, fp, fn) == 0.5
    assert iou(tp, fp, fn) == 1 / 3


@pytest.mark.parametrize("seed", range(5))
def test_pooled_mean_dice_is_the_macro_f1_of_all_pixels_together(seed: int) -> None:
    truth, prediction = draw(seed)
    ours = pooled_mean_dice(*count(truth, prediction))
    assert ours == pytest.approx(f1_score(truth.ravel(), prediction.ravel(), average="macro"), abs=1e-12)
    matrix = confusion_matrix(truth.ravel(), prediction.ravel())
    per_class = 2 * np.diag(matrix) / (matrix.sum(axis=0) + matrix.sum(axis=1))
    assert ours == pytest.approx(per_class.mean(), abs=1e-12)
    assert ours == pooled_mean_dice(*(each.sum() for each in count(truth, prediction)))


def test_pooled_mean_dice_pools_and_keeps_the_background() -> None:
    # a large lesion found, a small one missed: mean of Dice per image is 0.5, pooled foreground 2 * 90 / (180 + 10)
    tp, fp, fn, tn = np.array([90, 0]), np.array([0, 0]), np.array([0, 10]), np.array([910, 990])
    assert dice(tp, fp, fn).mean() == 0.5
    assert pooled_mean_dice(tp, fp, fn, tn) == pytest.approx((180 / 190 + 3800 / 3810) / 2, abs=1e-15)
    # nothing predicted at all still scores above 0.49, by the background
    assert pooled_mean_dice(0, 0, 10, 990) == pytest.approx(1980 / 1990 / 2, abs=1e-15)


def test_a_class_that_is_nowhere_leaves_the_pooled_mean() -> None:
    assert pooled_mean_dice(0, 0, 0, 50) == 1
    assert pooled_mean_dice(50, 0, 0, 0) == 1
    assert (
        pooled_mean_dice(np.array([0, 0]), np.array([3, 0]), np.array([0, 2]), np.array([10, 10])) == (0 + 40 / 45) / 2
    )
    assert np.isnan(pooled_mean_dice([], [], [], []))


@pytest.mark.parametrize("bad", [-1, np.nan])
def test_counts_that_are_none_are_refused(bad: float) -> None:
    for metric in (dice, iou, lambda *counts: pooled_mean_dice(*counts, 1)):
        with pytest.raises(ValueError, match="0 or more"):
            metric(1, bad, 1)


def test_pooling_several_classes_or_unlike_cases_is_refused() -> None:
    with pytest.raises(ValueError, match="one class"):
        pooled_mean_dice(*[np.ones((3, 2))] * 4)
    with pytest.raises(ValueError, match="one class"):
        pooled_mean_dice(np.ones(3), np.ones(3), np.ones(2), np.ones(3))
