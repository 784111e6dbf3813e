"""Where a decoder's maps come from: a frozen encoder, its cache, or an encoder that is trained along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from benchx.extraction import cell_features
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.methods.encoders.base import Encoder
from benchx.methods.encoders.pyramid import Pyramid
from benchx.planning import Cell
from benchx.protocols import Extraction, Segment
from benchx.workspace import Workspace

Inputs = tuple[Tensor, ...]


@dataclass(frozen=True)
class Source:
    """The maps of a method.

    Attributes:
        channels, strides: of the maps.
        inputs: maps row numbers to what a batch of them holds on the device: the images, or cached maps.
        maps: from inputs to maps; of a frozen encoder without gradients.
        encoder: that is trained along, None where it is frozen.
        kind: `cached`, `frozen` or `trained`, for the record.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    inputs: Callable[[np.ndarray], Inputs]
    maps: Callable[[Inputs], Sequence[Tensor]]
    encoder: Encoder | None
    kind: str


def open_source(cell: Cell, protocol: Segment, spec: InputSpec, workspace: Workspace) -> Source:
    """Load a method's encoder and find out what its maps are.

    Maps of a frozen encoder come from the disk where the protocol allows as many bytes as the whole dataset's take and
    mirrors no images. UPerNet gets the blocks of plain transformers as they are, see `read_blocks`, never from disk.
    """
    encoder, device = workspace.load_encoder(cell.method, spec.size), workspace.device
    pixels = workspace.dataset(cell.reading).pixels
    blocks = protocol.decoder.name == "upernet" and take_blocks(encoder)
    read = read_blocks if blocks else read_maps
    with torch.no_grad():
        maps, strides = read(encoder.eval(), torch.zeros(1, encoder.channels, spec.size, spec.size, device=device))
    channels = tuple(one.shape[1] for one in maps)

    def images(rows: np.ndarray) -> Inputs:
        return (prepare(pixels.images(rows), spec, device).contiguous(memory_format=torch.channels_last),)

    def from_images(inputs: Inputs) -> Sequence[Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and protocol.encoder == "trained"):
            return read(encoder, inputs[0])[0]

    if protocol.encoder == "trained":
        return Source(channels, strides, images, from_images, encoder, "trained")
    needed = 2 * len(pixels.samples) * sum(one[0].numel() for one in maps)
    if not blocks and protocol.horizontal_flip == 0 and 0 < needed <= protocol.cache_gigabytes * 1e9:
        extraction = Extraction(input=protocol.input, feature_batch=protocol.batch_size, precision=protocol.precision)
        features = cell_features(cell, extraction, workspace, part="maps")

        def cached(rows: np.ndarray) -> Inputs:
            return tuple(one.to(device) for one in features.tensors(rows))

        return Source(channels, strides, cached, lambda inputs: inputs, None, "cached")
    encoder.requires_grad_(False).to(memory_format=torch.channels_last)
    return Source(channels, strides, images, from_images, None, "frozen")


def take_blocks(encoder: Encoder) -> bool:
    """Make a plain transformer give its blocks as they are, all of one stride; say whether the encoder is one."""
    pyramid: Pyramid | None = getattr(encoder, "pyramid", None)
    if pyramid is None or not pyramid.rescaled:
        return False
    encoder.pyramid = replace(pyramid, rescaled=False)  # type: ignore[assignment]
    return True


def read_maps(encoder: Encoder, images: Tensor) -> tuple[Sequence[Tensor], tuple[int, ...]]:
    """Return an encoder's maps and their strides."""
    features = encoder.encode(images)
    return features.maps, features.strides


def read_blocks(encoder: Encoder, images: Tensor) -> tuple[Sequence[Tensor], tuple[int, ...]]:
    """Return a plain transformer's blocks, [B, D, h, w] each, and their strides.

    The last one is the tokens as the encoder hands them on, after its final norm where it has one: so does
    MMSegmentation's VisionTransformer, which BenchX uses.
    """
    features = encoder.encode(images)
    *earlier, last = features.maps
    assert features.tokens is not None
    tokens = features.tokens[:, -last[0, 0].numel() :]
    return (*earlier, tokens.transpose(1, 2).reshape(last.shape)), (encoder.patch_size,) * len(features.maps)
