"""`benchx methods check`: does this checkpoint fill the method, and what do its features look like?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchx.digests import digest_file
from benchx.images.geometry import prepare
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card, Fingerprint
from benchx.methods.encoders.base import Encoder
from benchx.methods.loading import filled, random_encoder
from benchx.methods.weights import default_root, find_checkpoint, weights_digest

TOLERANCE = 1e-3
"""Largest difference from the card's fingerprint, relative to its largest figure: machines differ by far less,
other weights or another input by far more."""

TEST_TOKENS = 16
"""How many token ids, from 0 on, a method without images is described by."""


@dataclass(frozen=True)
class CheckReport:
    """What a method was filled with, and the statistics of its features on a test image.

    Attributes:
        checkpoint: the file's name; None for random weights.
        digest: sha256 of the checkpoint, or of encoder and seed if random.
        official: whether it is the file whose sha256 the card gives; None where the card gives none.
        filled: number of tensors by part: "image encoder", "text tower", "scorer", "fusion".
        missing: tensors left without weights: none, since loading fails otherwise.
        unused: number of the file's tensors that no part took, by the first two modules in their names.
        resized: position embeddings that were resampled for the image size, with both shapes.
        dtypes: number of tensors taken by their data type in the file; all are held as float32.
        fresh: tensors that the method starts afresh, not from the file.
        text_checkpoint, text_digest: the text tower's own file, if it has one and it was read, and its sha256.
        without_text: why the text tower was left out, where the method has one.
        dim: number of the features.
        parameters: of all parts that were filled.
        features: mean, std, min, max and the first four values of the pooled features of the test image; for a
            method that reads only text, of the embedding of the tokens 0 to 15.
        same: whether these are the card's fingerprint; None where there is none to compare with.
        fingerprint: the same in words.
    """

    method: str
    checkpoint: str | None
    digest: str
    official: bool | None
    filled: dict[str, int]
    missing: int
    unused: dict[str, int]
    resized: tuple[str, ...]
    dtypes: dict[str, int]
    fresh: tuple[str, ...]
    text_checkpoint: str | None
    text_digest: str | None
    without_text: str | None
    dim: int
    parameters: int
    features: dict[str, Any]
    same: bool | None
    fingerprint: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a JSON-able dictionary."""
        return asdict(self)


def check(
    name: str,
    checkpoint: Path | None = None,
    image_size: int | None = None,
    text_checkpoint: Path | None = None,
) -> CheckReport:
    """Load a method strictly and describe it.

    Args:
        image_size: side of the test image in pixels; without it the card's, the only one with a fingerprint.
        text_checkpoint: the file of a text tower that has one of its own; without it BENCHX_WEIGHTS is searched.

    Raises:
        UsageError: no such method, or it does not take this image size.
        CheckpointError: no checkpoint, or it does not fill the method (the error says what would fit).
    """
    card = read_card(name)
    path = find_checkpoint(card, checkpoint, default_root())
    found = filled(card, path, text_path=text_checkpoint) if path is not None else None
    encoder = (found.encoder if found else random_encoder(card)).eval()
    resized = _resize(encoder, image_size)
    digest = weights_digest(card, path)
    known = card.weights.sha256
    features = _features(card, encoder)
    statistics = _statistics(features)
    own_size = card.input is None or image_size in (None, card.input.size)
    same, words = _compared(statistics, card.fingerprint if own_size else None)
    return CheckReport(
        method=card.name,
        checkpoint=path.name if path else None,
        digest=digest,
        official=None if known is None else digest == known,
        filled=dict(found.filled) if found else {},
        missing=0,
        unused=dict(found.unused) if found else {},
        resized=resized,
        dtypes=dict(found.dtypes) if found else {},
        fresh=tuple(
            name for part in (encoder, encoder.text, encoder.scorer, encoder.fusion) if part for name in part.fresh
        ),
        text_checkpoint=found.text_path.name if found and found.text_path else None,
        text_digest=digest_file(found.text_path) if found and found.text_path else None,
        without_text=encoder.without_text.what if encoder.without_text else None,
        dim=len(features),
        parameters=sum(parameter.numel() for parameter in encoder.parameters()),
        features=statistics,
        same=same,
        fingerprint=words,
    )


def grating_image(size: int) -> np.ndarray:
    """Return the fixed test image, uint8 [size, size]: a grey ramp under two crossed gratings."""
    axis = np.arange(size) / size
    rows, columns = axis[:, None], axis[None, :]
    waves = np.sin(2 * math.pi * 3 * rows) * np.cos(2 * math.pi * 5 * columns)
    return np.rint(255 * (0.25 + 0.25 * rows + 0.25 * columns + 0.2 * waves)).astype(np.uint8)


def _resize(encoder: Encoder, image_size: int | None) -> tuple[str, ...]:
    if image_size is None:
        return ()
    before = encoder.expected()
    encoder.resize(image_size)
    after = encoder.expected()
    return tuple(
        f"{name} {list(shape)} -> {list(after[name])}" for name, shape in before.items() if after[name] != shape
    )


def _features(card: Card, encoder: Encoder) -> torch.Tensor:
    """Return the pooled features of the test image, [dim]; without images, the embedding of the test tokens."""
    with torch.inference_mode():
        if card.input is None:
            ids = _test_tokens(encoder)
            return encoder.encode_tokens(ids, torch.ones_like(ids))[0]
        spec = card.input.scaled_to(encoder.image_size)
        return encoder(prepare([grating_image(spec.size)], spec))[0]


def _test_tokens(encoder: Encoder) -> torch.Tensor:
    vocabularies = [module.num_embeddings for module in encoder.modules() if isinstance(module, nn.Embedding)]
    return torch.arange(TEST_TOKENS).clamp(max=max(vocabularies, default=TEST_TOKENS) - 1)[None]


def _statistics(features: torch.Tensor) -> dict[str, Any]:
    figures = {"mean": features.mean(), "std": features.std(), "min": features.min(), "max": features.max()}
    return {
        **{name: float(value) for name, value in figures.items()},
        "first": [float(value) for value in features[:4]],
    }


def _compared(statistics: Mapping[str, Any], known: Fingerprint | None) -> tuple[bool | None, str]:
    if known is None:
        return None, "the card has none"
    expected = np.array([known.mean, known.std, *known.first])
    found = np.array([statistics["mean"], statistics["std"], *statistics["first"]])
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    if difference <= TOLERANCE:
        return True, "same"
    return False, f"differs by {difference:.1e} of its largest figure; {TOLERANCE:.0e} is allowed"
