"""Split `official-unseen`, where the source publishes a validation part and images stand on several sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchx.datasets.questions import Asked, build_samples
from benchx.datasets.samples import Samples
from benchx.datasets.splits import make_folds, units_in_two_parts
from benchx.errors import DatasetError


def cases(asked: str) -> Samples:
    """Questions from words `image:part`, numbered in that order."""
    rows = [
        Asked(f"q{number}", image, f"{image}.png", "what?", "this", False, None, part, "here")
        for number, (image, part) in enumerate(word.split(":") for word in asked.split())
    ]
    return build_samples("d", Path("d"), rows, set()).cases


def test_validation_images_are_not_trained_on_and_tested_ones_are_neither():
    samples = cases(
        "alone:train alone:train both:train both:val kept:val leaked:train leaked:test held:val held:test "
        "all:train all:val all:test new:test"
    )
    (official,), (unseen,) = (make_folds(samples, kind) for kind in ("official", "official-unseen"))
    assert units_in_two_parts(samples, [official]) == ["all.png", "both.png", "held.png", "leaked.png"]
    assert units_in_two_parts(samples, [unseen]) == []
    assert unseen.train.tolist() == [0, 1]
    assert unseen.val.tolist() == [3, 4]
    np.testing.assert_array_equal(unseen.test, official.test)


def test_where_every_training_image_is_held_out_nothing_is_left():
    with pytest.raises(DatasetError, match="every training case of 'd'"):
        make_folds(cases("a:train b:train a:val b:test"), "official-unseen")
