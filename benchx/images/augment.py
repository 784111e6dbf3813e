"""Random crops and mirrors of a training batch, every random number drawn up front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from benchx.images.geometry import normalise, rescaled, resize
from benchx.images.spec import Augmentation, InputSpec

__all__ = ["Augmentation", "Crop", "augment", "draw_crops"]

_TRIES = 10


class Crop(NamedTuple):
    """A box in pixels and whether it is mirrored left to right."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool


def augment(
    images: Sequence[np.ndarray],
    spec: InputSpec,
    recipe: Augmentation,
    rng: np.random.Generator,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Crop, resize, mirror and normalise a training batch.

    A crop is taken from the whole image, rescaled as the spec says, and resized to the square of `spec.size` with
    the spec's interpolation, so that training and evaluation see the same kind of pixels. Of the spec only `resize`
    and `resize_to` do not apply. Pixels are resized on the CPU in uint8, as in `prepare`.

    Args:
        images: uint8 [h, w] each, of any shapes.
        spec: the encoder's input.
        recipe: how crops are drawn.
        rng: advanced by 23 numbers per image, whatever the shapes.
        device: where the batch is wanted.

    Returns:
        float32 [B, channels, size, size].
    """
    crops = draw_crops([image.shape for image in images], recipe, rng)
    pixels = torch.empty((len(images), 1, spec.size, spec.size), dtype=torch.uint8)
    for row, (image, crop) in enumerate(zip(images, crops, strict=True)):
        view = rescaled(image, spec)[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        view = view[:, ::-1] if crop.mirrored else view
        square = resize(torch.from_numpy(view.copy())[None, None], spec.size, spec.size, spec.interpolation)
        pixels[row] = square[0]
    return normalise(pixels, spec, device)


def draw_crops(shapes: Sequence[tuple[int, ...]], recipe: Augmentation, rng: np.random.Generator) -> list[Crop]:
    """Draw a crop for every image by the rule of torchvision's RandomResizedCrop.

    Up to 10 times an area share (uniform) and a width / height ratio (log-uniform) are drawn until the
    box fits; then its place is drawn. If none fits, the largest central box within the ratios is taken.

    Args:
        shapes: (height, width) of each image.
        recipe: the ranges.
        rng: advanced by 23 numbers per image: 10 shares and ratios, the place, the mirror.
    """
    draws = rng.random((len(shapes), 2 * _TRIES + 3))
    size = np.array(shapes, np.int64).reshape(-1, 1, 2)
    area = size.prod(axis=-1) * _between(draws[:, :_TRIES], *recipe.scale)
    ratio = np.exp(_between(draws[:, _TRIES : 2 * _TRIES], *np.log(recipe.ratio)))
    boxes = np.rint(np.sqrt(np.stack([area / ratio, area * ratio], axis=-1))).astype(np.int64)
    fits = ((boxes > 0) & (boxes <= size)).all(axis=-1)
    chosen = boxes[np.arange(len(shapes)), fits.argmax(axis=1)]
    crops = []
    for row, (height, width) in enumerate(shapes):
        mirrored = bool(draws[row, -1] < recipe.horizontal_flip)
        if not fits[row].any():
            crops.append(_central(height, width, recipe.ratio, mirrored))
            continue
        box_height, box_width = map(int, chosen[row])
        top = int(draws[row, -3] * (height - box_height + 1))
        left = int(draws[row, -2] * (width - box_width + 1))
        crops.append(Crop(top, left, box_height, box_width, mirrored))
    return crops


def _between(uniform: np.ndarray, low: float, high: float) -> np.ndarray:
    return low + uniform * (high - low)


def _central(height: int, width: int, ratio: tuple[float, float], mirrored: bool) -> Crop:
    lowest, highest = ratio
    box_height, box_width = height, width
    if width / height < lowest:
        box_height = max(1, round(width / lowest))
    elif width / height > highest:
        box_width = max(1, round(height * highest))
    return Crop((height - box_height) // 2, (width - box_width) // 2, box_height, box_width, mirrored)
