"""From grey images of any shape to the batch an encoder takes: one geometry and one resizer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from benchx.images.spec import InputSpec, place

__all__ = ["InputSpec", "normalise", "prepare", "resize"]


def prepare(images: Sequence[np.ndarray], spec: InputSpec, device: torch.device | str = "cpu") -> torch.Tensor:
    """Bring images to an encoder's input.

    Pixels are resized on the CPU in uint8 and only then sent to the device, so that every device sees
    the same pixels. An image's result does not depend on the other images of the batch.

    Args:
        images: uint8 [h, w] each, of any shapes.
        spec: the geometry and the normalisation.
        device: where the batch is wanted.

    Returns:
        float32 [B, channels, size, size]: (x / 255 - mean) / std.
    """
    squares = torch.empty((len(images), 1, spec.size, spec.size), dtype=torch.uint8)
    by_shape = defaultdict(list)
    for row, image in enumerate(images):
        by_shape[image.shape].append(row)
    for rows in by_shape.values():
        squares[rows] = _square(torch.from_numpy(np.stack([images[row] for row in rows]))[:, None], spec)
    return normalise(squares, spec, device)


def resize(pixels: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize uint8 [N, 1, h, w] to [N, 1, height, width]: antialiased bilinear, rounded to uint8.

    The rule of Pillow's BILINEAR and of torchvision's `resize(antialias=True)` on uint8.
    """
    return functional.interpolate(pixels, size=(height, width), mode="bilinear", antialias=True)


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
    pixels = resize(pixels, placed.height, placed.width)
    top, left = max(-placed.top, 0), max(-placed.left, 0)
    bottom, right = (max(spec.size - n, 0) for n in (placed.height - placed.top, placed.width - placed.left))
    if top or left or bottom or right:
        pixels = functional.pad(pixels, (left, right, top, bottom))
    top, left = placed.top + top, placed.left + left
    return pixels[..., top : top + spec.size, left : left + spec.size]
