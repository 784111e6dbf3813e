"""One case put together: classes apart from each other, the rule for empty masks, and what is refused."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from benchx.metrics.segmentation import dice, iou, score_case
from benchx.metrics.segmentation.lesions import lesion_counts
from benchx.metrics.segmentation.surface import surface_scores

FIELDS = ("tp", "fp", "fn", "tn", "hd95", "nsd", "lesion_tp", "lesion_fp", "lesion_fn", "positive")


def draw(seed: int, shape: tuple[int, int, int] = (5, 48, 71)) -> tuple[np.ndarray, np.ndarray]:
    """Masks of classes that overlap, sparse to dense, each in a part of the image of its own."""
    rng = np.random.default_rng(seed)
    masks = rng.random((2, *shape)) < np.linspace(0.02, 0.6, shape[0])[:, None, None]
    masks[:, 1, :20] = masks[:, 2, :, 40:] = False
    return masks[0], masks[1]


@pytest.mark.parametrize("spacing", [None, (0.2, 0.2), (0.4, 0.3)])
@pytest.mark.parametrize("seed", range(3))
def test_a_case_holds_what_each_metric_says_of_the_class(seed: int, spacing: tuple[float, float] | None) -> None:
    truth, prediction = draw(seed)
    scores = score_case(truth, prediction, spacing, 2.0)
    for index, pair in enumerate(zip(truth.astype(np.uint8), prediction.astype(np.uint8), strict=True)):
        tn, fp, fn, tp = confusion_matrix(pair[0].ravel(), pair[1].ravel()).ravel()
        assert [scores.tp[index], scores.fp[index], scores.fn[index], scores.tn[index]] == [tp, fp, fn, tn]
        hd95, nsd = surface_scores(*pair, spacing or (1.0, 1.0), 2.0)
        assert scores.hd95[index] == pytest.approx(hd95, rel=1e-6)
        assert scores.nsd[index] == pytest.approx(nsd, abs=1e-12)
        assert (scores.lesion_tp[index], scores.lesion_fp[index], scores.lesion_fn[index]) == lesion_counts(*pair)


def test_the_rule_for_empty_masks() -> None:
    truth, prediction = np.zeros((4, 30, 40), bool), np.zeros((4, 30, 40), bool)
    truth[1, 3:5, 3:5] = prediction[2, 8:9, 9:30] = True
    truth[3, 10:20, 10:20] = prediction[3, 10:20, 10:20] = True
    scores = score_case(truth, prediction, None, 2.0)
    assert dice(scores.tp, scores.fp, scores.fn).tolist() == [1, 0, 0, 1]
    assert iou(scores.tp, scores.fp, scores.fn).tolist() == [1, 0, 0, 1]
    assert scores.hd95.tolist() == [0, 50, 50, 0]
    assert scores.nsd.tolist() == [1, 0, 0, 1]
    assert scores.lesion_tp.tolist() == [0, 0, 0, 1]
    assert scores.lesion_fp.tolist() == [0, 0, 1, 0]
    assert scores.lesion_fn.tolist() == [0, 1, 0, 0]
    assert scores.positive.tolist() == [False, True, False, True]
    assert score_case(truth, prediction, (0.5, 0.25), 2.0).hd95[1] == pytest.approx(math.hypot(15, 10))


def test_missing_everything_never_beats_a_poor_answer() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((1, 20, 33), bool)
    truth[0, 0, 0] = True
    missed = score_case(truth, np.zeros_like(truth), None, 2.0)
    for _ in range(20):
        prediction = np.zeros_like(truth)
        prediction[0, rng.integers(20), rng.integers(33)] = True
        poor = score_case(truth, prediction, None, 2.0)
        assert poor.hd95[0] < missed.hd95[0]
        assert poor.nsd[0] >= missed.nsd[0]


def test_arrays_have_the_stated_types_and_one_entry_per_class() -> None:
    for classes in (0, 1, 3):
        scores = score_case(*(mask[:classes] for mask in draw(0)), None, 2.0)
        assert tuple(field.name for field in dataclasses.fields(scores)) == FIELDS
        for name in FIELDS:
            expected = {"hd95": np.float64, "nsd": np.float64, "positive": np.bool_}.get(name, np.int64)
            assert getattr(scores, name).dtype == expected
            assert getattr(scores, name).shape == (classes,)


def test_every_kind_of_mask_scores_alike_and_is_left_as_it_was() -> None:
    truth, prediction = draw(1)
    expected = score_case(truth, prediction, None, 1.0)
    strided = [np.asfortranarray(mask).astype(np.int64) for mask in (truth, prediction)]
    for pair in ([mask.astype(np.uint8) for mask in (truth, prediction)], strided):
        before = [mask.copy() for mask in pair]
        scores = score_case(*pair, None, 1.0)
        assert all(np.array_equal(getattr(scores, name), getattr(expected, name)) for name in FIELDS)
        assert all(np.array_equal(*each) for each in zip(before, pair, strict=True))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 50), (1, 50, 1), (1, 512, 3)])
def test_thin_images_are_scored(shape: tuple[int, int, int]) -> None:
    whole = np.ones(shape, np.uint8)
    perfect, missed = score_case(whole, whole, None, 0.0), score_case(whole, 0 * whole, None, 0.0)
    assert (perfect.hd95[0], perfect.nsd[0], perfect.lesion_tp[0], perfect.tn[0]) == (0, 1, 1, 0)
    assert (missed.hd95[0], missed.nsd[0], missed.lesion_fn[0]) == (pytest.approx(math.hypot(*shape[1:])), 0, 1)


@pytest.mark.parametrize(
    ("truth", "prediction"),
    [
        (np.zeros((1, 5, 6), bool), np.zeros((1, 6, 5), bool)),
        (np.zeros((2, 5, 6), bool), np.zeros((1, 5, 6), bool)),
        (np.zeros((5, 6), bool), np.zeros((5, 6), bool)),
        (np.zeros((1, 0, 6), bool), np.zeros((1, 0, 6), bool)),
    ],
)
def test_shapes_that_do_not_match_are_refused(truth: np.ndarray, prediction: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\[K, H, W\]"):
        score_case(truth, prediction, None, 2.0)


@pytest.mark.parametrize(
    "odd",
    [
        np.full((1, 4, 4), 255, np.uint8),
        np.full((1, 4, 4), -1, np.int8),
        np.full((1, 4, 4), np.nan),
        np.full((1, 4, 4), 0.5),
    ],
)
def test_probabilities_and_other_labels_are_refused(odd: np.ndarray) -> None:
    plain = np.zeros((1, 4, 4), np.uint8)
    for pair in ((odd, plain), (plain, odd)):
        with pytest.raises(ValueError, match="0 and 1"):
            score_case(*pair, None, 2.0)


@pytest.mark.parametrize(
    ("spacing", "tolerance", "named"),
    [
        ((0.0, 1.0), 2.0, "spacing"),
        ((1.0, -1.0), 2.0, "spacing"),
        ((1.0, math.nan), 2.0, "spacing"),
        ((1.0, math.inf), 2.0, "spacing"),
        ((1.0, 1.0, 1.0), 2.0, "spacing"),
        (None, -0.1, "tolerance"),
        (None, math.nan, "tolerance"),
        (None, math.inf, "tolerance"),
    ],
)
def test_spacings_and_tolerances_that_are_none_are_refused(
    spacing: tuple[float, float] | None, tolerance: float, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        score_case(*draw(0), spacing, tolerance)
