"""BenchX's augmentation of images whose reports are generated: a random square out of a larger one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchx.images.geometry import normalise, rescaled, resize
from benchx.images.spec import InputSpec, place


def random_crops(
    images: Sequence[np.ndarray], spec: InputSpec, side: int, rng: np.random.Generator, device: str
) -> torch.Tensor:
    """Resize images to a short side of `side`, their aspect kept, and take a random part of the encoder's size of each.

    Args:
        images: uint8 [h, w] each, of any shapes.
        spec: the encoder's input; of it the resizing does not apply.
        side: pixels, at least `spec.size`.
        rng: advanced by two numbers per image.

    Returns:
        float32 [B, channels, size, size].
    """
    places = rng.random((len(images), 2))
    whole_side = spec.model_copy(update={"resize": "center_crop", "resize_to": side})
    pixels = torch.empty((len(images), 1, spec.size, spec.size), dtype=torch.uint8)
    for row, image in enumerate(images):
        height, width, _, _ = place(image.shape[0], image.shape[1], whole_side)
        whole = torch.from_numpy(rescaled(image, spec).copy())[None, None]
        resized = resize(whole, height, width, spec.interpolation)
        spare = np.array([height - spec.size + 1, width - spec.size + 1])
        top, left = (places[row] * spare).astype(int).tolist()
        pixels[row] = resized[0, :, top : top + spec.size, left : left + spec.size]
    return normalise(pixels, spec, device)
