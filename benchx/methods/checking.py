"""`benchx methods check`: does this checkpoint fill the encoder, and what do its features look like?"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchx.images.geometry import prepare
from benchx.methods.card import read_card
from benchx.methods.encoders.base import Encoder
from benchx.methods.loading import filled, random_encoder
from benchx.methods.weights import default_root, find_checkpoint, weights_digest


@dataclass(frozen=True)
class CheckReport:
    """What a method's encoder was filled with, and the statistics of its features on a test image.

    Attributes:
        digest: sha256 of the checkpoint, or of encoder and seed if random.
        official: whether it is the file whose sha256 the card gives; None where the card gives none.
        filled, unused, dtypes: tensors that were filled, that no one took, and by type in the file.
        fresh: tensors that the method starts afresh, not from the file.
        parameters: of the encoder.
        features: mean, std, min, max and the first four values of the pooled features.
    """

    method: str
    checkpoint: str | None
    digest: str
    official: bool | None
    filled: dict[str, int]
    unused: dict[str, int]
    dtypes: dict[str, int]
    fresh: tuple[str, ...]
    dim: int
    parameters: int
    features: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a JSON-able dictionary."""
        return asdict(self)


def check(name: str, checkpoint: Path | None = None) -> CheckReport:
    """Load a method strictly and describe it.

    Raises:
        UsageError: no such method.
        CheckpointError: no checkpoint, or it does not fill the encoder (the error says what would fit).
    """
    card = read_card(name)
    path = find_checkpoint(card, checkpoint, default_root())
    found = filled(card, path) if path is not None else None
    encoder = found.encoder if found else random_encoder(card)
    digest = weights_digest(card, path)
    known = card.weights.sha256
    with torch.inference_mode():
        pooled = encoder.eval()(prepare([grating_image(card.images.size)], card.images))[0]
    return CheckReport(
        method=card.name,
        checkpoint=path.name if path else None,
        digest=digest,
        official=None if known is None else digest == known,
        filled=dict(found.filled) if found else {},
        unused=dict(found.unused) if found else {},
        dtypes=dict(found.dtypes) if found else {},
        fresh=tuple(encoder.fresh),
        dim=encoder.dim,
        parameters=sum(parameter.numel() for parameter in encoder.parameters()),
        features=_statistics(pooled, encoder),
    )


def grating_image(size: int) -> np.ndarray:
    """Return the fixed test image, uint8 [size, size]: a grey ramp under two crossed gratings."""
    axis = np.arange(size) / size
    rows, columns = axis[:, None], axis[None, :]
    waves = np.sin(2 * math.pi * 3 * rows) * np.cos(2 * math.pi * 5 * columns)
    return np.rint(255 * (0.25 + 0.25 * rows + 0.25 * columns + 0.2 * waves)).astype(np.uint8)


def _statistics(pooled: torch.Tensor, encoder: Encoder) -> dict[str, Any]:
    figures = {"mean": pooled.mean(), "std": pooled.std(), "min": pooled.min(), "max": pooled.max()}
    return {
        **{name: float(value) for name, value in figures.items()},
        "first": [float(value) for value in pooled[:4]],
    }
