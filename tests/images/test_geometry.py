"""The one geometry, against torchvision, Pillow and OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from torchvision.transforms.v2 import functional as reference

from benchx.images.geometry import prepare, resize
from benchx.images.spec import InputSpec, Interpolation

RGB: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SHAPES = [(64, 64), (50, 80), (81, 50), (1, 7), (33, 200)]


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def torchvision_square(image: np.ndarray, spec: InputSpec) -> torch.Tensor:
    """The same geometry in torchvision's own calls, uint8 [1, S, S]."""
    pixels = torch.from_numpy(image)[None]
    side = spec.resize_to or spec.size
    if spec.resize == "stretch":
        return reference.resize(pixels, [spec.size, spec.size], antialias=True)
    if spec.resize == "center_crop":
        pixels = reference.resize(pixels, [side], antialias=True)
        return reference.center_crop(pixels, [spec.size, spec.size])
    scale = side / max(image.shape)
    height, width = (max(1, int(length * scale + 1e-9)) for length in image.shape)
    pixels = reference.resize(pixels, [height, width], antialias=True)
    top, left = (side - height) // 2, (side - width) // 2
    pixels = reference.pad(pixels, [left, top, side - width - left, side - height - top])
    return reference.center_crop(pixels, [spec.size, spec.size])


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec(size=32, resize="stretch", **RGB),
        InputSpec(size=32, resize="center_crop", resize_to=37, **RGB),
        InputSpec(size=32, resize="letterbox", resize_to=41, **RGB),
        InputSpec(size=33, resize="letterbox", mean=(0.5,), std=(0.25,)),
        InputSpec(size=40, resize="center_crop", mean=(0.5,), std=(0.25,), channels=1),
    ],
    ids=lambda spec: f"{spec.resize}-{spec.size}",
)
def test_equals_torchvision(spec: InputSpec) -> None:
    images = [noise(shape, seed) for seed, shape in enumerate(SHAPES * 2)]
    squares = torch.stack([torchvision_square(image, spec) for image in images])
    expected = reference.normalize(
        squares.float().div(255).expand(-1, spec.channels, -1, -1),
        list(spec.mean) * (spec.channels // len(spec.mean)),
        list(spec.std) * (spec.channels // len(spec.std)),
    )
    got = prepare(images, spec)
    assert got.dtype == torch.float32
    # The pixels are equal; only the order of float32 operations may differ.
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", [(48, 64), (224, 271)])
@pytest.mark.parametrize("shape", [(300, 200), (90, 256), (20, 30), (64, 48)])
@pytest.mark.parametrize(("interpolation", "levels"), [("bilinear", 1), ("bicubic", 2)])
def test_antialiased_filters_are_pillows(
    interpolation: Interpolation, levels: int, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    image = noise(shape)
    height, width = size
    pillows = Image.Resampling[interpolation.upper()]
    # One axis at a time, since newer Pillows take the cheaper axis first and the rounding follows the order.
    pillow = np.asarray(Image.fromarray(image).resize((width, shape[0]), pillows).resize((width, height), pillows))
    ours = resize(torch.from_numpy(image)[None, None], height, width, interpolation)[0, 0].numpy()
    assert np.abs(ours.astype(int) - pillow).max() <= levels


@pytest.mark.parametrize("shape", [(300, 200), (64, 64), (20, 30), (20, 300)])
def test_area_is_opencvs(shape: tuple[int, int]) -> None:
    images = [noise(shape, seed) for seed in range(3)]
    spec = InputSpec(size=32, resize="stretch", mean=(0.0,), std=(1.0,), channels=1, interpolation="area")
    for image, ours in zip(images, prepare(images, spec), strict=True):
        expected = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal((ours[0] * 255).round().numpy(), expected)


def test_area_is_the_mean_over_the_covered_area() -> None:
    image = noise((64, 96))
    blocks = image.reshape(32, 2, 32, 3).mean(axis=(1, 3))
    ours = resize(torch.from_numpy(image)[None, None], 32, 32, "area")[0, 0].numpy()
    assert np.abs(ours - blocks).max() <= 0.5 + 1e-6


def test_minmax_stretches_each_image_before_it_is_resized() -> None:
    spec = InputSpec(size=16, resize="stretch", mean=(0.0,), std=(1.0,), channels=1)
    stretched = spec.model_copy(update={"rescale": "minmax"})
    narrow = 40 + noise((33, 47)) // 4
    wide = narrow.astype(np.float64) - narrow.min()
    wide = (wide / wide.max() * 255).astype(np.uint8)
    full, flat = noise((33, 47)), np.full((33, 47), 77, np.uint8)
    full[0, :2] = 0, 255
    got = prepare([narrow, full, flat], stretched)
    assert torch.equal(got[:2], prepare([wide, full], spec))
    assert not got[2].any()


def test_an_image_does_not_depend_on_its_batch() -> None:
    spec = InputSpec(size=24, resize="letterbox", **RGB)
    images = [noise(shape, seed) for seed, shape in enumerate(SHAPES * 3)]
    together = prepare(images, spec)
    for row, image in enumerate(images):
        assert torch.equal(prepare([image], spec)[0], together[row])


def test_letterbox_pads_black_and_keeps_the_centre() -> None:
    white = np.full((10, 20), 255, np.uint8)
    got = prepare([white], InputSpec(size=20, resize="letterbox", mean=(0.0,), std=(1.0,), channels=1))[0, 0]
    assert got[5:15].eq(1).all()
    assert got[:5].eq(0).all()
    assert got[15:].eq(0).all()


def test_read_only_images_and_an_empty_batch_are_fine() -> None:
    spec = InputSpec(size=8, resize="stretch", **RGB)
    image = noise((9, 9))
    image.flags.writeable = False
    assert prepare([image], spec).shape == (1, 3, 8, 8)
    assert prepare([], spec).shape == (0, 3, 8, 8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 20))
def test_every_shape_fits_every_rule(height: int, width: int, size: int, margin: int) -> None:
    for rule in ("center_crop", "letterbox"):
        spec = InputSpec(size=size, resize=rule, resize_to=size + margin, mean=(0.0,), std=(1.0,))
        got = prepare([np.full((height, width), 255, np.uint8)], spec)
        assert got.shape == (1, 3, size, size)
        assert rule == "letterbox" or got.eq(1).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": (0.5, 0.5), "std": (0.5, 0.5)},
        {"mean": (0.5,), "std": (0.5, 0.5, 0.5)},
        {"mean": (0.5,), "std": (0.0,)},
        {"resize": "center_crop", "resize_to": 31},
        {"resize_to": 40},
        {"interpolation": "nearest"},
        {"rescale": "zscore"},
    ],
)
def test_specs_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"size": 32, "resize": "stretch", **RGB}
    InputSpec.model_validate(right)
    with pytest.raises(ValidationError):
        InputSpec.model_validate(right | wrong)


def test_scaling_keeps_the_proportion() -> None:
    spec = InputSpec(size=224, resize="center_crop", resize_to=256, **RGB)
    assert spec.scaled_to(128).resize_to == 146
    assert spec.scaled_to(128).size == 128
    assert InputSpec(size=224, resize="letterbox", **RGB).scaled_to(64).resize_to is None
