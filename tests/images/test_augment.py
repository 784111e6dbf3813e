"""Random crops: the pixels against torchvision's resized_crop, the drawing against its RandomResizedCrop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional as reference

from benchx.images.augment import Augmentation, augment, draw_crops
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec

SPEC = InputSpec(size=32, resize="stretch", mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
RECIPE = Augmentation(scale=(0.2, 1.0), ratio=(0.75, 4 / 3), horizontal_flip=0.5)


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_equals_torchvision_for_the_same_boxes() -> None:
    images = [noise(shape, seed) for seed, shape in enumerate([(64, 64), (40, 90), (90, 40), (20, 25)] * 4)]
    got = augment(images, SPEC, RECIPE, np.random.default_rng(3))
    crops = draw_crops([image.shape for image in images], RECIPE, np.random.default_rng(3))
    assert {crop.mirrored for crop in crops} == {True, False}
    for image, crop, ours in zip(images, crops, got, strict=True):
        pixels = reference.resized_crop(torch.from_numpy(image)[None], *crop[:4], size=[32, 32], antialias=True)
        pixels = reference.horizontal_flip(pixels) if crop.mirrored else pixels
        values = pixels.float().div(255).expand(3, -1, -1)
        expected = reference.normalize(values, list(SPEC.mean), list(SPEC.std))
        # Mirrored before or after the resize: a grey level may round the other way.
        torch.testing.assert_close(ours, expected, rtol=0, atol=1 / 255 / 0.2 + 1e-5 if crop.mirrored else 2e-6)


@pytest.mark.parametrize("shape", [(100, 100), (60, 100), (200, 80)])
def test_boxes_are_distributed_like_torchvisions(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    image = torch.zeros((1, *shape))
    theirs = np.array(
        [RandomResizedCrop.get_params(image, list(RECIPE.scale), list(RECIPE.ratio)) for _ in range(3000)]
    )
    ours = np.array([crop[:4] for crop in draw_crops([shape] * 3000, RECIPE, np.random.default_rng(0))])
    for column in range(4):
        assert ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-3


def test_boxes_reach_every_edge() -> None:
    recipe = Augmentation(scale=(4 / 9, 4 / 9), ratio=(1.0, 1.0), horizontal_flip=0.0)
    crops = draw_crops([(3, 3)] * 60, recipe, np.random.default_rng(0))
    assert {crop[:4] for crop in crops} == {(top, left, 2, 2) for top in (0, 1) for left in (0, 1)}


@pytest.mark.parametrize(("shape", "box"), [((10, 1000), (0, 493, 10, 13)), ((1000, 10), (493, 0, 13, 10))])
def test_an_image_that_no_box_fits_gives_its_centre(shape: tuple[int, int], box: tuple[int, ...]) -> None:
    recipe = Augmentation(scale=(1.0, 1.0), ratio=(0.75, 4 / 3), horizontal_flip=0.0)
    (crop,) = draw_crops([shape], recipe, np.random.default_rng(0))
    torchvisions = RandomResizedCrop.get_params(torch.zeros((1, *shape)), [1.0, 1.0], [0.75, 4 / 3])
    assert crop[:4] == torchvisions == box


def test_the_whole_image_mirrored_for_certain() -> None:
    recipe = Augmentation(scale=(1.0, 1.0), ratio=(1.0, 1.0), horizontal_flip=1.0)
    spec = InputSpec(size=16, resize="stretch", mean=(0.0,), std=(1.0,), channels=1)
    image = noise((16, 16))
    got = augment([image], spec, recipe, np.random.default_rng(0))[0, 0]
    np.testing.assert_array_equal((got * 255).round().numpy(), image[:, ::-1])


def test_crops_are_rescaled_and_interpolated_as_the_spec_says() -> None:
    """With the whole image as the crop, training and evaluation pixels are the same."""
    recipe = Augmentation(scale=(1.0, 1.0), ratio=(1.0, 1.0), horizontal_flip=0.0)
    images = [60 + noise((40, 40)) // 3]
    for interpolation in ("bilinear", "bicubic", "area"):
        spec = SPEC.model_copy(update={"interpolation": interpolation, "rescale": "minmax"})
        assert torch.equal(augment(images, spec, recipe, np.random.default_rng(0)), prepare(images, spec))


def test_grey_values_are_stretched_by_the_whole_image_not_the_crop() -> None:
    recipe = Augmentation(scale=(0.25, 0.25), ratio=(1.0, 1.0), horizontal_flip=0.0)
    spec = InputSpec(size=8, resize="stretch", mean=(0.0,), std=(1.0,), channels=1, rescale="minmax")
    image = np.full((16, 16), 50, np.uint8)
    image[0, 0], image[-1, -1] = 0, 100
    got = augment([image] * 8, spec, recipe, np.random.default_rng(1))
    torch.testing.assert_close(got.median(), torch.tensor(127 / 255))


def test_a_seed_gives_the_same_batch_and_shapes_do_not_shift_the_stream() -> None:
    images = [noise((50, 60)), noise((30, 30))]
    first = augment(images, SPEC, RECIPE, np.random.default_rng(5))
    assert torch.equal(first, augment(images, SPEC, RECIPE, np.random.default_rng(5)))
    assert not torch.equal(first, augment(images, SPEC, RECIPE, np.random.default_rng(6)))
    swapped = augment([noise((1, 900)), images[1]], SPEC, RECIPE, np.random.default_rng(5))
    assert torch.equal(swapped[1], first[1])


def test_read_only_views_and_an_empty_batch_are_fine() -> None:
    image = noise((40, 40))
    image.flags.writeable = False
    assert augment([image], SPEC, RECIPE, np.random.default_rng(0)).shape == (1, 3, 32, 32)
    assert augment([], SPEC, RECIPE, np.random.default_rng(0)).shape == (0, 3, 32, 32)
