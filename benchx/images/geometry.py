"""From grey images of any shape to the batch an encoder takes: one geometry and one resizer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.nn import functional

from benchx.images.spec import InputSpec, Interpolation, place

__all__ = ["InputSpec", "normalise", "prepare", "rescaled", "resize"]


def prepare(images: Sequence[np.ndarray], spec: InputSpec, device: torch.device | str = "cpu") -> torch.Tensor:
    """Bring images to an encoder's input.

    Pixels are resized on the CPU in uint8 and only then sent to the device, so that every device sees
    the same pixels. An image's result does not depend on the other images of the batch.

    Args:
        images: uint8 [h, w] each, of any shapes.
        spec: the grey values, the geometry and the normalisation.
        device: where the batch is wanted.

    Returns:
        float32 [B, channels, size, size]: (x / 255 - mean) / std.
    """
    squares = torch.empty((len(images), 1, spec.size, spec.size), dtype=torch.uint8)
    images = [rescaled(image, spec) for image in images]
    by_shape = defaultdict(list)
    for row, image in enumerate(images):
        by_shape[image.shape].append(row)
    for rows in by_shape.values():
        squares[rows] = _square(torch.from_numpy(np.stack([images[row] for row in rows]))[:, None], spec)
    return normalise(squares, spec, device)


def rescaled(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Apply a spec's `rescale` to an image, uint8 [h, w]; a flat image becomes black.

    Values are stretched in float64 and truncated to uint8, as BioViL's official code does.
    """
    if spec.rescale is None:
        return image
    low, high = int(image.min()), int(image.max())
    if low == high:
        return np.zeros_like(image)
    table = ((np.arange(256) - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
    return table[image]


def resize(pixels: torch.Tensor, height: int, width: int, interpolation: Interpolation) -> torch.Tensor:
    """Resize uint8 [N, 1, h, w] to [N, 1, height, width].

    Bilinear and bicubic are antialiased and rounded to uint8 after the horizontal and after the vertical pass. They
    equal torchvision's `resize(antialias=True)`, and Pillow's filters of those names passed in that order within 1
    (bilinear) and 2 (bicubic) grey levels. Area equals `cv2.resize(..., interpolation=cv2.INTER_AREA)`.
    """
    if interpolation != "area":
        return functional.interpolate(pixels, size=(height, width), mode=interpolation, antialias=True)
    shrunk = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in pixels[:, 0].numpy()]
    return torch.from_numpy(np.stack(shrunk))[:, None]


def normalise(pixels: torch.Tensor, spec: InputSpec, device: torch.device | str) -> torch.Tensor:
    """Turn uint8 [N, 1, S, S] into float32 [N, channels, S, S] on the device: (x / 255 - mean) / std."""
    shape = (1, spec.channels, 1, 1)
    mean, std = (torch.tensor(v, device=device).view(1, -1, 1, 1).expand(shape) for v in (spec.mean, spec.std))
    values = pixels.to(device).float().div_(255)
    # One output written in place is several times faster on a CPU than a new array per operation.
    batch = torch.empty((len(pixels), spec.channels, *pixels.shape[-2:]), device=device)
    return torch.sub(values, mean, out=batch).div_(std)


def _square(pixels: torch.Tensor, spec: InputSpec) -> torch.Tensor:
    placed = place(pixels.shape[-2], pixels.shape[-1], spec)
    pixels = resize(pixels, placed.height, placed.width, spec.interpolation)
    top, left = max(-placed.top, 0), max(-placed.left, 0)
    bottom, right = (max(spec.size - n, 0) for n in (placed.height - placed.top, placed.width - placed.left))
    if top or left or bottom or right:
        pixels = functional.pad(pixels, (left, right, top, bottom))
    top, left = placed.top + top, placed.left + left
    return pixels[..., top : top + spec.size, left : left + spec.size]
