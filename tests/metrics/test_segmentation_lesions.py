"""Lesion counts against a flood fill with an exhaustive matching, and against an assignment solver."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import f1_score

from benchx.metrics.segmentation import lesion_f1
from benchx.metrics.segmentation.lesions import lesion_counts


def mask(*rows: str) -> np.ndarray:
    """Draw a mask: # is foreground."""
    return np.array([[character == "#" for character in row] for row in rows], np.uint8)


def components(drawn: np.ndarray) -> list[frozenset[tuple[int, int]]]:
    """Flood fill over eight neighbours."""
    left, found = {(int(row), int(column)) for row, column in zip(*np.nonzero(drawn), strict=True)}, []
    while left:
        border, component = [left.pop()], set()
        while border:
            row, column = border.pop()
            component.add((row, column))
            near = {(row + down, column + right) for down, right in product((-1, 0, 1), repeat=2)} & left
            left -= near
            border += near
        found.append(frozenset(component))
    return found


def largest_matching(fits: np.ndarray) -> int:
    """Try every way to match the rows with columns."""
    if not len(fits):
        return 0
    best = largest_matching(fits[1:])
    for column in np.flatnonzero(fits[0]):
        best = max(best, 1 + largest_matching(np.delete(fits[1:], column, axis=1)))
    return best


def pair_fits(truth: list[frozenset], prediction: list[frozenset]) -> np.ndarray:
    fits = [[10 * len(one & other) >= len(one | other) for other in prediction] for one in truth]
    return np.array(fits, bool).reshape(len(truth), len(prediction))


@pytest.mark.parametrize("seed", range(40))
def test_equals_an_exhaustive_search_on_small_masks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(3, 12, 2))
    rate = rng.choice([0.1, 0.25, 0.4])
    truth, prediction = ((rng.random(shape) < rate).astype(np.uint8) for _ in range(2))
    lesions, claims = components(truth), components(prediction)
    found = largest_matching(pair_fits(lesions, claims))
    assert lesion_counts(truth, prediction) == (found, len(claims) - found, len(lesions) - found)


@pytest.mark.parametrize("sigma", [1, 2, 6])
def test_equals_an_assignment_solver_on_images_with_many_lesions(sigma: float) -> None:
    rng = np.random.default_rng(0)
    shared, *own = (gaussian_filter(rng.normal(size=(160, 200)), sigma) for _ in range(3))
    fields = [shared + 0.7 * each for each in own]
    truth, prediction = ((field > np.quantile(field, 0.8)).astype(np.uint8) for field in fields)
    (lesion, lesions), (claim, claims) = (label(each, np.ones((3, 3))) for each in (truth, prediction))
    sizes, widths = (np.bincount(each.ravel())[1:] for each in (lesion, claim))
    overlap = np.histogram2d(lesion.ravel(), claim.ravel(), (np.arange(lesions + 2), np.arange(claims + 2)))[0][1:, 1:]
    fits = 10 * overlap >= sizes[:, None] + widths - overlap
    found = fits[linear_sum_assignment(fits, maximize=True)].sum()
    assert lesion_counts(truth, prediction) == (found, claims - found, lesions - found)
    assert 0 < found < min(lesions, claims)


def test_diagonal_neighbours_are_one_lesion() -> None:
    truth = mask("#..", ".#.", "..#")
    assert lesion_counts(truth, truth) == (1, 0, 0)
    assert lesion_counts(truth, 1 - truth) == (0, 1, 1)
    assert lesion_counts(mask("#.#"), mask("#.#")) == (2, 0, 0)


def test_one_to_one_pieces_are_invented_and_a_blob_over_two_finds_one() -> None:
    whole, pieces = mask("#######"), mask("###.###")
    assert lesion_counts(whole, pieces) == (1, 1, 0)
    assert lesion_counts(pieces, whole) == (1, 0, 1)


def test_iou_of_one_tenth_is_found_and_less_is_not() -> None:
    assert lesion_counts(mask("##########"), mask("#.........")) == (1, 0, 0)
    assert lesion_counts(mask("###########"), mask("#..........")) == (0, 1, 1)
    assert lesion_counts(mask("###" + 27 * "#"), mask("###" + 27 * ".")) == (1, 0, 0)


def test_the_largest_matching_is_taken_where_the_best_pair_first_would_lose_one() -> None:
    # the long claim fits both lesions, the right one better; the short claim fits the right one alone
    truth = mask("####.############")
    prediction = mask(".############.###")
    assert lesion_counts(truth, prediction) == (2, 0, 0)


def test_empty_masks_and_whole_images() -> None:
    nothing, everything = np.zeros((5, 7), np.uint8), np.ones((5, 7), np.uint8)
    assert lesion_counts(nothing, nothing) == (0, 0, 0)
    assert lesion_counts(everything, everything) == (1, 0, 0)
    assert lesion_counts(nothing, everything) == (0, 1, 0)
    assert lesion_counts(everything, nothing) == (0, 0, 1)


def test_swapping_truth_and_prediction_swaps_missed_and_invented() -> None:
    rng = np.random.default_rng(3)
    truth, prediction = ((rng.random((60, 60)) < 0.3).astype(np.uint8) for _ in range(2))
    found, invented, missed = lesion_counts(truth, prediction)
    assert lesion_counts(prediction, truth) == (found, missed, invented)


def test_f1_of_sums_equals_scikit_learn() -> None:
    truth, prediction = [1] * 7 + [1] * 4 + [0] * 3, [1] * 7 + [0] * 4 + [1] * 3
    assert lesion_f1(7, 3, 4) == pytest.approx(f1_score(truth, prediction), abs=1e-15)
    np.testing.assert_array_equal(lesion_f1([2, 0, 0, 0], [0, 3, 0, 0], [2, 0, 3, 0]), [4 / 6, 0, 0, np.nan])
    with pytest.raises(ValueError, match="0 or more"):
        lesion_f1(1, -1, 0)
