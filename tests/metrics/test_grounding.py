"""Grounding measures against torch, scikit-learn and plain loops, and by hand on small maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, jaccard_score
from torch.nn.functional import interpolate

from benchx.metrics.grounding import THRESHOLDS, best_threshold, grounding, upsampled

NAN = float("nan")


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize(
    ("cells", "pixels"),
    [((7, 7), (224, 224)), ((14, 10), (33, 97)), ((1, 1), (5, 3)), ((5, 9), (5, 9)), ((1, 4), (8, 2))],
)
def test_upsampling_equals_torch(cells, pixels):
    heat = np.random.default_rng(0).standard_normal(cells)
    expected = interpolate(torch.from_numpy(heat)[None, None], pixels, mode="bilinear", align_corners=False)[0, 0]
    assert upsampled(heat, *pixels) == pytest.approx(expected.numpy(), abs=1e-12)


@given(st.floats(-1e6, 1e6), st.integers(1, 9), st.integers(1, 40))
def test_a_constant_map_stays_constant(value, cells, pixels):
    assert (upsampled(np.full((cells, cells + 1), value), pixels, pixels + 3) == value).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_map_against_loops_and_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    heat = np.round(rng.normal(-3, 2, (20, 30)), int(rng.integers(0, 3)))
    mask = (rng.random((20, 30)) < 0.3).astype(np.uint8)
    found = grounding(heat, mask)

    scaled = (heat - heat.min()) / (heat.max() - heat.min())
    maxima = [(y, x) for y in range(20) for x in range(30) if heat[y, x] == heat.max()]
    assert found.pointing == pytest.approx(sum(mask[place] for place in maxima) / len(maxima), abs=1e-12)
    expected = [jaccard_score(mask.ravel(), (scaled >= threshold).ravel()) for threshold in THRESHOLDS]
    assert found.ious == pytest.approx(expected, abs=1e-12)
    expected = [f1_score(mask.ravel(), (scaled >= threshold).ravel()) for threshold in THRESHOLDS]
    assert found.dices == pytest.approx(expected, abs=1e-12)
    assert found.average_precision == pytest.approx(average_precision_score(mask.ravel(), heat.ravel()), abs=1e-12)
    assert found.cell_pointing == max(mask[place] for place in maxima)
    inside = [heat[y, x] for y in range(20) for x in range(30) if mask[y, x]]
    outside = [heat[y, x] for y in range(20) for x in range(30) if not mask[y, x]]
    noise = (np.var(inside) + np.var(outside)) ** 0.5
    assert found.contrast_to_noise == pytest.approx((np.mean(inside) - np.mean(outside)) / noise, abs=1e-12)


def test_a_coarse_map_is_brought_to_the_image():
    heat = np.zeros((4, 4))
    heat[1, 2] = 1
    mask = box(64, 64, 16, 32, 32, 48)
    found = grounding(heat, mask)
    at_size = grounding(upsampled(heat, 64, 64), mask)
    assert (
        (found.pointing, found.contrast_to_noise)
        == (at_size.pointing, at_size.contrast_to_noise)
        == (1, found.contrast_to_noise)
    )
    assert found.ious == pytest.approx(at_size.ious)
    assert found.dices == pytest.approx(at_size.dices)
    assert found.average_precision == at_size.average_precision
    assert grounding(heat, box(64, 64, 48, 0, 64, 16)).pointing == 0


@pytest.mark.parametrize(("cells", "pixels"), [((14, 14), 16), ((16, 16), 4), ((7, 4), 5)])
def test_cells_are_repeated_over_their_pixels_where_a_maximal_cell_is_enough(cells, pixels):
    """MeDSLIP's rule, as its script has it: 14 x 14 places, each repeated over 16 x 16 pixels."""
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(40):
        heat = rng.integers(0, 30, cells).astype(float)
        repeated = heat.repeat(pixels, axis=0).repeat(pixels, axis=1)
        top, left = (int(rng.integers(0, side * pixels - 1)) for side in cells)
        mask = box(*repeated.shape, top, left, top + 3 * pixels // 2, left + 2 * pixels)
        hit = float((mask * (repeated == repeated.max())).sum() > 0)
        assert grounding(heat, mask).cell_pointing == hit
        assert grounding(repeated, mask).cell_pointing == hit
        seen.add(hit)
    assert seen == {0, 1}


def test_a_box_beside_the_middle_of_the_maximal_cell_is_hit_by_the_cell_alone():
    heat = np.zeros((4, 4))
    heat[1, 1] = 1
    found = grounding(heat, box(64, 64, 16, 16, 18, 18))
    assert (found.pointing, found.cell_pointing) == (0, 1)


def test_a_threshold_means_the_same_on_every_map_only_when_each_has_one_scale():
    """Attention sums to 1: of the same shape on a finer grid it is lower, and one raw threshold cuts it differently."""
    mask = box(8, 8, 0, 0, 4, 4)
    coarse = np.array([[0.6, 0.2], [0.1, 0.1]])
    fine = coarse.repeat(2, axis=0).repeat(2, axis=1) / 4
    raw = [(one.repeat(8 // len(one), axis=0).repeat(8 // len(one), axis=1) > 0.15).sum() for one in (coarse, fine)]
    assert raw == [32, 0]
    scaled = [
        grounding(one.repeat(8 // len(one), axis=0).repeat(8 // len(one), axis=1), mask) for one in (coarse, fine)
    ]
    assert scaled[0].ious == pytest.approx(scaled[1].ious)
    assert scaled[0].dices == pytest.approx(scaled[1].dices)
    assert scaled[0].average_precision == scaled[1].average_precision == 1


def test_ties_count_by_their_share():
    heat = np.array([[1.0, 1, 0, 0], [0, 0, 0, 1]])
    assert grounding(heat, box(2, 4, 0, 0, 1, 1)).pointing == pytest.approx(1 / 3)
    assert grounding(heat, box(2, 4, 0, 0, 1, 2)).pointing == pytest.approx(2 / 3)
    assert grounding(heat + 1e-9 * np.arange(8).reshape(2, 4), box(2, 4, 0, 0, 1, 1)).pointing == pytest.approx(1 / 3)


def test_a_constant_map_is_at_chance():
    mask = box(8, 8, 0, 0, 4, 4)
    for heat in (np.full((8, 8), -2.5), np.zeros((2, 3)), np.full((3, 3), 0.1)):
        found = grounding(heat, mask)
        assert found.pointing == pytest.approx(0.25)
        assert found.average_precision == pytest.approx(0.25)
        assert found.cell_pointing == 1
        assert (found.ious == 0).all()
        assert (found.dices == 0).all()
        assert found.contrast_to_noise == 0


def test_scale_and_offset_do_not_matter():
    rng = np.random.default_rng(1)
    heat, mask = rng.random((9, 9)), box(9, 9, 2, 2, 6, 5)
    first, second = grounding(heat, mask), grounding(heat * 1e-4 - 7, mask)
    assert second.pointing == first.pointing
    assert second.ious == pytest.approx(first.ious, abs=1e-9)
    assert second.average_precision == pytest.approx(first.average_precision, abs=1e-12)
    assert second.contrast_to_noise == pytest.approx(first.contrast_to_noise, abs=1e-6)
    assert grounding(-heat, mask).contrast_to_noise == pytest.approx(-first.contrast_to_noise, abs=1e-12)


def test_outlines_of_nothing_and_of_everything():
    heat = np.random.default_rng(2).random((4, 4))
    empty = grounding(heat, np.zeros((4, 4)))
    single = (empty.pointing, empty.cell_pointing, empty.average_precision, empty.contrast_to_noise)
    assert np.isnan([*single, *empty.ious, *empty.dices]).all()
    whole = grounding(heat, np.ones((4, 4)))
    assert whole.pointing == 1
    assert np.isnan([whole.contrast_to_noise, whole.average_precision]).all()
    assert whole.ious[0] == (heat >= heat.min() + 0.1 * np.ptp(heat)).mean()
    perfect = grounding(box(4, 4, 0, 0, 2, 2).astype(float), box(4, 4, 0, 0, 2, 2))
    assert perfect.pointing == 1
    assert (perfect.ious == 1).all()
    assert (perfect.dices == 1).all()
    assert perfect.average_precision == 1
    assert np.isnan(perfect.contrast_to_noise)  # no noise to compare with


def test_maps_that_are_none_are_refused():
    for wrong in (NAN, np.inf):
        with pytest.raises(ValueError, match="NaN or infinity"):
            grounding(np.array([[wrong, 1.0]]), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"must be \[h, w\]"):
        grounding(np.zeros((1, 2, 2)), np.ones((2, 2)))


def test_the_threshold_is_chosen_by_mean_iou_of_images_that_count():
    ious = np.random.default_rng(3).random((12, 9))
    assert best_threshold(ious) == max(range(9), key=lambda t: sum(row[t] for row in ious))
    with_empty = np.insert(ious, 5, NAN, axis=0)
    assert best_threshold(with_empty) == best_threshold(ious)
    assert best_threshold(np.tile([0.1, 0.3, 0.3, 0, 0, 0, 0, 0, 0], (2, 1))) == 1  # the lowest of equal ones
    assert best_threshold(np.full((3, 9), NAN)) is None
    assert best_threshold(np.zeros((0, 9))) is None
