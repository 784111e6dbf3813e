"""How a frozen encoder is run: on which device, in which precision; images in, features out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from benchx.errors import UsageError
from benchx.protocols import Extraction
from benchx.training.memory import free, halved
from benchx.training.precision import Resolved, autocast, resolve_precision

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder


Part = Literal["pooled", "embedding", "tokens", "maps"]
"""Pooled features, the embedding in the space shared with text, local features, or feature maps."""


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
    precision: Resolved
    compiled: bool
    batch: int

    def numerics(self) -> dict[str, Any]:
        """Return the JSON-able fields that name a feature matrix; of the device only its kind."""
        kind = torch.device(self.device).type
        return {"device": kind, "precision": self.precision, "compiled": self.compiled, "batch": self.batch}


def resolve_execution(protocol: Extraction, device: str) -> Execution:
    """Return how a protocol runs its encoders on a device.

    Raises:
        UsageError: the protocol asks for bf16 and the device has none.
    """
    compiled = protocol.compile and torch.device(device).type == "cuda"
    return Execution(device, resolve_precision(device, protocol.precision), compiled, protocol.feature_batch)


class _Reads(nn.Module):
    """An encoder that gives one part of its features."""

    def __init__(self, encoder: Encoder, part: Part) -> None:
        super().__init__()
        self.encoder, self.part = encoder, part

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if self.part == "pooled":
            return (self.encoder(images),)
        features = self.encoder.encode(images)
        if self.part == "maps":
            return features.maps
        if self.part == "embedding":
            return (self.encoder.project(features),)
        if features.tokens is None:
            raise UsageError("the method has no local features", "its encoder gives no tokens", "use another method")
        return (features.tokens,)


def make_encode(
    encoder: Encoder, execution: Execution, part: Part = "pooled"
) -> Callable[[torch.Tensor], tuple[torch.Tensor, ...]]:
    """Prepare an encoder, in place, and return the function from images to a part of its features.

    Convolutions run channels-last. A batch that does not fit into memory is encoded in halves, since no image depends
    on another.

    Returns:
        A function from float32 [B, channels, S, S] on any device to float32 [B, ...] on the CPU: one tensor, or one
        per map.

    Raises:
        UsageError: when called, the method has no such part.
    """
    device = execution.device
    reads = _Reads(encoder, part).to(device).to(memory_format=torch.channels_last).eval()
    run = torch.compile(reads) if execution.compiled else reads

    def in_pieces(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        try:
            found: tuple[torch.Tensor, ...] = run(images)
            return tuple(tensor.float().cpu() for tensor in found)
        except (RuntimeError, MemoryError) as error:
            half = halved(len(images), error)
        free()
        halves = in_pieces(images[:half]), in_pieces(images[half:])
        return tuple(torch.cat(pair) for pair in zip(*halves, strict=True))

    def encode(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.inference_mode(), autocast(device, execution.precision):
            return in_pieces(images.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last))

    return encode
