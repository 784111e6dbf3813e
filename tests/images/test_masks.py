"""Masks and boxes, against an area computed another way, Pillow, and the images they belong to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchx.images.filling import shrink
from benchx.images.geometry import prepare
from benchx.images.masks import prepare_boxes, prepare_masks, resize_mask
from benchx.images.spec import InputSpec

SPECS = [
    InputSpec(size=48, resize="stretch", mean=(0.0,), std=(1.0,), channels=1),
    InputSpec(size=48, resize="letterbox", mean=(0.0,), std=(1.0,), channels=1),
    InputSpec(size=48, resize="letterbox", resize_to=57, mean=(0.0,), std=(1.0,), channels=1),
    InputSpec(size=48, resize="center_crop", resize_to=55, mean=(0.0,), std=(1.0,), channels=1),
]
SHAPES = [(64, 64), (90, 131), (131, 90), (30, 47), (20, 200)]

each_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.resize}-{spec.resize_to}")
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape, dtype=np.uint8)


def box_mask(shape: tuple[int, int], x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros((1, *shape), np.uint8)
    mask[:, y : y + height, x : x + width] = 1
    return mask


def edges(mask: np.ndarray) -> np.ndarray:
    """Left, top, right and bottom edge of what is set in [S, S]."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def shown(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """The square that an encoder sees of a uint8 image, float [S, S] from 0 to 255."""
    return prepare([image], spec)[0, 0].numpy() * 255


def overlaps(n: int, m: int) -> np.ndarray:
    """The part of each of m stretches that each of n cells fills, float [m, n]."""
    ends, cells = np.arange(m + 1)[:, None] * n / m, np.arange(n)[None]
    parts = np.minimum(ends[1:], cells + 1) - np.maximum(ends[:-1], cells)
    return parts.clip(0) * m / n


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(1, 24)] * 4), st.integers(0, 99))
def test_a_pixel_is_set_when_more_than_half_of_it_is_covered(sides: tuple[int, int, int, int], seed: int) -> None:
    h, w, height, width = sides
    mask = noise((h, w), seed)
    covered = overlaps(h, height) @ mask @ overlaps(w, width).T
    np.testing.assert_array_equal(resize_mask(mask, height, width), covered > 0.5 + 1e-9)


def test_exactly_half_is_not_set() -> None:
    mask = np.array([[1, 0, 1, 1], [1, 0, 1, 0]], np.uint8)
    np.testing.assert_array_equal(resize_mask(mask, 1, 2), [[0, 1]])


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_by_a_whole_factor_equals_pillows_box_filter(factor: int) -> None:
    mask = noise((30 * factor, 22 * factor))
    means = np.asarray(Image.fromarray(mask.astype(np.float32)).resize((22, 30), Image.Resampling.BOX))
    np.testing.assert_array_equal(resize_mask(mask, 30, 22), means > 0.5 + 1e-6)


def test_enlarging_by_a_whole_factor_repeats_pixels() -> None:
    mask = noise((5, 7))
    np.testing.assert_array_equal(resize_mask(mask, 15, 14), mask.repeat(3, axis=0).repeat(2, axis=1))


def test_layers_do_not_mix() -> None:
    layers = np.stack([noise((40, 30), seed) for seed in range(3)])
    resized = resize_mask(layers, 17, 33)
    assert resized.dtype == np.uint8
    for layer, expected in zip(resized, layers, strict=True):
        np.testing.assert_array_equal(layer, resize_mask(expected, 17, 33))


@each_spec
@each_shape
def test_a_mask_of_the_whole_image_covers_what_is_not_padding(spec: InputSpec, shape: tuple[int, int]) -> None:
    whole = np.ones((1, *shape), np.uint8)
    np.testing.assert_array_equal(prepare_masks([whole], spec)[0, 0], shown(whole[0] * 255, spec) > 0)


@each_spec
@each_shape
def test_image_mask_and_box_stay_aligned(spec: InputSpec, shape: tuple[int, int]) -> None:
    height, width = shape
    x, y, w, h = width // 2 - width // 6, height // 2 - height // 7, width // 4, height // 3
    mask = box_mask(shape, x, y, w, h)
    prepared = prepare_masks([mask], spec)
    assert prepared.shape == (1, 1, spec.size, spec.size)
    found = edges(prepared[0, 0])
    assert np.abs(found - edges(shown(mask[0] * 255, spec) > 127.5)).max() <= 1
    left, top, across, down = prepare_boxes(np.array([[x, y, w, h]], float), height, width, spec)[0]
    assert np.abs(found - [left, top, left + across, top + down]).max() <= 0.5


@each_spec
def test_masks_follow_the_image_through_the_store(spec: InputSpec) -> None:
    shape, box = (301, 397), (150, 90, 80, 100)
    mask = box_mask(shape, *box)
    stored = shrink(mask[0] * 255, 128)
    on_store = resize_mask(mask, *stored.shape)
    found = edges(prepare_masks([on_store], spec)[0, 0])
    assert np.abs(found - edges(shown(stored, spec) > 127.5)).max() <= 1
    height, width = stored.shape
    ratio = np.array([width / shape[1], height / shape[0]] * 2)
    x, y, w, h = prepare_boxes(np.array([box]) * ratio, height, width, spec)[0]
    assert np.abs(found - [x, y, x + w, y + h]).max() <= 1


@each_spec
def test_boxes_are_cut_at_the_square(spec: InputSpec) -> None:
    boxes = prepare_boxes(np.array([[-10.0, -10, 300, 300], [-50, 5, 20, 20]]), 90, 131, spec)
    whole = edges(prepare_masks([np.ones((1, 90, 131), np.uint8)], spec)[0, 0])
    assert (boxes[0, :2] <= whole[:2]).all()
    assert (boxes[0, :2] + boxes[0, 2:] >= whole[2:]).all()
    assert ((boxes[:, :2] >= 0) & (boxes[:, :2] + boxes[:, 2:] <= spec.size)).all()
    if spec.resize != "letterbox":
        assert boxes[1, 2] == 0


def test_masks_of_different_shapes_make_one_batch() -> None:
    masks = [np.stack([noise(shape, seed) for seed in range(2)]) for shape in SHAPES]
    batch = prepare_masks(masks, SPECS[1])
    assert batch.shape == (len(SHAPES), 2, 48, 48)
    for mask, expected in zip(masks, batch, strict=True):
        np.testing.assert_array_equal(prepare_masks([mask], SPECS[1])[0], expected)
