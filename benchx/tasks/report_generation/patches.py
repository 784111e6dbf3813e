"""Where a decoder's patches come from: the cache of a frozen encoder, the encoder, or one that is trained along.

The patches of an image are all tokens of the encoder; where it has none, the places of its coarsest map, row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchx.errors import NotApplicable, UsageError
from benchx.extraction import cell_features
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.methods.encoders.base import Encoder
from benchx.methods.encoders.base import Features as Encoded
from benchx.planning import Cell
from benchx.protocols import Extraction, Generate
from benchx.tasks.report_generation.cases import NO_IMAGE
from benchx.tasks.report_generation.crops import random_crops
from benchx.workspace import Workspace

Inputs = tuple[Tensor, Tensor]
"""Images [B, views, channels, S, S] or cached patches [B, views, T, D], and whether each is there, bool [B, views]."""


@dataclass(frozen=True)
class Source:
    """The patches of a method.

    Attributes:
        dim: D.
        inputs: maps row numbers [B, views] and a generator (augment) or None to what a batch holds on the device.
        patches: maps inputs to patches [B, views * T, D] and their mask, bool [B, views * T]; without gradients of a
            frozen encoder.
        encoder: that is trained along, None where it is frozen.
        kind: `cached`, `frozen` or `trained`, for the record.
    """

    dim: int
    inputs: Callable[[np.ndarray, np.random.Generator | None], Inputs]
    patches: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    encoder: Encoder | None
    kind: str


def open_source(cell: Cell, protocol: Generate, spec: InputSpec, workspace: Workspace) -> Source:
    """Load a method's encoder and find out what its patches are.

    Patches of a frozen encoder come from the disk (bfloat16), unless training images are cropped.

    Raises:
        NotApplicable: the method gives neither tokens nor maps.
        UsageError: the pixels are cached smaller than crops are taken from.
    """
    side = protocol.crop_from
    if side is not None and not spec.size <= side <= cell.settings["short_side"]:
        raise UsageError(
            f"crops of {spec.size} px cannot be taken from images of {side} px",
            f"the suite keeps images at {cell.settings['short_side']} px",
            "set crop_from between the two, or raise short_side",
        )
    encoder, device = workspace.load_encoder(cell.method, spec.size), workspace.device
    pixels = workspace.dataset(cell.reading).pixels
    with torch.no_grad():
        found = encoder.eval().encode(torch.zeros(1, encoder.channels, spec.size, spec.size, device=device))
    if found.tokens is None and not found.maps:
        raise NotApplicable(f"method '{cell.method}' has no patches", "it gives no tokens and no maps", "use another")
    dim = _patches_of(found).shape[2]

    if protocol.encoder == "frozen" and side is None:
        extraction = Extraction(input=protocol.input, feature_batch=protocol.batch_size, precision=protocol.precision)
        part = "maps" if found.tokens is None else "tokens"
        features = cell_features(cell, extraction, workspace, part=part)  # type: ignore[arg-type]

        def cached(rows: np.ndarray, rng: np.random.Generator | None) -> Inputs:
            there = rows != NO_IMAGE
            kept = features.tensors(np.where(there, rows, rows[:, :1]).ravel())[-1]
            patches = kept if part == "tokens" else kept.flatten(2).transpose(1, 2)
            return patches.unflatten(0, rows.shape).to(device), torch.from_numpy(there).to(device)

        def as_given(patches: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
            return patches.flatten(1, 2), there.repeat_interleave(patches.shape[2], dim=1)

        return Source(dim, cached, as_given, None, "cached")

    def images(rows: np.ndarray, rng: np.random.Generator | None) -> Inputs:
        there = rows != NO_IMAGE
        views = pixels.images(rows[there])
        taken = (
            prepare(views, spec, device)
            if rng is None or side is None
            else random_crops(views, spec, side, rng, device)
        )
        whole = taken.new_zeros(*rows.shape, *taken.shape[1:])
        mask = torch.from_numpy(there).to(device)
        whole[mask] = taken
        return whole, mask

    trained = protocol.encoder == "trained"

    def encoded(images: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        with torch.set_grad_enabled(trained and torch.is_grad_enabled()):
            seen = _patches_of(encoder.encode(images[there].contiguous(memory_format=torch.channels_last)))
            whole = seen.new_zeros(*there.shape, *seen.shape[1:])
            whole[there] = seen
        return whole.flatten(1, 2), there.repeat_interleave(seen.shape[1], dim=1)

    encoder.requires_grad_(trained).to(memory_format=torch.channels_last)
    return Source(dim, images, encoded, encoder if trained else None, protocol.encoder)


def _patches_of(features: Encoded) -> Tensor:
    """Return [B, T, D]."""
    return features.maps[-1].flatten(2).transpose(1, 2) if features.tokens is None else features.tokens
