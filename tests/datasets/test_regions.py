"""Outlines are drawn by the stated rules, and compared with other rasterisers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.draw
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from benchx.datasets.regions import Box, Ellipse, MaskFile, Polygon, Runs, draw, fault
from benchx.errors import DatasetError

HEIGHT, WIDTH = 40, 60


def _draw(*regions, root=None, classes=("x",), height=HEIGHT, width=WIDTH):
    return draw(regions, classes, height, width, root)


def test_a_box_with_whole_corners_is_a_slice():
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[5:15, 10:30] = 1
    np.testing.assert_array_equal(_draw(Box("x", 10, 5, 20, 10))[0], expected)


@given(x=st.floats(0, 30), y=st.floats(0, 20), width=st.floats(0.5, 30), height=st.floats(0.5, 20))
def test_a_box_holds_the_pixels_whose_centres_lie_in_it(x, y, width, height):
    mask = _draw(Box("x", x, y, width, height))[0]
    columns, rows = np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5
    inside = ((columns > x) & (columns < x + width))[None] & ((rows > y) & (rows < y + height))[:, None]
    on_edge = np.isclose(columns, x) | np.isclose(columns, x + width)
    on_edge = on_edge[None] | (np.isclose(rows, y) | np.isclose(rows, y + height))[:, None]
    assert not ((mask != inside) & ~on_edge).any()


def test_an_ellipse_is_an_ellipse_and_not_its_rectangle():
    mask = _draw(Ellipse("x", 10, 5, 30, 20))[0]
    other = np.zeros((HEIGHT, WIDTH), np.uint8)
    # scikit-image names pixel centres by whole numbers, so the centre is half a pixel less.
    other[skimage.draw.ellipse(15 - 0.5, 25 - 0.5, 10, 15, shape=other.shape)] = 1
    np.testing.assert_array_equal(mask, other)
    assert abs(mask.sum() - np.pi * 10 * 15) < 10
    assert mask[5, 10] == 0


def test_a_polygon_holds_its_inside_and_its_outline():
    points = ((10, 5), (40, 8), (50, 30), (20, 35))
    mask = _draw(Polygon("x", points))[0]
    inside = skimage.draw.polygon2mask((HEIGHT, WIDTH), [(y, x) for x, y in points])
    image = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(image).polygon(points, outline=1)
    outline = cv2.dilate(np.asarray(image), np.ones((3, 3)))
    assert mask[inside].all()
    assert not mask[~inside & (outline == 0)].any()
    assert all(mask[y, x] for x, y in points)


def test_runs_go_down_the_columns():
    mask = _draw(Runs("x", (2, 10), (3, 1), frame=(4, 6)), height=4, width=6)[0]
    flat = np.zeros(24, np.uint8)
    flat[[2, 3, 4, 10]] = 1
    np.testing.assert_array_equal(mask, flat.reshape(6, 4).T)


def test_overlapping_runs_are_united_not_cancelled():
    mask = _draw(Runs("x", (0, 2), (4, 4), frame=(4, 6)), height=4, width=6)[0]
    assert mask.sum() == 6


def test_a_frame_is_stretched_over_the_image():
    mask = _draw(Box("x", 256, 512, 256, 256, frame=(1024, 1024)), height=40, width=40)[0]
    expected = np.zeros((40, 40), np.uint8)
    expected[20:30, 10:20] = 1
    np.testing.assert_array_equal(mask, expected)
    runs = Runs("x", (0,), (32,), frame=(8, 8))
    half = _draw(runs, height=16, width=16)[0]
    assert half[:, :8].all()
    assert not half[:, 8:].any()


def test_a_mask_file_counts_from_128_and_is_stretched_by_nearest(tmp_path):
    mask = np.zeros((4, 6), np.uint8)
    mask[0, 0], mask[3, 5] = 128, 127
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    drawn = _draw(MaskFile("x", "m.png"), root=tmp_path, height=8, width=12)[0]
    assert drawn[:2, :2].all()
    assert drawn.sum() == 4


def test_classes_have_their_layers_and_regions_of_one_class_are_united():
    masks = _draw(Box("a", 0, 0, 2, 2), Box("b", 1, 1, 2, 2), Box("a", 4, 4, 2, 2), classes=("a", "b", "c"))
    assert masks.shape == (3, HEIGHT, WIDTH)
    assert masks.sum(axis=(1, 2)).tolist() == [8, 4, 0]
    assert not _draw(classes=("a",)).any()


@pytest.mark.parametrize(
    ("region", "says"),
    [
        (Box("x", 50, 5, 20, 10), "lie outside the image of 60 x 40"),
        (Box("x", -2, 5, 20, 10), "lie outside the image"),
        (Box("x", 5, 5, 0, 10), "0 wide and 10 high"),
        (Box("x", float("nan"), 5, 3, 10), "lie outside"),
        (Ellipse("x", 5, 35, 3, 10), "lie outside"),
        (Polygon("x", ((1, 1), (2, 2))), "a polygon has 2 points, and needs 3"),
        (Polygon("x", ((1, 1), (2, 2), (99, 3))), "lie outside"),
        (Runs("x", (2390,), (20,), frame=(40, 60)), "a run ends at pixel 2410 of an image of 40 x 60 = 2400"),
        (Runs("x", (-3,), (20,), frame=(40, 60)), "negative"),
    ],
)
def test_what_does_not_fit_is_a_fault_and_refused(tmp_path, region, says):
    assert says in fault(region, HEIGHT, WIDTH)
    with pytest.raises(DatasetError, match="the outline of 'x' does not fit its image"):
        _draw(region, root=tmp_path)


def test_annotation_tools_round_so_a_pixel_is_forgiven():
    assert fault(Box("x", -1, 0, WIDTH + 2, HEIGHT + 1), HEIGHT, WIDTH) is None
    assert _draw(Box("x", -1, 0, WIDTH + 2, HEIGHT + 1)).all()


def test_a_missing_or_broken_mask_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"absent.png cannot be read"):
        _draw(MaskFile("x", "absent.png"), root=tmp_path)
