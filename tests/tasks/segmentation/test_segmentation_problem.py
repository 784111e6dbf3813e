"""Which images a segmentation cell is trained and scored on."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_segmentation import cell, samples_of

from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.tasks.segmentation.problem import pose


def labels_of(count: int = 40, every: int = 2) -> np.ndarray:
    labels = np.zeros((count, 1), np.float32)
    labels[::every] = 1
    return labels


FOLD = Fold(np.arange(20), np.arange(20, 30), np.arange(30, 40))


def test_only_outlined_images_count():
    labels = labels_of()
    labels[[3, 25, 39]] = np.nan
    (draw,) = pose(cell(), samples_of(40), [FOLD], labels, ("Lung",))
    assert draw.train.tolist() == [row for row in range(20) if row != 3]
    assert draw.val.tolist() == [row for row in range(20, 30) if row != 25]
    assert draw.test.tolist() == list(range(30, 39))


def test_a_fraction_takes_whole_patients_with_a_positive_and_cuts_validation_where_asked():
    samples, labels = samples_of(40, patients=10), labels_of(every=20)
    folds = [Fold(np.flatnonzero(np.arange(40) % 10 < 5), np.flatnonzero(np.arange(40) % 10 == 5), np.array([20, 29]))]
    (draw,) = pose(cell(fraction=0.2), samples, folds, labels, ("Lung",))
    assert len(draw.train) == 4
    assert len(set(samples.clusters[draw.train])) == 1
    assert labels[draw.train].any()
    whole = {"smallest_fraction": 0.1, "cut_validation": False}
    (kept,) = pose(cell(fraction=0.2, settings=whole), samples, folds, labels, ("Lung",))
    assert kept.val.tolist() == folds[0].val.tolist()


def test_published_fractions_are_taken_as_they_are():
    fold = Fold(*(getattr(FOLD, part) for part in ("train", "val", "test")), {0.1: np.array([2, 5])})
    labels = labels_of()
    labels[5] = np.nan
    (draw,) = pose(cell(fraction=0.1), samples_of(40), [fold], labels, ("Lung",))
    assert draw.train.tolist() == [2]
    with pytest.raises(NotApplicable, match="no list for 50 %"):
        pose(cell(fraction=0.5), samples_of(40), [fold], labels, ("Lung",))


def test_no_positive_mask_in_train_is_said():
    labels = labels_of()
    labels[:20] = 0
    with pytest.raises(NotApplicable, match="20 outlined images of 20 training patients have no positive mask"):
        pose(cell(), samples_of(40), [FOLD], labels, ("Lung",))


@pytest.mark.parametrize("value", [0, np.nan])
def test_no_positive_mask_in_test_is_said(value):
    labels = labels_of()
    labels[30:] = value
    with pytest.raises(NotApplicable, match="no test image shows what is looked for"):
        pose(cell(), samples_of(40), [FOLD], labels, ("Lung",))
