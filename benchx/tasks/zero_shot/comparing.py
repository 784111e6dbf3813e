"""A method's own comparison of images with texts, batch by batch; nothing is kept but what is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchx.encoding import Execution
from benchx.images.batches import prefetch
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.images.store import PixelStore
from benchx.progress import Advance
from benchx.training.memory import free, halved
from benchx.training.precision import autocast

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder, Features

Compare = Callable[["Features"], torch.Tensor]
"""From the features of a batch to what is kept of each image, [B, ...]."""


def compared(
    encoder: Encoder,
    compare: Compare,
    pixels: PixelStore,
    rows: np.ndarray,
    spec: InputSpec,
    execution: Execution,
    advance: Advance,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Encode images and compare them.

    The encoder runs in the precision of the protocol, the comparison in float32. A batch that does not fit into memory
    is tried in halves.

    Args:
        rows: int [n], positions in `pixels`.

    Yields:
        Rows of a batch, and float32 [B, ...] of what `compare` made of it.
    """
    encoder.to(execution.device).to(memory_format=torch.channels_last).eval()

    def in_pieces(images: torch.Tensor) -> torch.Tensor:
        try:
            with autocast(execution.device, execution.precision):
                features = encoder.encode(images)
            return compare(_in_float32(features)).float().cpu()
        except (RuntimeError, MemoryError) as error:
            half = halved(len(images), error)
        free()
        return torch.cat([in_pieces(images[:half]), in_pieces(images[half:])])

    def make(batch: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
        return batch, prepare(pixels.images(batch), spec)

    batches = [rows[start : start + execution.batch] for start in range(0, len(rows), execution.batch)]
    done = 0
    for batch, images in prefetch(make, batches, workers=1):
        with torch.inference_mode():
            found = in_pieces(images.to(execution.device).contiguous(memory_format=torch.channels_last))
        done += len(batch)
        advance(done, len(rows))
        yield batch, found.numpy()


def _in_float32(features: Features) -> Features:
    """Return the same features in float32, of whatever class they are."""

    def wide(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.float()
        return tuple(map(wide, value)) if isinstance(value, tuple) else value

    found: dict[str, Any] = {one.name: wide(getattr(features, one.name)) for one in fields(features)}
    return replace(features, **found)
