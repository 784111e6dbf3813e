"""Images and texts read in pairs: each image encoded once, each text once, then pair by pair in batches.

The image encoder and the fusion run in the protocol's precision, the text tower and what follows the fusion in float32.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from benchx.encoding import Execution
from benchx.errors import BenchxError, StoreError
from benchx.held_texts import HeldTexts, read_texts
from benchx.images.batches import prefetch
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.images.store import PixelStore
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.text.base import TextFeatures
from benchx.progress import Advance
from benchx.training.memory import free, halved
from benchx.training.precision import autocast
from benchx.writing import reserve, write_whole

_FILE = "pairs.npy"
SIMILARITIES = 512
"""Texts that one image is compared with in one call of a method's own similarity."""

Read = Callable[[Features, np.ndarray, TextFeatures], torch.Tensor]
"""From the features of a batch of images, the place of each pair's image in it [m], ascending, and the pairs' m texts
to what is wanted of the pairs, [m, ...]."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of images and texts, by image and within an image by text.

    Attributes:
        images: int64 [I], positions in a pixel store, each once.
        texts: the T texts, each once.
        keys: int64 [M], image x T + text, ascending, each once; None = every image with every text.
    """

    images: np.ndarray
    texts: Sequence[str]
    keys: np.ndarray | None

    def __len__(self) -> int:
        return len(self.images) * len(self.texts) if self.keys is None else len(self.keys)

    def between(self, first: int, stop: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Return the pairs of some consecutive images: place of the first, and image and text number of each [m]."""
        ends = np.array([first, stop]) * len(self.texts)
        if self.keys is None:
            return int(ends[0]), *np.divmod(np.arange(*ends), len(self.texts))
        low, high = np.searchsorted(self.keys, ends)
        return int(low), *np.divmod(self.keys[low:high], len(self.texts))

    def places(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Return where pairs stand, of any shape; for one that is none of these an arbitrary place."""
        keys = np.asarray(images, np.int64) * len(self.texts) + texts
        return keys if self.keys is None else np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return every text once, short ones first, and where each of the given ones stands among these, int64 [n].

    Texts of like length stand together, so that little is filled up, and their order does not depend on the given one.
    """
    once = sorted(set(texts), key=lambda text: (len(text), text))
    place = {text: number for number, text in enumerate(once)}
    return once, np.array([place[text] for text in texts], np.int64)


def fused(encoder: Encoder, execution: Execution) -> Read:
    """Return the reading that gives the method's joint features, [m, dim of the fusion]."""

    def read(seen: Features, image: np.ndarray, text: TextFeatures) -> torch.Tensor:
        with autocast(execution.device, execution.precision):
            return encoder.fuse(_picked(seen, image), text).float()

    return read


def matched(encoder: Encoder, execution: Execution) -> Read:
    """Return the reading that tells how well image and text belong together, [m]."""
    fuse = fused(encoder, execution)

    def read(seen: Features, image: np.ndarray, text: TextFeatures) -> torch.Tensor:
        joint = fuse(seen, image, text)
        assert encoder.fusion is not None
        return encoder.fusion.match(joint)

    return read


def compared(encoder: Encoder) -> Read:
    """Return the reading that gives the method's own similarity, [m], image by image."""

    def read(seen: Features, image: np.ndarray, text: TextFeatures) -> torch.Tensor:
        starts = np.flatnonzero(np.diff(image, prepend=-1)).tolist()
        parts = [
            encoder.similarity(_picked(seen, image[first : first + 1]), _between(text, first, stop))[0]
            for first, stop in zip(starts, [*starts[1:], len(image)], strict=True)
        ]
        return torch.cat(parts)

    return read


def read_pairs(
    encoder: Encoder,
    pixels: PixelStore,
    pairs: Pairs,
    spec: InputSpec,
    execution: Execution,
    read: Read,
    folder: Path,
    advance: Advance,
    *,
    at_a_time: int,
) -> None:
    """Read pairs into a folder, for `open_pairs`; a killed reading continues after its last images.

    Images are encoded anew for each block of `benchx.held_texts.read_texts`, of which there is one, nearly always. What
    does not fit into memory is tried in halves.

    Args:
        at_a_time: pairs per call of `read`.

    Raises:
        BenchxError: a value is NaN or infinite.
        StoreError: the disk is full.
        UsageError: the method does not read pairs so.
        WeightsMissing: the text tower's weights or its tokenizer's files are not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if is_read(folder):
            return
        encoder.to(execution.device).to(memory_format=torch.channels_last).eval()
        try:
            with torch.inference_mode():
                _fill(encoder, pixels, pairs, spec, execution, read, folder, advance, at_a_time)
        except OSError as error:
            raise StoreError(
                f"pairs could not be written to {folder}",
                error.strerror or str(error),
                f"free space (4 bytes x {len(pairs)} pairs x their width) and run again",
            ) from error


def is_read(folder: Path) -> bool:
    """Whether all pairs of a folder have been read."""
    return (folder / _FILE).is_file()


def open_pairs(folder: Path) -> np.ndarray:
    """Return what was read of pairs, float32 [M, ...], memory-mapped."""
    return np.asarray(np.load(folder / _FILE, mmap_mode="r"))


def _fill(
    encoder: Encoder,
    pixels: PixelStore,
    pairs: Pairs,
    spec: InputSpec,
    execution: Execution,
    read: Read,
    folder: Path,
    advance: Advance,
    at_a_time: int,
) -> None:
    partial, journal = folder / "partial.npy", folder / "partial.json"
    resumed = journal.is_file() and partial.is_file()
    state = json.loads(journal.read_text()) if resumed else {"text": 0, "image": 0, "done": 0}
    matrix = np.lib.format.open_memmap(partial, mode="r+") if resumed else None
    done = state["done"]

    def prepared_batch(batch: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
        return batch, prepare(pixels.images(pairs.images[batch]), spec)

    for held in read_texts(encoder, pairs.texts, execution.batch, start=state["text"]):
        begin = state["image"] if held.start == state["text"] else 0
        starts = range(begin, len(pairs.images), execution.batch)
        batches = [np.arange(first, min(first + execution.batch, len(pairs.images))) for first in starts]
        batches = [batch for batch in batches if len(_in_block(pairs, batch, held)[0])]
        for batch, images in prefetch(prepared_batch, batches, workers=1):
            seen = _see(encoder, images.to(execution.device), execution)
            places, image, text = _in_block(pairs, batch, held)
            for first in range(0, len(places), at_a_time):
                some = slice(first, first + at_a_time)
                values = _read(read, seen, image[some] - batch[0], text[some], held).float().cpu().numpy()
                if not np.isfinite(values).all():
                    raise BenchxError(
                        "the method gives NaN or infinite values for some pairs",
                        f"of {len(values)} pairs that were read together {int((~np.isfinite(values)).sum())} values",
                        "look for an overflow in half precision, or check the checkpoint: benchx methods check METHOD",
                    )
                if matrix is None:
                    shape = (len(pairs), *values.shape[1:])
                    matrix = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
                    reserve(partial)
                matrix[places[some]] = values
                done += len(values)
                advance(done, len(pairs))
            assert matrix is not None
            matrix.flush()
            now = {"text": held.start, "image": int(batch[-1]) + 1, "done": done}
            write_whole(journal, json.dumps(now).encode())
    if matrix is None:
        raise ValueError("there are no pairs to read")
    matrix.flush()
    del matrix
    os.replace(partial, folder / _FILE)
    journal.unlink()


def _in_block(pairs: Pairs, batch: np.ndarray, held: HeldTexts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of a batch of images with the texts that are held: place, image and text number of each [m]."""
    low, image, text = pairs.between(int(batch[0]), int(batch[-1]) + 1)
    mine = np.flatnonzero((text >= held.start) & (text < held.stop))
    return low + mine, image[mine], text[mine]


def _see(encoder: Encoder, images: torch.Tensor, execution: Execution) -> Features:
    try:
        with autocast(execution.device, execution.precision):
            features = encoder.encode(images.contiguous(memory_format=torch.channels_last))
        tokens = None if features.tokens is None else features.tokens.float()
        return replace(features, pooled=features.pooled.float(), tokens=tokens, maps=(), strides=())
    except (RuntimeError, MemoryError) as error:
        half = halved(len(images), error)
    free()
    parts = _see(encoder, images[:half], execution), _see(encoder, images[half:], execution)
    tokens = None if parts[0].tokens is None else torch.cat([part.tokens for part in parts if part.tokens is not None])
    return replace(parts[0], pooled=torch.cat([part.pooled for part in parts]), tokens=tokens)


def _read(read: Read, seen: Features, image: np.ndarray, text: np.ndarray, held: HeldTexts) -> torch.Tensor:
    try:
        return read(seen, image, held.of(text))
    except (RuntimeError, MemoryError) as error:
        half = halved(len(image), error)
    free()
    parts = (slice(None, half), slice(half, None))
    return torch.cat([_read(read, seen, image[part], text[part], held) for part in parts])


def _picked(seen: Features, image: np.ndarray) -> Features:
    chosen = torch.from_numpy(image).to(seen.pooled.device)
    tokens = None if seen.tokens is None else seen.tokens[chosen]
    return replace(seen, pooled=seen.pooled[chosen], tokens=tokens)


def _between(text: TextFeatures, first: int, stop: int) -> TextFeatures:
    parts = (text.words, text.word_mask, text.entities)
    words, mask, entities = (None if part is None else part[first:stop] for part in parts)
    return TextFeatures(text.pooled[first:stop], text.embedding[first:stop], words, mask, entities)
