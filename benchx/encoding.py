"""How a frozen encoder is run: on which device, in which precision; images in, pooled features out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from benchx.protocols import Frozen
from benchx.training.memory import free, halved
from benchx.training.precision import autocast, resolve_precision

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder


@dataclass(frozen=True)
class Execution:
    """How features are computed, as far as their last digits depend on it.

    Attributes:
        device: where, such as `cpu` or `cuda:0`.
        precision: of the forward pass; the features are float32 always.
        compiled: whether the encoder is compiled by torch.
        batch: images per forward pass.
    """

    device: str
    precision: Literal["fp32", "bf16"]
    compiled: bool
    batch: int

    def numerics(self) -> dict[str, Any]:
        """Return the JSON-able fields that name a feature matrix; of the device only its kind."""
        kind = torch.device(self.device).type
        return {"device": kind, "precision": self.precision, "compiled": self.compiled, "batch": self.batch}


def resolve_execution(protocol: Frozen, device: str) -> Execution:
    """Return how a protocol runs its encoders on a device.

    Raises:
        UsageError: the protocol asks for bf16 and the device has none.
    """
    compiled = protocol.compile and torch.device(device).type == "cuda"
    return Execution(device, resolve_precision(device, protocol.precision), compiled, protocol.feature_batch)


def make_encode(encoder: Encoder, execution: Execution) -> Callable[[torch.Tensor], torch.Tensor]:
    """Prepare an encoder, in place, and return the function from images to its pooled features.

    Convolutions run channels-last. A batch that does not fit into memory is encoded in halves, since no image depends
    on another.

    Returns:
        A function from float32 [B, channels, S, S] on any device to float32 [B, dim] on the CPU.
    """
    device = execution.device
    forward = encoder.to(device).to(memory_format=torch.channels_last).eval()
    run = torch.compile(forward) if execution.compiled else forward

    def in_pieces(images: torch.Tensor) -> torch.Tensor:
        try:
            return run(images)
        except (RuntimeError, MemoryError) as error:
            half = halved(len(images), error)
        free()
        return torch.cat([in_pieces(images[:half]), in_pieces(images[half:])])

    def encode(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), autocast(device, execution.precision):
            images = images.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
            return in_pieces(images).float().cpu()

    return encode
