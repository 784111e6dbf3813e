"""A method's own similarity of chosen images and reports, such as GLoRIA's of words and places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from torch.nn.functional import pad

from benchx.encoding import Execution
from benchx.images.batches import prefetch
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.images.store import PixelStore
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.text.base import TextFeatures
from benchx.progress import Advance
from benchx.training.precision import autocast

TEXTS = 512
"""Texts whose words are held at a time: 150 MB of GLoRIA's. The images are encoded anew for each so many."""


@dataclass(frozen=True)
class OwnSimilarities:
    """Similarities of some pairs.

    Attributes:
        keys: int64 [M], image x number of texts + text, ascending.
        values: float32 [M].
        texts: number of texts.
    """

    keys: np.ndarray
    values: np.ndarray
    texts: int

    def of(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Return the similarities of pairs, of any shape; of a pair that was not compared an arbitrary one."""
        place = np.searchsorted(self.keys, images * self.texts + texts)
        return self.values[np.minimum(place, len(self.values) - 1)]


def compare_pairs(
    encoder: Encoder,
    pixels: PixelStore,
    images: np.ndarray,
    texts: Sequence[str],
    keys: np.ndarray,
    spec: InputSpec,
    execution: Execution,
    advance: Advance,
) -> OwnSimilarities:
    """Compare chosen pairs; features are made here and kept for a batch only.

    The image encoder runs in the protocol's precision, the text tower and the comparison in float32.

    Args:
        images: int [I], positions in `pixels`.
        texts: the T texts.
        keys: int64 [M], the pairs, as in `OwnSimilarities`.
    """
    encoder.to(execution.device).to(memory_format=torch.channels_last).eval()
    image, text = np.divmod(keys, len(texts))
    found = np.zeros(len(keys), np.float32)
    done = 0

    def prepared_batch(batch: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
        return batch, prepare(pixels.images(images[batch]), spec)

    for start in range(0, len(texts), TEXTS):
        pairs = np.flatnonzero((text >= start) & (text < start + TEXTS))
        needed = np.unique(image[pairs])
        batches = [needed[one : one + execution.batch] for one in range(0, len(needed), execution.batch)]
        if not batches:
            continue
        with torch.inference_mode():
            read = _read(encoder, texts[start : start + TEXTS], execution.batch)
            for batch, prepared in prefetch(prepared_batch, batches, workers=1):
                seen = _see(encoder, prepared, execution)
                mine = pairs[np.isin(image[pairs], batch)]
                for number, group in groupby(mine, key=lambda pair: image[pair]):
                    chosen = np.array(list(group))
                    one = _image(seen, int(np.searchsorted(batch, number)))
                    found[chosen] = encoder.similarity(one, _texts(read, text[chosen] - start))[0].float().cpu().numpy()
                done += len(mine)
                advance(done, len(keys))
    return OwnSimilarities(keys, found, len(texts))


def _see(encoder: Encoder, images: torch.Tensor, execution: Execution) -> Features:
    with autocast(execution.device, execution.precision):
        features = encoder.encode(images.to(execution.device).contiguous(memory_format=torch.channels_last))
    tokens = None if features.tokens is None else features.tokens.float()
    return replace(features, pooled=features.pooled.float(), tokens=tokens, maps=())


def _image(features: Features, number: int) -> Features:
    tokens = None if features.tokens is None else features.tokens[[number]]
    return replace(features, pooled=features.pooled[[number]], tokens=tokens)


def _read(encoder: Encoder, texts: Sequence[str], batch: int) -> TextFeatures:
    """Read texts batch by batch; those with fewer words are filled up with words that do not count."""
    parts = [encoder.encode_text(texts[start : start + batch]) for start in range(0, len(texts), batch)]
    words = [part.words for part in parts if part.words is not None]
    masks = [part.word_mask for part in parts if part.word_mask is not None]
    longest = max((one.shape[1] for one in words), default=0)
    return TextFeatures(
        torch.cat([part.pooled for part in parts]),
        torch.cat([part.embedding for part in parts]),
        torch.cat([pad(one, (0, 0, 0, longest - one.shape[1])) for one in words]) if words else None,
        torch.cat([pad(one, (0, longest - one.shape[1])) for one in masks]) if masks else None,
    )


def _texts(read: TextFeatures, numbers: np.ndarray) -> TextFeatures:
    chosen = torch.from_numpy(numbers).to(read.pooled.device)
    words, mask = (None if part is None else part[chosen] for part in (read.words, read.word_mask))
    return TextFeatures(read.pooled[chosen], read.embedding[chosen], words, mask)
