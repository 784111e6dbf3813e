"""Outlines at the network's size: drawn as the images are brought there, kept, and only where known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from benchx.datasets.regions import Box, MaskFile
from benchx.datasets.samples import COLUMNS, Samples
from benchx.errors import DatasetError
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.images.store import build
from benchx.tasks.kinds import FOREGROUND
from benchx.tasks.segmentation import truth as module
from benchx.tasks.segmentation.area import area
from benchx.tasks.segmentation.truth import draw_truth
from benchx.workspace import OpenDataset

SHAPES = ((60, 40), (40, 60), (50, 50), (44, 44))
CLASSES = ("upper", "lower")


def made(root: Path) -> OpenDataset:
    """Four images; the first shows both classes, white; the second nothing, the third was not outlined."""
    regions = {
        "a": (Box("upper", 5, 5, 20, 15), Box("lower", 8, 40, 30, 16)),
        "b": (),
        "d": (MaskFile("lower", "d-mask.png"),),
    }
    for name, (height, width) in zip("abcd", SHAPES, strict=True):
        image = np.zeros((height, width), np.uint8)
        for box in regions.get(name, ()):
            if isinstance(box, Box):
                image[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)] = 255
        cv2.imwrite(str(root / f"{name}.png"), image)
    cv2.imwrite(str(root / "d-mask.png"), np.pad(np.full((10, 22), 255, np.uint8), ((22, 12), (11, 11))))
    table = pd.DataFrame({"sample": list("abcd"), "image": [f"{name}.png" for name in "abcd"]})
    table = table.assign(official="").reindex(columns=COLUMNS)
    samples = Samples("d", root, table, np.zeros((4, 0), np.float32), (), regions=regions, mask_classes=CLASSES)
    pixels = build([(name, root / f"{name}.png") for name in "abcd"], 64, root / "store")
    return OpenDataset(samples, pixels, {})


@pytest.fixture
def dataset(tmp_path) -> OpenDataset:
    return made(tmp_path)


def draw(dataset: OpenDataset, spec: InputSpec, *, union: bool = False, classes=CLASSES):
    return draw_truth(dataset, classes, spec, dataset.samples.root / "cache", union=union, advance=lambda *_: None)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "center_crop"])
@pytest.mark.parametrize("size", [32, 30])
def test_masks_lie_on_what_they_outline(dataset, resize, size):
    spec = InputSpec(size=size, resize=resize, mean=(0.5,), std=(0.5,), channels=1)
    truth = draw(dataset, spec)
    white = prepare(dataset.pixels.images([0]), spec)[0, 0].numpy() > 0
    drawn = truth.masks(np.array([0]))[0].max(axis=0) == 1
    assert drawn.any()
    assert (drawn != white).mean() < 0.03


@pytest.mark.parametrize("shape", SHAPES)
def test_the_area_is_where_the_image_is(shape):
    for resize in ("stretch", "letterbox", "center_crop"):
        spec = InputSpec(size=32, resize=resize, mean=(0.0,), std=(1.0,), channels=1)
        shown = prepare([np.full(shape, 255, np.uint8)], spec)[0, 0].numpy() == 1
        inside = np.zeros((32, 32), bool)
        area(*shape, spec).of(inside)[:] = True
        np.testing.assert_array_equal(inside, shown)


def test_the_spacing_of_a_stretched_image_differs_by_axis():
    spec = InputSpec(size=32, resize="stretch", mean=(0.0,), std=(1.0,))
    assert area(64, 48, spec).spacing == (2.0, 1.5)


def test_who_is_outlined_and_what_is_there(dataset):
    spec = InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.5,))
    truth = draw(dataset, spec)
    np.testing.assert_array_equal(truth.labels, [[1, 1], [0, 0], [np.nan, np.nan], [0, 1]])
    assert truth.classes == CLASSES
    assert not truth.masks(np.array([1])).any()
    assert truth.masks(np.array([3, 0])).shape == (2, 2, 32, 32)
    chosen = draw(dataset, spec, classes=("lower",))
    np.testing.assert_array_equal(chosen.masks(np.array([0, 3])), truth.masks(np.array([0, 3]))[:, 1:])


def test_the_union_is_of_all_classes_before_resizing(dataset):
    spec = InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.5,))
    union, apart = draw(dataset, spec, union=True), draw(dataset, spec)
    assert union.classes == (FOREGROUND,)
    rows = np.array([0, 1, 3])
    np.testing.assert_array_equal(union.masks(rows)[:, 0], apart.masks(rows).max(axis=1))


def test_outlines_are_drawn_once_and_again_when_they_change(dataset, tmp_path, monkeypatch):
    spec = InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.5,))
    before = draw(dataset, spec).masks(np.array([0, 3]))
    with monkeypatch.context() as patch:
        patch.setattr(module, "prepare_masks", lambda *_: pytest.fail("drawn again"))
        np.testing.assert_array_equal(draw(dataset, spec).masks(np.array([0, 3])), before)
        other = InputSpec(size=32, resize="stretch", mean=(0.1,), std=(0.2,), channels=1)
        np.testing.assert_array_equal(draw(dataset, other).masks(np.array([0, 3])), before)
    cv2.imwrite(str(tmp_path / "d-mask.png"), np.zeros((44, 44), np.uint8))
    changed = OpenDataset(dataset.samples, dataset.pixels, {})
    assert not draw(changed, spec).masks(np.array([3])).any()
    assert draw(dataset, InputSpec(size=40, resize="stretch", mean=(0.5,), std=(0.5,))).size == 40


def test_an_outline_that_does_not_fit_its_image_is_named(dataset):
    dataset.samples.regions["a"] = (Box("upper", 5, 5, 200, 15, where="boxes.csv:7"),)
    with pytest.raises(DatasetError, match=r"boxes.csv:7: the outline of 'upper' does not fit its image") as caught:
        draw(dataset, InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.5,)))
    assert len(str(caught.value).splitlines()) == 3


def test_a_mask_of_another_shape_than_its_image_is_named(dataset, tmp_path):
    spec = InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.5,))
    cv2.imwrite(str(tmp_path / "d-mask.png"), np.zeros((88, 88), np.uint8))
    assert not draw(dataset, spec).masks(np.array([3])).any()
    cv2.imwrite(str(tmp_path / "d-mask.png"), np.zeros((44, 60), np.uint8))
    with pytest.raises(DatasetError, match="d-mask.png: it is of 60 x 44 for an image of 44 x 44") as caught:
        draw(OpenDataset(dataset.samples, dataset.pixels, {}), spec)
    assert len(str(caught.value).splitlines()) == 3


def test_without_any_outline_there_is_nothing_to_draw(dataset):
    dataset.samples.regions.clear()
    truth = draw(dataset, InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.5,)))
    assert np.isnan(truth.labels).all()
    assert truth.labels.shape == (4, 2)
